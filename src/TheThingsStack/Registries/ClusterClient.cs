using Rpc;
using TheThingsStack.Api;

namespace TheThingsStack.Registries;

/// <summary>
/// A cluster of The Things Stack: the servers that hold devices, each at its address or all at one. Connects at the first call; all members
/// may be called concurrently.
/// </summary>
public sealed class ClusterClient : IAsyncDisposable
{
    private readonly Dictionary<HostPort, RegistryConnection> connections = [];

    /// <summary>Prepares the clients; nothing is sent.</summary>
    /// <exception cref="Errors.FailureException">HTTPS_PROXY is set but not usable.</exception>
    public ClusterClient(ClusterOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
        Identity = new IdentityServerClient(At(options.Addresses.Identity), options.Clock);
        Network = new NetworkServerClient(At(options.Addresses.Network));
        Application = new ApplicationServerClient(At(options.Addresses.Application));
        Join = new JoinServerClient(At(options.Addresses.Join));
    }

    /// <summary>How the cluster is reached.</summary>
    public ClusterOptions Options { get; }

    /// <summary>Identity Server.</summary>
    public IdentityServerClient Identity { get; }

    /// <summary>Network Server.</summary>
    public NetworkServerClient Network { get; }

    /// <summary>Application Server.</summary>
    public ApplicationServerClient Application { get; }

    /// <summary>Join Server.</summary>
    public JoinServerClient Join { get; }

    /// <summary>Gives the frequency plans that the cluster has.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<IReadOnlyList<FrequencyPlanDescription>> ListFrequencyPlansAsync(CancellationToken cancellation) =>
        (await Network.Connection.CallAsync(RegistryMethods.ListFrequencyPlans, new ListFrequencyPlansRequest(), "", perDevice: false, cancellation))
        .Response.FrequencyPlans;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var connection in connections.Values)
            await connection.DisposeAsync();
    }

    private RegistryConnection At(HostPort address)
    {
        if (!connections.TryGetValue(address, out var connection))
            connections[address] = connection = new RegistryConnection(address, Options);
        return connection;
    }
}
