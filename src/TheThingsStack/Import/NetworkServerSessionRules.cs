using TheThingsStack.Api;

namespace TheThingsStack.Import;

/// <summary>The rules of the Network Server about sessions, keys and MAC state (facts/tts-api.md section 5, N5, N7, N16 to N22, N26).</summary>
internal static class NetworkServerSessionRules
{
    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("N5", ImportStep.NetworkServer, "ids.dev_addr equals session.dev_addr", IdsDevAddr),
        new("N7", ImportStep.NetworkServer, "a device that does not join has a session", AbpSession),
        new("N19", ImportStep.NetworkServer, "a MAC state needs a session; a session has DevAddr and FNwkSIntKey", Session),
        new("N20", ImportStep.NetworkServer, "the network keys fit the LoRaWAN version", NetworkKeys),
        new("N21", ImportStep.NetworkServer, "the session of a device that joins has a session key ID", SessionKeyId),
        new("N22", ImportStep.NetworkServer, "a pending session is complete", Pending),
        new("N26", ImportStep.NetworkServer, "a device with a session has a LoRaWAN version", Version),
    ];

    private static void IdsDevAddr(ImportCheck check)
    {
        if (check.Device.Ids is { DevAddr.IsEmpty: false } ids && ids.DevAddr != check.Device.Session?.DevAddr)
            check.NetworkServer("N5", "session.dev_addr", "ids.dev_addr is not session.dev_addr; leave ids.dev_addr out");
    }

    private static void AbpSession(ImportCheck check)
    {
        if (check.Otaa)
            return;
        if (ImportCheck.IsZero(check.Device.Session?.DevAddr))
            check.NetworkServer("N7", "session.dev_addr", "a device that does not join needs a session with its DevAddr");
        if (ImportCheck.IsZero(check.Device.Session?.Keys?.FNwkSIntKey))
            check.NetworkServer("N7", "session.keys.f_nwk_s_int_key.key", "a device that does not join needs a session with its network session key (NwkSKey is f_nwk_s_int_key)");
    }

    private static void Session(ImportCheck check)
    {
        if (check.Session is not { } session)
        {
            if (check.MacState is not null || check.Device.Multicast)
                check.NetworkServer("N19", "session", "a MAC state and a multicast device need a session");
            return;
        }
        if (ImportCheck.IsZero(session.DevAddr))
            check.NetworkServer("N19", "session.dev_addr", "the session has no DevAddr");
        if (ImportCheck.IsZero(session.Keys?.FNwkSIntKey))
            check.NetworkServer("N19", "session.keys.f_nwk_s_int_key.key", "the session has no network session key (NwkSKey is f_nwk_s_int_key)");
    }

    private static void NetworkKeys(ImportCheck check)
    {
        if (check.Session is { } session)
            NetworkKeys(check, "N20", session.Keys, "session.keys", check.KeyVersion, mayBeLeftOut: true);
    }

    /// <summary>Before 1.1 the three keys are one, and only FNwkSIntKey need be given; from 1.1 on all are needed.</summary>
    private static void NetworkKeys(ImportCheck check, string rule, SessionKeys? keys, string path, MACVersion version, bool mayBeLeftOut)
    {
        NetworkKey(check, rule, keys?.NwkSEncKey, keys?.FNwkSIntKey, path + ".nwk_s_enc_key.key", version, mayBeLeftOut);
        NetworkKey(check, rule, keys?.SNwkSIntKey, keys?.FNwkSIntKey, path + ".s_nwk_s_int_key.key", version, mayBeLeftOut);
    }

    private static void NetworkKey(ImportCheck check, string rule, KeyEnvelope? key, KeyEnvelope? forwarding, string field, MACVersion version, bool mayBeLeftOut)
    {
        if (version == MACVersion.MacV11)
        {
            if (ImportCheck.IsZero(key))
                check.NetworkServer(rule, field, "a session of LoRaWAN 1.1 needs this key");
        }
        else if (!mayBeLeftOut || ImportCheck.IsSent(key))
        {
            if (key is null || forwarding is null || key.Key != forwarding.Key || ImportCheck.IsZero(key))
                check.NetworkServer(rule, field, "before LoRaWAN 1.1 the network session keys are one key; give f_nwk_s_int_key only");
        }
    }

    private static void SessionKeyId(ImportCheck check)
    {
        if (check is { Otaa: true, Session: { } session } && session.Keys is not { SessionKeyId.IsEmpty: false })
            check.NetworkServer("N21", "session.keys.session_key_id", "the session of a device that joins needs a session key ID");
    }

    private static void Pending(ImportCheck check)
    {
        if (!check.Otaa)
            return;
        var session = check.PendingSession;
        var state = check.PendingMacState;
        if (state is null)
        {
            if (session is not null)
                check.NetworkServer("N22", "pending_mac_state", "a pending session needs its pending MAC state; leave both out");
            return;
        }
        if (state.LorawanVersion == MACVersion.MacUnknown)
            check.NetworkServer("N22", "pending_mac_state.lorawan_version", "the pending MAC state has no LoRaWAN version");
        if (session is not null)
        {
            if (ImportCheck.IsZero(session.DevAddr))
                check.NetworkServer("N17", "pending_session.dev_addr", "the pending session has no DevAddr");
            CompleteKeys(check, session.Keys, "pending_session.keys", state.LorawanVersion);
        }
        if (state.QueuedJoinAccept is { } accept)
        {
            CompleteKeys(check, accept.Keys, "pending_mac_state.queued_join_accept.keys", state.LorawanVersion);
            if (accept.Payload.IsEmpty)
                check.NetworkServer("N18", "pending_mac_state.queued_join_accept.payload", "the queued join-accept has no payload");
            // Masks of single fields, as the CLI sends them, never cover this one.
            check.NetworkServer("N22", "pending_mac_state.queued_join_accept.request.dev_addr", "a device that is just joining cannot be imported; export it again when it has joined");
        }
        else if (session is null)
        {
            check.NetworkServer("N22", "pending_mac_state.queued_join_accept", "a pending MAC state needs a pending session or a queued join-accept; leave it out");
        }
    }

    private static void CompleteKeys(ImportCheck check, SessionKeys? keys, string path, MACVersion version)
    {
        if (ImportCheck.IsZero(keys?.FNwkSIntKey))
            check.NetworkServer("N22", path + ".f_nwk_s_int_key.key", "this key is missing");
        if (keys is not { SessionKeyId.IsEmpty: false })
            check.NetworkServer("N22", path + ".session_key_id", "the session key ID is missing");
        NetworkKeys(check, "N22", keys, path, version, mayBeLeftOut: false);
    }

    private static void Version(ImportCheck check)
    {
        if (check is { Device.LorawanVersion: MACVersion.MacUnknown, Session: not null })
        {
            check.Report(ImportStep.NetworkServer, "N26", "lorawan_version", "pkg/rpcserver:rpc_recovered", "a device with a session needs lorawan_version (the Network Server crashes without)");
        }
    }
}
