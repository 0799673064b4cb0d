using Sandbox.TheThingsStack;
using Testing;

namespace Cli.Tests.Journals;

/// <summary>The Things Stack as the source: what a later run asks for wins over what an earlier one did, and a rollback takes back all of it.</summary>
public sealed class BetweenTtsRunsTests : IAsyncLifetime, IDisposable
{
    private const string App = "old-app";
    private const string Meter = "meter-000001";

    private readonly TemporaryFolder folder = new();
    private TtsCluster cluster = null!;
    private string key = "";

    public async Task InitializeAsync()
    {
        cluster = await TtsCluster.StartAsync();
        key = cluster.AddApplication(App);
        TtsSampleDevices.AddMany(cluster, App, 3);
    }

    public async Task DisposeAsync() => await cluster.DisposeAsync();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Devices_whose_downlinks_an_earlier_run_has_stopped_are_deleted_when_a_later_run_is_to_delete(bool all)
    {
        Assert.Equal(0, (await ExportAsync("--disable-source-downlinks")).ExitCode);

        var result = all ? await ExportAsync("--delete-source-device") : await RunAsync("tts", "device", Meter, "--app-id", App, "--delete-source-device");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.DoesNotContain(Meter, cluster.DeviceIds(App));
        Assert.Equal(all ? 0 : 2, cluster.DeviceIds(App).Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_device_that_was_muted_and_then_deleted_gets_its_downlinks_back_too(bool byRetire)
    {
        await ExportAsync("--disable-source-downlinks");
        Assert.Equal(0, (byRetire ? await RunAsync("tts", "retire", "--way", "delete", "--yes") : await ExportAsync("--delete-source-device")).ExitCode);
        Assert.Empty(cluster.DeviceIds(App));

        var result = await RunAsync("rollback");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(3, cluster.DeviceIds(App).Count);
        foreach (var id in cluster.DeviceIds(App))
            Assert.Null(cluster.Device(App, id).Network!.MacSettings?.ScheduleDownlinks);
    }

    [Fact]
    public async Task A_run_that_is_not_told_to_touch_the_source_does_not_delete_a_device_that_is_there_again()
    {
        await ExportAsync("--delete-source-device");
        TtsSampleDevices.AddMany(cluster, App, 1);

        var result = await ExportAsync();

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal([Meter], cluster.DeviceIds(App));
    }

    [Fact]
    public async Task A_device_whose_downlinks_somebody_has_allowed_again_is_muted_again()
    {
        await ExportAsync("--disable-source-downlinks");
        TtsSampleDevices.AddMany(cluster, App, 1);

        Assert.Equal(0, (await ExportAsync("--disable-source-downlinks")).ExitCode);

        Assert.False(cluster.Device(App, Meter).Network!.MacSettings.ScheduleDownlinks.Value);
    }

    private Task<CliResult> ExportAsync(params string[] words) => RunAsync(["tts", "application", App, .. words]);

    private Task<CliResult> RunAsync(params string[] words) => new CliRun([.. words, "--journal", folder.File("run.journal")])
    {
        Variables = new Dictionary<string, string>
        {
            ["TTS_APP_API_KEY"] = key,
            ["TTS_DEFAULT_GRPC_ADDRESS"] = cluster.Address,
            ["TTS_INSECURE"] = "true",
        },
        StateFolder = folder.Path,
        Clock = TimeProvider.System,
    }.RunAsync();
}
