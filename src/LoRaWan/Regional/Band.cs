using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace LoRaWan.Regional;

/// <summary>
/// A LoRaWAN band as one version of the Regional Parameters defines it, with the values of The Things Stack (facts/bands.md).
/// The tables are read when the first band is asked for; after that a lookup is a dictionary probe and a walk over at most 12 versions.
/// </summary>
public sealed record Band
{
    internal Band()
    {
    }

    /// <summary>ID that plans name, e.g. <c>EU_863_870</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Version of the Regional Parameters.</summary>
    public required PhyVersion PhyVersion { get; init; }

    /// <summary>True on the one version that stands for the newest of the band.</summary>
    public required bool IsLatest { get; init; }

    /// <summary>What a CFList carries.</summary>
    public required CFListType CFListType { get; init; }

    /// <summary>True when a join-accept may carry a CFList.</summary>
    public required bool ImplementsCFList { get; init; }

    /// <summary>Most uplink channels a device can have.</summary>
    public required int MaxUplinkChannels { get; init; }

    /// <summary>Most downlink channels a device can have.</summary>
    public required int MaxDownlinkChannels { get; init; }

    /// <summary>Default uplink channels, by channel number.</summary>
    public required ImmutableArray<Channel> UplinkChannels { get; init; }

    /// <summary>Default downlink channels, by channel number. Uplink channel i goes with number i modulo their count.</summary>
    public required ImmutableArray<Channel> DownlinkChannels { get; init; }

    /// <summary>Default delay of the RX1 window, 1 s.</summary>
    public required TimeSpan Rx1Delay { get; init; }

    /// <summary>Default data rate of the RX2 window.</summary>
    public required DataRateIndex Rx2DataRate { get; init; }

    /// <summary>Default frequency of the RX2 window.</summary>
    public required Frequency Rx2Frequency { get; init; }

    /// <summary>Default maximum EIRP in dBm. Single precision, as The Things Stack stores and compares it.</summary>
    public required float MaxEirpDbm { get; init; }

    /// <summary>True when the TxParamSetup command (dwell time, EIRP) exists.</summary>
    public required bool SupportsTxParamSetup { get; init; }

    /// <summary>Highest data rate that ADR uses.</summary>
    public required DataRateIndex MaxAdrDataRate { get; init; }

    /// <summary>ADR_ACK_LIMIT as exponent: 6 is 64 uplinks.</summary>
    public required int AdrAckLimitExponent { get; init; }

    /// <summary>ADR_ACK_DELAY as exponent: 5 is 32 uplinks.</summary>
    public required int AdrAckDelayExponent { get; init; }

    /// <summary>Data rate of class B beacons; also the default of ping slots.</summary>
    public required DataRateIndex BeaconDataRate { get; init; }

    /// <summary>Frequencies of class B beacons: none, one, or those that are hopped over.</summary>
    public required ImmutableArray<Frequency> BeaconFrequencies { get; init; }

    /// <summary>Frequencies of class B ping slots: none, one, or those that are hopped over.</summary>
    public required ImmutableArray<Frequency> PingSlotFrequencies { get; init; }

    /// <summary>The beacon frequency where there is exactly one.</summary>
    public Frequency? OnlyBeaconFrequency => BeaconFrequencies is [var only] ? only : null;

    /// <summary>The ping slot frequency where there is exactly one.</summary>
    public Frequency? OnlyPingSlotFrequency => PingSlotFrequencies is [var only] ? only : null;

    /// <summary>Default back-off of a device served by a relay, in uplinks without answer.</summary>
    public required int ServedRelayBackoff { get; init; }

    /// <summary>Uplink dwell time limit that devices are expected to start with; null when the band has none.</summary>
    public bool? BootUplinkDwellTime { get; init; }

    /// <summary>Downlink dwell time limit that devices are expected to start with; null when the band has none.</summary>
    public bool? BootDownlinkDwellTime { get; init; }

    /// <summary>By TX power index: offset from the maximum EIRP, in dB.</summary>
    public required ImmutableArray<int> TxPowerOffsetsDb { get; init; }

    /// <summary>Data rates by index; indexes that are missing are reserved.</summary>
    public required ImmutableArray<DataRate> DataRates { get; init; }

    /// <summary>All bands in all their versions: by ID, then in the order of the specifications.</summary>
    public static ImmutableArray<Band> All => BandTable.All;

    /// <summary>IDs of all bands, sorted.</summary>
    public static ImmutableArray<string> Ids => BandTable.Ids;

    /// <summary>Finds a band in one version; false when the band is unknown or does not exist in that version.</summary>
    /// <param name="id">ID, e.g. <c>EU_863_870</c>; case matters.</param>
    /// <param name="phyVersion">Version of the Regional Parameters.</param>
    /// <param name="band">The band.</param>
    public static bool TryGet(string id, PhyVersion phyVersion, [NotNullWhen(true)] out Band? band)
    {
        foreach (var version in VersionsOf(id))
        {
            if (version.PhyVersion == phyVersion)
            {
                band = version;
                return true;
            }
        }
        band = null;
        return false;
    }

    /// <summary>True when the band exists in some version.</summary>
    public static bool Exists(string id) => BandTable.ById.ContainsKey(id);

    /// <summary>All versions of a band in the order of the specifications; none when the ID is unknown.</summary>
    public static ImmutableArray<Band> VersionsOf(string id) => BandTable.ById.TryGetValue(id, out var versions) ? versions : [];

    /// <summary>
    /// The version of a band to take for a device that follows another one: the same if the band has it, else the next newer, else the newest.
    /// Null when the band is unknown.
    /// </summary>
    public static Band? Nearest(string id, PhyVersion wanted) =>
        VersionsOf(id) is { IsEmpty: false } versions ? versions.FirstOrDefault(b => b.PhyVersion >= wanted) ?? versions[^1] : null;

    /// <summary>
    /// Finds the band that other networks call by the region name of the LoRa Alliance: <c>EU868</c>, <c>AS923-2</c>.
    /// Case and separators do not matter.
    /// </summary>
    /// <returns>False when the name is unknown.</returns>
    public static bool TryGetIdOfRegion(ReadOnlySpan<char> region, [NotNullWhen(true)] out string? id) =>
        BandTable.IdByRegion.TryGetValue(NearestNames.Letters(region), out id);
}
