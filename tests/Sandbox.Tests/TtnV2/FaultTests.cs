using Google.Protobuf;
using Sandbox.Grpc;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Discovery;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Tests.TtnV2;

/// <summary>The switches: what a test can make go wrong, and that exactly that goes wrong.</summary>
public sealed class FaultTests : IAsyncLifetime
{
    private const string App = "my-app";
    private TtnV2Cluster cluster = null!;
    private RawGrpcClient handler = null!;

    public async Task InitializeAsync()
    {
        cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication(App, "key");
        cluster.Add(SampleDevices.Joined(App, "dev1"));
        cluster.Add(SampleDevices.Joined(App, "dev2"));
        handler = new RawGrpcClient(cluster.HandlerAddress, cluster.HandlerCertificatePem);
    }

    public async Task DisposeAsync()
    {
        handler.Dispose();
        await cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_rule_strikes_the_calls_of_its_window_for_its_device_only()
    {
        cluster.Faults.Add("GetDevice", new Fault.Fail(GrpcCode.Unavailable, "later"), "dev1", from: 2, to: 3);
        var statuses = new List<int>();
        for (var i = 0; i < 4; i++)
            statuses.Add(await StatusAsync("dev1"));
        Assert.Equal([0, 14, 14, 0], statuses);
        Assert.Equal(0, await StatusAsync("dev2"));
    }

    [Fact]
    public async Task A_set_can_take_effect_and_time_out()
    {
        cluster.Faults.Add("SetDevice", new Fault.Hang(Apply: true), to: 1);
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => handler.CallAsync(
            "/handler.ApplicationManager/SetDevice", Cleared("dev1"), [("key", "key")], patience.Token));
        Assert.Equal(StoredDevice.NoKey, cluster.Device(App, "dev1")!.LorawanDevice.AppKey);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_can_be_cut_before_or_after_the_work(bool apply)
    {
        cluster.Faults.Add("SetDevice", new Fault.DropConnection(apply), to: 1);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => handler.CallAsync(
            "/handler.ApplicationManager/SetDevice", Cleared("dev1"), ("key", "key")));
        Assert.Equal(apply, cluster.Device(App, "dev1")!.LorawanDevice.AppKey == StoredDevice.NoKey);
        Assert.Equal(0, await StatusAsync("dev1"));
    }

    [Fact]
    public async Task Keys_can_be_left_out_or_have_zero_length()
    {
        cluster.Faults.Add("GetDevice", TtnV2Faults.OmitKeys, "dev1");
        cluster.Faults.Add("GetDevice", TtnV2Faults.ZeroLengthKeys, "dev2");
        var omitted = Device.Parser.ParseFrom((await GetAsync("dev1")).Response).LorawanDevice;
        var empty = Device.Parser.ParseFrom((await GetAsync("dev2")).Response).LorawanDevice;
        Assert.False(omitted.HasAppKey);
        Assert.True(empty.HasAppKey);
        Assert.Equal(0, empty.AppKey.Length);
    }

    [Fact]
    public async Task A_message_can_be_cut_short_or_be_too_long()
    {
        cluster.Faults.Add("GetDevice", new Fault.Truncate(10), "dev1").Add("GetDevice", new Fault.Oversize(5_000_000), "dev2");
        Assert.Equal(10, (await GetAsync("dev1")).Response!.Length);
        Assert.InRange((await GetAsync("dev2")).Response!.Length, 5_000_000, 5_001_000);
    }

    [Fact]
    public async Task A_proxy_can_answer_with_a_web_page()
    {
        cluster.Faults.Add("*", new Fault.HttpPage(503, "<html>maintenance</html>"));
        var answer = await GetAsync("dev1");
        Assert.Equal((503, "text/html", null), (answer.HttpStatus, answer.Headers["content-type"], answer.Status));
    }

    [Fact]
    public async Task A_stream_can_end_without_a_status_and_a_message_can_be_compressed()
    {
        cluster.Faults.Add("GetDevice", new Fault.NoTrailers(), "dev1").Add("GetDevice", new Fault.Gzip(), "dev2");
        Assert.Null((await GetAsync("dev1")).Status);
        var zipped = await GetAsync("dev2");
        Assert.Equal((0, "gzip"), (zipped.Status, zipped.Headers["grpc-encoding"]));
        Assert.Equal(0x1F, zipped.Response![0]);
    }

    [Fact]
    public async Task A_goaway_ends_the_connection_after_the_call_and_the_next_call_makes_a_new_one()
    {
        cluster.Faults.Add("GetDevice", new Fault.GoAway(), to: 1);
        Assert.Equal(0, await StatusAsync("dev1"));
        Assert.Equal(0, await StatusAsync("dev1"));
    }

    [Fact]
    public async Task The_handler_can_restart_on_its_port_and_keeps_its_devices()
    {
        Assert.Equal(0, await StatusAsync("dev1"));
        await cluster.StopHandlerAsync();
        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync("dev1"));
        await cluster.StartHandlerAsync();
        Assert.Equal(0, await StatusAsync("dev1"));
        Assert.Equal(2, cluster.AccountServer.Exchanges.Count);
    }

    [Theory]
    [InlineData(HandlerCertificate.WrongName)]
    [InlineData(HandlerCertificate.Expired)]
    public async Task The_handler_can_show_a_certificate_that_a_careful_client_refuses(HandlerCertificate kind)
    {
        await using var other = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { HandlerCertificate = kind });
        using var careful = new RawGrpcClient(other.HandlerAddress, other.HandlerCertificatePem);
        var refusal = await Assert.ThrowsAsync<HttpRequestException>(() => careful.CallAsync("/handler.ApplicationManager/GetDevice", []));
        Assert.Equal(HttpRequestError.SecureConnectionError, refusal.HttpRequestError);
    }

    [Fact]
    public async Task Discovery_can_announce_something_else()
    {
        var announcement = cluster.Announcement;
        announcement.NetAddress = "localhost:1,localhost:2";
        announcement.Certificate = "not a certificate";
        cluster.Announcement = announcement;
        using var discovery = new RawGrpcClient(cluster.DiscoveryAddress, trust: null);
        var answer = await discovery.CallAsync("/discovery.Discovery/GetByAppID", new GetByAppIDRequest { AppId = App }.ToByteArray());
        Assert.Equal(announcement, Announcement.Parser.ParseFrom(answer.Response));
    }

    [Fact]
    public async Task Every_request_is_recorded_with_its_metadata_and_its_end()
    {
        await handler.CallAsync("/handler.ApplicationManager/GetDevice", new DeviceIdentifier { AppId = App, DevId = "nope" }.ToByteArray(), ("key", "key"), ("service-name", "me"));
        var request = cluster.Requests.For("GetDevice").Single();
        Assert.Equal(("handler", "nope", GrpcCode.NotFound), (request.Server, request.Item, request.Status!.Code));
        Assert.Equal(["me"], request.Values("service-name"));
    }

    private byte[] Cleared(string id)
    {
        var device = cluster.Device(App, id)!;
        device.LorawanDevice.AppKey = StoredDevice.NoKey;
        return device.ToByteArray();
    }

    private Task<RawAnswer> GetAsync(string id) => handler.CallAsync(
        "/handler.ApplicationManager/GetDevice", new DeviceIdentifier { AppId = App, DevId = id }.ToByteArray(), ("key", "key"));

    private async Task<int> StatusAsync(string id) => (await GetAsync(id)).Status ?? -1;
}
