namespace LoRaWan.Regional;

/// <summary>An uplink or downlink channel of a band or a frequency plan.</summary>
/// <param name="Frequency">Centre frequency.</param>
/// <param name="MinDataRate">Lowest data rate.</param>
/// <param name="MaxDataRate">Highest data rate.</param>
public readonly record struct Channel(Frequency Frequency, DataRateIndex MinDataRate, DataRateIndex MaxDataRate)
{
    /// <summary>Dwell time of this channel alone; only in plans, and in none of the embedded ones.</summary>
    public ChannelDwellTime? DwellTime { get; init; }

    /// <summary>E.g. <c>868.1 MHz DR0-DR5</c>.</summary>
    public override string ToString() => $"{Frequency} {MinDataRate}-{MaxDataRate}";
}

/// <summary>Dwell time limit of one channel of a plan.</summary>
/// <param name="Enabled">True when the channel has a limit; null when it does not say.</param>
/// <param name="Duration">The limit; null for that of the plan.</param>
public readonly record struct ChannelDwellTime(bool? Enabled, TimeSpan? Duration);

/// <summary>A channel with one fixed data rate: the LoRa standard channel or the FSK channel of a plan.</summary>
/// <param name="Frequency">Centre frequency.</param>
/// <param name="DataRate">Its data rate.</param>
public readonly record struct FixedRateChannel(Frequency Frequency, DataRateIndex DataRate);

/// <summary>What a CFList carries in the band: it decides how channels are added to a device.</summary>
public enum CFListType
{
    /// <summary>Frequencies of further channels (EU868 and most others).</summary>
    Frequencies,

    /// <summary>Masks over a fixed set of channels (US915, AU915, CN470).</summary>
    ChannelMasks,
}
