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
        // The key first: without a good one ListRights answers with an empty list.
        var auth = await cluster.Identity.GetAuthInfoAsync(cancellation);
        var rights = await cluster.Identity.ListRightsAsync(application, cancellation);
        bool Has(Right right) => rights.Contains(right) || rights.Contains(Right.ApplicationAll) || rights.Contains(Right.All) || auth.IsAdmin;
        var missing = Needed.Concat(needsToReadKeys ? [Right.ApplicationDevicesReadKeys] : []).Where(right => !Has(right)).ToList();
        if (missing.Count > 0)
            throw new FailureException(rights.Count == 0 && !auth.IsAdmin ? NoRights(cluster, application) : Lacks(cluster, application, missing));

        var registered = new Application();
        if (Has(Right.ApplicationInfo))
            registered = await cluster.Identity.GetApplicationAsync(application, ["network_server_address", "application_server_address", "join_server_address"], cancellation);
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
            MayReadKeys = Has(Right.ApplicationDevicesReadKeys),
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

    private static Failure NoRights(ClusterClient cluster, string application) =>
        Failure.Named("import", "no_application_rights", $"the API key has no rights on application `{application}` at {cluster.Identity.Address}") with
        {
            Attributes = new Dictionary<string, string> { ["application_id"] = application },
            Advice = "there is no such application at this cluster, or the key belongs to another one: check the application ID, and make a key in the Console under that application, API keys",
            NotAuthorised = true,
        };

    private static Failure Lacks(ClusterClient cluster, string application, IEnumerable<Right> missing)
    {
        var names = string.Join(", ", missing.Select(NameOf));
        return Failure.Named("import", "missing_rights", $"the API key lacks rights on application `{application}` at {cluster.Identity.Address}: {names}") with
        {
            Attributes = new Dictionary<string, string> { ["application_id"] = application, ["missing"] = names },
            Advice = "make an API key with these rights in the Console under the application, API keys",
            NotAuthorised = true,
        };
    }

    private static string NameOf(Right right) => right switch
    {
        Right.ApplicationDevicesRead => "RIGHT_APPLICATION_DEVICES_READ",
        Right.ApplicationDevicesWrite => "RIGHT_APPLICATION_DEVICES_WRITE",
        Right.ApplicationDevicesReadKeys => "RIGHT_APPLICATION_DEVICES_READ_KEYS",
        _ => "RIGHT_APPLICATION_DEVICES_WRITE_KEYS",
    };
}
