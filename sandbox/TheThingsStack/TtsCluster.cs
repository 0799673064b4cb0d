using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Sandbox.Grpc;
using Sandbox.TtnV2;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace Sandbox.TheThingsStack;

/// <summary>What the four servers hold of a device, each a copy; null where a server does not know it.</summary>
public sealed record TtsDevice(EndDevice? Identity, EndDevice? Network, EndDevice? Application, EndDevice? Join)
{
    /// <summary>Which servers know it.</summary>
    public TtsServers Servers =>
        Of(Identity, TtsServers.Identity) | Of(Network, TtsServers.Network) | Of(Application, TtsServers.Application) | Of(Join, TtsServers.Join);

    private static TtsServers Of(EndDevice? record, TtsServers server) => record is null ? TtsServers.None : server;
}

/// <summary>
/// The Things Stack on loopback: Identity, Network, Application and Join Server with the services that a migration uses, on one listener or
/// four, each without and with TLS. Behaves as facts/tts-api.md says.
/// </summary>
public sealed partial class TtsCluster : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<MaskedCall, MessageMask> FieldsOf = new();

    private readonly TtsClusterOptions options;
    private readonly TtsState state;
    private readonly AccessControl access;
    private readonly ServerPace pace;
    private readonly TtsRateLimiter limiter;
    private readonly X509Certificate2 authority;
    private readonly X509Certificate2 certificate;
    private readonly List<(GrpcServer Plain, GrpcServer Tls)> servers = [];

    private TtsCluster(TtsClusterOptions options)
    {
        this.options = options;
        state = new TtsState(options);
        access = new AccessControl(options.Clock);
        pace = new ServerPace(options.RoundTrip, options.Capacity);
        limiter = new TtsRateLimiter(options.Clock, options.RateLimit);
        (authority, certificate) = Certificates.SignedForLocalhost();
        dispatch = new Services(this);
    }

    /// <summary>host:port of the Identity Server, or of all servers when there is one listener; without TLS.</summary>
    public string Address => AddressOf(0, tls: false);

    /// <summary>host:port with TLS.</summary>
    public string TlsAddress => AddressOf(0, tls: true);

    public string NetworkServerAddress => AddressOf(1, tls: false);

    public string ApplicationServerAddress => AddressOf(2, tls: false);

    public string JoinServerAddress => AddressOf(3, tls: false);

    public string NetworkServerTlsAddress => AddressOf(1, tls: true);

    public string ApplicationServerTlsAddress => AddressOf(2, tls: true);

    public string JoinServerTlsAddress => AddressOf(3, tls: true);

    /// <summary>The certificate authority that signed the servers' certificate, PEM.</summary>
    public string CaCertificatePem => authority.ExportCertificatePem() + "\n";

    /// <summary>Every request that reached a server.</summary>
    public RequestLog Requests { get; } = new();

    /// <summary>Faults of all servers; methods are named like <c>NsEndDeviceRegistry/Set</c>, items are device IDs.</summary>
    public FaultPlan Faults { get; } = new();

    /// <summary>The quota now; setting it forgets what was used.</summary>
    public TtsRateLimit? RateLimit
    {
        get => limiter.Limit;
        set => limiter.Limit = value;
    }

    /// <summary>Starts a cluster without applications.</summary>
    public static async Task<TtsCluster> StartAsync(TtsClusterOptions? options = null)
    {
        var cluster = new TtsCluster(options ?? new TtsClusterOptions());
        await cluster.StartServersAsync();
        return cluster;
    }

    /// <summary>Adds an application and gives a key with all its rights.</summary>
    public string AddApplication(string id)
    {
        var now = state.Now();
        var host = options.Host ?? "";
        AddApplication(new Application
        {
            Ids = new ApplicationIdentifiers { ApplicationId = id },
            CreatedAt = now,
            UpdatedAt = now,
            NetworkServerAddress = host,
            ApplicationServerAddress = host,
            JoinServerAddress = host,
        });
        return AddApiKey(id);
    }

    /// <summary>Adds an application as it is, without a key.</summary>
    public void AddApplication(Application application)
    {
        lock (state.Gate)
            state.Add(application);
    }

    /// <summary>Adds a key of an application and gives its token (without <c>bearer</c>). Without rights it has all.</summary>
    public string AddApiKey(string application, params IReadOnlyCollection<Right> rights) => access.Add(application, "key", rights);

    /// <summary>Adds a key whose token is given, <c>NNSXS.id.secret</c>; no application makes it one of the user <c>admin</c>.</summary>
    public string AddApiKey(string? application, string token, string name, IReadOnlyCollection<Right> rights, DateTimeOffset? expiresAt = null) =>
        access.Add(application, name, rights, token, expiresAt);

    /// <summary>Adds a key of the user <c>admin</c>.</summary>
    public string AddAdminKey() => access.Add(null, "admin-api-key", []);

    /// <summary>Takes a key away.</summary>
    public bool RemoveApiKey(string token) => access.Remove(token);

    /// <summary>What the four servers hold of a device. Changes nothing.</summary>
    public TtsDevice Device(string application, string device)
    {
        var id = new DeviceId(application, device);
        lock (state.Gate)
        {
            return new TtsDevice(
                TtsState.Copy(state.Identity.Find(id)), TtsState.Copy(state.Network.Find(id)),
                TtsState.Copy(state.ApplicationServer.Find(id)), TtsState.Copy(state.Join.Find(id)));
        }
    }

    /// <summary>The IDs of an application's devices that any server knows, in order.</summary>
    public IReadOnlyList<string> DeviceIds(string application, TtsServers on = TtsServers.All)
    {
        lock (state.Gate)
        {
            return
            [
                .. Stores().Where(store => on.HasFlag(store.Server))
                    .SelectMany(store => store.Store.List(application).Select(record => record.Ids.DeviceId))
                    .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
            ];
        }
    }

    /// <summary>Puts records into the stores as they are, past all checks; null takes a record away.</summary>
    public void Put(string application, string device, TtsDevice records)
    {
        ArgumentNullException.ThrowIfNull(records);
        var id = new DeviceId(application, device);
        lock (state.Gate)
        {
            foreach (var (server, store) in Stores())
            {
                var record = server switch
                {
                    TtsServers.Identity => records.Identity,
                    TtsServers.Network => records.Network,
                    TtsServers.Application => records.Application,
                    _ => records.Join,
                };
                store.Remove(id);
                if (record is null)
                    continue;
                var copy = record.Clone();
                copy.Ids ??= new EndDeviceIdentifiers();
                copy.Ids.DeviceId = device;
                copy.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = application };
                store.Put(copy);
            }
        }
    }

    /// <summary>
    /// Puts a device, as an exported line has it, into the stores past all checks: each server gets its fields; the Join Server only where the
    /// device joins, the Network Server with a MAC state where there is a session.
    /// </summary>
    public void Put(EndDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var now = state.Now();
        var identity = Part(MaskedCall.IdentityServerUpdate);
        identity.Ids.DevAddr = ByteString.Empty;
        var network = Part(MaskedCall.NetworkServerSet);
        if (network.Session is { } session)
        {
            network.Ids.DevAddr = session.DevAddr;
            session.StartedAt ??= now;
            lock (state.Gate)
                network.MacState ??= dispatch.NewMacState(network);
        }
        Put(
            device.Ids.ApplicationIds.ApplicationId,
            device.Ids.DeviceId,
            new TtsDevice(identity, network, Part(MaskedCall.ApplicationServerSet), device.SupportsJoin ? Part(MaskedCall.JoinServerSet) : null));

        EndDevice Part(MaskedCall call)
        {
            var part = FieldsOf.GetOrAdd(call, static call => MessageMask.Create(EndDevice.Descriptor, FieldPath.Deepest(AllowedPaths.For(call)))).Select(device);
            part.Ids = device.Ids.Clone();
            part.CreatedAt = part.UpdatedAt = now;
            return part;
        }
    }

    /// <summary>Makes a call as a client would, but in this process: past TLS, faults and the request log.</summary>
    /// <param name="method">Short name, such as <c>EndDeviceRegistry/Create</c>.</param>
    /// <param name="request">The request.</param>
    /// <param name="token">Token of a key; null for none.</param>
    /// <exception cref="GrpcStatusException">The server refuses.</exception>
    public async Task<TResponse> CallAsync<TResponse>(string method, IMessage request, string? token)
        where TResponse : IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(request);
        var call = new GrpcCall
        {
            Method = "/ttn.lorawan.v3." + method,
            Metadata = token is null ? [] : [new("authorization", "bearer " + token)],
            Request = request.ToByteArray(),
            Cancellation = CancellationToken.None,
        };
        var answer = new TResponse();
        answer.MergeFrom(await dispatch.Everything.DispatchAsync(call));
        return answer;
    }

    /// <summary>Stops the listeners of some servers: connections are cut and refused. Stores stay.</summary>
    public Task StopAsync(TtsServers which = TtsServers.All) =>
        Task.WhenAll(Listeners(which).SelectMany(pair => new[] { pair.Plain.StopAsync(), pair.Tls.StopAsync() }));

    /// <summary>Starts them again on their old ports.</summary>
    public Task RestartAsync(TtsServers which = TtsServers.All) =>
        Task.WhenAll(Listeners(which).SelectMany(pair => new[] { pair.Plain.StartAsync(), pair.Tls.StartAsync() }));

    /// <summary>Cuts all connections; the servers go on listening.</summary>
    public void CutConnections()
    {
        foreach (var (plain, tls) in servers)
        {
            plain.Abort();
            tls.Abort();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (plain, tls) in servers)
        {
            await plain.DisposeAsync();
            await tls.DisposeAsync();
        }
        pace.Dispose();
        certificate.Dispose();
        authority.Dispose();
    }

    private IEnumerable<(TtsServers Server, RecordStore Store)> Stores() =>
    [
        (TtsServers.Identity, state.Identity), (TtsServers.Network, state.Network),
        (TtsServers.Application, state.ApplicationServer), (TtsServers.Join, state.Join),
    ];

    private IEnumerable<(GrpcServer Plain, GrpcServer Tls)> Listeners(TtsServers which) =>
        servers.Count == 1 ? servers : Stores().Select((store, i) => (store.Server, Pair: servers[i])).Where(entry => which.HasFlag(entry.Server)).Select(entry => entry.Pair);

    private string AddressOf(int server, bool tls)
    {
        var pair = servers[servers.Count == 1 ? 0 : server];
        return $"localhost:{(tls ? pair.Tls : pair.Plain).Port}";
    }

    private async Task StartServersAsync()
    {
        (TtsServers Servers, string Name)[] listeners = options.FourListeners
            ? [(TtsServers.Identity, "is"), (TtsServers.Network, "ns"), (TtsServers.Application, "as"), (TtsServers.Join, "js")]
            : [(TtsServers.All, "tts")];
        foreach (var (which, name) in listeners)
        {
            var first = servers.Count == 0;
            var shared = new GrpcServerOptions
            {
                Name = name,
                Services = dispatch.ServicesOf(which & ~options.Absent),
                Clock = options.Clock,
                Faults = Faults,
                Requests = Requests,
                ItemOf = dispatch.ItemOf,
                MaxRequestBytes = 16 * 1024 * 1024,
                Port = first ? options.Ports.Plain : 0,
            };
            servers.Add((
                await GrpcServer.StartAsync(shared),
                await GrpcServer.StartAsync(shared with { Certificate = certificate, Port = first ? options.Ports.Tls : 0 })));
        }
    }
}
