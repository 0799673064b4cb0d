using LoRaWan;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Migration.Import;

/// <summary>What is asked of the target once in a run, before the first device (facts/tts-api.md sections 2 and 7).</summary>
internal sealed record TargetFacts
{
    private static readonly Right[] Needed =
    [
        Right.ApplicationDevicesRead, Right.ApplicationDevicesWrite, Right.ApplicationDevicesWriteKeys,
    ];

    /// <summary>Host of the Network Server as the application is registered with, else as it is called; empty when it has no name that fits.</summary>
    public required string NetworkServerHost { get; init; }

    public required string ApplicationServerHost { get; init; }

    public required string JoinServerHost { get; init; }

    /// <summary>Addresses that the network receives; empty when it does not say.</summary>
    public required IReadOnlyList<DevAddrPrefix> DevAddrPrefixes { get; init; }

    /// <summary>JoinEUI for devices that join and have none; empty when the Join Server has none.</summary>
    public required Google.Protobuf.ByteString DefaultJoinEui { get; init; }

    /// <summary>Frequency plans of the cluster; null when it does not say.</summary>
    public required IReadOnlySet<string>? FrequencyPlans { get; init; }

    /// <summary>Whether the key may read keys, so that a device that is there can be compared.</summary>
    public required bool MayReadKeys { get; init; }

    /// <summary>For preparing a device without asking anybody: nothing is known of the target.</summary>
    public static TargetFacts Unasked { get; } = new()
    {
        NetworkServerHost = "",
        ApplicationServerHost = "",
        JoinServerHost = "",
        DevAddrPrefixes = [],
        DefaultJoinEui = Google.Protobuf.ByteString.Empty,
        FrequencyPlans = null,
        MayReadKeys = true,
    };

    /// <summary>Asks. All four servers are called, so that an address that is wrong shows before a device is touched.</summary>
    /// <param name="cluster">The target.</param>
    /// <param name="application">Application that gets the devices.</param>
    /// <param name="needsToReadKeys">The key must have the right to read keys.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="FailureException">A server cannot be used, the application is not there, or the key lacks a right: which.</exception>
    public static async Task<TargetFacts> AskAsync(ClusterClient cluster, string application, bool needsToReadKeys, CancellationToken cancellation)
    {
        var rights = await ApplicationRights.AskAsync(cluster.Identity, application, cancellation);
        if (rights.Missing("import", needsToReadKeys ? [.. Needed, Right.ApplicationDevicesReadKeys] : Needed) is { } missing)
            throw new FailureException(missing);

        var registered = new Application();
        if (rights.Has(Right.ApplicationInfo))
        {
            try
            {
                registered = await cluster.Identity.GetApplicationAsync(application, ["network_server_address", "application_server_address", "join_server_address"], cancellation);
            }
            catch (RegistryException e) when (RegistryErrors.ForbiddenPaths(e).Count > 0)
            {
                // An older server, at which applications are registered with no addresses.
            }
        }
        var prefixes = await OrDefault(cluster.Network.GetDevAddrPrefixesAsync(cancellation), []);
        var joinEui = await OrDefault(cluster.Join.GetDefaultJoinEuiAsync(cancellation), Google.Protobuf.ByteString.Empty);
        var plans = await OrDefault(cluster.ListFrequencyPlansAsync(cancellation), []);
        await ProbeAsync(cluster, application, cancellation);
        var addresses = cluster.Options.Addresses;
        return new TargetFacts
        {
            NetworkServerHost = Host(registered.NetworkServerAddress, addresses.Network),
            ApplicationServerHost = Host(registered.ApplicationServerAddress, addresses.Application),
            JoinServerHost = Host(registered.JoinServerAddress, addresses.Join),
            DevAddrPrefixes = prefixes,
            DefaultJoinEui = joinEui,
            FrequencyPlans = plans.Count > 0 ? plans.Select(plan => plan.Id).ToHashSet(StringComparer.Ordinal) : null,
            MayReadKeys = rights.Has(Right.ApplicationDevicesReadKeys),
        };
    }

    /// <summary>A device that cannot be there is asked for, so that each server shows that it is one and accepts the key.</summary>
    private static async Task ProbeAsync(ClusterClient cluster, string application, CancellationToken cancellation)
    {
        var ids = new EndDeviceIdentifiers
        {
            DeviceId = "ttn-lw-migrate-probe",
            ApplicationIds = new ApplicationIdentifiers { ApplicationId = application },
        };
        await cluster.Network.FindAsync(ids, [], cancellation);
        await cluster.Application.FindAsync(ids, [], cancellation);
        await cluster.Join.FindAsync(ids, [], cancellation);
    }

    /// <summary>What an older server does not have is done without; that it cannot be reached is not.</summary>
    private static async Task<T> OrDefault<T>(Task<T> call, T otherwise)
    {
        try
        {
            return await call;
        }
        catch (RegistryException e) when (e.Cause.Origin == Rpc.RpcFailureOrigin.Server)
        {
            return otherwise;
        }
    }

    private static string Host(string registered, Rpc.HostPort called) =>
        registered.Length > 0 ? registered : called.Host.Contains(':', StringComparison.Ordinal) ? "" : called.Host;
}
