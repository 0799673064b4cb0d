// use_adr and adr_margin are deprecated, and given all the same.
#pragma warning disable CS0612
using System.Globalization;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using Band = LoRaWan.Regional.Band;

namespace TheThingsStack.Import;

/// <summary>
/// The rules of the Network Server about what the band allows (facts/tts-api.md section 5, N14). They are asked when anything that depends
/// on the band is given.
/// </summary>
internal static class NetworkServerBandRules
{
    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("N14", ImportStep.NetworkServer, "the frequency plan exists, and its band in the device's PHY version", Plan),
        new("N14a", ImportStep.NetworkServer, "version_ids.band_id is the band of the plan", BandId),
        new("N14b", ImportStep.NetworkServer, "data rates exist in the band", DataRates),
        new("N14c", ImportStep.NetworkServer, "ADR stays within the data rates and powers of the band", Adr),
        new("N14f", ImportStep.NetworkServer, "dwell times are set only where the band has TxParamSetup", DwellTimes),
        new("N14g", ImportStep.NetworkServer, "the default channel of a relay exists in the band", RelayChannels),
        new("N14h", ImportStep.NetworkServer, "factory preset frequencies lie in the band", FactoryPresets),
        new("N14i", ImportStep.NetworkServer, "a class B device has frequencies for ping slots and beacons", ClassB),
        new("N14j", ImportStep.NetworkServer, "MAC parameters stay within the band", Parameters),
    ];

    private static void Plan(ImportCheck check)
    {
        if (check.PlanFailure is { } failure && DependsOnBand(check))
        {
            check.Report(ImportStep.NetworkServer, "N14", failure.Name == "no_band_version" ? "lorawan_phy_version" : "frequency_plan_id",
                $"{failure.Namespace}:{failure.Name}", failure.Advice is { } advice ? $"{failure.Message}; {advice}" : failure.Message);
        }
    }

    private static bool DependsOnBand(ImportCheck check)
    {
        var device = check.Device;
        var settings = check.Settings;
        return device.FrequencyPlanId.Length > 0 || device.LorawanPhyVersion != PHYVersion.PhyUnknown || device.SupportsClassB
            || check.Session is not null || check.MacState is not null || check.PendingMacState is not null
            || device.VersionIds is { BandId.Length: > 0 }
            || settings is { Rx2DataRateIndex: not null } or { DesiredRx2DataRateIndex: not null }
                or { PingSlotDataRateIndex: not null } or { DesiredPingSlotDataRateIndex: not null }
                or { Adr.ModeCase: ADRSettings.ModeOneofCase.Static or ADRSettings.ModeOneofCase.Dynamic } or { UseAdr.Value: true }
                or { UplinkDwellTime: not null } or { DownlinkDwellTime: not null } or { FactoryPresetFrequencies.Count: > 0 }
                or { Relay: not null } or { DesiredRelay: not null };
    }

    private static void BandId(ImportCheck check)
    {
        if (check.Device.VersionIds is { BandId: { Length: > 0 } band } && check.Plan is { } plan && band != plan.BandId)
            check.NetworkServer("N14a", "version_ids.band_id", $"version_ids.band_id is {band}, but {plan.Id} is a plan of {plan.BandId}");
    }

    private static void DataRates(ImportCheck check)
    {
        if (check.Band is not { } band)
            return;
        var settings = check.Settings;
        DataRate(check, band, settings.Rx2DataRateIndex?.Value, "mac_settings.rx2_data_rate_index.value");
        DataRate(check, band, settings.DesiredRx2DataRateIndex?.Value, "mac_settings.desired_rx2_data_rate_index.value");
        DataRate(check, band, settings.PingSlotDataRateIndex?.Value, "mac_settings.ping_slot_data_rate_index.value");
        DataRate(check, band, settings.DesiredPingSlotDataRateIndex?.Value, "mac_settings.desired_ping_slot_data_rate_index.value");
        if (settings.Adr?.Static is { } adr)
            DataRate(check, band, NonZero(adr.DataRateIndex), "mac_settings.adr.mode.static.data_rate_index");
        SecondChannel(check, band, settings.Relay?.Serving?.SecondChannel ?? settings.Relay?.Served?.SecondChannel, settings.Relay?.ModeCase, "mac_settings.relay");
        SecondChannel(check, band, settings.DesiredRelay?.Serving?.SecondChannel ?? settings.DesiredRelay?.Served?.SecondChannel, settings.DesiredRelay?.ModeCase, "mac_settings.desired_relay");
        foreach (var (path, parameters, areWhole) in check.Parameters)
        {
            DataRate(check, band, areWhole ? parameters.Rx2DataRateIndex : NonZero(parameters.Rx2DataRateIndex), path, ".rx2_data_rate_index");
            DataRate(check, band, parameters.PingSlotDataRateIndexValue?.Value, path, ".ping_slot_data_rate_index_value.value");
            if (parameters.Relay is { } relay)
                SecondChannel(check, band, relay.Serving?.SecondChannel ?? relay.Served?.SecondChannel, (RelaySettings.ModeOneofCase)(int)relay.ModeCase, path + ".relay", areWhole);
        }
    }

    private static void SecondChannel(ImportCheck check, Band band, RelaySecondChannel? channel, RelaySettings.ModeOneofCase? mode, string path, bool sendsZeros = false)
    {
        if (channel is not null)
        {
            var part = mode == RelaySettings.ModeOneofCase.Serving ? "serving" : "served";
            DataRate(check, band, sendsZeros ? channel.DataRateIndex : NonZero(channel.DataRateIndex), path, $".mode.{part}.second_channel.data_rate_index");
        }
    }

    private static void DataRate(ImportCheck check, Band band, DataRateIndex? rate, string path, string field = "")
    {
        if (rate is { } given && !BandLimits.HasDataRate(band, (int)given))
            check.NetworkServer("N14b", path + field, $"data rate {Text((int)given)} does not exist in {band.Id} ({check.Device.LorawanPhyVersion})");
    }

    /// <summary>A zero is not sent, and what is not sent is not checked.</summary>
    private static DataRateIndex? NonZero(DataRateIndex rate) => rate == DataRateIndex.DataRate0 ? null : rate;

    private static void Adr(ImportCheck check)
    {
        if (check.Band is not { } band)
            return;
        if (!BandLimits.SupportsDynamicAdr(band) && check.Settings.UseAdr is { Value: true })
            check.NetworkServer("N14e", "mac_settings.use_adr.value", $"{band.Id} has no dynamic ADR");
        if (check.Settings.Adr?.Static is { } fixedAdr)
            TxPower(check, band, fixedAdr.TxPowerIndex, "mac_settings.adr.mode.static.tx_power_index");
        if (check.Settings.Adr?.Dynamic is not { } adr)
            return;
        const string Path = "mac_settings.adr.mode.dynamic";
        if (!BandLimits.SupportsDynamicAdr(band))
        {
            foreach (var field in FieldPath.NonZero(adr, Path))
                check.NetworkServer("N14e", field, $"{band.Id} has no dynamic ADR");
        }
        AdrDataRate(check, band, adr.MinDataRateIndex, Path + ".min_data_rate_index.value");
        AdrDataRate(check, band, adr.MaxDataRateIndex, Path + ".max_data_rate_index.value");
        TxPower(check, band, adr.MinTxPowerIndex, Path + ".min_tx_power_index");
        TxPower(check, band, adr.MaxTxPowerIndex, Path + ".max_tx_power_index");
    }

    private static void AdrDataRate(ImportCheck check, Band band, DataRateIndexValue? rate, string field)
    {
        if (rate is not null && (!BandLimits.HasDataRate(band, (int)rate.Value) || (int)rate.Value > band.MaxAdrDataRate.Value))
            check.NetworkServer("N14c", field, $"ADR of {band.Id} ends at data rate {Text(band.MaxAdrDataRate.Value)}, not {Text((int)rate.Value)}");
    }

    private static void TxPower(ImportCheck check, Band band, uint? index, string field)
    {
        if (index > (uint)BandLimits.MaxTxPowerIndex(band))
            check.NetworkServer("N14d", field, $"the TX power index of {band.Id} ends at {Text(BandLimits.MaxTxPowerIndex(band))}, not {Text((int)index)}");
    }

    private static void DwellTimes(ImportCheck check)
    {
        if (check.Band is not { SupportsTxParamSetup: false } band)
            return;
        if (check.Settings.UplinkDwellTime is not null)
            check.NetworkServer("N14f", "mac_settings.uplink_dwell_time.value", $"{band.Id} ({check.Device.LorawanPhyVersion}) has no dwell time to set; leave it out");
        if (check.Settings.DownlinkDwellTime is not null)
            check.NetworkServer("N14f", "mac_settings.downlink_dwell_time.value", $"{band.Id} ({check.Device.LorawanPhyVersion}) has no dwell time to set; leave it out");
    }

    private static void RelayChannels(ImportCheck check)
    {
        if (check.Band is not { } band)
            return;
        RelayChannel(check, band, check.Settings.Relay?.Serving?.DefaultChannelIndex, "mac_settings.relay");
        RelayChannel(check, band, check.Settings.DesiredRelay?.Serving?.DefaultChannelIndex, "mac_settings.desired_relay");
        foreach (var (path, parameters, areWhole) in check.Parameters)
        {
            if (parameters.Relay?.Serving is { } serving)
                RelayChannel(check, band, IsSent(serving, areWhole) ? serving.DefaultChannelIndex : null, path + ".relay");
        }
    }

    /// <summary>An index of 0 is sent with parameters sent whole, and with relay parameters that hold nothing else.</summary>
    private static bool IsSent(ServingRelayParameters serving, bool sendsZeros) =>
        serving.DefaultChannelIndex > 0 || sendsZeros || serving.CalculateSize() == 0;

    private static void RelayChannel(ImportCheck check, Band band, uint? index, string path)
    {
        if (index >= (uint)BandLimits.WakeOnRadioChannels(band))
        {
            check.NetworkServer("N14g", path + ".mode.serving.default_channel_index",
                $"{band.Id} ({check.Device.LorawanPhyVersion}) has {Text(BandLimits.WakeOnRadioChannels(band))} wake-on-radio channels");
        }
    }

    private static void FactoryPresets(ImportCheck check)
    {
        if (check is not { Band: { } band, Plan: { } plan })
            return;
        foreach (var frequency in check.Settings.FactoryPresetFrequencies)
        {
            if (!BandLimits.Allows(band, plan, frequency))
            {
                check.NetworkServer("N14h", "mac_settings.factory_preset_frequencies", $"{frequency.ToString(CultureInfo.InvariantCulture)} Hz is not a channel that {band.Id} can have");
                return;
            }
        }
    }

    private static void ClassB(ImportCheck check)
    {
        if (check.Band is not { } band || !check.Device.SupportsClassB)
            return;
        var settings = check.Settings;
        if (band.PingSlotFrequencies.IsEmpty && settings is { PingSlotFrequency: not { Value: > 0 }, DesiredPingSlotFrequency: not { Value: > 0 } })
            check.NetworkServer("N14i", "mac_settings.ping_slot_frequency.value", $"{band.Id} has no ping slot frequency of its own; give mac_settings.ping_slot_frequency");
        if (band.BeaconFrequencies.IsEmpty && settings is { BeaconFrequency: not { Value: > 0 }, DesiredBeaconFrequency: not { Value: > 0 } })
            check.NetworkServer("N14i", "mac_settings.beacon_frequency.value", $"{band.Id} has no beacon frequency of its own; give mac_settings.beacon_frequency");
    }

    private static void Parameters(ImportCheck check)
    {
        if (check.Band is not { } band)
            return;
        foreach (var (path, parameters, _) in check.Parameters)
        {
            if ((int)parameters.AdrDataRateIndex > band.MaxAdrDataRate.Value)
                check.NetworkServer("N14j", path + ".adr_data_rate_index", $"ADR of {band.Id} ends at data rate {Text(band.MaxAdrDataRate.Value)}");
            if (parameters.AdrTxPowerIndex > (uint)BandLimits.MaxTxPowerIndex(band))
                check.NetworkServer("N14j", path + ".adr_tx_power_index", $"the TX power index of {band.Id} ends at {Text(BandLimits.MaxTxPowerIndex(band))}");
            if (parameters.Channels.Count > band.MaxUplinkChannels)
                check.NetworkServer("N14j", path + ".channels", $"{Text(parameters.Channels.Count)} channels, {band.Id} allows {Text(band.MaxUplinkChannels)}");
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
