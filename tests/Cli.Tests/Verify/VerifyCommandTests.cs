using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Migration.Journal;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace Cli.Tests.Verify;

/// <summary><c>verify</c> from outside, against the emulated cluster.</summary>
public sealed class VerifyCommandTests : IAsyncLifetime, IDisposable
{
    private const string App = "my-app";

    private readonly TemporaryFolder folder = new();
    private TtsCluster cluster = null!;
    private string key = "";

    public async Task InitializeAsync()
    {
        cluster = await TtsCluster.StartAsync();
        key = cluster.AddApplication(App);
    }

    public async Task DisposeAsync() => await cluster.DisposeAsync();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Devices_that_have_joined_are_done_and_the_others_are_listed_with_what_to_do()
    {
        var devices = new[] { Device(1), Device(2), Device(3) };
        cluster.Put(devices[0]);
        cluster.Put(devices[1]);
        Assert.NotNull(cluster.Join(App, "dev-1"));

        var result = await RunAsync(devices, "--output", "table");

        Assert.Equal(3, result.ExitCode);
        var rows = result.Output.TrimEnd().Split('\n');
        Assert.Equal(3, rows.Length);
        Assert.StartsWith("needs_power_cycle  dev-2 ", rows[1], StringComparison.Ordinal);
        Assert.StartsWith("missing            dev-3 ", rows[2], StringComparison.Ordinal);
        Assert.EndsWith("not on Identity Server, Join Server, Network Server, Application Server", rows[2], StringComparison.Ordinal);
        Assert.StartsWith("Summary\n  arrived                   1 of 3\n    missing                 1\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("needs_power_cycle: Power cycle the device", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_all_have_arrived_the_exit_code_is_0_and_the_table_is_empty()
    {
        cluster.Put(Device(1));
        cluster.Join(App, "dev-1");

        var result = await RunAsync([Device(1)]);

        Assert.Equal((0, "", "Summary\n  arrived                   1 of 1\n    joined                  1\n"), (result.ExitCode, result.Output, result.Error));
    }

    [Fact]
    public async Task A_field_that_differs_is_named_and_no_key_is_shown()
    {
        var stored = Device(1);
        stored.Name = "other";
        stored.RootKeys.AppKey.Key = ByteString.CopyFrom(Enumerable.Repeat((byte)0xEE, 16).ToArray());
        cluster.Put(stored);

        var result = await RunAsync([Device(1)], "-o", "json");

        var json = JsonDocument.Parse(result.Output.Split('\n')[0]).RootElement;
        Assert.Equal("differs", json.GetProperty("state").GetString());
        Assert.Equal(["identity_server name", "join_server root_keys.app_key.key"], json.GetProperty("differences").EnumerateArray().Select(d => $"{d.GetProperty("server")} {d.GetProperty("field")}").Order(StringComparer.Ordinal));
        Assert.DoesNotContain("EEEEEEEE", result.Output + result.Error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("11111111", result.Output + result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_is_verified_under_the_application_it_was_imported_into_and_notes_it()
    {
        cluster.Put(Device(1));
        cluster.Join(App, "dev-1");
        var file = Path.Combine(folder.Path, "journal");
        var name = new JournalDeviceId("ttnv2", "old-app", "dev_1");
        await using (var journal = DeviceJournal.Open(new JournalOptions(file, new JournalScope("ttnv2", "d.example:1900"), "test", TimeProvider.System)))
        {
            var line = Device(1);
            line.Ids.ApplicationIds.ApplicationId = "old-app";
            await journal.RecordAsync(JournalChange.Written(name, new byte[] { 1 }, TtsJson.WriteBytes(line)), JournalChange.Imported(name, App));
            await journal.RecordAsync(JournalChange.Rejected(new JournalDeviceId("ttnv2", "old-app", "dev_2"), "code", "reason"));
        }

        var result = await new CliRun("verify", "--journal", file, "--default-grpc-address", cluster.Address, "--insecure") { Variables = Key() }.RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("1 of the journal left out: not exported\n", result.Error, StringComparison.Ordinal);
        using var reader = JournalReader.Open(file);
        Assert.Equal(DeviceState.Verified, reader.Find(name)!.State);
    }

    [Fact]
    public async Task The_report_is_a_page_about_the_application()
    {
        cluster.Put(Device(1));
        var page = Path.Combine(folder.Path, "report.html");

        var result = await RunAsync([Device(1)], "--report", page);

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("<h1>my-app</h1>", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_refused_gives_4_and_a_cluster_that_is_not_there_1()
    {
        var refused = await new CliRun(Words("-")) { Variables = new Dictionary<string, string> { ["TTS_APP_API_KEY"] = "NNSXS.AAAA.BBBB" }, Input = Lines([Device(1)]) }.RunAsync();
        await cluster.StopAsync();
        var away = await RunAsync([Device(1)]);

        Assert.True((refused.ExitCode, away.ExitCode) == (4, 1), refused.Error + away.Error);
        Assert.Contains(cluster.Address, away.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--wait=soon", "--wait is \"soon\"; it is a time like 24h, 90m or 1h30m")]
    [InlineData("--concurrency=0", "--concurrency is \"0\"; it is a number from 1 to 512")]
    [InlineData("--journal=x", "a file or a journal, not both")]
    public async Task A_wrong_command_line_gives_2(string word, string message)
    {
        var result = await RunAsync([Device(1)], word);

        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("24h", 86400)]
    [InlineData("1h30m", 5400)]
    [InlineData("2d", 172800)]
    [InlineData("0s", 0)]
    [InlineData("", null)]
    [InlineData("24", null)]
    [InlineData("h", null)]
    [InlineData("-1h", null)]
    [InlineData("999999999d", null)]
    public void A_time_to_wait_is_read(string text, int? seconds) =>
        Assert.Equal(seconds, Cli.Verify.WaitTime.TryParse(text, out var time) ? (int)time.TotalSeconds : null);

    private static EndDevice Device(int number) => new()
    {
        Ids = new EndDeviceIdentifiers
        {
            ApplicationIds = new ApplicationIdentifiers { ApplicationId = App },
            DeviceId = $"dev-{number}",
            DevEui = ByteString.CopyFrom(0, 0, 0, 0, 0, 0, 1, (byte)number),
            JoinEui = ByteString.CopyFrom(1, 0, 0, 0, 0, 0, 0, 0),
        },
        Name = "Meter",
        SupportsJoin = true,
        LorawanVersion = MACVersion.MacV103,
        LorawanPhyVersion = PHYVersion.PhyV103RevA,
        FrequencyPlanId = "EU_863_870_TTN",
        RootKeys = new RootKeys { AppKey = new KeyEnvelope { Key = ByteString.CopyFrom(Enumerable.Repeat((byte)0x11, 16).ToArray()) } },
    };

    private static byte[] Lines(IEnumerable<EndDevice> devices) => Encoding.UTF8.GetBytes(string.Concat(devices.Select(device => Encoding.UTF8.GetString(TtsJson.WriteBytes(device)) + "\n")));

    private Dictionary<string, string> Key() => new(StringComparer.Ordinal) { ["TTS_APP_API_KEY"] = key };

    private string[] Words(params string[] more) => ["verify", "--application-id", App, "--default-grpc-address", cluster.Address, "--insecure", .. more];

    private Task<CliResult> RunAsync(IEnumerable<EndDevice> devices, params string[] more) =>
        new CliRun(Words([.. more, "-"])) { Variables = Key(), Input = Lines(devices) }.RunAsync();
}
