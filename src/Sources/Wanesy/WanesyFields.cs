using System.Globalization;
using LoRaWan;
using LoRaWan.Regional;
using Migration;
using TheThingsStack.Errors;

namespace Sources.Wanesy;

/// <summary>
/// Reads the values of one row as types. A value that decides about keys, session or versions is refused when it cannot be read (the first
/// such is <see cref="Failure"/>); any other is left out with a note.
/// </summary>
/// <param name="row">The row.</param>
internal sealed class WanesyFields(WanesyDevice row)
{
    private const string Package = "source/wanesy";
    private const int LargestRxDelay = 15;
    private const int LargestDataRateIndex = 15;
    private const int LargestDataRateOffset = 7;

    /// <summary>A frequency below this is in MHz: the export has Hz, the API MHz (facts/wanesy.md section 2).</summary>
    private const decimal MegahertzBelow = 10_000;

    private readonly List<string> padded = [];

    /// <summary>The first value that cannot be used; null when all can.</summary>
    public Failure? Failure { get; private set; }

    /// <summary>What was left out or guessed.</summary>
    public List<Note> Notes { get; } = [];

    /// <summary>Refuses the row; only the first reason counts.</summary>
    public void Refuse(Failure failure) => Failure ??= failure;

    /// <summary>Refuses the row because of a column.</summary>
    /// <param name="column">The column to look at.</param>
    /// <param name="name">Stable name.</param>
    /// <param name="message">What is wrong, without the place.</param>
    /// <param name="advice">What to write there.</param>
    public void Refuse(WanesyColumn column, string name, string message, string advice) =>
        Refuse(Failure.Named(Package, name, message) with { Advice = $"{row.Where(column)}: {advice}" });

    /// <summary>An identifier or key; null when absent or all zero, which means "none".</summary>
    public T? Hex<T>(WanesyColumn column)
        where T : struct, IHexValue<T> => HexOrZero<T>(column) is { IsZero: false } value ? value : null;

    /// <summary>An identifier of which all zeros is a value like any other; null when absent.</summary>
    public T? HexOrZero<T>(WanesyColumn column)
        where T : struct, IHexValue<T>
    {
        if (!row.Has(column))
            return null;
        if (!WanesyHex.TryRead(row[column], out T value, out var wasPadded, out var reason))
        {
            Refuse(Invalid<T>($"{T.TermName} {reason}") with { Advice = $"{row.Where(column)}: write {T.SizeInBytes * 2} hex digits without anything between them" });
            return null;
        }
        if (wasPadded)
            padded.Add(WanesyColumns.NameOf(column));
        return value;
    }

    /// <summary>A frame counter; null when absent.</summary>
    public FCnt? Counter(WanesyColumn column)
    {
        if (!row.Has(column))
            return null;
        if (uint.TryParse(row[column], NumberStyles.None, CultureInfo.InvariantCulture, out var value))
            return new FCnt(value);
        Refuse(column, "invalid_frame_counter", $"frame counter `{row[column]}` is not a whole number of 32 bits", "write the counter in decimal digits");
        return null;
    }

    /// <summary>RX1 delay in seconds, 0 to 15; null when absent.</summary>
    public int? Rx1Delay() => Number(WanesyColumn.Rx1Delay, LargestRxDelay, "invalid_rx1_delay", "RX1 delay", "seconds");

    /// <summary>RX2 data rate index, 0 to 15, decimal; null when absent.</summary>
    public int? Rx2DataRateIndex() => Number(WanesyColumn.Rx2Dr, LargestDataRateIndex, "invalid_rx2_dr", "RX2 data rate", "data rate index in decimal");

    /// <summary>RX1 data rate offset, 1 to 7; null when absent or 0, which is where every device begins.</summary>
    public int? Rx1DataRateOffset()
    {
        if (!row.Has(WanesyColumn.Rx1DrOffset))
            return null;
        if (TryNumber(row[WanesyColumn.Rx1DrOffset], LargestDataRateOffset, out var offset))
            return offset == 0 ? null : offset;
        LeaveOut(WanesyColumn.Rx1DrOffset, "a data rate offset from 0 to 7");
        return null;
    }

    /// <summary>A frequency, in the file in Hz or MHz; null when absent or unreadable.</summary>
    public Frequency? Frequency(WanesyColumn column)
    {
        if (!row.Has(column))
            return null;
        if (decimal.TryParse(row[column], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number is > 0 and < 1e11m)
        {
            var hertz = number < MegahertzBelow ? number * 1_000_000 : number;
            if (hertz >= 100_000 && hertz == decimal.Truncate(hertz))
                return new Frequency((ulong)hertz);
        }
        LeaveOut(column, "a frequency in Hz or MHz");
        return null;
    }

    /// <summary>Data rate index, written as number or as <c>SF9BW125</c>; null when absent or not in the band.</summary>
    public int? DataRateIndex(WanesyColumn column, Band? band)
    {
        if (!row.Has(column))
            return null;
        var text = row[column];
        if (TryNumber(text, LargestDataRateIndex, out var index))
            return index;
        if (text.IndexOf("BW", StringComparison.OrdinalIgnoreCase) is > 2 and var at
            && text.StartsWith("SF", StringComparison.OrdinalIgnoreCase)
            && TryNumber(text.AsSpan(2, at - 2), 12, out var spreading)
            && TryNumber(text.AsSpan(at + 2), 1625, out var kilohertz)
            && band?.DataRates.FirstOrDefault(d => d.SpreadingFactor == spreading && d.BandwidthHz == kilohertz * 1000) is { } rate)
        {
            return rate.Index.Value;
        }
        LeaveOut(column, "a data rate of the band");
        return null;
    }

    /// <summary>A switch; null when absent or unreadable.</summary>
    public bool? Switch(WanesyColumn column)
    {
        switch (row[column].ToUpperInvariant())
        {
            case "":
                return null;
            case "TRUE" or "1":
                return true;
            case "FALSE" or "0":
                return false;
            default:
                LeaveOut(column, "True or False");
                return null;
        }
    }

    /// <summary>Degrees within a range; null when absent or unreadable.</summary>
    public double? Degrees(WanesyColumn column, double largest)
    {
        if (!row.Has(column))
            return null;
        if (double.TryParse(row[column], NumberStyles.Float, CultureInfo.InvariantCulture, out var degrees) && Math.Abs(degrees) <= largest)
            return degrees;
        LeaveOut(column, string.Create(CultureInfo.InvariantCulture, $"a number of degrees from -{largest} to {largest}, with a point"));
        return null;
    }

    /// <summary>Metres, rounded; null when absent or unreadable.</summary>
    public int? Altitude()
    {
        if (!row.Has(WanesyColumn.Altitude))
            return null;
        if (double.TryParse(row[WanesyColumn.Altitude], NumberStyles.Float, CultureInfo.InvariantCulture, out var metres) && Math.Abs(metres) < int.MaxValue)
            return (int)Math.Round(metres, MidpointRounding.AwayFromZero);
        LeaveOut(WanesyColumn.Altitude, "a number of metres, with a point");
        return null;
    }

    /// <summary>Says that a column was not used; its value is no secret.</summary>
    public void LeaveOut(WanesyColumn column, string wanted) =>
        Notes.Add(new Note("value_left_out", $"`{WanesyColumns.NameOf(column)}` says `{row[column]}`, which is not {wanted}; it was left out"));

    /// <summary>Adds what the whole row showed.</summary>
    public void AddNotesOnForm()
    {
        if (padded.Count > 0)
        {
            Notes.Add(new Note(
                "zeros_restored",
                $"zeros were missing in front of {string.Join(", ", padded.Select(c => $"`{c}`"))} and were restored; compare them with Wanesy should the device not be heard"));
        }
        if (row.ColumnsShort > 0)
            Notes.Add(new Note("short_row", "the row ends before the last columns; they count as empty"));
    }

    private static Failure Invalid<T>(string reason)
        where T : struct, IHexValue<T>
    {
        if (T.SizeInBytes == DevEui.SizeInBytes)
            return WanesyHex.InvalidEui(reason);
        return new Failure(T.SizeInBytes == DevAddr.SizeInBytes ? "invalid DevAddr" : "invalid AES key")
        {
            Namespace = "pkg/types",
            Name = T.SizeInBytes == DevAddr.SizeInBytes ? "invalid_dev_addr" : "invalid_aes_key",
            Cause = new Failure(reason),
        };
    }

    private int? Number(WanesyColumn column, int largest, string name, string term, string unit)
    {
        if (!row.Has(column))
            return null;
        if (TryNumber(row[column], largest, out var number))
            return number;
        Refuse(column, name, $"{term} `{row[column]}` is not a whole number from 0 to {largest}", $"write the {unit}, or nothing");
        return null;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, int largest, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= largest;
}
