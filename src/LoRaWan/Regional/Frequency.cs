using System.Globalization;

namespace LoRaWan.Regional;

/// <summary>A radio frequency. Zero is a frequency like any other here; one that is not set is <c>null</c>.</summary>
/// <param name="Hertz">Frequency in Hz.</param>
public readonly record struct Frequency(ulong Hertz) : IComparable<Frequency>
{
    /// <summary>The frequency in MHz, exactly.</summary>
    public decimal Megahertz => Hertz / 1_000_000m;

    /// <summary>Makes a frequency of MHz.</summary>
    /// <param name="megahertz">Frequency in MHz, down to 1 Hz; not negative.</param>
    public static Frequency FromMegahertz(decimal megahertz) => new(decimal.ToUInt64(megahertz * 1_000_000m));

    /// <summary>Orders by frequency.</summary>
    public int CompareTo(Frequency other) => Hertz.CompareTo(other.Hertz);

    /// <summary>MHz with its unit, e.g. <c>868.1 MHz</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Megahertz:0.######} MHz");

    /// <summary>Compares frequencies.</summary>
    public static bool operator <(Frequency left, Frequency right) => left.Hertz < right.Hertz;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >(Frequency left, Frequency right) => left.Hertz > right.Hertz;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator <=(Frequency left, Frequency right) => left.Hertz <= right.Hertz;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >=(Frequency left, Frequency right) => left.Hertz >= right.Hertz;
}
