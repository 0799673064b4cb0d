using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Testing;

namespace Cli.Tests.Export;

/// <summary><c>--import-to</c> from outside: from a V2 cluster, and from one The Things Stack to another.</summary>
public sealed class StraightThroughCommandTests : IAsyncLifetime, IDisposable
{
    private const string App = "my-app";
    private const string Target = "target";
    private const string Key = "ttn-account-v2.key-of-the-straight-tests";

    private readonly TemporaryFolder folder = new();
    private readonly Dictionary<string, byte[]> files = [];
    private readonly Dictionary<string, string> variables = [];
    private TtnV2Cluster source = null!;
    private TtsCluster target = null!;
    private string targetKey = "";

    public async Task InitializeAsync()
    {
        source = await TtnV2Cluster.StartAsync();
        source.AddApplication(App, Key);
        source.Add(SampleDevices.Otaa(App, "otaa"));
        source.Add(SampleDevices.Joined(App, "joined"));
        source.Add(SampleDevices.Abp(App, "pump"));
        target = await TtsCluster.StartAsync();
        targetKey = target.AddApplication(Target);
        variables["TTS_APP_API_KEY"] = targetKey;
    }

    public async Task DisposeAsync()
    {
        await source.DisposeAsync();
        await target.DisposeAsync();
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task Devices_are_on_the_other_side_and_nothing_that_was_exported_is_alive_here(string withSession)
    {
        var result = await GoAsync("--with-session=" + withSession);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(["joined", "otaa", "pump"], Ids(result.Output).Order(StringComparer.Ordinal));
        Assert.Equal(["joined", "otaa", "pump"], target.DeviceIds(Target));
        foreach (var device in source.Devices(App))
            Assert.False(IsSet(device.LorawanDevice.AppKey), device.DevId);
        Assert.False(IsSet(source.Device(App, "pump")!.LorawanDevice.NwkSKey));
        Assert.DoesNotContain("abp_left_running", result.Error, StringComparison.Ordinal);
        Assert.Contains("  exported          3  of 3\n  rejected          0\n  imported          3  into target\n  not imported      0\n  retired           3\n", result.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Next:\n  ttn-lw-migrate verify --journal {Journal} --default-grpc-address {target.Address} --insecure\n", result.Error, StringComparison.Ordinal);
        var verify = await RunAsync("verify", "--journal", Journal, "--default-grpc-address", target.Address, "--insecure");
        Assert.DoesNotContain("differs", verify.Output, StringComparison.Ordinal);

        var again = await GoAsync("--with-session=" + withSession);
        Assert.Equal((0, result.Output), (again.ExitCode, again.Output));
        Assert.Contains("    of these        3  were there before\n", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_is_not_imported_stays_is_listed_and_can_be_fed_back()
    {
        target.Faults.Add("NsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.InvalidArgument, "no such band here"), item: "joined");
        var before = source.Device(App, "joined");

        var result = await GoAsync("--rejects", folder.File("rejects.json"));

        Assert.Equal(3, result.ExitCode);
        Assert.Equal(before, source.Device(App, "joined"));
        Assert.Contains("  not imported      1  listed below; not retired at ttnv2\n  retired           2\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("no such band here", result.Error, StringComparison.Ordinal);
        Assert.Contains("Next:\n  solve what is listed above, then run the same command again; what is done is only written again:\n", result.Error, StringComparison.Ordinal);
        var reject = JsonDocument.Parse(await File.ReadAllTextAsync(folder.File("rejects.json"))).RootElement;
        Assert.Equal(("joined", "not imported"), (reject.GetProperty("device_id").GetString(), reject.GetProperty("result").GetString()));
        Assert.NotEqual("", reject.GetProperty("code").GetString());
        var status = await RunAsync("status", "--journal", Journal);
        Assert.Contains("  written                  1\n  imported                 2\n", status.Output, StringComparison.Ordinal);

        target.Faults.Clear();
        files["rejects.json"] = await File.ReadAllBytesAsync(folder.File("rejects.json"));
        var again = await RunAsync([.. Words("device"), "--ids-from", "rejects.json"]);
        Assert.True(again.ExitCode == 0, again.Error);
        Assert.Equal(3, target.DeviceIds(Target).Count);
    }

    [Fact]
    public async Task A_device_that_joins_again_at_the_source_after_a_retirement_that_did_not_happen_is_not_taken_for_retired()
    {
        // The answer does not say whether the keys are gone.
        source.Faults.Add("SetDevice", new Fault.Fail(GrpcCode.PermissionDenied, "not today"), item: "joined");
        var first = await GoAsync();
        Assert.NotEqual(0, first.ExitCode);
        Assert.Contains("retire intended          1\n", (await RunAsync("status", "--journal", Journal)).Output, StringComparison.Ordinal);
        source.Faults.Clear();
        var device = source.Device(App, "joined")!;
        device.LorawanDevice.DevAddr = ByteString.CopyFrom(0x26, 1, 0x77, 0x77);
        device.LorawanDevice.NwkSKey = ByteString.CopyFrom(Enumerable.Repeat((byte)0x77, 16).ToArray());
        device.LorawanDevice.AppSKey = ByteString.CopyFrom(Enumerable.Repeat((byte)0x78, 16).ToArray());
        source.Add(device);

        var second = await GoAsync();
        Assert.Equal(3, second.ExitCode);
        Assert.Contains("device `joined` is on The Things Stack, and its keys are still at the source", second.Error, StringComparison.Ordinal);
        var status = await RunAsync("status", "--journal", Journal);
        Assert.Contains("  of these on both         1\n", status.Output, StringComparison.Ordinal);
        Assert.Contains($"  on both: they are on The Things Stack and still alive at the source: retire them (`ttn-lw-migrate ttnv2 retire --journal {Journal}`), or run the command with --import-to again", status.Output, StringComparison.Ordinal);

        var third = await GoAsync();
        Assert.True(third.ExitCode == 0, third.Error);
        Assert.False(IsSet(source.Device(App, "joined")!.LorawanDevice.AppKey));
        Assert.Equal(device.LorawanDevice.DevAddr, target.Device(Target, "joined").Network!.Session.DevAddr);
        Assert.DoesNotContain("on both", (await RunAsync("status", "--journal", Journal)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_changes_nothing_on_either_side()
    {
        var before = source.Devices(App);
        var result = await GoAsync("--dry-run");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("  imported          3  dry run: nothing was changed at target\n", result.Error, StringComparison.Ordinal);
        Assert.Empty(target.DeviceIds(Target));
        Assert.Equal(before, source.Devices(App));
        Assert.EndsWith($" --import-to {Target} --import-default-grpc-address {target.Address} --import-insecure --journal {Journal} > devices.json\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_the_target_refuses_ends_with_4_before_anything_is_read()
    {
        variables["TTS_APP_API_KEY"] = "NNSXS.AAAA.BBBB";
        var result = await GoAsync();
        Assert.Equal((4, ""), (result.ExitCode, result.Output));
        Assert.Equal(0, source.Requests.Count);
    }

    [Fact]
    public async Task The_first_ctrl_c_finishes_what_is_begun_and_ends_with_130()
    {
        for (var i = 0; i < 200; i++)
            source.Add(SampleDevices.Otaa(App, $"more-{i:d3}"));
        var run = New(Words("application", App));
        target.Faults.Add("EndDeviceRegistry/Create", new Fault.Run(_ =>
        {
            run.Interrupt();
            return Task.CompletedTask;
        }), from: 8, to: 8);

        var result = await run.RunAsync();

        Assert.Equal(130, result.ExitCode);
        Assert.Contains("Summary (interrupted)\n", result.Error, StringComparison.Ordinal);
        var there = target.DeviceIds(Target);
        Assert.InRange(there.Count, 8, 202);
        Assert.All(source.Devices(App), d => Assert.Equal(there.Contains(d.DevId), !IsSet(d.LorawanDevice.AppKey) && !IsSet(d.LorawanDevice.NwkSKey)));
        Assert.Equal(0, (await GoAsync()).ExitCode);
        Assert.Equal(203, target.DeviceIds(Target).Count);
    }

    [Theory]
    [InlineData("--import-to=target", "no address of the target: give --import-default-grpc-address host:port")]
    [InlineData("--import-prune-leftovers", "--import-prune-leftovers is about the target of an import: name its application with --import-to")]
    [InlineData("--import-to=target --import-default-grpc-address=x:1 --import-on-conflict=maybe", "--import-on-conflict is \"maybe\"")]
    public async Task A_wrong_command_line_says_what_is_missing(string words, string message)
    {
        var result = await RunAsync(["ttnv2", "application", App, .. words.Split(' ')]);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task From_one_The_Things_Stack_to_another_devices_are_deleted_only_when_they_are_there()
    {
        await using var old = await TtsCluster.StartAsync();
        variables["TTS_APP_API_KEY"] = old.AddApplication("old-app");
        variables["TTS_DEFAULT_GRPC_ADDRESS"] = old.Address;
        variables["TTS_INSECURE"] = "true";
        files["key"] = Encoding.UTF8.GetBytes(targetKey);
        TtsSampleDevices.AddMany(old, "old-app", 5);
        string[] words = ["tts", "application", "old-app", "--import-to", Target, "--import-default-grpc-address", target.Address, "--import-insecure", "--journal", Journal];

        var mistaken = await RunAsync([.. words, "--delete-source-device"]);
        Assert.Contains("TTS_APP_API_KEY is the key of the source here", mistaken.Error, StringComparison.Ordinal);
        words = [.. words, "--import-app-api-key-file", "key"];
        var both = await RunAsync(words);
        Assert.Contains("devices would be on both sides", both.Error, StringComparison.Ordinal);
        Assert.Equal(5, old.DeviceIds("old-app").Count);

        old.Faults.Add("EndDeviceRegistry/Delete", new Fault.Run(_ =>
        {
            Assert.NotEmpty(target.DeviceIds(Target));
            return Task.CompletedTask;
        }));
        var result = await RunAsync([.. words, "--delete-source-device"]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Empty(old.DeviceIds("old-app"));
        Assert.Equal(5, target.DeviceIds(Target).Count);
    }

    [Theory]
    [InlineData("eu1.example.com:8884", "eu1.example.com:8884")]
    [InlineData("eu1.example.com:8884", "EU1.example.com:1884")]
    public async Task Within_one_cluster_it_is_refused_with_the_way_that_works(string from, string to)
    {
        files["key"] = Encoding.UTF8.GetBytes(targetKey);
        var result = await RunAsync("tts", "application", "old-app", "--delete-source-device", "--default-grpc-address", from, "--import-to", Target, "--import-default-grpc-address", to, "--import-app-api-key-file", "key");
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("source and target are the same cluster, eu1.example.com:8884", result.Error, StringComparison.Ordinal);
        Assert.Contains("hint: export with --delete-source-device and without --import-to, then `ttn-lw-migrate import devices.json`", result.Error, StringComparison.Ordinal);
    }

    private string Journal => folder.File("straight.journal");

    private static bool IsSet(ByteString value) => value.Span.ContainsAnyExcept((byte)0);

    private static IEnumerable<string> Ids(string lines) => lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(l => JsonDocument.Parse(l).RootElement.GetProperty("ids").GetProperty("device_id").GetString()!);

    private string[] Words(params string[] what) =>
        ["ttnv2", .. what, "--import-to", Target, "--import-default-grpc-address", target.Address, "--import-insecure", "--journal", Journal];

    private Task<CliResult> GoAsync(params string[] words) => RunAsync([.. words, .. Words("application", App)]);

    private async Task<CliResult> RunAsync(params string[] words)
    {
        var result = await New(words).RunAsync();
        Assert.DoesNotContain(targetKey, result.Error + result.Output, StringComparison.Ordinal);
        return result;
    }

    private CliRun New(params string[] words) => new(words)
    {
        Variables = new Dictionary<string, string>(variables.Concat(source.Variables(App, Key))),
        Files = files,
        StateFolder = folder.Path,
        Clock = TimeProvider.System,
    };
}
