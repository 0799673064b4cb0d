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
    public async Task On_a_terminal_the_status_line_makes_room_for_the_table()
    {
        cluster.Put(Device(1));

        var result = await new CliRun(Words("-", "--wait", "1s"))
        {
            Variables = Key(),
            Input = Lines([Device(1)]),
            Clock = TimeProvider.System,
            ErrorIsTerminal = true,
            IsOneScreen = true,
        }.RunAsync();

        Assert.Equal(3, result.ExitCode);
        Assert.Matches("1 checked: 0 arrived, 0 need somebody, 1 awaited(; next look [0-9:]{8} UTC)?\r\u001b\\[KSTATE ", result.Error);
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
        Assert.Contains($"On both by the journal: 1; they are on The Things Stack and still alive at the source: retire them (`ttn-lw-migrate ttnv2 retire --journal {file}`)", result.Error, StringComparison.Ordinal);
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
    public async Task A_report_holds_no_key_of_a_device_nor_that_of_the_cluster()
    {
        var stored = Device(1);
        stored.RootKeys.AppKey.Key = ByteString.CopyFrom(Enumerable.Repeat((byte)0xEE, 16).ToArray());
        cluster.Put(stored);
        var page = Path.Combine(folder.Path, "report.html");

        await RunAsync([Device(1), Device(2)], "--report", page);

        var text = await File.ReadAllTextAsync(page);
        Assert.Contains("root_keys.app_key.key", text, StringComparison.Ordinal);
        foreach (var secret in (string[])["11111111", "EEEEEEEE", key.Split('.')[^1]])
            Assert.DoesNotContain(secret, text, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task An_older_report_stays_until_the_new_one_is_whole_and_when_there_is_none()
    {
        cluster.Put(Device(1));
        var page = Path.Combine(folder.Path, "report.html");
        await File.WriteAllTextAsync(page, "older");
        var during = "";

        await cluster.StopAsync();
        var failed = await RunAsync([Device(1)], "--report", page);
        Assert.Equal((1, "older"), (failed.ExitCode, await File.ReadAllTextAsync(page)));
        await cluster.RestartAsync();
        await new CliRun(Words("--report", page, "-"))
        {
            Variables = Key(),
            Input = Lines([Device(1)]),
            ReplaceFile = (from, to) =>
            {
                during = File.ReadAllText(to);
                File.Move(from, to, overwrite: true);
            },
        }.RunAsync();

        Assert.Equal("older", during);
        Assert.Contains("<h1>my-app</h1>", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
        Assert.Equal([page], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task A_report_behind_a_link_is_replaced_and_the_link_stays()
    {
        cluster.Put(Device(1));
        var (page, link) = (Path.Combine(folder.Path, "page.html"), Path.Combine(folder.Path, "link.html"));
        await File.WriteAllTextAsync(page, "older");
        File.CreateSymbolicLink(link, page);

        await RunAsync([Device(1)], "--report", link);

        Assert.Equal(page, new FileInfo(link).LinkTarget);
        Assert.Contains("<h1>my-app</h1>", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_renews_the_report_at_each_look()
    {
        cluster.Put(Device(1));
        var clock = new WatchClock();
        var pages = new List<string>();

        var result = await new CliRun(Words("--report", "report.html", "--wait", "24h", "-"))
        {
            Variables = Key(),
            Input = Lines([Device(1)]),
            Clock = clock,
            CreateFile = _ => new KeptText(pages.Add),
            ReplaceFile = (_, _) =>
            {
                if (pages.Count == 2)
                    cluster.Join(App, "dev-1");
                clock.EndNextPause();
            },
        }.RunAsync();

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(["0", "0", "1"], pages.Select(page => page.Split("<strong>")[1][..1]));
        Assert.Contains("1 checked: 0 arrived, 0 need somebody, 1 awaited; next look", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_in_a_watch_prints_the_state_so_far_and_gives_130()
    {
        cluster.Put(Device(1));
        cluster.Put(Device(2));
        cluster.Join(App, "dev-2");
        var page = Path.Combine(folder.Path, "report.html");
        CliRun? run = null;
        run = new CliRun(Words("--report", page, "--wait", "24h", "-"))
        {
            Variables = Key(),
            Input = Lines([Device(1), Device(2), Device(3)]),
            ReplaceFile = (from, to) =>
            {
                File.Move(from, to, overwrite: true);
                run!.Interrupt();
            },
        };

        var result = await run.RunAsync();

        Assert.Equal(130, result.ExitCode);
        Assert.Equal(["STATE", "missing", "needs_power_cycle"], result.Output.TrimEnd().Split('\n').Select(row => row.Split(' ')[0]));
        Assert.Contains("Summary (interrupted)\n  arrived                   1 of 3\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("<strong>1</strong> of 3 devices have arrived", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_the_options_of_its_import_an_ABP_device_does_not_differ()
    {
        var abp = Device(1);
        abp.SupportsJoin = false;
        abp.RootKeys = null;
        abp.MacSettings = new MACSettings { Rx1Delay = new RxDelayValue { Value = RxDelay._1 } };
        abp.Session = new Session
        {
            DevAddr = ByteString.CopyFrom(0x26, 1, 2, 3),
            Keys = new SessionKeys { FNwkSIntKey = new KeyEnvelope { Key = ByteString.CopyFrom(Enumerable.Repeat((byte)0x22, 16).ToArray()) }, AppSKey = new KeyEnvelope { Key = ByteString.CopyFrom(Enumerable.Repeat((byte)0x33, 16).ToArray()) } },
        };
        var imported = await new CliRun(["import", .. Words()[1..], "--rx1-delay", "5", "--resets-f-cnt", "-"]) { Variables = Key(), Input = Lines([abp]), Clock = TimeProvider.System }.RunAsync();

        var same = await RunAsync([abp], "--rx1-delay", "5", "--resets-f-cnt");
        var other = await RunAsync([abp]);

        Assert.True(imported.ExitCode == 0, imported.Error);
        Assert.StartsWith("waits_for_uplink ", same.Output.Split('\n')[1], StringComparison.Ordinal);
        Assert.Contains("mac_settings.rx1_delay on Network Server: sent RX_DELAY_1, found RX_DELAY_5", other.Output, StringComparison.Ordinal);
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

    [Fact]
    public async Task The_report_does_not_replace_the_file_of_the_devices()
    {
        var result = await new CliRun(Words(["devices.json", "--report", "./devices.json"]))
        {
            Variables = Key(),
            Files = new Dictionary<string, byte[]> { ["devices.json"] = Lines([Device(1)]) },
        }.RunAsync();

        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Contains("--report names the file of the devices, ./devices.json, which would be lost", result.Error, StringComparison.Ordinal);
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

    /// <summary>A stream that gives its text when it is closed.</summary>
    private sealed class KeptText(Action<string> keep) : MemoryStream
    {
        protected override void Dispose(bool disposing)
        {
            if (CanRead)
                keep(Encoding.UTF8.GetString(ToArray()));
            base.Dispose(disposing);
        }
    }

    /// <summary>A clock of which one pause of ten seconds or more is over at once, when that was asked for; other timers run as usual.</summary>
    private sealed class WatchClock : TimeProvider
    {
        private long skipped;
        private int ends;

        public void EndNextPause() => Interlocked.Exchange(ref ends, 1);

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref skipped));

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime < TimeSpan.FromSeconds(10) || Interlocked.Exchange(ref ends, 0) == 0)
                return System.CreateTimer(callback, state, dueTime, period);
            Interlocked.Add(ref skipped, dueTime.Ticks);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
