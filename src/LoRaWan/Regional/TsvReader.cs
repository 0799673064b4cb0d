using System.Globalization;

namespace LoRaWan.Regional;

/// <summary>Reads an embedded table row by row, cells by column name (see Tables/README.md).</summary>
internal ref struct TsvReader
{
    private readonly string[] columns;
    private readonly Range[] cells;
    private ReadOnlySpan<char> rest;
    private ReadOnlySpan<char> line;

    private TsvReader(string text)
    {
        rest = text;
        columns = NextLine().ToString().Split('\t');
        cells = new Range[columns.Length];
    }

    /// <summary>Opens an embedded table.</summary>
    public static TsvReader Open(string name)
    {
        using var stream = typeof(TsvReader).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The table {name} is not embedded in this build.");
        using var reader = new StreamReader(stream);
        return new TsvReader(reader.ReadToEnd());
    }

    /// <summary>Goes to the next row.</summary>
    public bool Read()
    {
        if (rest.IsEmpty)
            return false;
        line = NextLine();
        if (line.Split(cells, '\t') != columns.Length)
            throw new InvalidOperationException($"A row of a table has not {columns.Length} cells: {line}");
        return true;
    }

    public readonly ReadOnlySpan<char> Cell(string column) => line[cells[Array.IndexOf(columns, column)]];

    /// <summary>The text of a cell, null when it is empty.</summary>
    public readonly string? TextOrNull(string column) => Cell(column) is { IsEmpty: false } cell ? cell.ToString() : null;

    public readonly string Text(string column) => TextOrNull(column) ?? throw new InvalidOperationException($"Column {column} is empty in row {line}");

    public readonly T? NumberOrNull<T>(string column) where T : struct, ISpanParsable<T> =>
        Cell(column) is { IsEmpty: false } cell ? T.Parse(cell, CultureInfo.InvariantCulture) : null;

    public readonly T Number<T>(string column) where T : struct, ISpanParsable<T> => T.Parse(Cell(column), CultureInfo.InvariantCulture);

    public readonly bool? FlagOrNull(string column) => Cell(column) is { IsEmpty: false } cell ? bool.Parse(cell) : null;

    public readonly bool Flag(string column) => bool.Parse(Cell(column));

    public readonly Frequency? FrequencyOrNull(string column) => NumberOrNull<ulong>(column) is { } hertz ? new Frequency(hertz) : null;

    public readonly Frequency Frequency(string column) => new(Number<ulong>(column));

    public readonly DataRateIndex? DataRateOrNull(string column) => NumberOrNull<byte>(column) is { } index ? new DataRateIndex(index) : null;

    public readonly DataRateIndex DataRate(string column) => new(Number<byte>(column));

    public readonly Channel Channel() =>
        new(Frequency("frequency_hz"), DataRate("min_data_rate_index"), DataRate("max_data_rate_index"));

    public readonly FixedRateChannel? FixedRateChannelOrNull(string frequency, string dataRate) =>
        FrequencyOrNull(frequency) is { } set ? new FixedRateChannel(set, DataRate(dataRate)) : null;

    /// <summary>A duration given in nanoseconds.</summary>
    public readonly TimeSpan? NanosecondsOrNull(string column) =>
        NumberOrNull<long>(column) is { } nanoseconds ? TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick) : null;

    /// <summary>The items of a list, empty when the cell is.</summary>
    public readonly string[] List(string column, char separator = ';') =>
        Cell(column) is { IsEmpty: false } cell ? cell.ToString().Split(separator) : [];

    private ReadOnlySpan<char> NextLine()
    {
        // Every line of a table ends in LF, the last one too.
        var end = rest.IndexOf('\n');
        var next = rest[..end];
        rest = rest[(end + 1)..];
        return next;
    }
}
