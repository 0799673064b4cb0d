using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace LoRaWan.Regional;

/// <summary>
/// A frequency plan of The Things Stack: what a network wants of the devices in a band (facts/frequency-plans.md). Everything but the ID may be
/// unset; then the band decides. <see cref="FrequencyPlans.Embedded"/> holds the plans known at build time; a reader of plan files sets
/// the properties from the file, applies <see cref="Over"/> and asks <see cref="FindFault"/>.
/// </summary>
public sealed record FrequencyPlan
{
    /// <summary>ID that a device names, e.g. <c>EU_863_870_TTN</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Name for people, e.g. <c>Europe 863-870 MHz (SF12 for RX2)</c>.</summary>
    public string Name { get; init; } = "";

    /// <summary>What the plan is for; may have several lines.</summary>
    public string Description { get; init; } = "";

    /// <summary>ID of the plan that this one is laid over; null when it stands alone.</summary>
    public string? BaseId { get; init; }

    /// <summary>ID of the <see cref="Band"/>; empty when a plan file does not say it.</summary>
    public string BandId { get; init; } = "";

    /// <summary>File in the plan repository.</summary>
    public string? File { get; init; }

    /// <summary>Hardware family in MHz: 433, 470, 868, 915 or 2450.</summary>
    public int? BaseFrequencyMegahertz { get; init; }

    /// <summary>False when the plan is not meant for gateways; null when the index does not say. Any plan is good for end devices.</summary>
    public bool? Gateways { get; init; }

    /// <summary>Uplink channels. Uplink i and downlink i belong together.</summary>
    public ImmutableArray<Channel> UplinkChannels { get; init; } = [];

    /// <summary>Downlink channels; empty when the downlinks use the uplink frequencies.</summary>
    public ImmutableArray<Channel> DownlinkChannels { get; init; } = [];

    /// <summary>The one LoRa channel of wide bandwidth that gateways listen on; in US915 and AU915 the 500 kHz channel of the sub-band.</summary>
    public FixedRateChannel? LoRaStandardChannel { get; init; }

    /// <summary>The FSK channel that gateways listen on.</summary>
    public FixedRateChannel? FskChannel { get; init; }

    /// <summary>Frequency of the RX2 window. A plan that has an RX2 channel of 0 Hz has it set to 0 Hz.</summary>
    public Frequency? Rx2Frequency { get; init; }

    /// <summary>Data rate of the RX2 window.</summary>
    public DataRateIndex? Rx2DataRate { get; init; }

    /// <summary>Frequency of class B ping slots.</summary>
    public Frequency? PingSlotFrequency { get; init; }

    /// <summary>Data rate of class B ping slots.</summary>
    public DataRateIndex? PingSlotDataRate { get; init; }

    /// <summary>Maximum EIRP in dBm, single precision. Counts only below that of the band.</summary>
    public float? MaxEirpDbm { get; init; }

    /// <summary>Dwell time limits; all unset by default.</summary>
    public DwellTime DwellTime { get; init; }

    /// <summary>Pause that must follow a transmission; unset in all embedded plans.</summary>
    public TimeOffAir TimeOffAir { get; init; }

    /// <summary>Listen-before-talk; null when gateways need not listen.</summary>
    public ListenBeforeTalk? ListenBeforeTalk { get; init; }

    /// <summary>Ranges with their own duty cycle or EIRP.</summary>
    public ImmutableArray<SubBand> SubBands { get; init; } = [];

    /// <summary>Countries that the plan is for, ISO 3166-1 two letters in lower case.</summary>
    public ImmutableArray<string> CountryCodes { get; init; } = [];

    /// <summary>Finds the band of the plan in one version; false when there is none.</summary>
    public bool TryGetBand(PhyVersion phyVersion, [NotNullWhen(true)] out Band? band) => Band.TryGet(BandId, phyVersion, out band);

    /// <summary>
    /// Lays this plan over its base: what it sets replaces that of the base (facts/frequency-plans.md section 4). Lists, channels, dwell time and
    /// time off air are replaced as a whole. Name, description, file and countries are its own.
    /// </summary>
    /// <param name="baseline">The base as its own file has it: the base of a base does not count.</param>
    public FrequencyPlan Over(FrequencyPlan baseline)
    {
        ArgumentNullException.ThrowIfNull(baseline);
        return this with
        {
            BandId = BandId.Length > 0 ? BandId : baseline.BandId,
            BaseFrequencyMegahertz = BaseFrequencyMegahertz is > 0 ? BaseFrequencyMegahertz : baseline.BaseFrequencyMegahertz,
            UplinkChannels = UplinkChannels.IsEmpty ? baseline.UplinkChannels : UplinkChannels,
            DownlinkChannels = DownlinkChannels.IsEmpty ? baseline.DownlinkChannels : DownlinkChannels,
            SubBands = SubBands.IsEmpty ? baseline.SubBands : SubBands,
            LoRaStandardChannel = LoRaStandardChannel ?? baseline.LoRaStandardChannel,
            FskChannel = FskChannel ?? baseline.FskChannel,
            Rx2Frequency = Rx2Frequency ?? baseline.Rx2Frequency,
            Rx2DataRate = Rx2DataRate ?? baseline.Rx2DataRate,
            PingSlotFrequency = PingSlotFrequency ?? baseline.PingSlotFrequency,
            PingSlotDataRate = PingSlotDataRate ?? baseline.PingSlotDataRate,
            MaxEirpDbm = MaxEirpDbm ?? baseline.MaxEirpDbm,
            DwellTime = DwellTime == default ? baseline.DwellTime : DwellTime,
            TimeOffAir = TimeOffAir == default ? baseline.TimeOffAir : TimeOffAir,
            ListenBeforeTalk = ListenBeforeTalk ?? baseline.ListenBeforeTalk,
        };
    }

    /// <summary>Finds the first thing that makes the plan unusable (facts/frequency-plans.md section 4); null when it is usable.</summary>
    public FrequencyPlanFault? FindFault()
    {
        if (!Band.Exists(BandId))
            return new FrequencyPlanFault(FrequencyPlanFaultKind.UnknownBand, null);
        if ((DwellTime.Uplinks is true || DwellTime.Downlinks is true) && DwellTime.Duration is null)
            return new FrequencyPlanFault(FrequencyPlanFaultKind.NoDwellTimeDuration, null);
        if (DwellTime.Duration is null)
        {
            foreach (var channels in new[] { UplinkChannels, DownlinkChannels })
            {
                for (var i = 0; i < channels.Length; i++)
                {
                    if (channels[i].DwellTime is { Enabled: true, Duration: null })
                        return new FrequencyPlanFault(FrequencyPlanFaultKind.NoDwellTimeDuration, i);
                }
            }
        }
        return null;
    }
}

/// <summary>Dwell time limits of a plan. What is null is not said, which is not the same as false.</summary>
/// <param name="Uplinks">True when uplinks are limited.</param>
/// <param name="Downlinks">True when downlinks are limited.</param>
/// <param name="Duration">The limit.</param>
public readonly record struct DwellTime(bool? Uplinks, bool? Downlinks, TimeSpan? Duration);

/// <summary>Pause after a transmission.</summary>
/// <param name="Fraction">As a share of the time on air; 0 when not set.</param>
/// <param name="Duration">At least this long; zero when not set.</param>
public readonly record struct TimeOffAir(float Fraction, TimeSpan Duration);

/// <summary>Listen-before-talk of a gateway.</summary>
/// <param name="RssiTargetDbm">The channel is free below this, in dBm.</param>
/// <param name="RssiOffsetDb">Correction of the measured value, in dB.</param>
/// <param name="ScanTime">How long to listen.</param>
public readonly record struct ListenBeforeTalk(float RssiTargetDbm, float RssiOffsetDb, TimeSpan ScanTime);

/// <summary>A frequency range with its own limits.</summary>
/// <param name="MinFrequency">Lower end.</param>
/// <param name="MaxFrequency">Upper end.</param>
/// <param name="DutyCycle">Share of time (0 to 1) that may be on air; null for no limit.</param>
/// <param name="MaxEirpDbm">Maximum EIRP in dBm; null for that of the plan or band.</param>
public readonly record struct SubBand(Frequency MinFrequency, Frequency MaxFrequency, float? DutyCycle, float? MaxEirpDbm);

/// <summary>What makes a plan unusable.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="ChannelIndex">Number of the channel, from 0, in its list; null when it is the plan itself.</param>
public readonly record struct FrequencyPlanFault(FrequencyPlanFaultKind Kind, int? ChannelIndex);

/// <summary>Kinds of faults of a plan.</summary>
public enum FrequencyPlanFaultKind
{
    /// <summary>The band is in none of the tables, or not given.</summary>
    UnknownBand,

    /// <summary>A dwell time limit is switched on and nothing says how long it is.</summary>
    NoDwellTimeDuration,
}
