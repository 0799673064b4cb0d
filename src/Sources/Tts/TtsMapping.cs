using Migration;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Sources.Tts;

/// <summary>What of <see cref="TtsOptions"/> decides how a device is mapped.</summary>
/// <param name="NoSession">Leave sessions of devices that join behind.</param>
/// <param name="KeepClusterFields">Export what names things of the source cluster.</param>
/// <param name="ExportClaimCodes">Export claim authentication codes.</param>
/// <param name="HasJoinServer">Whether the source has a Join Server that was asked.</param>
/// <param name="Retires">What the source loses after the line is written.</param>
internal sealed record TtsMappingOptions(bool NoSession, bool KeepClusterFields, bool ExportClaimCodes, bool HasJoinServer, RetireScope Retires);

/// <summary>The records of four servers to the end device of another The Things Stack (facts/tts-source.md sections 4 and 9). Pure.</summary>
internal static class TtsMapping
{
    /// <summary>Maps one device.</summary>
    public static MapResult Map(TtsDevice device, TtsMappingOptions options)
    {
        if (TtsMerge.Mismatch(device) is { } mismatch)
            return new MapResult.Rejected(mismatch);
        if (device.Joins && options.HasJoinServer && device.JoinServer is null)
            return new MapResult.Rejected(NoRootKeys());
        var leavesSession = options.NoSession && device.Joins;
        if (!leavesSession && !TtsMerge.IsOneSession(device))
            return new MapResult.Rejected(SessionDiffers());

        var notes = new List<Note>();
        var mapped = TtsMerge.Merge(device, notes);
        LeaveCluster(mapped, options, notes);
        if (device.Profile is { } profile)
        {
            mapped.MacSettings = profile.Clone();
            notes.Add(new Note("mac_settings_profile_inlined", "the device uses a MAC settings profile; its settings stand in the device now, without the profile"));
        }
        LeaveClaimCode(mapped, options, notes);
        if (leavesSession)
            LeaveSession(mapped);
        else if (options.NoSession)
            notes.Add(new Note("session_kept", "the session was exported in spite of no-session: a device that does not join (ABP, multicast) is nothing without it"));
        Look(device, mapped, options, notes);
        foreach (var warning in device.Warnings)
            notes.Add(new Note("server_warning", $"the source said: {warning}", NeedsPerson: true));
        return new MapResult.Mapped(mapped, options.Retires, notes);
    }

    /// <summary>What a person has to do, by the code of a note.</summary>
    public static string? Guide(string noteCode) => noteCode switch
    {
        "downlinks_disabled" => "if they are off because of the migration (the Go tool turns them off as it exports), remove schedule_downlinks from mac_settings in the lines before you import them; otherwise these devices can neither join nor be reached",
        "app_s_key_missing" => "let these devices join anew on the target (export them with no-session), or see that the Application Server of the source can read their AppSKey",
        "session_incomplete" => "let these devices join anew on the target (export them with no-session)",
        "root_keys_missing" => "register their root keys on the target's Join Server, or set join_server_address there to the server that has them",
        "server_warning" => "look at what the source said about these devices before you import them",
        "claim_code_left_behind" => "give export-cacs to take the claim authentication codes along",
        _ => null,
    };

    /// <summary>Addresses always go; what the source cluster calls its keys, networks and provisioners only means something there (defect D18).</summary>
    private static void LeaveCluster(EndDevice device, TtsMappingOptions options, List<Note> notes)
    {
        device.NetworkServerAddress = "";
        device.ApplicationServerAddress = "";
        device.JoinServerAddress = "";
        var found = new List<string>();
        if (device.NetworkServerKekLabel.Length > 0)
            found.Add("network_server_kek_label");
        if (device.ApplicationServerKekLabel.Length > 0)
            found.Add("application_server_kek_label");
        if (device.ApplicationServerId.Length > 0)
            found.Add("application_server_id");
        if (!device.NetId.IsEmpty)
            found.Add("net_id");
        if (device.ProvisionerId.Length > 0)
            found.Add("provisioner_id");
        if (device.ProvisioningData is not null)
            found.Add("provisioning_data");
        if (found.Count == 0)
            return;
        if (options.KeepClusterFields)
        {
            notes.Add(new Note("cluster_fields_kept", $"{string.Join(", ", found)} of the source cluster were exported; on a cluster that does not know them joins fail"));
            return;
        }
        device.NetworkServerKekLabel = "";
        device.ApplicationServerKekLabel = "";
        device.ApplicationServerId = "";
        device.NetId = Google.Protobuf.ByteString.Empty;
        device.ProvisionerId = "";
        device.ProvisioningData = null;
        notes.Add(new Note("cluster_fields_dropped", $"{string.Join(", ", found)} were left out: they name things of the source cluster; keep-cluster-fields exports them"));
    }

    private static void LeaveClaimCode(EndDevice device, TtsMappingOptions options, List<Note> notes)
    {
        if (device.ClaimAuthenticationCode is not { } code)
            return;
        if (options.ExportClaimCodes && code.Value.Length > 0)
            return;
        if (code.Value.Length > 0)
            notes.Add(new Note("claim_code_left_behind", "the claim authentication code was left out; export-cacs exports it"));
        device.ClaimAuthenticationCode = null;
    }

    /// <summary>Session, and what was only true in it (defect D17); nonces stay, the device has used them up.</summary>
    private static void LeaveSession(EndDevice device)
    {
        device.ActivatedAt = null;
        device.LastSeenAt = null;
        device.LastDevStatusReceivedAt = null;
        device.BatteryPercentage = null;
        device.DownlinkMargin = 0;
        device.PowerState = default;
        device.MacState = null;
        device.PendingMacState = null;
        device.Session = null;
        device.PendingSession = null;
    }

    private static void Look(TtsDevice device, EndDevice mapped, TtsMappingOptions options, List<Note> notes)
    {
        if (device.Joins && !options.HasJoinServer)
            notes.Add(new Note("root_keys_missing", "no Join Server was asked, so the line has no root keys", NeedsPerson: true));
        if (mapped.MacSettings?.ScheduleDownlinks is { Value: false })
            notes.Add(new Note("downlinks_disabled", "schedule_downlinks is false at the source, and in the line: the target will send this device no downlinks", NeedsPerson: true));
        if (mapped.Session is { } session)
        {
            var network = session.Keys?.FNwkSIntKey is not null;
            var application = session.Keys?.AppSKey is not null;
            if (network && !application)
                notes.Add(new Note("app_s_key_missing", $"the session has no AppSKey{(Skips(mapped) ? " (the source skips payload crypto)" : "")}: the target's Application Server cannot take it", NeedsPerson: true));
            else if (!network)
                notes.Add(new Note("session_incomplete", "the session has no network session keys: the target cannot take it", NeedsPerson: true));
        }
        if (mapped.PendingSession is not null || mapped.PendingMacState is not null)
            notes.Add(new Note("joining", "the device was joining while it was read: no server takes the pending session, so it may have to join anew"));
    }

    private static bool Skips(EndDevice device) => device.SkipPayloadCryptoOverride ?? device.SkipPayloadCrypto;

    private static Failure NoRootKeys() =>
        Failure.Named("source/tts", "no_root_keys", "device joins, but the Join Server of the source has no record of it") with
        {
            Cause = new Failure("device not found") { Namespace = "pkg/joinserver", Name = "device_not_found" },
            Advice = "it would be exported without root keys. If its keys are on a Join Server elsewhere, give that one as join-server-grpc-address, or `none` to export such devices without keys",
        };

    private static Failure SessionDiffers() =>
        Failure.Named("source/tts", "session_differs", "the Network Server and the Application Server of the source hold different sessions of the device") with
        {
            Advice = "export it again when it has joined and sent an uplink, or with no-session",
        };
}
