using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Migration.Journal;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Testing;

namespace Cli.Tests.Verify;

/// <summary><c>verify --source</c> from outside: the emulated old network, and the emulated cluster that its devices went to.</summary>
public sealed class VerifyWithSourceTests : IAsyncLifetime, IDisposable
{
    private const string OldApp = "old-app";
    private const string App = "my-app";
    private const string AccessKey = "ttn-account-v2.key-of-the-verify-tests";

    private readonly TemporaryFolder folder = new();
    private TtnV2Cluster old = null!;
    private TtsCluster cluster = null!;
    private Dictionary<string, string> variables = [];

    public async Task InitializeAsync()
    {
        old = await TtnV2Cluster.StartAsync();
        old.AddApplication(OldApp, AccessKey);
        cluster = await TtsCluster.StartAsync();
        variables = new(StringComparer.Ordinal)
        {
            ["TTNV2_APP_ID"] = OldApp,
            ["TTNV2_APP_ACCESS_KEY"] = AccessKey,
            ["TTNV2_DISCOVERY_SERVER_ADDRESS"] = old.DiscoveryAddress,
            ["TTNV2_DISCOVERY_SERVER_INSECURE"] = "true",
            ["FREQUENCY_PLAN_ID"] = "EU_863_870_TTN",
            ["TTS_APP_API_KEY"] = cluster.AddApplication(App),
        };
    }

    public async Task DisposeAsync()
    {
        await old.DisposeAsync();
        await cluster.DisposeAsync();
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_retires_devices_that_are_live_on_both_is_the_command_of_the_old_network_with_the_journal_that_was_named()
    {
        var journal = Path.Combine(folder.Path, "night.journal");
        old.Add(SampleDevices.Otaa(OldApp, "still-there"));
        await MigrateAsync("--journal", journal);
        // Somebody has put its key back.
        old.Add(SampleDevices.Otaa(OldApp, "still-there"));

        var result = await VerifyAsync([], "--journal", journal, "--source", "ttnv2");

        Assert.Contains($"  live_on_both: Retire these devices at the old network now: ttn-lw-migrate ttnv2 retire --journal {journal}\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Devices_that_the_old_network_still_answers_stand_out_and_renamed_ones_are_found_there()
    {
        foreach (var id in (string[])["still_there", "rotated_heard", "rotated_silent", "deleted"])
            old.Add(SampleDevices.Otaa(OldApp, id));
        var lines = await MigrateAsync("--dry-run");
        Rotate("rotated_heard", heard: true);
        Rotate("rotated_silent", heard: false);
        old.Handler.Store.Remove(OldApp, "deleted");
        old.Requests.Clear();

        var result = await VerifyAsync(lines, "--source", "ttnv2", "-o", "json", "-");

        Assert.Equal(3, result.ExitCode);
        var devices = Devices(result);
        Assert.Equal(
            ["deleted needs_power_cycle False", "rotated-heard alive_at_source False", "rotated-silent needs_power_cycle False", "still-there live_on_both True"],
            devices.Select(d => $"{d.GetProperty("device_id").GetString()} {d.GetProperty("state").GetString()} {d.GetProperty("live_at_source").GetBoolean()}").Order(StringComparer.Ordinal));
        Assert.Equal(2, old.Requests.All.Count(request => request.ShortMethod == "GetDevice"));
        Assert.All(old.Requests.All, request => Assert.Contains(request.ShortMethod, new[] { "GetByAppID", "GetDevicesForApplication", "GetDevice" }));
        Assert.Contains("live_on_both: Retire these devices at the old network now: ttn-lw-migrate ttnv2 retire", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_knows_network_and_application_and_its_devices_are_done_once_they_have_joined()
    {
        old.Add(SampleDevices.Otaa(OldApp, "dev_1"));
        var journal = Path.Combine(folder.Path, "journal");
        await MigrateAsync("--journal", journal);
        Assert.NotNull(cluster.Join(App, "dev-1"));
        foreach (var name in (string[])["TTNV2_APP_ID", "TTNV2_DISCOVERY_SERVER_ADDRESS"])
            variables.Remove(name);

        var result = await new CliRun("verify", "--journal", journal, "--default-grpc-address", cluster.Address, "--insecure", "--source", "ttnv2") { Variables = variables, Clock = TimeProvider.System }.RunAsync();
        var withoutSource = await new CliRun("verify", "--journal", journal, "--default-grpc-address", cluster.Address, "--insecure") { Variables = variables, Clock = TimeProvider.System }.RunAsync();

        Assert.Equal((0, 0), (result.ExitCode, withoutSource.ExitCode));
        Assert.DoesNotContain("not asked", result.Error, StringComparison.Ordinal);
        Assert.Contains("The old network was not asked: --source ttnv2 tells", withoutSource.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_knows_what_the_import_changed_of_an_ABP_device()
    {
        old.Add(SampleDevices.Abp(OldApp, "pump"));
        var journal = Path.Combine(folder.Path, "journal");
        var through = await new CliRun("ttnv2", "application", OldApp, "--journal", journal, "--import-to", App, "--import-default-grpc-address", cluster.Address, "--import-insecure", "--import-rx1-delay", "5", "--import-supports-32-bit-f-cnt=false") { Variables = variables, Clock = TimeProvider.System }.RunAsync();

        var result = await new CliRun("verify", "--journal", journal, "--default-grpc-address", cluster.Address, "--insecure", "-o", "json") { Variables = variables, Clock = TimeProvider.System }.RunAsync();
        var history = await new CliRun("journal", "show", "pump", "--journal", journal).RunAsync();

        Assert.True(through.ExitCode == 0, through.Error);
        Assert.True(Devices(result)[0].GetProperty("as_sent").GetBoolean(), result.Output);
        Assert.Contains($"{App} at {cluster.Address} with rx1-delay=5 supports-32-bit-f-cnt=false", history.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_Things_Stack_is_asked_as_an_old_network_too()
    {
        await using var from = await TtsCluster.StartAsync();
        var key = from.AddApplication("source-app");
        var devices = Enumerable.Range(1, 3).Select(number => TtsSampleDevices.Device("source-app", number)).ToList();
        devices.ForEach(from.Put);
        foreach (var device in devices)
        {
            var copy = device.Clone();
            copy.Ids.ApplicationIds.ApplicationId = App;
            cluster.Put(copy);
        }
        from.Put("source-app", "meter-000001", new TtsDevice(null, null, null, null));
        var keyFile = Path.Combine(folder.Path, "key");
        await File.WriteAllTextAsync(keyFile, variables["TTS_APP_API_KEY"]);
        variables["TTS_APP_API_KEY"] = key;
        variables["TTS_DEFAULT_GRPC_ADDRESS"] = from.Address;
        variables["TTS_INSECURE"] = "true";

        var result = await new CliRun("verify", "--application-id", App, "--default-grpc-address", cluster.Address, "--insecure", "--app-api-key-file", keyFile, "--source", "tts", "-o", "json", "-")
        {
            Variables = variables,
            Clock = TimeProvider.System,
            Files = new Dictionary<string, byte[]> { [keyFile] = await File.ReadAllBytesAsync(keyFile) },
            Input = Lines(devices),
        }.RunAsync();

        Assert.Equal(
            ["meter-000001 needs_power_cycle", "meter-000002 live_on_both", "meter-000003 live_on_both"],
            Devices(result).Select(d => $"{d.GetProperty("device_id").GetString()} {d.GetProperty("state").GetString()}"));
    }

    [Fact]
    public async Task A_line_without_ids_does_not_stop_the_others()
    {
        old.Add(SampleDevices.Otaa(OldApp, "dev-1"));
        var lines = await MigrateAsync("--dry-run");

        var result = await VerifyAsync([.. lines, .. "{}\n"u8], "--source", "ttnv2", "-o", "json", "-");

        Assert.Contains("the device has no ID", result.Output, StringComparison.Ordinal);
        Assert.Contains("dev-1", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_variable_is_not_taken_for_the_key_of_two_clusters()
    {
        variables["TTS_DEFAULT_GRPC_ADDRESS"] = "localhost:1";

        var result = await VerifyAsync([], "--source", "tts", "-");

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("TTS_APP_API_KEY cannot be the key of both clusters: give that of the target with --app-api-key-file FILE", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wanesy", 2, "ttnv2 and tts can be asked")]
    [InlineData("nowhere", 1, "source `nowhere` is not registered")]
    public async Task A_source_that_cannot_be_asked_is_said_before_any_call(string source, int exitCode, string message)
    {
        var result = await VerifyAsync([], "--source", source, "-");

        Assert.Equal((exitCode, 0), (result.ExitCode, cluster.Requests.Count));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_of_another_network_is_refused()
    {
        var journal = Path.Combine(folder.Path, "journal");
        await using (DeviceJournal.Open(new JournalOptions(journal, new JournalScope("tts", "eu1.example:8884"), "test", TimeProvider.System)))
        {
        }

        var result = await new CliRun("verify", "--journal", journal, "--default-grpc-address", cluster.Address, "--insecure", "--source", "ttnv2") { Variables = variables, Clock = TimeProvider.System }.RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("belongs to `tts` at `eu1.example:8884`, not to `ttnv2`", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TTNV2_APP_ACCESS_KEY", "ttn-account-v2.wrong", 4, "Unauthorized")]
    [InlineData("TTNV2_APP_ACCESS_KEY", "", 1, "Give --ttnv2.app-access-key or the environment variable TTNV2_APP_ACCESS_KEY.")]
    [InlineData("TTNV2_DISCOVERY_SERVER_ADDRESS", "localhost:1", 1, "discovery server localhost:1")]
    public async Task An_old_network_that_cannot_be_used_says_why(string variable, string value, int exitCode, string message)
    {
        old.Add(SampleDevices.Otaa(OldApp, "dev_1"));
        var lines = await MigrateAsync("--dry-run");
        variables[variable] = value;

        var result = await VerifyAsync(lines, "--source", "ttnv2", "-");

        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("ttn-account-v2.", result.Error, StringComparison.Ordinal);
    }

    /// <summary>Exports as the words say, and imports; gives the lines.</summary>
    private async Task<byte[]> MigrateAsync(params string[] words)
    {
        var exported = await new CliRun(["ttnv2", "application", OldApp, "--with-session=false", .. words]) { Variables = variables, Clock = TimeProvider.System }.RunAsync();
        Assert.True(exported.ExitCode == 0, exported.Error);
        var lines = Encoding.UTF8.GetBytes(exported.Output);
        string[] journal = words is ["--journal", ..] ? words : [];
        var imported = await new CliRun(["import", "--application-id", App, "--default-grpc-address", cluster.Address, "--insecure", .. journal, "-"]) { Variables = variables, Input = lines, Clock = TimeProvider.System }.RunAsync();
        Assert.True(imported.ExitCode == 0, imported.Error);
        return lines;
    }

    /// <summary>Another AppKey, as a retirement leaves it.</summary>
    private void Rotate(string id, bool heard)
    {
        var device = SampleDevices.Joined(OldApp, id);
        device.LorawanDevice.AppKey = ByteString.CopyFrom(Enumerable.Repeat((byte)0xEE, 16).ToArray());
        device.LorawanDevice.LastSeen = DateTimeOffset.UtcNow.AddHours(heard ? 1 : -1).ToUnixTimeMilliseconds() * 1_000_000;
        old.Add(device);
    }

    private Task<CliResult> VerifyAsync(byte[] lines, params string[] words) =>
        new CliRun(["verify", "--application-id", App, "--default-grpc-address", cluster.Address, "--insecure", .. words]) { Variables = variables, Input = lines, Clock = TimeProvider.System }.RunAsync();

    private static byte[] Lines(IEnumerable<TheThingsStack.Api.EndDevice> devices) =>
        Encoding.UTF8.GetBytes(string.Concat(devices.Select(device => Encoding.UTF8.GetString(TheThingsStack.Json.TtsJson.WriteBytes(device)) + "\n")));

    private static List<JsonElement> Devices(CliResult result) =>
        [.. result.Output.TrimEnd().Split('\n').SkipLast(1).Select(line => JsonDocument.Parse(line).RootElement)];
}
