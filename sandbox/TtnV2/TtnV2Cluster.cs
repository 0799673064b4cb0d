using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Sandbox.Grpc;
using Sources.TtnV2.Api.Discovery;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.TtnV2;

/// <summary>Settings of a <see cref="TtnV2Cluster"/>.</summary>
public sealed record TtnV2ClusterOptions
{
    /// <summary>Clock of the servers: rate limits, token lifetimes, delays.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Rate limits of handler, broker and network server.</summary>
    public RateLimitProfile RateLimits { get; init; } = RateLimitProfile.Off;

    /// <summary>Certificate of the handler.</summary>
    public HandlerCertificate HandlerCertificate { get; init; }

    /// <summary>ID of the handler in discovery.</summary>
    public string HandlerId { get; init; } = "local-handler";

    /// <summary>Fixed ports for discovery, discovery with TLS and handler; 0 lets the system choose.</summary>
    public (int Discovery, int DiscoveryTls, int Handler) Ports { get; init; }
}

/// <summary>
/// A cluster of The Things Network V2 on loopback: discovery (plaintext and TLS), a handler with its self-signed certificate, a broker, a
/// network server with a store of its own, and a stand-in for the account server. Behaves as facts/ttnv2.md sections 1 to 3, 7 and 8 say.
/// </summary>
public sealed class TtnV2Cluster : IAsyncDisposable
{
    private readonly TtnV2ClusterOptions options;
    private readonly X509Certificate2 handlerCertificate;
    private readonly X509Certificate2 authority;
    private readonly X509Certificate2 discoveryCertificate;
    private GrpcServer discovery = null!;
    private GrpcServer discoveryTls = null!;
    private GrpcServer handler = null!;

    private TtnV2Cluster(TtnV2ClusterOptions options)
    {
        this.options = options;
        handlerCertificate = Certificates.SelfSigned(options.HandlerId, "handler", options.HandlerCertificate);
        (authority, discoveryCertificate) = Certificates.SignedForLocalhost();
        AccountServer = new AccountServer(options.Clock);
        NetworkServer = new NetworkServer(options.Clock, options.RateLimits);
        Broker = new Broker(options.Clock, options.RateLimits, NetworkServer);
        Handler = new HandlerService(options.Clock, options.RateLimits, AccountServer, Broker);
    }

    /// <summary>host:port of discovery without TLS.</summary>
    public string DiscoveryAddress => $"localhost:{discovery.Port}";

    /// <summary>host:port of discovery with TLS; its certificate is signed by <see cref="CaCertificatePem"/>.</summary>
    public string DiscoveryTlsAddress => $"localhost:{discoveryTls.Port}";

    /// <summary>host:port of the handler (always TLS).</summary>
    public string HandlerAddress => $"localhost:{handler.Port}";

    /// <summary>The certificate authority that signed the discovery server's certificate, PEM.</summary>
    public string CaCertificatePem => authority.ExportCertificatePem() + "\n";

    /// <summary>The handler's self-signed certificate, PEM.</summary>
    public string HandlerCertificatePem => handlerCertificate.ExportCertificatePem() + "\n";

    /// <summary>Every request that reached discovery or handler.</summary>
    public RequestLog Requests { get; } = new();

    /// <summary>Faults of discovery and handler.</summary>
    public FaultPlan Faults { get; } = new();

    public DiscoveryService Discovery { get; } = new();

    public AccountServer AccountServer { get; }

    public HandlerService Handler { get; }

    public Broker Broker { get; }

    public NetworkServer NetworkServer { get; }

    /// <summary>What discovery says about the handler; set it to announce something else.</summary>
    public Announcement Announcement
    {
        get => Discovery.Announcement(options.HandlerId);
        set => Discovery.Announce(value);
    }

    /// <summary>Starts a cluster without applications.</summary>
    public static async Task<TtnV2Cluster> StartAsync(TtnV2ClusterOptions? options = null)
    {
        var cluster = new TtnV2Cluster(options ?? new TtnV2ClusterOptions());
        await cluster.StartServersAsync();
        return cluster;
    }

    /// <summary>What a run of the tool finds in its environment to export an application from here; it makes as many calls a second as it can.</summary>
    public IReadOnlyDictionary<string, string> Variables(string application, string accessKey) => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["TTNV2_APP_ID"] = application,
        ["TTNV2_APP_ACCESS_KEY"] = accessKey,
        ["FREQUENCY_PLAN_ID"] = "EU_863_870_TTN",
        ["TTNV2_DISCOVERY_SERVER_ADDRESS"] = DiscoveryAddress,
        ["TTNV2_DISCOVERY_SERVER_INSECURE"] = "true",
        ["TTNV2_REQUESTS_PER_SECOND"] = "0",
    };

    /// <summary>Registers an application in discovery and handler, with a key that has all rights.</summary>
    public void AddApplication(string id, string accessKey) =>
        AddApplication(id, accessKey, new AccessKeyOutcome.Grant(AccountServer.AllRights));

    /// <summary>Registers an application in discovery and handler, and says what its key does.</summary>
    public void AddApplication(string id, string accessKey, AccessKeyOutcome outcome)
    {
        Handler.Store.AddApplication(id);
        Discovery.Register(id, options.HandlerId);
        AccountServer.Set(id, accessKey, outcome);
    }

    /// <summary>
    /// Puts a device into the stores of handler and network server, past all checks. Absent and empty keys mean none, a DevEUI of zero a
    /// template; the counters and last_seen go to the network server.
    /// </summary>
    /// <param name="device">The device; app_id must be a registered application.</param>
    /// <param name="onNetworkServer">Whether the network server gets to know it.</param>
    public void Add(Device device, bool onNetworkServer = true)
    {
        var stored = new StoredDevice { AppId = device.AppId, DevId = device.DevId }.After(device);
        Handler.Store.Put(stored);
        if (!onNetworkServer)
            return;
        NetworkServer.Put(stored.Euis, new NetworkServerRecord
        {
            AppId = stored.AppId,
            DevId = stored.DevId,
            DevAddr = stored.DevAddr,
            NwkSKey = stored.NwkSKey,
            FCntUp = device.LorawanDevice.FCntUp,
            FCntDown = device.LorawanDevice.FCntDown,
            DisableFCntCheck = stored.DisableFCntCheck,
            Uses32BitFCnt = stored.Uses32BitFCnt,
            LastSeen = device.LorawanDevice.LastSeen,
        });
    }

    /// <summary>A device as stored, with the network server's counters; null when the handler has none. Changes nothing.</summary>
    public Device? Device(string app, string id) => Handler.Store.Find(app, id) is { } stored
        ? stored.ToMessage(NetworkServer.Find(stored.Euis) is { } record && record.AppId == app ? record : null)
        : null;

    /// <summary>All devices of an application as stored, in the order of a list.</summary>
    public IReadOnlyList<Device> Devices(string app) => [.. Handler.Store.List(app).Page.Select(device => Device(app, device.DevId)!)];

    /// <summary>Stops the handler: connections are cut and refused. Stores stay.</summary>
    public Task StopHandlerAsync() => handler.StopAsync();

    /// <summary>Starts the handler on its old port, without tokens and rate limits of before.</summary>
    public Task StartHandlerAsync()
    {
        Handler.ForgetMemory();
        return handler.StartAsync();
    }

    /// <summary>Cuts all connections to the handler; it goes on listening.</summary>
    public void CutHandlerConnections() => handler.Abort();

    public async ValueTask DisposeAsync()
    {
        await handler.DisposeAsync();
        await discovery.DisposeAsync();
        await discoveryTls.DisposeAsync();
        AccountServer.Dispose();
        handlerCertificate.Dispose();
        discoveryCertificate.Dispose();
        authority.Dispose();
    }

    private static string? ItemOf(string method, byte[] request)
    {
        // The device ID stands in field 2 of both DeviceIdentifier and Device.
        if (!method.EndsWith("Device", StringComparison.Ordinal))
            return null;
        try
        {
            return DeviceIdentifier.Parser.WithDiscardUnknownFields(true).ParseFrom(request).DevId;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private async Task StartServersAsync()
    {
        var discoveryServices = new GrpcServices();
        Discovery.AddTo(discoveryServices);
        var handlerServices = new GrpcServices();
        Handler.AddTo(handlerServices);
        var shared = new GrpcServerOptions
        {
            Name = "discovery",
            Services = discoveryServices,
            Clock = options.Clock,
            Faults = Faults,
            Requests = Requests,
            ItemOf = ItemOf,
        };
        discovery = await GrpcServer.StartAsync(shared with { Port = options.Ports.Discovery });
        discoveryTls = await GrpcServer.StartAsync(shared with { Port = options.Ports.DiscoveryTls, Certificate = discoveryCertificate });
        handler = await GrpcServer.StartAsync(shared with
        {
            Name = "handler",
            Services = handlerServices,
            Port = options.Ports.Handler,
            Certificate = handlerCertificate,
        });
        Discovery.Announce(new Announcement
        {
            Id = options.HandlerId,
            ServiceName = "handler",
            ServiceVersion = "2.x.x-unknown (unknown)",
            NetAddress = HandlerAddress,
            PublicKey = Certificates.PublicKeyPem(handlerCertificate),
            Certificate = HandlerCertificatePem,
            ApiAddress = "http://localhost:8084",
        });
    }
}

/// <summary>Answers of a handler that leave key fields out or give them zero length.</summary>
public static class TtnV2Faults
{
    /// <summary>GetDevice answers without dev_addr and keys.</summary>
    public static Fault OmitKeys { get; } = new Fault.Rewrite(bytes => Change(bytes, lorawan =>
    {
        lorawan.ClearDevAddr();
        lorawan.ClearNwkSKey();
        lorawan.ClearAppSKey();
        lorawan.ClearAppKey();
    }));

    /// <summary>GetDevice answers with dev_addr and keys of zero length.</summary>
    public static Fault ZeroLengthKeys { get; } = new Fault.Rewrite(bytes => Change(bytes, lorawan =>
    {
        lorawan.DevAddr = ByteString.Empty;
        lorawan.NwkSKey = ByteString.Empty;
        lorawan.AppSKey = ByteString.Empty;
        lorawan.AppKey = ByteString.Empty;
    }));

    /// <summary>GetDevice answers without lorawan_device.</summary>
    public static Fault NoLoRaWanDevice { get; } = new Fault.Rewrite(bytes =>
    {
        var device = Device.Parser.ParseFrom(bytes);
        device.LorawanDevice = null;
        return device.ToByteArray();
    });

    /// <summary>GetDevice answers with whatever <paramref name="change"/> makes of the LoRaWAN part.</summary>
    public static Fault Rewrite(Action<Sources.TtnV2.Api.LoRaWan.Device> change) => new Fault.Rewrite(bytes => Change(bytes, change));

    private static byte[] Change(byte[] bytes, Action<Sources.TtnV2.Api.LoRaWan.Device> change)
    {
        var device = Device.Parser.ParseFrom(bytes);
        change(device.LorawanDevice);
        return device.ToByteArray();
    }
}
