using System.Collections.Frozen;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace TheThingsStack.Import;

/// <summary>The servers of The Things Stack that hold a device.</summary>
[Flags]
public enum DeviceServers
{
    /// <summary>No server: the field cannot be set.</summary>
    None = 0,

    /// <summary>Identity Server.</summary>
    IdentityServer = 1,

    /// <summary>Join Server; OTAA devices only.</summary>
    JoinServer = 2,

    /// <summary>Network Server.</summary>
    NetworkServer = 4,

    /// <summary>Application Server.</summary>
    ApplicationServer = 8,
}

/// <summary>
/// What the official CLI sends to which server when it creates a device (facts/tts-api.md section 7, golden/tts-path-split.tsv).
/// </summary>
/// <param name="IdentityServer">Paths of <c>EndDeviceRegistry/Create</c>.</param>
/// <param name="JoinServer">Mask of <c>JsEndDeviceRegistry/Set</c>; empty for ABP.</param>
/// <param name="NetworkServer">Mask of <c>NsEndDeviceRegistry/Set</c>.</param>
/// <param name="ApplicationServer">Mask of <c>AsEndDeviceRegistry/Set</c>.</param>
/// <param name="Dropped">Paths that hold something and that no server can take.</param>
public sealed record ImportMasks(
    IReadOnlyList<string> IdentityServer,
    IReadOnlyList<string> JoinServer,
    IReadOnlyList<string> NetworkServer,
    IReadOnlyList<string> ApplicationServer,
    IReadOnlyList<string> Dropped)
{
    /// <summary>Servers by path without the names of oneofs, as validation reports write paths.</summary>
    private static readonly Lazy<FrozenDictionary<string, DeviceServers>> PlainOwners = new(() =>
        AllowedPaths.All.DistinctBy(WithoutOneofs).ToFrozenDictionary(WithoutOneofs, path => OwnersOf(path, otaa: true), StringComparer.Ordinal));

    /// <summary>Splits a device as the CLI does with its default flags: server addresses are the CLI's own, identifiers go to every server.</summary>
    public static ImportMasks For(EndDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        // The client takes a DevAddr of zeros for none; of keys it does not.
        var paths = FieldPath.NonZero(device)
            .Where(path => !IsImplicit(path) && !(path.EndsWith("session.dev_addr", StringComparison.Ordinal) && FieldPath.IsZero(device, path, zeroBytes: true))).ToHashSet(StringComparer.Ordinal);
        paths.UnionWith(["supports_join", "network_server_address", "application_server_address"]);
        if (device.SupportsJoin)
            paths.Add("join_server_address");
        var sorted = paths.Order(StringComparer.Ordinal).Select(path => (path, servers: OwnersOf(path, device.SupportsJoin))).ToList();
        return new ImportMasks(
            Of(DeviceServers.IdentityServer),
            Of(DeviceServers.JoinServer),
            Of(DeviceServers.NetworkServer),
            Of(DeviceServers.ApplicationServer),
            [.. sorted.Where(entry => entry.servers == DeviceServers.None).Select(entry => entry.path)]);

        string[] Of(DeviceServers server) => [.. sorted.Where(entry => entry.servers.HasFlag(server)).Select(entry => entry.path)];
    }

    /// <summary>Gives the servers that take a path, as a field mask names it.</summary>
    /// <param name="path">Path with oneof names.</param>
    /// <param name="otaa">Whether the device joins; the Join Server holds nothing of others.</param>
    public static DeviceServers OwnersOf(string path, bool otaa) =>
        (AllowedPaths.For(MaskedCall.IdentityServerUpdate).Contains(path) ? DeviceServers.IdentityServer : DeviceServers.None)
        | (otaa && !path.StartsWith("claim_authentication_code", StringComparison.Ordinal) && AllowedPaths.For(MaskedCall.JoinServerSet).Contains(path) ? DeviceServers.JoinServer : DeviceServers.None)
        | (AllowedPaths.For(MaskedCall.NetworkServerSet).Contains(path) ? DeviceServers.NetworkServer : DeviceServers.None)
        | (AllowedPaths.For(MaskedCall.ApplicationServerSet).Contains(path) ? DeviceServers.ApplicationServer : DeviceServers.None);

    /// <summary>Gives the servers that take a field of a validation report: the ones of the longest path known.</summary>
    internal static DeviceServers OwnersOfField(string field, bool otaa)
    {
        var path = field;
        var bracket = path.IndexOf('[', StringComparison.Ordinal);
        if (bracket >= 0)
            path = path[..bracket];
        if (IsImplicit(path))
            return DeviceServers.IdentityServer;
        while (true)
        {
            if (PlainOwners.Value.TryGetValue(path, out var owners))
                return otaa ? owners : owners & ~DeviceServers.JoinServer;
            var dot = path.LastIndexOf('.');
            if (dot < 0)
                return DeviceServers.None;
            path = path[..dot];
        }
    }

    private static string WithoutOneofs(string path) => path.Replace(".mode", "", StringComparison.Ordinal);

    private static bool IsImplicit(string path) =>
        path is "ids" or "created_at" or "updated_at" || path.StartsWith("ids.", StringComparison.Ordinal);
}
