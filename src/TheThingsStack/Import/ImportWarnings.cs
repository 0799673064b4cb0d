using TheThingsStack.Api;

namespace TheThingsStack.Import;

/// <summary>What The Things Stack takes without a word, and a person should know.</summary>
internal static class ImportWarnings
{
    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("W-no-root-keys", ImportStep.JoinServer, "a device that joins has an AppKey", RootKeys),
        new("W-no-mac-state", ImportStep.NetworkServer, "a session has a MAC state", MacState),
        new("W-version-pair", ImportStep.NetworkServer, "LoRaWAN version and regional parameters belong together", VersionPair),
        new("W-no-counters", ImportStep.NetworkServer, "a session has counters", Counters),
        new("W-no-app-s-key", ImportStep.ApplicationServer, "a session has an AppSKey", AppSKey),
        new("W-zero-dev-eui", ImportStep.NetworkServer, "a DevEUI is not zero", DevEui),
        new("W-state-version", ImportStep.NetworkServer, "the MAC state follows the device's LoRaWAN version", StateVersion),
        new("W-state-channels", ImportStep.NetworkServer, "the channels of a MAC state are in the band", StateChannels),
        new("W-state-parts", ImportStep.NetworkServer, "a MAC state is whole", StateParts),
        new("W-not-imported", ImportStep.Client, "everything in the device can be imported", NotImported),
    ];

    private static void RootKeys(ImportCheck check)
    {
        if (!check.Otaa || check.Device.RootKeys is { } keys && (!ImportCheck.IsZero(keys.AppKey) || !ImportCheck.IsZero(keys.NwkKey)))
            return;
        check.Warn(ImportStep.JoinServer, "W-no-root-keys", "root_keys.app_key.key", "the device joins and has no AppKey: it cannot join again");
    }

    private static void MacState(ImportCheck check)
    {
        if (check.Device is { Session: not null, MacState: null })
        {
            check.Warn(ImportStep.NetworkServer, "W-no-mac-state", "mac_state",
                "the session has no MAC state: The Things Stack assumes a device that has just booted, and does not hear one that uses further channels; add-mac-state gives it one");
        }
    }

    private static void VersionPair(ImportCheck check)
    {
        var (mac, phy) = (check.Device.LorawanVersion, check.Device.LorawanPhyVersion);
        var fits = mac switch
        {
            MACVersion.MacV10 => phy == PHYVersion.PhyV10,
            MACVersion.MacV101 => phy == PHYVersion.PhyV101,
            MACVersion.MacV102 => phy is PHYVersion.PhyV102RevA or PHYVersion.PhyV102RevB,
            MACVersion.MacV103 => phy == PHYVersion.PhyV103RevA,
            MACVersion.MacV11 => phy is PHYVersion.PhyV11RevA or PHYVersion.PhyV11RevB,
            _ => true,
        };
        // From RP002 on, regional parameters are for every LoRaWAN version.
        if (!fits && phy is not (PHYVersion.PhyUnknown or >= PHYVersion.Rp002V100))
            check.Warn(ImportStep.NetworkServer, "W-version-pair", "lorawan_phy_version", $"{phy} does not belong to {mac}: channels and data rates may be wrong");
    }

    private static void Counters(ImportCheck check)
    {
        if (check.Device is { Session: { LastFCntUp: 0, LastNFCntDown: 0, LastAFCntDown: 0 }, Multicast: false }
            && check.Device.MacSettings is not { ResetsFCnt.Value: true })
        {
            check.Warn(ImportStep.NetworkServer, "W-no-counters", "session.last_f_cnt_up",
                "all counters of the session are 0: downlinks start again at 0 and a device that has had any ignores them");
        }
    }

    private static void AppSKey(ImportCheck check)
    {
        if (check.Device.Session is { Keys.SessionKeyId.IsEmpty: false } session && ImportCheck.IsZero(session.Keys.AppSKey))
            check.Warn(ImportStep.ApplicationServer, "W-no-app-s-key", "session.keys.app_s_key.key", "the session has no AppSKey: payloads stay encrypted");
    }

    private static void DevEui(ImportCheck check)
    {
        if (check.Device is { SupportsJoin: false, Ids.DevEui.IsEmpty: false } && ImportCheck.IsZero(check.Device.Ids.DevEui))
            check.Warn(ImportStep.NetworkServer, "W-zero-dev-eui", "ids.dev_eui", "the DevEUI is all zero; leave it out when there is none");
    }

    private static void StateVersion(ImportCheck check)
    {
        if (check.Device.MacState is { LorawanVersion: not MACVersion.MacUnknown } state && state.LorawanVersion != check.Device.LorawanVersion)
            check.Warn(ImportStep.NetworkServer, "W-state-version", "mac_state.lorawan_version", "the MAC state is of another LoRaWAN version than the device; add-mac-state --replace builds it anew");
    }

    private static void StateChannels(ImportCheck check)
    {
        if (check is not { Band: { } band, Plan: { } plan, Device.MacState.CurrentParameters: { } current })
            return;
        for (var i = 0; i < current.Channels.Count; i++)
        {
            var channel = current.Channels[i];
            // Nearly always the channels are those of the band, each in its place.
            if (i < band.UplinkChannels.Length && band.UplinkChannels[i].Frequency.Hertz == channel.UplinkFrequency)
                continue;
            if (channel.UplinkFrequency != 0 && !BandLimits.Allows(band, plan, channel.UplinkFrequency) && !BandLimits.Has(plan.UplinkChannels, channel.UplinkFrequency))
            {
                check.Warn(ImportStep.NetworkServer, "W-state-channels", "mac_state.current_parameters.channels",
                    $"{channel.UplinkFrequency} Hz is not a channel of {plan.Id}; add-mac-state --replace builds the state anew");
                return;
            }
        }
    }

    private static void StateParts(ImportCheck check)
    {
        if (check.Way != ImportWay.OfficialCli || check.Device.MacState is not { } state)
            return;
        if (state.CurrentParameters is not { Rx2Frequency: not 0, Channels.Count: > 0 } || state.DesiredParameters is not { Rx2Frequency: not 0, Channels.Count: > 0 })
        {
            check.Warn(ImportStep.NetworkServer, "W-state-parts", "mac_state",
                "the MAC state lacks parameters, which The Things Stack fills with its defaults; add-mac-state --replace builds it whole");
        }
    }

    private static void NotImported(ImportCheck check)
    {
        var device = check.Device;
        Lost(check, device.Picture is not null && check.Way == ImportWay.OfficialCli, "picture");
        Lost(check, device.PowerState != PowerState.PowerUnknown, "power_state");
        Lost(check, device.QueuedApplicationDownlinks.Count > 0, "queued_application_downlinks");
        Lost(check, device.Session is { QueuedApplicationDownlinks.Count: > 0 }, "session.queued_application_downlinks");
        Lost(check, !check.Otaa && device.RootKeys is not null, "root_keys");
        Lost(check, check.Otaa && Wrapped(device.RootKeys?.AppKey), "root_keys.app_key.encrypted_key");
        Lost(check, check.Otaa && Wrapped(device.RootKeys?.NwkKey), "root_keys.nwk_key.encrypted_key");
        Lost(check, Wrapped(device.Session?.Keys?.AppSKey), "session.keys.app_s_key.encrypted_key");
        Lost(check, Wrapped(device.Session?.Keys?.FNwkSIntKey), "session.keys.f_nwk_s_int_key.encrypted_key");
    }

    private static bool Wrapped(KeyEnvelope? envelope) => envelope is { EncryptedKey.IsEmpty: false } or { KekLabel.Length: > 0 };

    private static void Lost(ImportCheck check, bool isSet, string field)
    {
        if (isSet)
            check.Warn(ImportStep.Client, "W-not-imported", field, "this field is not imported");
    }
}
