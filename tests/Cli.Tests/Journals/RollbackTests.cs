using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Testing;

namespace Cli.Tests.Journals;

/// <summary>A device that goes back to its source is on one side, never on both: rollback with the target at hand, and without.</summary>
public sealed class RollbackTests : IAsyncLifetime, IDisposable
{
    private const string App = "my-app";
    private const string Target = "target";
    private const string Key = "ttn-account-v2.key-of-the-rollback-tests";

    private readonly TemporaryFolder folder = new();
    private readonly Dictionary<string, byte[]> files = [];
    private TtnV2Cluster source = null!;
    private TtsCluster target = null!;
    private string targetKey = "";

    public async Task InitializeAsync()
    {
        source = await TtnV2Cluster.StartAsync();
        source.AddApplication(App, Key);
        foreach (var id in (string[])["meter-1", "meter-2"])
            source.Add(SampleDevices.Joined(App, id));
        source.Add(SampleDevices.Abp(App, "pump"));
        target = await TtsCluster.StartAsync();
        targetKey = target.AddApplication(Target);
        var export = await RunAsync("ttnv2", "application", App, "--with-session=false", "--journal", Journal);
        Assert.Equal(0, export.ExitCode);
        files["devices.json"] = System.Text.Encoding.UTF8.GetBytes(export.Output);
    }

    public async Task DisposeAsync()
    {
        await source.DisposeAsync();
        await target.DisposeAsync();
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task With_the_target_a_device_leaves_it_and_has_its_key_back_at_the_source()
    {
        await ImportAsync();
        var dry = await RollbackAsync("meter-1", "--dry-run");
        Assert.Equal(0, dry.ExitCode);
        Assert.Equal(TtsServers.All, target.Device(Target, "meter-1").Servers);
        Assert.False(HasKey("meter-1"));

        var result = await RollbackAsync("meter-1");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(HasKey("meter-1"));
        Assert.Equal(TtsServers.None, target.Device(Target, "meter-1").Servers);
        Assert.Equal((false, TtsServers.All), (HasKey("meter-2"), target.Device(Target, "meter-2").Servers));
        Assert.DoesNotContain("Needs a person", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_can_be_migrated_again_afterwards()
    {
        await ImportAsync();
        await RollbackAsync("meter-1");
        var export = await RunAsync("ttnv2", "application", App, "--with-session=false", "--journal", Journal);
        files["devices.json"] = System.Text.Encoding.UTF8.GetBytes(export.Output);
        await ImportAsync();
        Assert.Equal((false, TtsServers.All), (HasKey("meter-1"), target.Device(Target, "meter-1").Servers));
    }

    [Fact]
    public async Task Without_the_target_the_devices_that_are_still_there_are_listed_with_what_to_do()
    {
        await ImportAsync();
        var result = await RunAsync("rollback", "meter-1", "--journal", Journal);
        Assert.Equal(3, result.ExitCode);
        Assert.True(HasKey("meter-1"));
        Assert.Contains("Needs a person:\n      1  still_on_target:", result.Error, StringComparison.Ordinal);
        Assert.Contains("--default-grpc-address HOST:PORT", result.Error, StringComparison.Ordinal);
        // The same command with the target finishes it, although nothing is left to do at the source.
        Assert.Equal(0, (await RollbackAsync("meter-1")).ExitCode);
        Assert.Equal(TtsServers.None, target.Device(Target, "meter-1").Servers);
        Assert.Equal(0, (await RunAsync("rollback", "meter-1", "--journal", Journal)).ExitCode);
    }

    [Fact]
    public async Task A_device_that_was_never_imported_needs_no_person()
    {
        var result = await RunAsync("rollback", "meter-1", "--journal", Journal);
        Assert.Equal(0, result.ExitCode);
        Assert.DoesNotContain("still_on_target", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_abp_device_that_was_left_running_is_removed_from_the_target_only()
    {
        await ImportAsync();
        var before = source.Device(App, "pump");
        var result = await RollbackAsync("pump");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(TtsServers.None, target.Device(Target, "pump").Servers);
        Assert.Equal(before, source.Device(App, "pump"));
    }

    [Fact]
    public async Task A_device_that_its_source_does_not_take_back_stays_on_the_target()
    {
        await ImportAsync();
        var changed = source.Device(App, "meter-1")!;
        changed.LorawanDevice.AppKey = Google.Protobuf.ByteString.CopyFrom(Enumerable.Repeat((byte)7, 16).ToArray());
        source.Add(changed);
        var result = await RollbackAsync("meter-1");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("changed_since_retired", result.Error, StringComparison.Ordinal);
        Assert.Equal(TtsServers.All, target.Device(Target, "meter-1").Servers);
    }

    [Fact]
    public async Task A_device_that_the_target_does_not_let_go_is_not_put_back()
    {
        await ImportAsync();
        target.Faults.Add("/ttn.lorawan.v3.NsEndDeviceRegistry/Delete", new Fault.Fail(GrpcCode.Internal, "broken"), item: "meter-1");
        var result = await RollbackAsync("meter-1", "meter-2");
        Assert.Equal(3, result.ExitCode);
        Assert.False(HasKey("meter-1"));
        Assert.Equal((true, TtsServers.None), (HasKey("meter-2"), target.Device(Target, "meter-2").Servers));
        target.Faults.Clear();
        Assert.Equal(0, (await RollbackAsync("meter-1")).ExitCode);
        Assert.Equal((true, TtsServers.None), (HasKey("meter-1"), target.Device(Target, "meter-1").Servers));
    }

    [Fact]
    public async Task A_key_without_the_right_to_delete_changes_nothing_on_either_side()
    {
        await ImportAsync();
        targetKey = target.AddApiKey(Target, TheThingsStack.Api.Right.ApplicationDevicesRead);
        var result = await RollbackAsync("meter-1");
        Assert.Equal(4, result.ExitCode);
        Assert.Contains("RIGHT_APPLICATION_DEVICES_WRITE", result.Error, StringComparison.Ordinal);
        Assert.Equal((false, TtsServers.All), (HasKey("meter-1"), target.Device(Target, "meter-1").Servers));
    }

    [Fact]
    public async Task Another_device_of_the_same_name_is_never_removed()
    {
        await ImportAsync();
        var there = target.Device(Target, "meter-1");
        there.Identity!.Ids.DevEui = Google.Protobuf.ByteString.CopyFrom(1, 2, 3, 4, 5, 6, 7, 8);
        target.Put(Target, "meter-1", there);
        var result = await RollbackAsync("meter-1");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("another_device", result.Error, StringComparison.Ordinal);
        Assert.Equal((false, TtsServers.All), (HasKey("meter-1"), target.Device(Target, "meter-1").Servers));
    }

    [Fact]
    public async Task A_cluster_where_the_device_never_was_does_not_count_as_having_lost_it()
    {
        await ImportAsync();
        await using var other = await TtsCluster.StartAsync();
        other.AddApplication(Target);
        other.AddApiKey(Target, targetKey, "the same key", []);
        var result = await RunAsync("rollback", "meter-1", "--journal", Journal, "--default-grpc-address", other.Address, "--insecure");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains($"it was imported at {target.Address}", result.Error, StringComparison.Ordinal);
        Assert.Equal((false, TtsServers.All), (HasKey("meter-1"), target.Device(Target, "meter-1").Servers));
    }

    [Fact]
    public async Task An_import_that_the_journal_does_not_know_is_found_by_its_application()
    {
        await ImportAsync(withJournal: false);
        var unknowing = await RollbackAsync("meter-1");
        Assert.Equal(0, unknowing.ExitCode);
        Assert.Contains("not_looked_for_on_target", unknowing.Error, StringComparison.Ordinal);
        var result = await RollbackAsync("meter-1", "--application-id", Target);
        Assert.Equal(0, result.ExitCode);
        Assert.Equal((true, TtsServers.None), (HasKey("meter-1"), target.Device(Target, "meter-1").Servers));
    }

    private string Journal => folder.File("run.journal");

    private bool HasKey(string id) => source.Device(App, id)!.LorawanDevice.AppKey.Span.ContainsAnyExcept((byte)0);

    private async Task ImportAsync(bool withJournal = true)
    {
        var result = await RunAsync(["import", "devices.json", "--application-id", Target, "--default-grpc-address", target.Address, "--insecure", .. withJournal ? (string[])["--journal", Journal] : []]);
        Assert.True(result.ExitCode == 0, result.Error);
    }

    private Task<CliResult> RollbackAsync(params string[] words) =>
        RunAsync(["rollback", .. words, "--journal", Journal, "--default-grpc-address", target.Address, "--insecure"]);

    private async Task<CliResult> RunAsync(params string[] words)
    {
        var result = await new CliRun(words)
        {
            Variables = new Dictionary<string, string>(source.Variables(App, Key))
            {
                ["TTS_APP_API_KEY"] = targetKey,
            },
            Files = files,
            StateFolder = folder.Path,
            Clock = TimeProvider.System,
        }.RunAsync();
        Assert.DoesNotContain(targetKey, result.Error + result.Output, StringComparison.Ordinal);
        return result;
    }
}
