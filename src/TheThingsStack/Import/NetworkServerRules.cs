// use_adr and adr_margin are deprecated, and given all the same.
#pragma warning disable CS0612
using Google.Protobuf;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace TheThingsStack.Import;

/// <summary>
/// The rules of the Network Server about versions, classes, multicast and ADR (facts/tts-api.md section 5, N1 to N13 and N15). Rules about
/// the band are in <see cref="NetworkServerBandRules"/>, those about sessions and keys in <see cref="NetworkServerSessionRules"/>.
/// </summary>
/// <remarks>
/// N1 to N4 ask for what is given to be known, and never fail on their own here: what is not given is not sent, and unknown numbers are
/// refused by the field rules. N23 and N24 compare with what is stored.
/// </remarks>
internal static class NetworkServerRules
{
    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("N6", ImportStep.NetworkServer, "a device that does not join has no session key ID and nothing pending", NothingPending),
        new("N8", ImportStep.NetworkServer, "a device that does not join has a DevEUI from LoRaWAN 1.0.4 on", DevEui),
        new("N9", ImportStep.NetworkServer, "a device that joins has a DevEUI and a JoinEUI", JoinEuis),
        new("N10", ImportStep.NetworkServer, "a class B device that does not join has a ping slot periodicity", PingSlotPeriodicity),
        new("N11", ImportStep.NetworkServer, "a multicast device has nothing of an uplink", Multicast),
        new("N12", ImportStep.NetworkServer, "a multicast device has class B or C, and current parameters that are the desired ones", MulticastState),
        new("N13", ImportStep.NetworkServer, "ADR is set in the old or in the new way", OldAndNewAdr),
        new("N15", ImportStep.NetworkServer, "maximum settings of ADR are not below the minimum settings", AdrRanges),
    ];

    private static void NothingPending(ImportCheck check)
    {
        if (check.Otaa)
            return;
        if (check.Device.Session?.Keys is { SessionKeyId.IsEmpty: false })
            check.NetworkServer("N6", "session.keys.session_key_id", "a device that does not join has no session key ID; leave it out");
        if (check.Device.PendingSession is { } session)
            NothingIn(check, session, "pending_session");
        if (check.Device.PendingMacState is { } state)
            NothingIn(check, state, "pending_mac_state");
    }

    private static void NothingIn(ImportCheck check, IMessage message, string path)
    {
        foreach (var field in FieldPath.NonZero(message, path).Where(field => ImportMasks.OwnersOf(field, otaa: false) != DeviceServers.None))
            check.NetworkServer("N6", field, "a device that does not join has nothing pending; leave it out");
    }

    private static void DevEui(ImportCheck check)
    {
        if (check.Otaa || !ImportCheck.IsZero(check.Device.Ids?.DevEui))
            return;
        if (check.Device.LorawanVersion == MACVersion.MacUnknown)
            check.NetworkServer("N8", "lorawan_version", "a device without DevEUI needs lorawan_version");
        else if (!check.Device.Multicast && check.Device.LorawanVersion is MACVersion.MacV104 or MACVersion.MacV11)
            check.NetworkServer("N8", "ids.dev_eui", "from LoRaWAN 1.0.4 on every device needs a DevEUI");
    }

    private static void JoinEuis(ImportCheck check)
    {
        if (!check.Otaa)
            return;
        if (check.Device.Ids is not { DevEui.IsEmpty: false })
            check.NetworkServer("N9", "ids.dev_eui", "a device that joins needs ids.dev_eui");
        // The official CLI asks the Join Server for its default JoinEUI.
        if (check.Way == ImportWay.WholeParameters && check.Device.Ids is not { JoinEui.IsEmpty: false })
            check.NetworkServer("N9", "ids.join_eui", "a device that joins needs ids.join_eui");
    }

    private static void PingSlotPeriodicity(ImportCheck check)
    {
        if (check.Device.SupportsClassB && (!check.Otaa || check.Device.Multicast) && check.Settings.PingSlotPeriodicity is null)
            check.NetworkServer("N10", "mac_settings.ping_slot_periodicity.value", "a class B device that does not join needs mac_settings.ping_slot_periodicity");
    }

    private static void Multicast(ImportCheck check)
    {
        if (!check.Device.Multicast)
            return;
        var session = check.Device.Session;
        Refuse(check, check.Otaa, "supports_join");
        Refuse(check, session is { LastConfFCntDown: not 0 }, "session.last_conf_f_cnt_down");
        Refuse(check, session is { LastFCntUp: not 0 }, "session.last_f_cnt_up");
        Refuse(check, check.Settings.ScheduleDownlinks is { Value: true }, "mac_settings.schedule_downlinks.value");
        RefuseRelay(check, check.Settings.Relay, "mac_settings.relay");
        RefuseRelay(check, check.Settings.DesiredRelay, "mac_settings.desired_relay");
        if (check.Device.MacState is not { } state)
            return;
        RefuseRelay(check, state.CurrentParameters?.Relay, "mac_state.current_parameters.relay");
        RefuseRelay(check, state.DesiredParameters?.Relay, "mac_state.desired_parameters.relay");
        Refuse(check, state.LastAdrChangeFCntUp != 0, "mac_state.last_adr_change_f_cnt_up");
        Refuse(check, state.LastConfirmedDownlinkAt is not null, "mac_state.last_confirmed_downlink_at");
        Refuse(check, state.LastDevStatusFCntUp != 0, "mac_state.last_dev_status_f_cnt_up");
        Refuse(check, state.PendingApplicationDownlink is not null, "mac_state.pending_application_downlink");
        Refuse(check, state.PendingRequests.Count > 0, "mac_state.pending_requests");
        Refuse(check, state.QueuedResponses.Count > 0, "mac_state.queued_responses");
        Refuse(check, state.RecentMacCommandIdentifiers.Count > 0, "mac_state.recent_mac_command_identifiers");
        Refuse(check, state.RecentUplinks.Count > 0, "mac_state.recent_uplinks");
        Refuse(check, state.RejectedAdrDataRateIndexes.Count > 0, "mac_state.rejected_adr_data_rate_indexes");
        Refuse(check, state.RejectedAdrTxPowerIndexes.Count > 0, "mac_state.rejected_adr_tx_power_indexes");
        Refuse(check, state.RejectedDataRateRanges.Count > 0, "mac_state.rejected_data_rate_ranges");
        Refuse(check, state.RejectedFrequencies.Count > 0, "mac_state.rejected_frequencies");
        Refuse(check, state.RxWindowsAvailable, "mac_state.rx_windows_available");
    }

    private static void Refuse(ImportCheck check, bool isSet, string field)
    {
        if (isSet)
            check.NetworkServer("N11", field, "a multicast device sends nothing and does not join; leave it out");
    }

    private static void RefuseRelay(ImportCheck check, IMessage? relay, string path)
    {
        if (relay is null)
            return;
        foreach (var field in FieldPath.NonZero(relay, path))
            check.NetworkServer("N11", field, "a multicast device is no part of a relay; leave it out");
    }

    private static void MulticastState(ImportCheck check)
    {
        if (!check.Device.Multicast)
            return;
        if (!check.Device.SupportsClassB && !check.Device.SupportsClassC)
            check.NetworkServer("N12", "supports_class_b", "a multicast device needs supports_class_b or supports_class_c");
        if (check.Device.MacState is not { } state || Equals(state.CurrentParameters, state.DesiredParameters))
            return;
        foreach (var field in DevicePaths.Different(state.CurrentParameters ?? new(), state.DesiredParameters ?? new()).Where(field => field != "relay"))
            check.NetworkServer("N12", "mac_state.desired_parameters." + field, "the parameters of a multicast device are the same, current and desired");
    }

    private static void OldAndNewAdr(ImportCheck check)
    {
        var settings = check.Settings;
        if (settings.Adr is null)
            return;
        const string Message = "mac_settings.adr replaces mac_settings.use_adr and adr_margin; give one of the two ways";
        if (settings.UseAdr is { } use)
        {
            check.NetworkServer("N13", "mac_settings.use_adr", Message);
            if (use.Value)
                check.NetworkServer("N13", "mac_settings.use_adr.value", Message);
        }
        if (settings.AdrMargin is not null)
            check.NetworkServer("N13", "mac_settings.adr_margin", Message);
        if (settings.UseAdr is null && settings.AdrMargin is null)
            return;
        foreach (var field in FieldPath.NonZero(settings.Adr, "mac_settings.adr"))
            check.NetworkServer("N13", field, Message);
    }

    private static void AdrRanges(ImportCheck check)
    {
        if (check.Settings.Adr?.Dynamic is not { } adr)
            return;
        const string Path = "mac_settings.adr.mode.dynamic.";
        Range(check, (uint?)adr.MinDataRateIndex?.Value, (uint?)adr.MaxDataRateIndex?.Value, Path + "max_data_rate_index.value");
        Range(check, adr.MinTxPowerIndex, adr.MaxTxPowerIndex, Path + "max_tx_power_index");
        Range(check, adr.MinNbTrans, adr.MaxNbTrans, Path + "max_nb_trans");
        if (adr.Overrides is not { } overrides)
            return;
        foreach (var field in overrides.Descriptor().Fields.InFieldNumberOrder())
        {
            if (field.Accessor.GetValue(overrides) is ADRSettings.Types.DynamicMode.Types.PerDataRateIndexOverride rate)
                Range(check, rate.MinNbTrans, rate.MaxNbTrans, $"{Path}overrides.{field.Name}.max_nb_trans");
        }
    }

    private static void Range(ImportCheck check, uint? least, uint? most, string field)
    {
        if (least > most)
            check.NetworkServer("N15", field, $"the maximum {most} is below the minimum {least}");
    }

    private static Google.Protobuf.Reflection.MessageDescriptor Descriptor(this IMessage message) => message.Descriptor;
}
