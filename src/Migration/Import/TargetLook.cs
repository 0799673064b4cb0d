using Google.Protobuf;
using Migration.Verify;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FieldMasks;
using TheThingsStack.Import;
using TheThingsStack.Registries;

namespace Migration.Import;

/// <summary>What the four servers hold under the ID of a device; null where a server does not know it.</summary>
internal sealed record FoundDevice(EndDevice? Identity, EndDevice? Join, EndDevice? Network, EndDevice? Application);

/// <summary>What to do with a device, given what is there.</summary>
internal abstract record Decision
{
    private Decision()
    {
    }

    /// <summary>Nothing is in the way.</summary>
    /// <param name="Notes">What to know.</param>
    public sealed record Create(IReadOnlyList<Note> Notes) : Decision;

    /// <summary>Leave what is there.</summary>
    /// <param name="Code">Why.</param>
    /// <param name="Text">Why, a sentence.</param>
    public sealed record Skip(string Code, string Text) : Decision;

    /// <summary>Make what is there like the line.</summary>
    /// <param name="KeepsSession">The session there is newer and stays.</param>
    /// <param name="Note">What to know.</param>
    public sealed record Update(bool KeepsSession, Note? Note) : Decision;

    /// <summary>Delete a device, then create. When the new one cannot be created, the old one is put back.</summary>
    /// <param name="Old">The device; perhaps of another ID, with the same EUIs.</param>
    public sealed record Replace(EndDeviceIdentifiers Old) : Decision;

    /// <summary>It cannot be imported.</summary>
    public sealed record Fail(Failure Failure) : Decision;
}

/// <summary>Looks at the target and decides. Changes nothing.</summary>
internal sealed class TargetLook(ClusterClient cluster, TargetFacts facts, ImportOptions options)
{
    /// <summary>Code of a device that is there with other fields or keys.</summary>
    public const string OtherIsThere = "exists";

    private static readonly string[] IdentityPaths =
        [.. AllowedPaths.For(MaskedCall.IdentityServerGet).Where(static path => !path.Contains('.', StringComparison.Ordinal) && path != "ids").Order(StringComparer.Ordinal)];

    private static readonly string[] RootKeyPaths = ["root_keys.app_key.key", "root_keys.nwk_key.key"];

    private static readonly string[] JoinPaths = [.. TargetJoins.Paths, .. RootKeyPaths];

    private static readonly string[] NetworkPaths =
    [
        "frequency_plan_id", "lorawan_phy_version", "lorawan_version", "multicast", "supports_join", "session.dev_addr",
        "session.last_f_cnt_up", "session.started_at", "session.keys.f_nwk_s_int_key.key",
    ];

    private static readonly string[] ApplicationPaths = ["session.dev_addr", "session.keys.app_s_key.key"];

    /// <summary>Decides about a device that the target may or may not have: all four servers are asked.</summary>
    /// <param name="device">What is to be there.</param>
    /// <param name="earlier">What an earlier run of the same migration may have sent; null when there was none.</param>
    /// <param name="cancellation">Stops waiting.</param>
    public async Task<Decision> DecideAsync(PreparedDevice device, PreparedDevice? earlier, CancellationToken cancellation)
    {
        var identity = await cluster.Identity.FindAsync(NameOf(device.Ids), IdentityPaths, cancellation);
        if (identity is not null)
            return await DecideAsync(device, earlier, identity, cancellation);
        if (device.Ids is { DevEui.Length: 8, JoinEui.Length: 8 } ids
            && await cluster.Identity.FindByEuisAsync(ids.JoinEui, ids.DevEui, cancellation) is { } owner)
        {
            return await EuisTakenAsync(device, owner.DeviceId, owner.ApplicationIds?.ApplicationId ?? "", cancellation);
        }
        return await DecideNewAsync(device, cancellation);
    }

    /// <summary>Decides about an ID that the Identity Server does not know.</summary>
    private async Task<Decision> DecideNewAsync(PreparedDevice device, CancellationToken cancellation)
    {
        var remains = Remains(await FindAsync(device, null, cancellation));
        if (remains.Length == 0)
            return new Decision.Create([]);
        return options.PruneLeftovers
            ? new Decision.Create([Pruned(remains)])
            : new Decision.Fail(Leftover(remains));
    }

    /// <summary>Decides after the Identity Server has said that ID or EUIs are taken.</summary>
    public async Task<Decision> DecideAsync(PreparedDevice device, PreparedDevice? earlier, RegistryException taken, CancellationToken cancellation)
    {
        var identity = await cluster.Identity.FindAsync(NameOf(device.Ids), IdentityPaths, cancellation);
        if (identity is not null)
            return await DecideAsync(device, earlier, identity, cancellation);
        var attributes = taken.Failure.Attributes;
        return attributes.TryGetValue("device_id", out var id) && attributes.TryGetValue("application_id", out var application)
            ? await EuisTakenAsync(device, id, application, cancellation)
            : new Decision.Fail(taken.Failure);
    }

    /// <summary>
    /// Looks whether a server refused a device for remains of another one: another device under its ID, or its EUIs under another ID, which the
    /// Identity Server does not know. Null when it is something else.
    /// </summary>
    /// <param name="server">The server.</param>
    /// <param name="name">Its name.</param>
    /// <param name="ids">The device.</param>
    /// <param name="refusal">What the server said.</param>
    /// <returns>What there is: to be removed, or the failure when that cannot be done from here.</returns>
    public async Task<(EndDeviceIdentifiers? Remains, Failure? Failure)?> FindRemainsAsync(DeviceRegistry server, string name, EndDeviceIdentifiers ids, RegistryException refusal)
    {
        var holder = NameOf(ids);
        if (refusal.IsAlreadyExists)
        {
            var named = refusal.Failure.Attributes;
            if (!named.TryGetValue("device_id", out var device) || !named.TryGetValue("application_id", out var application))
                return null;
            if (application != options.Application)
            {
                return (null, Leftover(name) with
                {
                    Message = $"the {name} has JoinEUI and DevEUI in remains of device `{device}` of application `{application}`, which the Identity Server does not know",
                    Advice = "they belong to another application: who may write its devices, or runs the cluster, has to delete them",
                });
            }
            holder.DeviceId = device;
            // A device that is there with other EUIs, and whose record on this server is an old one, is not ours to take apart.
            if (device != ids.DeviceId && await cluster.Identity.FindAsync(holder, [], CancellationToken.None) is not null)
                return null;
        }
        else if (!refusal.ErrorName.EndsWith(":read_only_field", StringComparison.Ordinal))
        {
            return null;
        }
        if (await server.FindAsync(holder, [], CancellationToken.None) is not { } found)
            return null;
        found.Ids.ApplicationIds = holder.ApplicationIds;
        found.Ids.DevAddr = ByteString.Empty;
        return (found.Ids, Leftover(name));
    }

    public static Failure Leftover(string servers) =>
        Failure.Named("import", "leftover", $"the {servers} has remains of a device of this ID or these EUIs that the Identity Server does not know") with
        {
            Advice = "import the device again with --prune-leftovers, which removes them",
        };

    public static Note Pruned(string servers) => new("leftovers_pruned", $"remains of a former device are removed from the {servers}");

    private static EndDeviceIdentifiers NameOf(EndDeviceIdentifiers ids) => new() { ApplicationIds = ids.ApplicationIds, DeviceId = ids.DeviceId };

    private async Task<Decision> DecideAsync(PreparedDevice device, PreparedDevice? earlier, EndDevice identity, CancellationToken cancellation)
    {
        if (identity.Ids.DevEui != device.Ids.DevEui || identity.Ids.JoinEui != device.Ids.JoinEui)
        {
            return new Decision.Fail(Failure.Named("import", "id_taken", $"the application has another device of the ID `{device.Ids.DeviceId}`, with JoinEUI {Hex(identity.Ids.JoinEui)} and DevEUI {Hex(identity.Ids.DevEui)}") with
            {
                Advice = "give the device another ID in the file (an export with --dev-id-prefix does), or delete the other one in the Console",
            });
        }
        var found = await FindAsync(device, identity, cancellation);
        var complete = found is { Network: not null, Application: not null } && (device.Join is null || found.Join is not null);
        if (!complete)
        {
            if (!IsRegisteredAs(device, identity) && !(earlier is not null && IsRegisteredAs(earlier, identity)) && options.OnConflict is ConflictWay.Fail or ConflictWay.Skip)
                return new Decision.Fail(Exists("is registered there only in part, and not by an import of this line"));
            return new Decision.Update(KeepsSession: false, new Note("half_created_completed", "an earlier run had created it in part; it was completed"));
        }
        // Exactly what an earlier run sent, and not used since: it is ours, and its session and counters are behind those of the line.
        if (earlier is not null && IsSame(earlier, found) && !Joined(earlier, found) && !IsAhead(earlier, found) && !IsAhead(device, found))
            return new Decision.Update(KeepsSession: false, null);
        var joined = Joined(device, found);
        var other = IsSame(device, found) ? OtherFields(device, found) : null;
        if (other is [])
        {
            return joined
                ? new Decision.Skip("already_there_and_joined", "the target has it, and it has joined there")
                : new Decision.Skip("already_there", "the target has it, with the same keys, versions and session");
        }
        return options.OnConflict switch
        {
            ConflictWay.Skip => new Decision.Skip(OtherIsThere, "the application has it already, with other fields"),
            ConflictWay.Update when found.Network!.SupportsJoin != device.Network.Device.SupportsJoin || found.Network.Multicast != device.Network.Device.Multicast =>
                new Decision.Fail(Exists("is there with another activation mode, which cannot be changed") with { Advice = "import it with --on-conflict replace" }),
            ConflictWay.Update => new Decision.Update(joined || IsAhead(device, found), joined ? new Note("session_kept", "it has joined at the target since: the session there was kept") : null),
            ConflictWay.Replace => new Decision.Replace(identity.Ids),
            _ when other is not null => new Decision.Fail(Exists($"is there already, with other MAC settings than the options ask for ({string.Join(", ", other.Select(static field => field.Path))})")),
            _ => new Decision.Fail(Exists("is there already, with other fields or keys" + (facts.MayReadKeys ? "" : " (the API key may not read keys, so they were not compared)"))),
        };
    }

    private async Task<Decision> EuisTakenAsync(PreparedDevice device, string id, string application, CancellationToken cancellation)
    {
        if (application == options.Application && options.OnConflict == ConflictWay.Replace)
        {
            // Nothing may be in the way of the new ID once the device of the old one is gone.
            return await DecideNewAsync(device, cancellation) is Decision.Fail fail
                ? fail
                : new Decision.Replace(new EndDeviceIdentifiers { DeviceId = id, ApplicationIds = new ApplicationIdentifiers { ApplicationId = application } });
        }
        var own = application == options.Application;
        return new Decision.Fail(Failure.Named("import", "euis_taken", $"JoinEUI and DevEUI belong to device `{id}` of application `{application}`") with
        {
            Attributes = new Dictionary<string, string> { ["application_id"] = application, ["device_id"] = id },
            Advice = own
                ? "it is the same device under another ID: import it with --on-conflict replace, or leave it out"
                : "delete it there first; ask its owner when it is not yours",
        });
    }

    private async Task<FoundDevice> FindAsync(PreparedDevice device, EndDevice? identity, CancellationToken cancellation)
    {
        var ids = NameOf(device.Ids);
        var network = cluster.Network.FindAsync(ids, Readable(Paths(device, NetworkPaths, DeviceServers.NetworkServer)), cancellation);
        var application = cluster.Application.FindAsync(ids, Readable(Paths(device, ApplicationPaths, DeviceServers.ApplicationServer)), cancellation);
        var join = device.Join is null ? Task.FromResult<EndDevice?>(null) : cluster.Join.FindAsync(ids, Readable(Paths(device, JoinPaths, DeviceServers.JoinServer)), cancellation);
        await Task.WhenAll(network, application, join);
        return new FoundDevice(identity, await join, await network, await application);
    }

    /// <summary>All fields count when they are to become those of the line, and MAC settings when options ask for some.</summary>
    private bool ComparesFields(PreparedDevice device) => options.OnConflict == ConflictWay.Update || device.IsAdjusted;

    private IEnumerable<string> Paths(PreparedDevice device, string[] needed, DeviceServers server) =>
        ComparesFields(device) ? FieldComparison.PathsOf(server).Union(needed) : needed;

    /// <summary>Fields that this import is to change of a device that has the same keys, versions and session.</summary>
    private IReadOnlyList<FieldDifference> OtherFields(PreparedDevice device, FoundDevice found)
    {
        if (!ComparesFields(device))
            return [];
        var differences = FieldComparison.Compare(SentRecords.Of(device), new TargetRecords(found.Identity, found.Network, found.Application, found.Join));
        return options.OnConflict == ConflictWay.Update
            ? differences
            : [.. differences.Where(static field => field.Path.StartsWith("mac_settings", StringComparison.Ordinal))];
    }

    private IEnumerable<string> Readable(IEnumerable<string> paths) => facts.MayReadKeys ? paths : paths.Where(static path => !path.EndsWith(".key", StringComparison.Ordinal));

    private static string Remains(FoundDevice found) => string.Join(
        " and the ",
        new[] { (found.Join, "Join Server"), (found.Network, "Network Server"), (found.Application, "Application Server") }.Where(server => server.Item1 is not null).Select(server => server.Item2));

    private bool IsRegisteredAs(PreparedDevice device, EndDevice identity) =>
        !Differ(cluster.Identity, device.Identity.Paths, MaskedCall.IdentityServerGet, device.Identity.Device, identity);

    /// <summary>The same keys and versions: nothing that this import could bring is missing. Counters and names do not matter.</summary>
    private bool IsSame(PreparedDevice device, FoundDevice found)
    {
        if (!facts.MayReadKeys)
            return false;
        if (device.Join is { } join && Differ(cluster.Join, RootKeyPaths, MaskedCall.JoinServerGet, join.Device, found.Join!))
            return false;
        if (Differ(cluster.Network, ["frequency_plan_id", "lorawan_phy_version", "lorawan_version", "multicast", "supports_join"], MaskedCall.NetworkServerGet, device.Network.Device, found.Network!))
            return false;
        return Joined(device, found)
            || (SameSession(device, found) && !Differ(cluster.Application, ApplicationPaths, MaskedCall.ApplicationServerGet, device.Application.Device, found.Application!));
    }

    private static bool SameSession(PreparedDevice device, FoundDevice found)
    {
        var (ours, theirs) = (device.Network.Device.Session, found.Network!.Session);
        return (ours?.DevAddr ?? ByteString.Empty) == (theirs?.DevAddr ?? ByteString.Empty)
            && (ours?.Keys?.FNwkSIntKey?.Key ?? ByteString.Empty) == (theirs?.Keys?.FNwkSIntKey?.Key ?? ByteString.Empty);
    }

    /// <summary>A device that joins has a session that the line does not have: it has joined at the target.</summary>
    private static bool Joined(PreparedDevice device, FoundDevice found) =>
        device.Join is { } join && found.Network?.Session is { DevAddr.Length: > 0 } session && !SameSession(device, found)
        && TargetJoins.MadeIt(join.Device, device.Network.Device.Session, found.Join, session);

    /// <summary>The same session, in which the target has heard more than the line knows.</summary>
    private static bool IsAhead(PreparedDevice device, FoundDevice found) =>
        SameSession(device, found) && found.Network!.Session is { } theirs && theirs.LastFCntUp > (device.Network.Device.Session?.LastFCntUp ?? 0);

    /// <summary>Compares what can be read, by this version and by that of the server.</summary>
    private static bool Differ(ServerClient server, IEnumerable<string> paths, MaskedCall call, EndDevice ours, EndDevice theirs) =>
        MessageMask.Create(EndDevice.Descriptor, paths.Where(path => AllowedPaths.For(call).Contains(path) && server.Tells(path))).Differences(ours, theirs).Any();

    private static Failure Exists(string how) => Failure.Named("import", OtherIsThere, $"the device {how}") with
    {
        Advice = "--on-conflict says what to do: skip leaves it, update changes it, replace deletes it and creates it anew",
    };

    private static string Hex(ByteString eui) => eui.IsEmpty ? "none" : Convert.ToHexString(eui.Span);
}
