using System.Diagnostics.CodeAnalysis;

namespace LoRaWan;

/// <summary>
/// Version of the LoRaWAN Regional Parameters (PHY) that a device follows, with the number and names that The Things Stack gives it
/// (facts/bands.md section 2).
/// </summary>
public readonly record struct PhyVersion : IComparable<PhyVersion>, ISpanParsable<PhyVersion>
{
    private PhyVersion(int number) => Number = number;

    /// <summary>Regional parameters inside LoRaWAN 1.0.</summary>
    public static PhyVersion V1_0 { get; } = new(1);

    /// <summary>Regional parameters inside LoRaWAN 1.0.1.</summary>
    public static PhyVersion V1_0_1 { get; } = new(2);

    /// <summary>Regional Parameters 1.0.2 revision A.</summary>
    public static PhyVersion V1_0_2RevA { get; } = new(3);

    /// <summary>Regional Parameters 1.0.2 revision B.</summary>
    public static PhyVersion V1_0_2RevB { get; } = new(4);

    /// <summary>Regional Parameters 1.0.3 revision A.</summary>
    public static PhyVersion V1_0_3RevA { get; } = new(7);

    /// <summary>Regional Parameters 1.1 revision A.</summary>
    public static PhyVersion V1_1RevA { get; } = new(5);

    /// <summary>Regional Parameters 1.1 revision B.</summary>
    public static PhyVersion V1_1RevB { get; } = new(6);

    /// <summary>Regional Parameters RP002-1.0.0.</summary>
    public static PhyVersion RP002V1_0_0 { get; } = new(8);

    /// <summary>Regional Parameters RP002-1.0.1.</summary>
    public static PhyVersion RP002V1_0_1 { get; } = new(9);

    /// <summary>Regional Parameters RP002-1.0.2.</summary>
    public static PhyVersion RP002V1_0_2 { get; } = new(10);

    /// <summary>Regional Parameters RP002-1.0.3.</summary>
    public static PhyVersion RP002V1_0_3 { get; } = new(11);

    /// <summary>Regional Parameters RP002-1.0.4.</summary>
    public static PhyVersion RP002V1_0_4 { get; } = new(12);

    /// <summary>No version known (PHY_UNKNOWN); lower than all others.</summary>
    public static PhyVersion Unknown => default;

    /// <summary>All known versions, in the order of the specifications.</summary>
    public static IReadOnlyList<PhyVersion> All { get; } = [V1_0, V1_0_1, V1_0_2RevA, V1_0_2RevB, V1_0_3RevA, V1_1RevA, V1_1RevB, RP002V1_0_0, RP002V1_0_1, RP002V1_0_2, RP002V1_0_3, RP002V1_0_4];

    /// <summary>The number The Things Stack gives the version. Not in the order of the specifications: compare values, not numbers.</summary>
    public int Number { get; }

    /// <summary>The name The Things Stack writes, e.g. <c>PHY_V1_0_2_REV_B</c>.</summary>
    public string Name => Texts.Name;

    /// <summary>The document, e.g. <c>RP001-1.0.2 revision B</c>; <c>unknown</c> for none.</summary>
    public string Specification => Texts.Specification;

    /// <summary>The other name of The Things Stack, e.g. <c>RP001_V1_0_2_REV_B</c>; the same as <see cref="Name"/> where it has one only.</summary>
    public string Alias => Texts.Accepted is [var alias, ..] && Number != 0 ? alias : Name;

    private VersionTexts Texts => Table.ByNumber[Number];

    /// <summary>Gives the version of a number of The Things Stack.</summary>
    /// <returns>False when no version, not even PHY_UNKNOWN (0), has that number.</returns>
    public static bool TryFromNumber(int number, out PhyVersion version)
    {
        var known = number >= 0 && number < Table.ByNumber.Length;
        version = known ? new(number) : default;
        return known;
    }

    /// <summary>
    /// Reads any name The Things Stack accepts (facts/tts-enums.tsv), in any case: <c>PHY_V1_0_2_REV_B</c>, <c>RP001_V1_0_2_REV_B</c>, <c>1.0.2-b</c> or the number as text.
    /// </summary>
    /// <param name="text">The name.</param>
    /// <param name="version">The version.</param>
    /// <param name="reason">Why not, and what is accepted; a phrase to put behind the name of the field.</param>
    public static bool TryParse(ReadOnlySpan<char> text, out PhyVersion version, [NotNullWhen(false)] out string? reason)
    {
        var number = VersionTexts.Find(Table.ByNumber, text);
        version = number < 0 ? default : new(number);
        reason = number < 0 ? VersionTexts.Reason([.. All.Select(v => v.Name)]) : null;
        return number >= 0;
    }

    /// <summary>Reads any name The Things Stack accepts.</summary>
    /// <exception cref="FormatException">There is no such version; the message names the known ones.</exception>
    public static PhyVersion Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, out var version, out string? reason) ? version : throw new FormatException($"LoRaWAN PHY version {reason}");

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider)"/>
    public static PhyVersion Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out PhyVersion result) =>
        TryParse(s, out result, out string? _);

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out PhyVersion result) =>
        TryParse(s.AsSpan(), out result, out string? _);

    /// <summary>Orders by specification: 1.0.4 comes before 1.1.</summary>
    public int CompareTo(PhyVersion other) => Texts.Order.CompareTo(other.Texts.Order);

    /// <summary>The name The Things Stack writes.</summary>
    public override string ToString() => Name;

    /// <summary>Compares in the order of the specifications.</summary>
    public static bool operator <(PhyVersion left, PhyVersion right) => left.CompareTo(right) < 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >(PhyVersion left, PhyVersion right) => left.CompareTo(right) > 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator <=(PhyVersion left, PhyVersion right) => left.CompareTo(right) <= 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >=(PhyVersion left, PhyVersion right) => left.CompareTo(right) >= 0;

    /// <summary>Apart from the versions, so that naming one does not need the other fields to be there already.</summary>
    private static class Table
    {
        public static readonly VersionTexts[] ByNumber = VersionTexts.ByNumber(new()
        {
            [0] = new("PHY_UNKNOWN", "unknown", 0, ["unknown"]),
            [1] = new("PHY_V1_0", "TS001-1.0", 1, ["TS001_V1_0", "1.0", "1.0.0", "V1_0"]),
            [2] = new("PHY_V1_0_1", "TS001-1.0.1", 2, ["TS001_V1_0_1", "1.0.1", "V1_0_1"]),
            [3] = new("PHY_V1_0_2_REV_A", "RP001-1.0.2", 3, ["RP001_V1_0_2", "1.0.2", "1.0.2-a", "V1_0_2", "V1_0_2_REV_A"]),
            [4] = new("PHY_V1_0_2_REV_B", "RP001-1.0.2 revision B", 4, ["RP001_V1_0_2_REV_B", "1.0.2-b", "V1_0_2_REV_B"]),
            [7] = new("PHY_V1_0_3_REV_A", "RP001-1.0.3 revision A", 5, ["RP001_V1_0_3_REV_A", "1.0.3-a", "V1_0_3_REV_A"]),
            [5] = new("PHY_V1_1_REV_A", "RP001-1.1 revision A", 6, ["RP001_V1_1_REV_A", "1.1-a", "1.1.0-a", "V1_1_REV_A"]),
            [6] = new("PHY_V1_1_REV_B", "RP001-1.1 revision B", 7, ["RP001_V1_1_REV_B", "1.1-b", "1.1.0-b", "V1_1_REV_B"]),
            [8] = new("RP002_V1_0_0", "RP002-1.0.0", 8, []),
            [9] = new("RP002_V1_0_1", "RP002-1.0.1", 9, []),
            [10] = new("RP002_V1_0_2", "RP002-1.0.2", 10, []),
            [11] = new("RP002_V1_0_3", "RP002-1.0.3", 11, []),
            [12] = new("RP002_V1_0_4", "RP002-1.0.4", 12, []),
        });
    }
}
