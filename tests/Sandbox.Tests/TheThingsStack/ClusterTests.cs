using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;

namespace Sandbox.Tests.TheThingsStack;

public sealed class ClusterTests : IAsyncLifetime
{
    private const string App = "meters";
    private const string Dev = "meter-1";

    private static readonly ByteString Key = ByteString.CopyFrom([.. Enumerable.Range(1, 16).Select(i => (byte)i)]);

    private readonly JumpClock clock = new(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
    private TtsCluster cluster = null!;
    private string token = "";

    private static EndDevice Otaa => new()
    {
        Ids = new EndDeviceIdentifiers
        {
            DeviceId = Dev,
            ApplicationIds = new ApplicationIdentifiers { ApplicationId = App },
            DevEui = ByteString.CopyFrom(1, 2, 3, 4, 5, 6, 7, 8),
            JoinEui = ByteString.CopyFrom(8, 7, 6, 5, 4, 3, 2, 1),
        },
        Name = "Meter",
        SupportsJoin = true,
        LorawanVersion = MACVersion.MacV103,
        LorawanPhyVersion = PHYVersion.PhyV103RevA,
        FrequencyPlanId = "EU_863_870_TTN",
        RootKeys = new RootKeys { AppKey = new KeyEnvelope { Key = Key } },
    };

    private static EndDevice Abp
    {
        get
        {
            var device = Otaa;
            device.SupportsJoin = false;
            device.RootKeys = null;
            device.Ids.JoinEui = ByteString.Empty;
            device.Session = new Session
            {
                DevAddr = ByteString.CopyFrom(0x26, 1, 2, 3),
                LastFCntUp = 100,
                Keys = new SessionKeys { FNwkSIntKey = new KeyEnvelope { Key = Key }, AppSKey = new KeyEnvelope { Key = Key } },
            };
            return device;
        }
    }

    public async Task InitializeAsync() => await StartAsync(new TtsClusterOptions { Clock = clock });

    public async Task DisposeAsync() => await cluster.DisposeAsync();

    private async Task StartAsync(TtsClusterOptions options)
    {
        if (cluster is not null)
            await cluster.DisposeAsync();
        cluster = await TtsCluster.StartAsync(options);
        token = cluster.AddApplication(App);
    }

    private Task<EndDevice> CreateAsync(EndDevice device) => cluster.CallAsync<EndDevice>("EndDeviceRegistry/Create", new CreateEndDeviceRequest { EndDevice = device }, token);

    private Task<EndDevice> SetAsync(string server, EndDevice device, params string[] paths) =>
        cluster.CallAsync<EndDevice>(server + "EndDeviceRegistry/Set", new SetEndDeviceRequest { EndDevice = device, FieldMask = new FieldMask { Paths = { paths } } }, token);

    private async Task CreateOtaaAsync()
    {
        var device = Otaa;
        await CreateAsync(device);
        await SetAsync("Js", device, "root_keys.app_key.key");
        await SetAsync("Ns", device, "supports_join", "lorawan_version", "lorawan_phy_version", "frequency_plan_id");
        await SetAsync("As", device);
    }

    private static async Task<string> ErrorOf(Task call)
    {
        var refused = await Assert.ThrowsAsync<GrpcStatusException>(() => call);
        var details = TtsError.DetailsOf(refused.Status)!;
        return $"{details.Namespace}:{details.Name}";
    }

    [Fact]
    public async Task A_device_is_on_a_server_when_it_was_sent_there_and_not_before()
    {
        await CreateAsync(Otaa);
        Assert.Equal(TtsServers.Identity, cluster.Device(App, Dev).Servers);
        await SetAsync("Js", Otaa, "root_keys.app_key.key");
        Assert.Equal(TtsServers.Identity | TtsServers.Join, cluster.Device(App, Dev).Servers);
        Assert.Equal([Dev], cluster.DeviceIds(App, TtsServers.Join));
        Assert.Empty(cluster.DeviceIds(App, TtsServers.Network));
    }

    [Fact]
    public async Task Records_that_a_test_reads_are_copies()
    {
        await CreateAsync(Otaa);
        cluster.Device(App, Dev).Identity!.Name = "changed";
        Assert.Equal("Meter", cluster.Device(App, Dev).Identity!.Name);
    }

    [Fact]
    public async Task A_join_gives_a_new_session_of_the_networks_block_and_the_device_is_seen()
    {
        await CreateOtaaAsync();
        clock.Advance(TimeSpan.FromHours(1));
        var address = cluster.Join(App, Dev);
        var device = cluster.Device(App, Dev);
        Assert.Equal(0x26, address![0] & 0xFE);
        Assert.Equal(address, device.Network!.Session.DevAddr);
        Assert.Equal(address, device.Network.Ids.DevAddr);
        Assert.Equal(address, device.Application!.Session.DevAddr);
        Assert.Equal(device.Network.Session.Keys.SessionKeyId, device.Application.Session.Keys.SessionKeyId);
        Assert.Equal(clock.GetUtcNow(), device.Network.Session.StartedAt.ToDateTimeOffset());
        Assert.Equal(clock.GetUtcNow(), device.Identity!.LastSeenAt.ToDateTimeOffset());
        Assert.Equal(1u, device.Join!.LastJoinNonce);
        Assert.NotNull(device.Network.MacState);
        Assert.NotEqual(address, cluster.Join(App, Dev));
    }

    [Fact]
    public async Task A_session_is_pending_until_the_first_uplink()
    {
        await CreateOtaaAsync();
        var address = cluster.Join(App, Dev, withUplink: false);
        Assert.Null(cluster.Device(App, Dev).Network!.Session);
        Assert.Equal(address, cluster.Device(App, Dev).Network!.PendingSession.DevAddr);
        Assert.True(cluster.Uplink(App, Dev));
        Assert.Equal(address, cluster.Device(App, Dev).Network!.Session.DevAddr);
        Assert.Null(cluster.Device(App, Dev).Network!.PendingSession);
    }

    [Fact]
    public async Task A_device_without_root_keys_or_without_network_record_is_not_answered()
    {
        await CreateAsync(Otaa);
        Assert.Null(cluster.Join(App, Dev));
        await SetAsync("Ns", Otaa, "supports_join", "lorawan_version", "lorawan_phy_version", "frequency_plan_id");
        Assert.Null(cluster.Join(App, Dev));
        Assert.False(cluster.Uplink(App, Dev));
    }

    [Theory]
    [InlineData(101, false, true)]
    [InlineData(100, false, false)]
    [InlineData(1, false, false)]
    [InlineData(1, true, true)]
    public void An_uplink_is_taken_when_its_counter_rose_or_may_be_reset(uint counter, bool resets, bool taken)
    {
        var device = Abp;
        if (resets)
            device.MacSettings = new MACSettings { ResetsFCnt = new global::TheThingsStack.Api.BoolValue { Value = true } };
        cluster.Put(device);
        Assert.Equal(taken, cluster.Uplink(App, Dev, counter));
        Assert.Equal(taken ? counter : 100, cluster.Device(App, Dev).Network!.Session.LastFCntUp);
        Assert.Equal(taken, cluster.Device(App, Dev).Identity!.LastSeenAt is not null);
    }

    [Fact]
    public void A_device_that_is_put_is_split_over_the_servers()
    {
        cluster.Put(Abp);
        var device = cluster.Device(App, Dev);
        Assert.Equal(TtsServers.All & ~TtsServers.Join, device.Servers);
        Assert.Equal("Meter", device.Identity!.Name);
        Assert.Null(device.Network!.Session.Keys.AppSKey);
        Assert.Null(device.Application!.Session.Keys.FNwkSIntKey);
        Assert.Equal(RxDelay._5, device.Network.MacState.DesiredParameters.Rx1Delay);
    }

    [Fact]
    public async Task A_network_server_builds_the_MAC_state_of_a_session_and_wants_five_seconds()
    {
        await SetAsync("Ns", Abp, "supports_join", "lorawan_version", "lorawan_phy_version", "frequency_plan_id", "session.dev_addr", "session.keys.f_nwk_s_int_key.key");
        var record = cluster.Device(App, Dev).Network!;
        Assert.Equal(RxDelay._1, record.MacState.CurrentParameters.Rx1Delay);
        Assert.Equal(RxDelay._5, record.MacState.DesiredParameters.Rx1Delay);
        Assert.Equal(Key, record.Session.Keys.NwkSEncKey.Key);
        Assert.Equal(0u, record.Session.LastFCntUp);
    }

    [Fact]
    public async Task An_older_server_refuses_the_whole_call_for_a_path_it_does_not_know()
    {
        await StartAsync(new TtsClusterOptions { Clock = clock, RefusedPaths = ["serial_number"] });
        await CreateAsync(Otaa);
        var refused = await Assert.ThrowsAsync<GrpcStatusException>(() => cluster.CallAsync<EndDevice>(
            "EndDeviceRegistry/Get", new GetEndDeviceRequest { EndDeviceIds = Otaa.Ids, FieldMask = new FieldMask { Paths = { "name", "serial_number" } } }, token));
        Assert.Equal("serial_number", TtsError.DetailsOf(refused.Status)!.Attributes.Fields["forbidden_paths"].ListValue.Values.Single().StringValue);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Paths_of_3_34_are_taken_by_servers_of_3_34(bool newer)
    {
        await StartAsync(new TtsClusterOptions { Clock = clock, TakesPathsOf334 = newer });
        cluster.Put(Abp);
        var call = cluster.CallAsync<EndDevice>(
            "NsEndDeviceRegistry/Get",
            new GetEndDeviceRequest { EndDeviceIds = Abp.Ids, FieldMask = new FieldMask { Paths = { "mac_state.pending_application_downlink.attributes" } } },
            token);
        if (newer)
            await call;
        else
            Assert.Equal("pkg/rpcmiddleware/validator:field_mask_paths", await ErrorOf(call));
    }

    [Fact]
    public async Task A_quota_is_one_of_a_method_a_device_and_a_key()
    {
        cluster.RateLimit = new TtsRateLimit(PerMinute: 60, Burst: 2);
        var get = new GetEndDeviceRequest { EndDeviceIds = Otaa.Ids };
        for (var i = 0; i < 2; i++)
            Assert.Equal("pkg/redis:not_found", await ErrorOf(cluster.CallAsync<EndDevice>("NsEndDeviceRegistry/Get", get, token)));
        Assert.Equal("pkg/ratelimit:rate_limit_exceeded", await ErrorOf(cluster.CallAsync<EndDevice>("NsEndDeviceRegistry/Get", get, token)));
        Assert.Equal("pkg/redis:not_found", await ErrorOf(cluster.CallAsync<EndDevice>("AsEndDeviceRegistry/Get", get, token)));
        Assert.Equal("pkg/redis:not_found", await ErrorOf(cluster.CallAsync<EndDevice>("NsEndDeviceRegistry/Get", get, cluster.AddApiKey(App))));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("pkg/redis:not_found", await ErrorOf(cluster.CallAsync<EndDevice>("NsEndDeviceRegistry/Get", get, token)));
    }

    [Fact]
    public async Task A_key_may_what_its_rights_say()
    {
        await CreateOtaaAsync();
        var reader = cluster.AddApiKey(App, Right.ApplicationDevicesRead);
        var get = new GetEndDeviceRequest { EndDeviceIds = Otaa.Ids, FieldMask = new FieldMask { Paths = { "root_keys.app_key.key" } } };
        Assert.Equal("pkg/auth/rights:insufficient_application_rights", await ErrorOf(cluster.CallAsync<EndDevice>("JsEndDeviceRegistry/Get", get, reader)));
        get.FieldMask.Paths[0] = "last_join_nonce";
        await cluster.CallAsync<EndDevice>("JsEndDeviceRegistry/Get", get, reader);
    }

    [Fact]
    public async Task Server_addresses_must_be_those_of_the_application()
    {
        await StartAsync(new TtsClusterOptions { Clock = clock, Host = "eu1.example.com" });
        var device = Otaa;
        device.NetworkServerAddress = "nam1.example.com:8884";
        Assert.Equal("pkg/identityserver:network_server_address_mismatch", await ErrorOf(CreateAsync(device)));
        device.NetworkServerAddress = "eu1.example.com:1884";
        await CreateAsync(device);
    }

    [Fact]
    public async Task A_call_that_is_done_and_never_answered_leaves_the_device()
    {
        cluster.Faults.Add("EndDeviceRegistry/Create", new Fault.Fail(GrpcCode.Unavailable, "gone", Apply: true), item: Dev, to: 1);
        using var client = new RawGrpcClient(cluster.Address, trust: null);
        var answer = await client.CallAsync("/ttn.lorawan.v3.EndDeviceRegistry/Create", new CreateEndDeviceRequest { EndDevice = Otaa }.ToByteArray(), ("authorization", "bearer " + token));
        Assert.Equal((int)GrpcCode.Unavailable, answer.Status);
        Assert.NotNull(cluster.Device(App, Dev).Identity);
        Assert.Equal(Dev, cluster.Requests.For("Create").Single().Item);
    }

    [Fact]
    public async Task Four_listeners_serve_one_server_each_with_and_without_TLS()
    {
        await StartAsync(new TtsClusterOptions { Clock = clock, FourListeners = true });
        using var join = new RawGrpcClient(cluster.JoinServerTlsAddress, cluster.CaCertificatePem);
        Assert.Equal(0, (await join.CallAsync("/ttn.lorawan.v3.Js/GetDefaultJoinEUI", [])).Status);
        Assert.Equal((int)GrpcCode.Unimplemented, (await join.CallAsync("/ttn.lorawan.v3.Ns/GetNetID", [])).Status);
        using var network = new RawGrpcClient(cluster.NetworkServerAddress, trust: null);
        Assert.Equal(0, (await network.CallAsync("/ttn.lorawan.v3.Ns/GetNetID", [])).Status);
    }

    [Fact]
    public async Task A_server_that_is_absent_is_an_unknown_service()
    {
        await StartAsync(new TtsClusterOptions { Clock = clock, Absent = TtsServers.Join });
        using var client = new RawGrpcClient(cluster.Address, trust: null);
        Assert.Equal((int)GrpcCode.Unimplemented, (await client.CallAsync("/ttn.lorawan.v3.JsEndDeviceRegistry/Get", [])).Status);
    }

    [Fact]
    public async Task A_Console_import_drops_ids_dev_addr_and_goes_on_after_a_device_that_fails()
    {
        const string Lines = """
            {"ids":{"device_id":"good","dev_eui":"0102030405060709","join_eui":"0000000000000000","dev_addr":"26010203"},"supports_join":true,"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"EU_863_870_TTN","root_keys":{"app_key":{"key":"0102030405060708090A0B0C0D0E0F10"}}}
            {"ids":{"device_id":"bad","dev_eui":"010203040506070A","join_eui":"0000000000000000"},"supports_join":true,"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"NO_SUCH_PLAN","root_keys":{"app_key":{"key":"0102030405060708090A0B0C0D0E0F10"}}}
            {"ids":{"device_id":"last","dev_eui":"010203040506070B","join_eui":"0000000000000000"},"supports_join":true,"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"EU_863_870_TTN","root_keys":{"app_key":{"key":"0102030405060708090A0B0C0D0E0F10"}}}
            """;
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(Lines));
        var results = await ConsoleImport.RunAsync(cluster, App, token, file);
        Assert.Equal([null, "error:pkg/frequencyplans:not_found (frequency plan `NO_SUCH_PLAN` not found)", null], results.Select(result => result.Problem));
        Assert.Equal(TtsServers.All, cluster.Device(App, "good").Servers);
        Assert.Equal(TtsServers.None, cluster.Device(App, "bad").Servers);
        Assert.Equal(TtsServers.All, cluster.Device(App, "last").Servers);
    }

    [Theory]
    [InlineData(1, 10)]
    [InlineData(2, 20)]
    [InlineData(3, 25)]
    [InlineData(4, 30)]
    [InlineData(9, 30)]
    public void The_rate_lies_on_the_line_between_two_points(int inHand, double rate) =>
        Assert.Equal(rate, new TtsCapacity([(1, 10), (2, 20), (4, 30)]).RateOf(inHand), precision: 6);

    [Fact]
    public async Task A_server_with_a_capacity_answers_every_call()
    {
        await StartAsync(new TtsClusterOptions { Capacity = TtsCapacity.TwoCores });
        cluster.Put(Otaa);
        var get = new GetEndDeviceRequest { EndDeviceIds = Otaa.Ids };
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => cluster.CallAsync<EndDevice>("NsEndDeviceRegistry/Get", get, token)));
        Assert.All(answers, answer => Assert.Equal(Dev, answer.Ids.DeviceId));
    }
}
