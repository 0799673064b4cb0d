using System.Diagnostics.CodeAnalysis;

namespace LoRaWan;

/// <summary>Version of the LoRaWAN link layer (MAC) that a device speaks, with the number and name that The Things Stack gives it.</summary>
public readonly record struct MacVersion : IComparable<MacVersion>, ISpanParsable<MacVersion>
{
    private MacVersion(int number) => Number = number;

    /// <summary>LoRaWAN 1.0.</summary>
    public static MacVersion V1_0 { get; } = new(1);

    /// <summary>LoRaWAN 1.0.1.</summary>
    public static MacVersion V1_0_1 { get; } = new(2);

    /// <summary>LoRaWAN 1.0.2.</summary>
    public static MacVersion V1_0_2 { get; } = new(3);

    /// <summary>LoRaWAN 1.0.3.</summary>
    public static MacVersion V1_0_3 { get; } = new(5);

    /// <summary>LoRaWAN 1.0.4.</summary>
    public static MacVersion V1_0_4 { get; } = new(6);

    /// <summary>LoRaWAN 1.1.</summary>
    public static MacVersion V1_1 { get; } = new(4);

    /// <summary>No version known (MAC_UNKNOWN); lower than all others.</summary>
    public static MacVersion Unknown => default;

    /// <summary>All known versions, in the order of the specifications.</summary>
    public static IReadOnlyList<MacVersion> All { get; } = [V1_0, V1_0_1, V1_0_2, V1_0_3, V1_0_4, V1_1];

    /// <summary>The number The Things Stack gives the version. Not in the order of the specifications: compare values, not numbers.</summary>
    public int Number { get; }

    /// <summary>The name The Things Stack writes, e.g. <c>MAC_V1_0_3</c>.</summary>
    public string Name => Texts.Name;

    /// <summary>The version as the specification writes it, e.g. <c>1.0.2</c>; <c>unknown</c> for none.</summary>
    public string Specification => Texts.Specification;

    private VersionTexts Texts => Table.ByNumber[Number];

    /// <summary>Gives the version of a number of The Things Stack.</summary>
    /// <returns>False when no version, not even MAC_UNKNOWN (0), has that number.</returns>
    public static bool TryFromNumber(int number, out MacVersion version)
    {
        var known = number >= 0 && number < Table.ByNumber.Length;
        version = known ? new(number) : default;
        return known;
    }

    /// <summary>
    /// Reads any name The Things Stack accepts (facts/tts-enums.tsv), in any case: <c>MAC_V1_0_2</c>, <c>V1_0_2</c>, <c>1.0.2</c> or the number as text.
    /// </summary>
    /// <param name="text">The name.</param>
    /// <param name="version">The version.</param>
    /// <param name="reason">Why not, and what is accepted; a phrase to put behind the name of the field.</param>
    public static bool TryParse(ReadOnlySpan<char> text, out MacVersion version, [NotNullWhen(false)] out string? reason)
    {
        var number = VersionTexts.Find(Table.ByNumber, text);
        version = number < 0 ? default : new(number);
        reason = number < 0 ? VersionTexts.Reason([.. All.Select(v => v.Name)]) : null;
        return number >= 0;
    }

    /// <summary>Reads any name The Things Stack accepts.</summary>
    /// <exception cref="FormatException">There is no such version; the message names the known ones.</exception>
    public static MacVersion Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, out var version, out string? reason) ? version : throw new FormatException($"LoRaWAN version {reason}");

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider)"/>
    public static MacVersion Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out MacVersion result) =>
        TryParse(s, out result, out string? _);

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out MacVersion result) =>
        TryParse(s.AsSpan(), out result, out string? _);

    /// <summary>Orders by specification: 1.0.4 comes before 1.1.</summary>
    public int CompareTo(MacVersion other) => Texts.Order.CompareTo(other.Texts.Order);

    /// <summary>The name The Things Stack writes.</summary>
    public override string ToString() => Name;

    /// <summary>Compares in the order of the specifications.</summary>
    public static bool operator <(MacVersion left, MacVersion right) => left.CompareTo(right) < 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >(MacVersion left, MacVersion right) => left.CompareTo(right) > 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator <=(MacVersion left, MacVersion right) => left.CompareTo(right) <= 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >=(MacVersion left, MacVersion right) => left.CompareTo(right) >= 0;

    /// <summary>Apart from the versions, so that naming one does not need the other fields to be there already.</summary>
    private static class Table
    {
        public static readonly VersionTexts[] ByNumber = VersionTexts.ByNumber(new()
        {
            [0] = new("MAC_UNKNOWN", "unknown", 0, ["unknown", "UNKNOWN"]),
            [1] = new("MAC_V1_0", "1.0", 1, ["V1_0", "1.0", "1.0.0"]),
            [2] = new("MAC_V1_0_1", "1.0.1", 2, ["V1_0_1", "1.0.1"]),
            [3] = new("MAC_V1_0_2", "1.0.2", 3, ["V1_0_2", "1.0.2"]),
            [5] = new("MAC_V1_0_3", "1.0.3", 4, ["V1_0_3", "1.0.3"]),
            [6] = new("MAC_V1_0_4", "1.0.4", 5, ["V1_0_4", "1.0.4"]),
            [4] = new("MAC_V1_1", "1.1", 6, ["V1_1", "1.1", "1.1.0"]),
        });
    }
}
