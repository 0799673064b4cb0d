using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Migration;
using Migration.Verify;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Sources.Tests.TtnV2;
using Sources.TtnV2;
using Sources.Tts;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.Tests;

/// <summary>What networks tell of devices that have left them, against the emulated ones.</summary>
public sealed class SightingTests
{
    private const string App = "my-app";
    private const string Key = "ttn-account-v2.secret";

    private static readonly DateTimeOffset Heard = new(2026, 11, 24, 3, 0, 0, TimeSpan.Zero);

    public static TheoryData<string, KeyMarks, Action<TtnV2Cluster, V2Device>> V2Devices => new()
    {
        { "as it was", MarksOf(Joined()), (cluster, device) => cluster.Add(device) },
        { "AppKey cleared", MarksOf(Joined()) with { Root = 0 }, (cluster, device) => { device.LorawanDevice.AppKey = ByteString.CopyFrom(new byte[16]); cluster.Add(device); } },
        { "session cleared", MarksOf(Joined()) with { Session = 0 }, (cluster, device) => { device.LorawanDevice.DevAddr = ByteString.CopyFrom(new byte[4]); cluster.Add(device); } },
        { "never joined", MarksOf(SampleDevices.Otaa(App, "dev-1")), (cluster, _) => cluster.Add(SampleDevices.Otaa(App, "dev-1")) },
    };

    [Theory]
    [MemberData(nameof(V2Devices), DisableDiscoveryEnumeration = true)]
    public async Task V2_tells_keys_in_its_list_and_when_a_device_was_heard_when_asked_for_it(string what, KeyMarks keys, Action<TtnV2Cluster, V2Device> happens)
    {
        await using var cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication(App, Key);
        happens(cluster, Joined());
        await using var source = V2(cluster);

        var (id, listed) = Assert.Single(await source.ListSightingsAsync(App, CancellationToken.None).ToListAsync());
        var sight = await source.SightAsync(App, id, CancellationToken.None);

        Assert.True(("dev-1", (KeyMarks?)keys, (DateTimeOffset?)null, false) == (id, listed.Keys, listed.LastHeard, listed.IsWhole), what);
        Assert.True((keys, what == "never joined" ? null : Heard, true) == (sight!.Value.Keys!.Value, sight.Value.LastHeard, sight.Value.IsWhole), what);
        Assert.Null(await source.SightAsync(App, "nobody", CancellationToken.None));
        Assert.DoesNotContain(cluster.Requests.All, request => request.ShortMethod is "SetDevice" or "DeleteDevice");
    }

    [Fact]
    public async Task V2_says_which_device_a_DevEUI_belongs_to_and_refuses_a_wrong_key_for_all()
    {
        await using var cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication(App, Key);
        cluster.Add(Joined());
        await using var source = V2(cluster);
        await using var wrong = V2(cluster, "ttn-account-v2.wrong");

        var (_, listed) = Assert.Single(await source.ListSightingsAsync(App, CancellationToken.None).ToListAsync());

        Assert.Equal(Convert.ToHexString(Joined().LorawanDevice.DevEui.Span), listed.DevEui.ToString("X16", System.Globalization.CultureInfo.InvariantCulture));
        var failure = await Assert.ThrowsAsync<SourceUnavailableException>(() => wrong.ListSightingsAsync(App, CancellationToken.None).ToListAsync().AsTask());
        Assert.True(failure.Failure.NotAuthorised);
    }

    public static TheoryData<string, int, bool, bool, Action<EndDevice>> TtsDevices => new()
    {
        { "OTAA with session", 2, true, true, _ => { } },
        { "OTAA that never joined", 1, true, false, _ => { } },
        { "ABP", 3, false, true, _ => { } },
        { "muted", 2, false, false, device => device.MacSettings = new MACSettings { ScheduleDownlinks = new BoolValue { Value = false } } },
    };

    [Theory]
    [MemberData(nameof(TtsDevices), DisableDiscoveryEnumeration = true)]
    public async Task The_Things_Stack_tells_keys_and_times_when_asked_for_a_device(string what, int number, bool hasRoot, bool hasSession, Action<EndDevice> change)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var device = TtsSampleDevices.Device(App, number);
        var sent = KeyMarks.Of(device);
        change(device);
        device.LastSeenAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddYears(100));
        cluster.Put(device);
        await using var source = Tts(cluster, key);

        var (id, listed) = Assert.Single(await source.ListSightingsAsync(App, CancellationToken.None).ToListAsync());
        var sight = (await source.SightAsync(App, id, CancellationToken.None))!.Value;

        Assert.True((listed.Keys, listed.IsWhole) == (null, false), what);
        Assert.True(new KeyMarks(hasRoot ? sent.Root : 0, hasSession ? sent.Session : 0) == sight.Keys, what);
        Assert.True((DateTimeOffset.UnixEpoch.AddYears(100), true) == (sight.LastHeard, sight.IsWhole), what);
        Assert.DoesNotContain(cluster.Requests.All, request => !request.Method.EndsWith("/Get", StringComparison.Ordinal) && !request.Method.EndsWith("/List", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_device_that_The_Things_Stack_has_no_more_is_not_there_and_one_without_a_Network_Server_answers_nobody()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Put(TtsSampleDevices.Device(App, 2));
        cluster.Put(App, "meter-000002", cluster.Device(App, "meter-000002") with { Network = null });
        await using var source = Tts(cluster, key);

        Assert.Equal(default(KeyMarks), (await source.SightAsync(App, "meter-000002", CancellationToken.None))!.Value.Keys);
        Assert.Null(await source.SightAsync(App, "meter-000001", CancellationToken.None));
    }

    [Fact]
    public async Task A_Things_Stack_of_an_older_version_tells_the_keys_without_the_times_it_does_not_know()
    {
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RefusedPaths = ["last_seen_at", "session.started_at"] });
        var key = cluster.AddApplication(App);
        var device = TtsSampleDevices.Device(App, 2);
        cluster.Put(device);
        await using var source = Tts(cluster, key);

        var sight = (await source.SightAsync(App, "meter-000002", CancellationToken.None))!.Value;

        Assert.Equal((KeyMarks.Of(device), null), (sight.Keys, sight.LastHeard));
    }

    [Fact]
    public async Task A_key_of_The_Things_Stack_that_may_not_read_keys_is_refused_by_name_of_the_right()
    {
        await using var cluster = await TtsCluster.StartAsync();
        cluster.AddApplication(App);
        cluster.Put(TtsSampleDevices.Device(App, 2));
        await using var source = Tts(cluster, cluster.AddApiKey(App, Right.ApplicationDevicesRead));

        var failure = await Assert.ThrowsAnyAsync<FailureException>(() => source.SightAsync(App, "meter-000002", CancellationToken.None));

        Assert.Contains("RIGHT_APPLICATION_DEVICES_READ_KEYS", failure.Failure.Attributes["missing"], StringComparison.Ordinal);
    }

    private static V2Device Joined()
    {
        var device = SampleDevices.Joined(App, "dev-1");
        device.LorawanDevice.LastSeen = Heard.ToUnixTimeMilliseconds() * 1_000_000;
        return device;
    }

    private static KeyMarks MarksOf(V2Device device) => KeyMarks.Of(device.LorawanDevice.AppKey.Span, device.LorawanDevice.DevAddr.Span, device.LorawanDevice.NwkSKey.Span);

    private static TtnV2Source V2(TtnV2Cluster cluster, string key = Key) => TtnV2Source.Open(
        new TtnV2Options
        {
            AppId = new(App),
            AppAccessKey = new(key),
            DiscoveryServerAddress = new(cluster.DiscoveryAddress),
            DiscoveryServerInsecure = new(true),
            Exports = false,
        },
        new SourceContext(new HurriedClock(), bytes => bytes.Fill(7), NullLogger.Instance));

    private static TtsSource Tts(TtsCluster cluster, string key) => TtsSource.Open(
        new TtsOptions { AppId = new(App), AppApiKey = new(key), DefaultAddress = new(cluster.Address), Insecure = new(true) },
        new SourceContext(TimeProvider.System, bytes => bytes.Fill(7), NullLogger.Instance));
}
