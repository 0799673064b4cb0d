using Google.Protobuf;
using Migration;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace Sources.Tts;

/// <summary>What retiring and restoring need to know of records. Pure.</summary>
internal static class TtsRetirement
{
    /// <summary>How the recorded Go tool names the field when it stops downlinks.</summary>
    public const string DownlinksValue = "mac_settings.schedule_downlinks.value";

    /// <summary>The field as a whole: the only form that can take it away again.</summary>
    public const string Downlinks = "mac_settings.schedule_downlinks";

    /// <summary>Order of deletion: the Identity Server last, so that a device that is deleted in part is still listed.</summary>
    public static readonly IReadOnlyList<TtsServer> DeleteOrder = [TtsServer.Application, TtsServer.Network, TtsServer.Join, TtsServer.Identity];

    /// <summary>Order of registration: no device is known without its Identity Server.</summary>
    public static readonly IReadOnlyList<TtsServer> CreateOrder = [TtsServer.Identity, TtsServer.Join, TtsServer.Network, TtsServer.Application];

    private static readonly string[] Deprecated = ["adr_ack_limit", "adr_ack_delay", "ping_slot_data_rate_index"];

    /// <summary>Compares keys: root keys of devices that join, and the session when it was exported. Counters do not matter.</summary>
    /// <param name="now">What the servers have now; records may be missing.</param>
    /// <param name="exported">The device as it was exported.</param>
    /// <param name="sessionMatters">Whether the exported session counts for a device that joins.</param>
    /// <returns>Mixed when a server no longer has its part and all that is there is as it was.</returns>
    public static RecordMatch CompareKeys(TtsDevice now, TtsDevice exported, bool sessionMatters)
    {
        var missing = false;
        foreach (var (server, was) in exported.Records())
        {
            if (now.Of(server) is not { } found)
            {
                missing = true;
                continue;
            }
            if (!Agree(was.Ids?.DevEui, found.Ids?.DevEui) || !Agree(was.Ids?.JoinEui, found.Ids?.JoinEui) || !SameRootKeys(was.RootKeys, found.RootKeys))
                return RecordMatch.Other;
            if ((sessionMatters || !exported.Joins) && !SameSession(was.Session, found.Session))
                return RecordMatch.Other;
        }
        // Registered anew at a server that had nothing: not what was exported.
        if (now.Records().Any(r => exported.Of(r.Server) is null))
            return RecordMatch.Other;
        return missing ? RecordMatch.Mixed : RecordMatch.Original;
    }

    /// <summary>Whether the Network Server sends no downlinks.</summary>
    public static bool IsMuted(TtsDevice device) => device.NetworkServer?.MacSettings?.ScheduleDownlinks is { Value: false };

    /// <summary>The device as it is when the Network Server sends no downlinks.</summary>
    public static TtsDevice Mute(TtsDevice device)
    {
        var records = device.Records().ToDictionary(r => r.Server, r => r.Record.Clone());
        var network = records[TtsServer.Network];
        network.MacSettings ??= new MACSettings();
        network.MacSettings.ScheduleDownlinks = new BoolValue { Value = false };
        return TtsDevice.Create(device.Application, device.Id, records, device.Profile, device.Warnings);
    }

    /// <summary>Says how far downlink counters have moved on since the export: so many downlinks of the target are lost; null when they have not.</summary>
    public static string? CountersMoved(TtsDevice now, TtsDevice exported)
    {
        var network = Moved(now.NetworkServer?.Session?.LastNFCntDown, exported.NetworkServer?.Session?.LastNFCntDown);
        var application = Moved(now.ApplicationServer?.Session?.LastAFCntDown, exported.ApplicationServer?.Session?.LastAFCntDown);
        return network + application == 0
            ? null
            : $"the source sent {network + application} more downlinks since the export: the device does not take as many of the target's first ones";
    }

    /// <summary>What a server is told to have the device as its record says, pending joins apart (no server takes them).</summary>
    public static (EndDevice Device, IReadOnlyList<string> Paths) Restore(TtsServer server, EndDevice record, EndDeviceIdentifiers ids)
    {
        var device = record.Clone();
        device.Ids = ids;
        device.CreatedAt = null;
        device.UpdatedAt = null;
        device.PendingSession = null;
        device.PendingMacState = null;
        if (server == TtsServer.Identity)
        {
            // Empty ones come with every answer. Of a picture only its address is known, which the server would fetch.
            if (device.VersionIds is { } version && version.CalculateSize() == 0)
                device.VersionIds = null;
            if (device.LoraAllianceProfileIds is { } profile && profile.CalculateSize() == 0)
                device.LoraAllianceProfileIds = null;
            device.Picture = null;
            return (device, []);
        }
        var allowed = AllowedPaths.For(server switch
        {
            TtsServer.Join => MaskedCall.JoinServerSet,
            TtsServer.Application => MaskedCall.ApplicationServerSet,
            _ => MaskedCall.NetworkServerSet,
        });
        var paths = FieldPath.NonZero(device).Where(allowed.Contains).ToHashSet(StringComparer.Ordinal);
        paths.RemoveWhere(path => path.StartsWith("ids.", StringComparison.Ordinal));
        if (server == TtsServer.Network)
        {
            paths.Add("supports_join");
            // As a whole, so that zeros stay zeros (facts/tts-api.md section 15); deprecated members refuse that.
            Whole("mac_state.current_parameters", device.MacState?.CurrentParameters);
            Whole("mac_state.desired_parameters", device.MacState?.DesiredParameters);
        }
        // What is not sent must be zero (section 3, rule 2).
        var sent = new EndDevice { Ids = ids };
        MessageMask.Create(EndDevice.Descriptor, paths).Copy(device, sent);
        return (sent, [.. paths.Order(StringComparer.Ordinal)]);

        void Whole(string path, MACParameters? parameters)
        {
            if (parameters is null || !Deprecated.All(member => FieldPath.IsZero(parameters, member)))
                return;
            paths.RemoveWhere(p => FieldPath.IsBelow(p, path));
            paths.Add(path);
        }
    }

    private static uint Moved(uint? now, uint? then) => now > (then ?? 0) ? now.Value - (then ?? 0) : 0;

    private static bool Agree(ByteString? one, ByteString? other) => one is null || other is null || one.IsEmpty || other.IsEmpty || one.Equals(other);

    private static bool SameRootKeys(RootKeys? was, RootKeys? now) =>
        Same(was?.AppKey, now?.AppKey) && Same(was?.NwkKey, now?.NwkKey);

    private static bool SameSession(Session? was, Session? now)
    {
        if (was is null || was.CalculateSize() == 0)
            return now is null || now.DevAddr.IsEmpty;
        return now is not null
            && was.DevAddr.Equals(now.DevAddr)
            && Same(was.Keys?.FNwkSIntKey, now.Keys?.FNwkSIntKey)
            && Same(was.Keys?.SNwkSIntKey, now.Keys?.SNwkSIntKey)
            && Same(was.Keys?.NwkSEncKey, now.Keys?.NwkSEncKey)
            && Same(was.Keys?.AppSKey, now.Keys?.AppSKey);
    }

    private static bool Same(KeyEnvelope? was, KeyEnvelope? now) => (was?.Key ?? ByteString.Empty).Equals(now?.Key ?? ByteString.Empty);
}
