using System.Globalization;
using Google.Protobuf.Collections;
using LoRaWan.Regional;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace TheThingsStack.Mac;

/// <summary>
/// The rules for current and desired MAC parameters, field by field (facts/mac-state.md sections 4 to 6). Everywhere the device's own
/// setting wins over the plan, the plan over the network's defaults, the defaults over the band. A setting that is present counts
/// even when it is zero, except frequencies, where zero means "not set".
/// </summary>
internal sealed class MacParameterRules(EndDevice device, FrequencyPlan plan, Band band, MACSettings? networkDefaults)
{
    private static readonly MACSettings None = new();

    /// <summary>dBm by number of DeviceEIRP (facts/mac-state.md R12).</summary>
    private static readonly float[] EirpDbm = [8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33, 36];

    private readonly MACSettings own = device.MacSettings ?? None;
    private readonly MACSettings network = networkDefaults ?? None;

    private IReadOnlyList<ulong> Presets => own.FactoryPresetFrequencies.Count > 0 ? own.FactoryPresetFrequencies : network.FactoryPresetFrequencies;
    private RelaySettings? CurrentRelay => own.Relay ?? network.Relay;
    private RelaySettings? DesiredRelay => own.DesiredRelay ?? network.DesiredRelay ?? CurrentRelay;

    /// <summary>Gives what makes a state impossible; The Things Stack crashes on these.</summary>
    public Failure? Check()
    {
        if (HasNoMode(CurrentRelay))
            return Failure.Named("mac", "relay_mode", "relay settings without mode") with { Advice = "give mac_settings.relay a mode or leave it out" };
        if (device.Multicast)
            return null;
        if (HasNoMode(DesiredRelay))
            return Failure.Named("mac", "relay_mode", "relay settings without mode") with { Advice = "give mac_settings.desired_relay a mode or leave it out" };
        if (own.DesiredMaxEirp is { } eirp && (uint)eirp.Value >= EirpDbm.Length)
            return Failure.Named("mac", "unknown_max_eirp", $"unknown maximum EIRP {((int)eirp.Value).ToString(CultureInfo.InvariantCulture)} in mac_settings.desired_max_eirp");
        if (plan.DownlinkChannels.Length > 0 && plan.DownlinkChannels.Length != plan.UplinkChannels.Length)
            return PlanChannels($"{plan.UplinkChannels.Length} uplink but {plan.DownlinkChannels.Length} downlink channels");
        if (plan.UplinkChannels.Length > band.MaxUplinkChannels)
            return PlanChannels($"{plan.UplinkChannels.Length} uplink channels, band {band.Id} allows {band.MaxUplinkChannels}");
        if (plan.DownlinkChannels.Length > band.MaxDownlinkChannels)
            return PlanChannels($"{plan.DownlinkChannels.Length} downlink channels, band {band.Id} allows {band.MaxDownlinkChannels}");
        return null;
    }

    /// <summary>What the device uses when it boots.</summary>
    public MACParameters Current()
    {
        var parameters = new MACParameters
        {
            MaxEirp = band.MaxEirpDbm,
            AdrNbTrans = 1,
            Rx1Delay = (own.Rx1Delay ?? network.Rx1Delay)?.Value ?? (RxDelay)(int)band.Rx1Delay.TotalSeconds,
            Rx1DataRateOffset = (own.Rx1DataRateOffset ?? network.Rx1DataRateOffset)?.Value ?? default,
            Rx2DataRateIndex = (own.Rx2DataRateIndex ?? network.Rx2DataRateIndex)?.Value ?? Index(band.Rx2DataRate),
            Rx2Frequency = Set(own.Rx2Frequency) ?? Set(network.Rx2Frequency) ?? band.Rx2Frequency.Hertz,
            MaxDutyCycle = (own.MaxDutyCycle ?? network.MaxDutyCycle)?.Value ?? AggregatedDutyCycle.DutyCycle1,
            RejoinTimePeriodicity = RejoinTimeExponent.RejoinTime0,
            RejoinCountPeriodicity = RejoinCountExponent.RejoinCount16,
            PingSlotFrequency = Set(own.PingSlotFrequency) ?? Set(network.PingSlotFrequency) ?? band.OnlyPingSlotFrequency?.Hertz ?? 0,
            BeaconFrequency = Set(own.BeaconFrequency) ?? network.BeaconFrequency?.Value ?? band.OnlyBeaconFrequency?.Hertz ?? 0,
            AdrAckLimitExponent = new ADRAckLimitExponentValue { Value = (ADRAckLimitExponent)band.AdrAckLimitExponent },
            AdrAckDelayExponent = new ADRAckDelayExponentValue { Value = (ADRAckDelayExponent)band.AdrAckDelayExponent },
            PingSlotDataRateIndexValue = (own.PingSlotDataRateIndex ?? network.PingSlotDataRateIndex)?.Clone()
                ?? new DataRateIndexValue { Value = Index(band.BeaconDataRate) },
            Relay = RelayParametersOf(CurrentRelay),
        };
        if (band.SupportsTxParamSetup)
        {
            parameters.UplinkDwellTime = (own.UplinkDwellTime ?? network.UplinkDwellTime)?.Clone();
            parameters.DownlinkDwellTime = (own.DownlinkDwellTime ?? network.DownlinkDwellTime)?.Clone();
        }
        AddBootChannels(parameters.Channels);
        return parameters;
    }

    /// <summary>What the network will ask the device to use; falls back to <paramref name="current"/>. Not for multicast.</summary>
    public MACParameters Desired(MACParameters current)
    {
        var parameters = new MACParameters
        {
            MaxEirp = DesiredMaxEirp(),
            AdrNbTrans = 1,
            Rx1Delay = (own.DesiredRx1Delay ?? network.DesiredRx1Delay)?.Value ?? current.Rx1Delay,
            Rx1DataRateOffset = (own.DesiredRx1DataRateOffset ?? network.DesiredRx1DataRateOffset)?.Value ?? current.Rx1DataRateOffset,
            Rx2DataRateIndex = own.DesiredRx2DataRateIndex?.Value ?? PlanRx2DataRate
                ?? network.DesiredRx2DataRateIndex?.Value ?? current.Rx2DataRateIndex,
            Rx2Frequency = Set(own.DesiredRx2Frequency) ?? plan.Rx2Frequency?.Hertz ?? Set(network.DesiredRx2Frequency) ?? current.Rx2Frequency,
            MaxDutyCycle = (own.DesiredMaxDutyCycle ?? network.DesiredMaxDutyCycle)?.Value ?? current.MaxDutyCycle,
            RejoinTimePeriodicity = current.RejoinTimePeriodicity,
            RejoinCountPeriodicity = current.RejoinCountPeriodicity,
            PingSlotFrequency = Set(own.DesiredPingSlotFrequency) ?? NonZero(plan.PingSlotFrequency?.Hertz) ?? Set(network.DesiredPingSlotFrequency)
                ?? current.PingSlotFrequency,
            BeaconFrequency = Set(own.DesiredBeaconFrequency) ?? Set(network.DesiredBeaconFrequency) ?? current.BeaconFrequency,
            AdrAckLimitExponent = (own.DesiredAdrAckLimitExponent ?? network.DesiredAdrAckLimitExponent ?? current.AdrAckLimitExponent).Clone(),
            AdrAckDelayExponent = (own.DesiredAdrAckDelayExponent ?? network.DesiredAdrAckDelayExponent ?? current.AdrAckDelayExponent).Clone(),
            PingSlotDataRateIndexValue = DesiredPingSlotDataRate(current),
            Relay = RelayParametersOf(DesiredRelay),
        };
        if (band.SupportsTxParamSetup)
        {
            // The device's own dwell time settings describe how it boots; what is wanted is the plan's, and a limit where the plan is silent.
            parameters.UplinkDwellTime = new BoolValue { Value = plan.DwellTime.Uplinks ?? true };
            parameters.DownlinkDwellTime = new BoolValue { Value = plan.DwellTime.Downlinks ?? true };
        }
        AddDesiredChannels(parameters.Channels, current.Channels);
        return parameters;
    }

    private Api.DataRateIndex? PlanRx2DataRate => plan.Rx2DataRate is { } rate ? Index(rate) : null;

    private float DesiredMaxEirp() => own.DesiredMaxEirp is { } wanted
        ? EirpDbm[(int)wanted.Value]
        : plan.MaxEirpDbm is > 0 and var limit && limit < band.MaxEirpDbm ? limit : band.MaxEirpDbm;

    private DataRateIndexValue DesiredPingSlotDataRate(MACParameters current) =>
        own.DesiredPingSlotDataRateIndex?.Clone()
        ?? (plan.PingSlotDataRate is { } rate ? new DataRateIndexValue { Value = Index(rate) } : null)
        ?? (network.DesiredPingSlotDataRateIndex ?? current.PingSlotDataRateIndexValue).Clone();

    /// <summary>The band's default channels, then the factory presets among or after them (facts/mac-state.md R23).</summary>
    private void AddBootChannels(RepeatedField<MACParameters.Types.Channel> channels)
    {
        var presets = Presets;
        for (var i = 0; i < band.UplinkChannels.Length; i++)
        {
            var channel = new MACParameters.Types.Channel
            {
                DownlinkFrequency = band.DownlinkChannels[i % band.DownlinkChannels.Length].Frequency.Hertz,
            };
            if (!device.Multicast)
            {
                var uplink = band.UplinkChannels[i];
                channel.UplinkFrequency = uplink.Frequency.Hertz;
                channel.MinDataRateIndex = Index(uplink.MinDataRate);
                channel.MaxDataRateIndex = Index(uplink.MaxDataRate);
                channel.EnableUplink = presets.Count == 0;
            }
            channels.Add(channel);
        }
        foreach (var frequency in presets)
        {
            if (channels.FirstOrDefault(channel => channel.UplinkFrequency == frequency) is { } known)
                known.EnableUplink = true;
            else if (band.CFListType == LoRaWan.Regional.CFListType.Frequencies)
                channels.Add(PresetChannel(frequency));
        }
    }

    private MACParameters.Types.Channel PresetChannel(ulong frequency) => device.Multicast
        ? new() { DownlinkFrequency = frequency }
        : new()
        {
            UplinkFrequency = frequency,
            DownlinkFrequency = frequency,
            MaxDataRateIndex = Index(band.MaxAdrDataRate),
            EnableUplink = true,
        };

    /// <summary>The boot channels, of which those of the plan are on, then the plan's other channels (facts/mac-state.md R25).</summary>
    private void AddDesiredChannels(RepeatedField<MACParameters.Types.Channel> channels, IEnumerable<MACParameters.Types.Channel> boot)
    {
        foreach (var channel in boot)
        {
            var copy = channel.Clone();
            copy.EnableUplink = false;
            channels.Add(copy);
        }
        if (band.CFListType == LoRaWan.Regional.CFListType.ChannelMasks)
        {
            foreach (var uplink in plan.UplinkChannels)
                Enable(channels, uplink.Frequency.Hertz);
            if (plan.LoRaStandardChannel is { } wide)
                Enable(channels, wide.Frequency.Hertz);
            return;
        }
        for (var i = 0; i < plan.UplinkChannels.Length; i++)
        {
            var uplink = plan.UplinkChannels[i];
            var channel = channels.FirstOrDefault(channel => channel.UplinkFrequency == uplink.Frequency.Hertz);
            if (channel is null)
            {
                channel = new MACParameters.Types.Channel
                {
                    UplinkFrequency = uplink.Frequency.Hertz,
                    // Plans pair uplink and downlink by position.
                    DownlinkFrequency = i < plan.DownlinkChannels.Length ? plan.DownlinkChannels[i].Frequency.Hertz : uplink.Frequency.Hertz,
                };
                channels.Add(channel);
            }
            channel.MinDataRateIndex = Index(uplink.MinDataRate);
            channel.MaxDataRateIndex = Index(uplink.MaxDataRate);
            channel.EnableUplink = true;
        }
    }

    private static void Enable(IEnumerable<MACParameters.Types.Channel> channels, ulong frequency)
    {
        if (channels.FirstOrDefault(channel => channel.UplinkFrequency == frequency) is { } known)
            known.EnableUplink = true;
    }

    private RelayParameters? RelayParametersOf(RelaySettings? settings) => settings?.ModeCase switch
    {
        RelaySettings.ModeOneofCase.Serving => new RelayParameters { Serving = Serving(settings.Serving) },
        RelaySettings.ModeOneofCase.Served => new RelayParameters { Served = Served(settings.Served) },
        _ => null,
    };

    private static ServingRelayParameters Serving(ServingRelaySettings settings)
    {
        var parameters = new ServingRelayParameters
        {
            SecondChannel = settings.SecondChannel?.Clone(),
            DefaultChannelIndex = settings.DefaultChannelIndex ?? 0,
            CadPeriodicity = settings.CadPeriodicity,
            Limits = settings.Limits?.Clone(),
        };
        foreach (var rule in settings.UplinkForwardingRules)
            parameters.UplinkForwardingRules.Add(rule.Clone());
        return parameters;
    }

    private ServedRelayParameters Served(ServedRelaySettings settings)
    {
        var parameters = new ServedRelayParameters
        {
            Backoff = settings.Backoff ?? (uint)band.ServedRelayBackoff,
            SecondChannel = settings.SecondChannel?.Clone(),
            ServingDeviceId = settings.ServingDeviceId,
        };
        switch (settings.ModeCase)
        {
            case ServedRelaySettings.ModeOneofCase.Always:
                parameters.Always = settings.Always.Clone();
                break;
            case ServedRelaySettings.ModeOneofCase.Dynamic:
                parameters.Dynamic = settings.Dynamic.Clone();
                break;
            default:
                parameters.EndDeviceControlled = settings.EndDeviceControlled.Clone();
                break;
        }
        return parameters;
    }

    private static bool HasNoMode(RelaySettings? settings) => settings switch
    {
        null => false,
        { ModeCase: RelaySettings.ModeOneofCase.Served } => settings.Served.ModeCase == ServedRelaySettings.ModeOneofCase.None,
        _ => settings.ModeCase == RelaySettings.ModeOneofCase.None,
    };

    private Failure PlanChannels(string problem) =>
        Failure.Named("mac", "plan_channels", $"frequency plan `{plan.Id}` has {problem}") with
        {
            Advice = "correct the plan, or choose another one",
        };

    private static ulong? Set(FrequencyValue? setting) => NonZero(setting?.Value);

    private static ulong? Set(ZeroableFrequencyValue? setting) => NonZero(setting?.Value);

    private static ulong? NonZero(ulong? frequency) => frequency is > 0 ? frequency : null;

    private static Api.DataRateIndex Index(LoRaWan.Regional.DataRateIndex rate) => (Api.DataRateIndex)rate.Value;
}
