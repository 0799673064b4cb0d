using System.Globalization;

namespace LoRaWan.Regional;

/// <summary>Number of a data rate within a band, DR0 to DR15. Plan files may say up to 255; validation of the device refuses those.</summary>
/// <param name="Value">The number.</param>
public readonly record struct DataRateIndex(byte Value) : IComparable<DataRateIndex>
{
    /// <summary>Orders by number.</summary>
    public int CompareTo(DataRateIndex other) => Value.CompareTo(other.Value);

    /// <summary>The number as engineers write it, e.g. <c>DR5</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"DR{Value}");

    /// <summary>Compares numbers.</summary>
    public static bool operator <(DataRateIndex left, DataRateIndex right) => left.Value < right.Value;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >(DataRateIndex left, DataRateIndex right) => left.Value > right.Value;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator <=(DataRateIndex left, DataRateIndex right) => left.Value <= right.Value;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >=(DataRateIndex left, DataRateIndex right) => left.Value >= right.Value;
}

/// <summary>How a data rate puts bits on the air.</summary>
public enum Modulation
{
    /// <summary>LoRa chirps.</summary>
    LoRa,

    /// <summary>Frequency shift keying.</summary>
    Fsk,

    /// <summary>Long-range frequency hopping.</summary>
    LrFhss,
}

/// <summary>A data rate of a band (facts/bands.md, <c>band-datarates.tsv</c>).</summary>
public sealed record DataRate
{
    /// <summary>Number within the band.</summary>
    public required DataRateIndex Index { get; init; }

    /// <summary>Modulation; decides which of the next four are set.</summary>
    public required Modulation Modulation { get; init; }

    /// <summary>LoRa spreading factor, 5 to 12.</summary>
    public int? SpreadingFactor { get; init; }

    /// <summary>LoRa bandwidth in Hz.</summary>
    public int? BandwidthHz { get; init; }

    /// <summary>FSK bit rate in bit/s.</summary>
    public int? BitRate { get; init; }

    /// <summary>LR-FHSS operating channel width in Hz.</summary>
    public int? OperatingChannelWidthHz { get; init; }

    /// <summary>Coding rate, e.g. <c>4/5</c>, <c>4/8LI</c>, <c>1/3</c>; null for FSK.</summary>
    public string? CodingRate { get; init; }

    /// <summary>Largest MACPayload in bytes without a dwell time limit.</summary>
    public required int MaxMacPayloadBytes { get; init; }

    /// <summary>Largest MACPayload in bytes under a dwell time limit; null where the data rate may not be used then.</summary>
    public int? MaxMacPayloadUnderDwellTimeBytes { get; init; }

    /// <summary>As engineers write it: <c>SF12BW125</c>, <c>FSK 50 kbit/s</c>, <c>LR-FHSS 137 kHz 1/3</c>.</summary>
    public override string ToString() => Modulation switch
    {
        Modulation.LoRa => string.Create(CultureInfo.InvariantCulture, $"SF{SpreadingFactor}BW{BandwidthHz / 1000}"),
        Modulation.Fsk => string.Create(CultureInfo.InvariantCulture, $"FSK {BitRate / 1000} kbit/s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"LR-FHSS {OperatingChannelWidthHz / 1000} kHz {CodingRate}"),
    };
}
