using LoRaWan;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Import;
using TheThingsStack.Registries;

namespace Migration.Verify;

/// <summary>
/// The devices of a cluster as verification looks at them. A seam: tests stand in for a cluster over a day of joins. Members never change
/// anything, may be called concurrently, and fail with <see cref="FailureException"/>.
/// </summary>
public interface ITargetDevices
{
    /// <summary>Says which rights for the other calls the key lacks on an application; null when it has all.</summary>
    Task<Failure?> MissingRightsAsync(string application, CancellationToken cancellation);

    /// <summary>Whether a server tells a field, as far as calls have shown: one of another version may not know it.</summary>
    bool Tells(DeviceServers server, string path);

    /// <summary>Reads up to <see cref="DeviceRegistry.BatchSize"/> devices of one application from the Identity Server; those that are not there are missing in the answer.</summary>
    Task<IReadOnlyList<EndDevice>> IdentitiesAsync(string application, IReadOnlyList<string> deviceIds, CancellationToken cancellation);

    /// <summary>Reads a device from the Network Server; null when it is not there.</summary>
    Task<EndDevice?> NetworkAsync(EndDeviceIdentifiers ids, CancellationToken cancellation);

    /// <summary>Reads a device from the Application Server; null when it is not there.</summary>
    Task<EndDevice?> ApplicationAsync(EndDeviceIdentifiers ids, CancellationToken cancellation);

    /// <summary>Reads a device from the Join Server; null when it is not there.</summary>
    Task<EndDevice?> JoinAsync(EndDeviceIdentifiers ids, CancellationToken cancellation);

    /// <summary>Reads the session of a device from the Network Server; null when the device is not there.</summary>
    Task<EndDevice?> SessionAsync(EndDeviceIdentifiers ids, CancellationToken cancellation);

    /// <summary>Gives a page of <see cref="IdentityServerClient.PageSize"/> devices of an application with when each was last seen.</summary>
    /// <param name="application">Application.</param>
    /// <param name="page">Page, from 1.</param>
    /// <param name="cancellation">Stops waiting.</param>
    Task<DevicePage> LastSeenAsync(string application, int page, CancellationToken cancellation);

    /// <summary>Gives the addresses that the network routes.</summary>
    Task<IReadOnlyList<DevAddrPrefix>> PrefixesAsync(CancellationToken cancellation);
}

/// <summary>The devices of a real cluster, with as many calls under way as it does best with.</summary>
/// <param name="cluster">The cluster; not disposed here.</param>
/// <param name="concurrency">Calls under way.</param>
public sealed class ClusterDevices(ClusterClient cluster, AdaptiveConcurrency concurrency) : ITargetDevices
{
    private static readonly string[] Session = ["session.dev_addr", "session.keys.session_key_id", "session.last_f_cnt_up", "session.started_at"];
    private static readonly string[] LastSeen = ["activated_at", "last_seen_at"];
    private static readonly IReadOnlyList<string> IdentityPaths = FieldComparison.PathsOf(DeviceServers.IdentityServer);
    private static readonly IReadOnlyList<string> NetworkPaths = FieldComparison.PathsOf(DeviceServers.NetworkServer);
    private static readonly IReadOnlyList<string> ApplicationPaths = FieldComparison.PathsOf(DeviceServers.ApplicationServer);
    private static readonly IReadOnlyList<string> JoinPaths = FieldComparison.PathsOf(DeviceServers.JoinServer);

    /// <inheritdoc/>
    public async Task<Failure?> MissingRightsAsync(string application, CancellationToken cancellation) =>
        (await ApplicationRights.AskAsync(cluster.Identity, application, cancellation)).Missing("verify", Right.ApplicationDevicesRead, Right.ApplicationDevicesReadKeys);

    /// <inheritdoc/>
    public bool Tells(DeviceServers server, string path)
    {
        ServerClient client = server switch
        {
            DeviceServers.IdentityServer => cluster.Identity,
            DeviceServers.NetworkServer => cluster.Network,
            DeviceServers.ApplicationServer => cluster.Application,
            DeviceServers.JoinServer => cluster.Join,
            _ => throw new ArgumentOutOfRangeException(nameof(server)),
        };
        return client.Tells(path);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<EndDevice>> IdentitiesAsync(string application, IReadOnlyList<string> deviceIds, CancellationToken cancellation) =>
        TurnAsync(() => cluster.Identity.GetAsync(application, deviceIds, IdentityPaths, cancellation), cancellation);

    /// <inheritdoc/>
    public Task<EndDevice?> NetworkAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) =>
        TurnAsync(() => cluster.Network.FindAsync(Names(ids), NetworkPaths, cancellation), cancellation);

    /// <inheritdoc/>
    public Task<EndDevice?> ApplicationAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) =>
        TurnAsync(() => cluster.Application.FindAsync(Names(ids), ApplicationPaths, cancellation), cancellation);

    /// <inheritdoc/>
    public Task<EndDevice?> JoinAsync(EndDeviceIdentifiers ids, CancellationToken cancellation)
    {
        var names = Names(ids);
        names.DevEui = ids.DevEui;
        names.JoinEui = ids.JoinEui;
        return TurnAsync(() => cluster.Join.FindAsync(names, JoinPaths, cancellation), cancellation);
    }

    /// <inheritdoc/>
    public Task<EndDevice?> SessionAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) =>
        TurnAsync(() => cluster.Network.FindAsync(Names(ids), Session, cancellation), cancellation);

    /// <inheritdoc/>
    public Task<DevicePage> LastSeenAsync(string application, int page, CancellationToken cancellation) =>
        TurnAsync(() => cluster.Identity.ListAsync(application, page, IdentityServerClient.PageSize, LastSeen, cancellation), cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<DevAddrPrefix>> PrefixesAsync(CancellationToken cancellation) => cluster.Network.GetDevAddrPrefixesAsync(cancellation);

    /// <summary>Application and ID alone: with EUIs a server would call a device with others "not found" instead of showing it.</summary>
    private static EndDeviceIdentifiers Names(EndDeviceIdentifiers ids) => new() { ApplicationIds = ids.ApplicationIds, DeviceId = ids.DeviceId };

    private async Task<T> TurnAsync<T>(Func<Task<T>> call, CancellationToken cancellation)
    {
        using var turn = await concurrency.EnterAsync(cancellation);
        try
        {
            var result = await call();
            turn.Done();
            return result;
        }
        catch (RegistryException e) when (e.IsOverload)
        {
            turn.Refused();
            throw;
        }
    }
}
