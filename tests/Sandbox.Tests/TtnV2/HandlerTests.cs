using Google.Protobuf;
using Microsoft.Extensions.Time.Testing;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Tests.TtnV2;

/// <summary>What a migration tool must know about a V2 handler, as behaviour of the emulator (facts/ttnv2.md sections 3, 7 and 8).</summary>
public sealed class HandlerTests : IAsyncLifetime
{
    private const string App = "my-app";
    private const string Key = "ttn-account-v2.key";

    private readonly FakeTimeProvider clock = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
    private TtnV2Cluster cluster = null!;
    private RawGrpcClient handler = null!;

    public Task InitializeAsync() => StartAsync(RateLimitProfile.Off);

    public async Task DisposeAsync()
    {
        handler.Dispose();
        await cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_record_that_the_network_server_lost_is_registered_again_and_its_counters_are_gone()
    {
        cluster.Add(SampleDevices.Joined(App, "dev1", 42, 7));
        Assert.Equal(42u, (await GetAsync("dev1")).LorawanDevice.FCntUp);
        Assert.True(cluster.NetworkServer.Lose(Euis("dev1")));
        var after = (await GetAsync("dev1")).LorawanDevice;
        Assert.Equal((0u, 0u), (after.FCntUp, after.FCntDown));
        Assert.NotNull(cluster.NetworkServer.Find(Euis("dev1")));
    }

    [Fact]
    public async Task A_set_that_is_refused_for_its_attributes_has_already_changed_the_network_server()
    {
        cluster.Add(SampleDevices.Joined(App, "dev1", 42, 7));
        var set = cluster.Device(App, "dev1")!;
        set.LorawanDevice.FCntUp = 1;
        set.LorawanDevice.AppKey = StoredDevice.NoKey;
        for (var i = 0; i < 6; i++)
            set.Attributes.Add($"attribute-{i}", "x");
        Assert.Equal((2, "Maximum number of custom attributes (5) exceeded"), await SetAsync(set));
        var stored = cluster.Device(App, "dev1")!;
        Assert.Equal(1u, stored.LorawanDevice.FCntUp);
        Assert.NotEqual(StoredDevice.NoKey, stored.LorawanDevice.AppKey);
        Assert.Empty(stored.Attributes);
    }

    [Fact]
    public async Task Absent_keys_are_kept_zero_keys_are_cleared_and_everything_else_is_replaced()
    {
        var before = SampleDevices.Joined(App, "dev1", 42, 7);
        before.Description = "text";
        cluster.Add(before);
        var set = new Device { AppId = App, DevId = "dev1", LorawanDevice = new() { AppId = App, DevId = "dev1", AppKey = StoredDevice.NoKey } };
        (set.LorawanDevice.AppEui, set.LorawanDevice.DevEui) = (before.LorawanDevice.AppEui, before.LorawanDevice.DevEui);
        Assert.Equal((0, ""), await SetAsync(set));
        var after = cluster.Device(App, "dev1")!;
        Assert.Equal(StoredDevice.NoKey, after.LorawanDevice.AppKey);
        Assert.Equal(before.LorawanDevice.NwkSKey, after.LorawanDevice.NwkSKey);
        Assert.Equal((0u, false, ""), (after.LorawanDevice.FCntUp, after.LorawanDevice.Uses32BitFCnt, after.Description));
    }

    [Fact]
    public async Task A_device_that_is_set_after_its_deletion_is_created_again()
    {
        var device = SampleDevices.Joined(App, "dev1");
        cluster.Add(device);
        Assert.Equal(0, (await CallAsync("DeleteDevice", Id("dev1"))).Status);
        Assert.Null(cluster.Device(App, "dev1"));
        Assert.Equal((0, ""), await SetAsync(device));
        Assert.NotNull(cluster.Device(App, "dev1"));
    }

    [Fact]
    public async Task A_list_has_keys_but_no_counters_and_comes_in_pages_in_the_order_of_the_ids()
    {
        foreach (var id in new[] { "b", "a_2", "a-1", "a1" })
            cluster.Add(SampleDevices.Joined(App, id + "-dev", 42, 7));
        var page = await CallAsync("GetDevicesForApplication", new ApplicationIdentifier { AppId = App }, ("limit", "3"), ("offset", "0"));
        Assert.Equal(("4", "3"), (page.Headers["total"], page.Headers["selected"]));
        var devices = DeviceList.Parser.ParseFrom(page.Response).Devices;
        Assert.Equal(["a-1-dev", "a1-dev", "a_2-dev"], devices.Select(d => d.DevId));
        Assert.All(devices, d => Assert.Equal((0u, 0u, 0L, 16), (d.LorawanDevice.FCntUp, d.LorawanDevice.FCntDown, d.LorawanDevice.LastSeen, d.LorawanDevice.AppKey.Length)));
    }

    [Fact]
    public async Task Templates_without_dev_eui_share_one_record_across_applications()
    {
        cluster.AddApplication("other-app", Key);
        cluster.Add(SampleDevices.Template("other-app", "template"));
        Assert.Equal(
            (7, "Broker did not set device: permission denied: NetworkServer did not set device: permission denied: No \"devices\" rights to Application \"other-app\""),
            await SetAsync(SampleDevices.Template(App, "template")));
    }

    [Fact]
    public async Task A_set_reaches_the_network_server_before_the_handlers_own_store()
    {
        cluster.Add(SampleDevices.Joined(App, "dev1"));
        cluster.NetworkServer.Unreachable = "connection error";
        var set = cluster.Device(App, "dev1")!;
        set.LorawanDevice.AppKey = StoredDevice.NoKey;
        Assert.Equal(14, (await SetAsync(set)).Status);
        Assert.NotEqual(StoredDevice.NoKey, cluster.Device(App, "dev1")!.LorawanDevice.AppKey);
    }

    [Fact]
    public async Task Failed_authentication_costs_no_token_and_the_sixth_call_is_refused()
    {
        await StartAsync(RateLimitProfile.PerSecond);
        cluster.Add(SampleDevices.Otaa(App, "dev1"));
        for (var i = 0; i < 10; i++)
            Assert.Equal(2, (await handler.CallAsync(Path("GetDevice"), Id("dev1").ToByteArray(), ("key", "ttn-account-v2.wrong"))).Status);
        for (var i = 0; i < 5; i++)
            Assert.Equal(0, (await CallAsync("GetDevice", Id("dev1"))).Status);
        var refused = await CallAsync("GetDevice", Id("dev1"));
        Assert.Equal((8, "Rate limit for client \"my-app\" reached"), (refused.Status, refused.Message));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, (await CallAsync("GetDevice", Id("dev1"))).Status);
    }

    [Fact]
    public async Task Two_clients_share_the_limit_of_the_application_and_the_refused_one_has_spent_its_token()
    {
        await StartAsync(RateLimitProfile.PerSecond);
        cluster.Add(SampleDevices.Otaa(App, "dev1"));
        cluster.AccountServer.Set(App, "other", new AccessKeyOutcome.Grant(AccountServer.AllRights) { Subject = "somebody" });
        for (var i = 0; i < 5; i++)
            Assert.Equal(0, (await handler.CallAsync(Path("GetDevice"), Id("dev1").ToByteArray(), ("key", "other"))).Status);
        for (var i = 0; i < 5; i++)
            Assert.Equal("Rate limit for application \"my-app\" reached", (await CallAsync("GetDevice", Id("dev1"))).Message);
        Assert.Equal("Rate limit for client \"my-app\" reached", (await CallAsync("GetDevice", Id("dev1"))).Message);
    }

    [Fact]
    public async Task Registering_lost_records_again_runs_into_the_brokers_limit()
    {
        await StartAsync(RateLimitProfile.PerSecond);
        for (var i = 0; i < 3; i++)
            cluster.Add(SampleDevices.Otaa(App, $"dev{i}"), onNetworkServer: false);
        Assert.Equal(0, (await CallAsync("GetDevice", Id("dev0"))).Status);
        Assert.Equal(0, (await CallAsync("GetDevice", Id("dev1"))).Status);
        var refused = await CallAsync("GetDevice", Id("dev2"));
        Assert.Equal((13, "Could not re-register missing device to Broker: Internal error: [ResourceExhausted] Rate limit for client \"my-app\" reached"), (refused.Status, refused.Message));
    }

    [Fact]
    public async Task A_token_is_kept_until_a_minute_before_its_end()
    {
        cluster.Add(SampleDevices.Otaa(App, "dev1"));
        await CallAsync("GetDevice", Id("dev1"));
        clock.Advance(TimeSpan.FromMinutes(58));
        await CallAsync("GetDevice", Id("dev1"));
        Assert.Single(cluster.AccountServer.Exchanges);
        clock.Advance(TimeSpan.FromMinutes(1));
        await CallAsync("GetDevice", Id("dev1"));
        Assert.Equal(2, cluster.AccountServer.Exchanges.Count);
    }

    [Fact]
    public async Task A_token_in_the_metadata_beats_the_key()
    {
        cluster.Add(SampleDevices.Otaa(App, "dev1"));
        var token = cluster.AccountServer.Token(App, ["devices"]);
        Assert.Equal(0, (await handler.CallAsync(Path("GetDevice"), Id("dev1").ToByteArray(), ("token", token), ("key", "wrong"))).Status);
        var forged = await handler.CallAsync(Path("GetDevice"), Id("dev1").ToByteArray(), ("token", token[..^4] + "AAAA"), ("key", Key));
        Assert.Equal((7, "permission denied: unable to parse token: crypto/ecdsa: verification error"), (forged.Status, forged.Message));
    }

    private static string Path(string method) => "/handler.ApplicationManager/" + method;

    private static DeviceIdentifier Id(string id) => new() { AppId = App, DevId = id };

    private async Task StartAsync(RateLimitProfile limits)
    {
        if (cluster is not null)
            await DisposeAsync();
        cluster = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { Clock = clock, RateLimits = limits });
        cluster.AddApplication(App, Key);
        handler = new RawGrpcClient(cluster.HandlerAddress, cluster.HandlerCertificatePem);
    }

    private EuiPair Euis(string id) => cluster.Handler.Store.Find(App, id)!.Euis;

    private Task<RawAnswer> CallAsync(string method, IMessage message, params (string, string)[] metadata) =>
        handler.CallAsync(Path(method), message.ToByteArray(), [("key", Key), .. metadata]);

    private async Task<Device> GetAsync(string id) => Device.Parser.ParseFrom((await CallAsync("GetDevice", Id(id))).Response);

    private async Task<(int? Status, string Message)> SetAsync(Device device)
    {
        var answer = await CallAsync("SetDevice", device);
        return (answer.Status, answer.Message);
    }
}
