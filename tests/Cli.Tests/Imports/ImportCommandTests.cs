using System.Text;
using System.Text.Json;
using Migration.Journal;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Testing;

namespace Cli.Tests.Imports;

/// <summary><c>import</c> from outside, against the emulated cluster.</summary>
public sealed class ImportCommandTests : IAsyncLifetime, IDisposable
{
    private const string App = "my-app";
    private const string AppKey = "A1A2A3A4A5A6A7A8A9AAABACADAEAFA0";

    private readonly TemporaryFolder folder = new();
    private readonly Dictionary<string, byte[]> files = [];
    private TtsCluster cluster = null!;
    private string key = "";

    public async Task InitializeAsync()
    {
        cluster = await TtsCluster.StartAsync();
        key = cluster.AddApplication(App);
    }

    public async Task DisposeAsync() => await cluster.DisposeAsync();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("devices.json", false)]
    [InlineData("-", true)]
    [InlineData(null, true)]
    public async Task Devices_come_from_a_file_or_from_standard_input(string? argument, bool input)
    {
        files["devices.json"] = input ? [] : Lines(Otaa(1), Otaa(2));
        var result = await Run([.. argument is null ? [] : new[] { argument }, .. Target()], input: input ? Lines(Otaa(1), Otaa(2)) : []).RunAsync();

        Assert.Equal((0, ""), (result.ExitCode, result.Output));
        Assert.Equal(["dev-1", "dev-2"], cluster.DeviceIds(App));
        Assert.Contains("  imported          2  of 2\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("  skipped           0\n", result.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Next:\n  ttn-lw-migrate verify{(argument is null ? "" : " " + argument)} --application-id {App} --default-grpc-address {cluster.Address} --insecure{(input ? " < devices.json" : "")}\n", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(AppKey, result.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_dry_run_changes_nothing_and_its_next_command_is_the_import()
    {
        files["devices.json"] = Lines(Otaa(1));

        var result = await Run(["devices.json", .. Target(), "--dry-run"]).RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Empty(cluster.DeviceIds(App));
        Assert.Contains("Summary of the dry run: nothing was changed\n", result.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Next:\n  ttn-lw-migrate import devices.json --application-id {App} --default-grpc-address {cluster.Address} --insecure\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_fails_is_a_line_of_the_rejects_file_which_can_be_fed_back()
    {
        files["devices.json"] = Lines(Otaa(1), Otaa(2).Replace("MAC_V1_0_3", "MAC_V7", StringComparison.Ordinal), Otaa(3), Otaa(4));
        cluster.Faults.Add("NsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Internal, "broken"), item: "dev-3");

        var first = await Run(["devices.json", .. Target(), "--rejects", "rejects.json", "--output", "json"]).RunAsync();

        Assert.Equal(3, first.ExitCode);
        Assert.Equal(["dev-1 imported", "dev-2 failed", "dev-3 failed", "dev-4 imported"], first.Output.TrimEnd().Split('\n').Select(line => $"{Member(line, "device_id")} {Member(line, "result")}"));
        var rejects = Encoding.UTF8.GetString(files["rejects.json"]).TrimEnd().Split('\n');
        Assert.Equal(["dev-2 2 format", "dev-3 3 call_failed"], rejects.Select(line => $"{Member(line, "device_id")} {Member(line, "line")} {Member(line, "code")}"));
        Assert.All(rejects, line => Assert.NotEmpty(Member(line, "what_to_do")));
        Assert.DoesNotContain(AppKey, string.Concat(rejects) + first.Error + first.Output, StringComparison.OrdinalIgnoreCase);

        cluster.Faults.Clear();
        files["devices.json"] = Lines(Otaa(1), Otaa(2), Otaa(3), Otaa(4));
        var second = await Run(["devices.json", .. Target(), "--ids-from", "rejects.json", "--rejects", "rejects-2.json"]).RunAsync();

        Assert.Equal(0, second.ExitCode);
        Assert.Contains("  imported          2  of 2\n", second.Error, StringComparison.Ordinal);
        Assert.Empty(files["rejects-2.json"]);
        Assert.Equal(["dev-1", "dev-2", "dev-3", "dev-4"], cluster.DeviceIds(App));
    }

    [Fact]
    public async Task An_ID_that_was_asked_for_and_is_not_in_the_file_is_named()
    {
        files["devices.json"] = Lines(Otaa(1));
        files["ids.txt"] = "dev-1\r\ndev-77\r\n"u8.ToArray();

        var result = await Run(["devices.json", .. Target(), "--ids-from", "ids.txt"]).RunAsync();

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("Asked for with --ids-from, but not in the file: 1\n  dev-77\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(["dev-1"], cluster.DeviceIds(App));
    }

    [Theory]
    [InlineData("--default-grpc-address localhost:1 --insecure", "no application: give --application-id")]
    [InlineData("--application-id my-app --insecure", "no address of the target: give --default-grpc-address")]
    [InlineData("--application-id my-app --default-grpc-address localhost:x", "--default-grpc-address")]
    [InlineData("--application-id my-app --default-grpc-address localhost:1 --insecure --on-conflict ask", "--on-conflict is \"ask\"")]
    [InlineData("--application-id my-app --default-grpc-address localhost:1 --insecure --concurrency 0", "--concurrency is \"0\"")]
    [InlineData("--application-id my-app --default-grpc-address localhost:1 --insecure --rx1-delay 16", "--rx1-delay is \"16\"")]
    [InlineData("--application-id my-app --default-grpc-address localhost:1 --insecure --rejects a --ids-from ./a", "name the same file")]
    [InlineData("--application-id my-app --default-grpc-address localhost:1 --insecure --rejects ./devices.json", "--rejects names the file of the devices, ./devices.json, which would be lost")]
    [InlineData("more.json --application-id my-app --default-grpc-address localhost:1 --insecure", "one file at a time, not 2")]
    [InlineData("--application-id my-app --default-grpc-address localhost:1 --colour", "unknown flag: --colour")]
    public async Task A_wrong_command_line_is_told_before_anything_is_called(string words, string message)
    {
        files["devices.json"] = Lines(Otaa(1));
        files["more.json"] = files["./a"] = [];

        var result = await Run(["devices.json", .. words.Split(' ')]).RunAsync();

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Empty(cluster.Requests.All);
    }

    [Theory]
    [InlineData("{\"ids\":{\"device_id\":\"dev-2\"", "line 2")]
    [InlineData("not JSON", "line 2")]
    public async Task A_file_that_cannot_be_read_further_stops_the_run_with_the_place(string rest, string place)
    {
        files["devices.json"] = Encoding.UTF8.GetBytes(Otaa(1) + "\n" + rest);

        var result = await Run(["devices.json", .. Target()]).RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Contains(place, result.Error, StringComparison.Ordinal);
        Assert.Contains("  imported          1  of 1\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(["dev-1"], cluster.DeviceIds(App));
    }

    [Fact]
    public async Task A_file_without_a_device_is_told()
    {
        files["devices.json"] = "\n"u8.ToArray();

        var result = await Run(["devices.json", .. Target()]).RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.EndsWith("There was no device to import: is it the right file, and did the export write it?\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_told()
    {
        var result = await Run(["nowhere.json", .. Target()]).RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("open nowhere.json: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_not_accepted_has_an_exit_code_of_its_own()
    {
        files["devices.json"] = Lines(Otaa(1));
        cluster.RemoveApiKey(key);

        var result = await Run(["devices.json", .. Target()]).RunAsync();

        Assert.Equal(4, result.ExitCode);
        Assert.Contains("API key", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(key.Split('.')[2], result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, true, 0)]
    [InlineData(true, false, 2)]
    [InlineData(false, true, 2)]
    public async Task On_a_terminal_the_key_is_asked_for_and_not_shown(bool input, bool error, int exitCode)
    {
        files["devices.json"] = Lines(Otaa(1));
        var asked = false;
        var run = new CliRun(["import", "devices.json", .. Target()])
        {
            Files = files,
            InputIsTerminal = input,
            ErrorIsTerminal = error,
            HiddenLine = () =>
            {
                asked = true;
                return key;
            },
            Clock = TimeProvider.System,
        };

        var result = await run.RunAsync();

        Assert.Equal(exitCode, result.ExitCode);
        Assert.Equal(exitCode == 0, asked);
        Assert.Equal(exitCode == 0, result.Error.Contains("API key of the target application", StringComparison.Ordinal));
        Assert.DoesNotContain(key, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_next_command_has_what_it_takes_to_reach_the_target_and_no_secret()
    {
        files["my devices.json"] = Lines(Abp(1));
        files["key.txt"] = Encoding.UTF8.GetBytes(key + "\n");
        var authority = Path.Combine(folder.Path, "ca.pem");
        await File.WriteAllTextAsync(authority, cluster.CaCertificatePem);

        var result = await Run(
            [
                "my devices.json", "--application-id", App, "--default-grpc-address", "localhost:1", "--identity-server-grpc-address", cluster.TlsAddress, "--network-server-grpc-address", cluster.TlsAddress,
                "--application-server-grpc-address", cluster.TlsAddress, "--join-server-grpc-address", cluster.TlsAddress, "--ca-file", authority, "--app-api-key-file", "key.txt", "--rx1-delay", "5",
            ]).RunAsync();

        Assert.True(result.ExitCode == 0, result.Error);
        var next = result.Error[(result.Error.IndexOf("Next:\n", StringComparison.Ordinal) + "Next:\n".Length)..].Trim();
        Assert.StartsWith("ttn-lw-migrate verify 'my devices.json' ", next, StringComparison.Ordinal);
        foreach (var words in (string[])["--application-id " + App, "--network-server-grpc-address " + cluster.TlsAddress, "--join-server-grpc-address " + cluster.TlsAddress, "--ca-file " + authority, "--app-api-key-file key.txt", "--rx1-delay=5"])
            Assert.Contains(words, next, StringComparison.Ordinal);

        // As it stands, it runs.
        var verify = await new CliRun([.. next.Split(' ').Skip(1).SelectMany(Words)]) { Files = files, Clock = TimeProvider.System }.RunAsync();
        Assert.True(verify.ExitCode == 3, verify.Error);
        Assert.Contains("of 1\n", verify.Error, StringComparison.Ordinal);

        static IEnumerable<string> Words(string word) => word switch { "'my" => ["my devices.json"], "devices.json'" => [], _ => [word] };
    }

    [Fact]
    public async Task Ctrl_C_finishes_the_devices_that_are_begun_and_the_same_command_does_the_rest()
    {
        files["devices.json"] = Lines([.. Enumerable.Range(1, 200).Select(number => Otaa(number))]);
        var run = Run(["devices.json", .. Target()]);
        cluster.Faults.Add("NsEndDeviceRegistry/Set", new Fault.Run(_ =>
        {
            run.Interrupt();
            return Task.CompletedTask;
        }), item: "dev-1", to: 1);

        var result = await run.RunAsync();

        Assert.Equal(130, result.ExitCode);
        Assert.Contains("Summary (interrupted)\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("run the same command again; what is done is not touched:\n  ttn-lw-migrate import devices.json ", result.Error, StringComparison.Ordinal);
        Assert.InRange(cluster.DeviceIds(App).Count, 1, 199);
        Assert.All(cluster.DeviceIds(App), id => Assert.Equal(TtsServers.All, cluster.Device(App, id).Servers));

        var rest = await Run(["devices.json", .. Target()]).RunAsync();
        Assert.Equal(0, rest.ExitCode);
        Assert.Equal(200, cluster.DeviceIds(App).Count);
    }

    [Fact]
    public async Task The_journal_of_the_export_is_found_and_named()
    {
        files["devices.json"] = Lines(Otaa(1));
        var state = Directory.CreateDirectory(Path.Combine(folder.Path, "ttn-lw-migrate")).FullName;
        var file = Path.Combine(state, "ttnv2_discovery.example.com-1900_source-app.journal");
        await using (var journal = DeviceJournal.Open(new JournalOptions(file, new JournalScope("ttnv2", "discovery.example.com:1900"), "1.2.3", TimeProvider.System)))
            await journal.RecordAsync(JournalChange.Written(new JournalDeviceId("ttnv2", "source-app", "dev-1"), "record"u8.ToArray(), Encoding.UTF8.GetBytes(Otaa(1))));

        var dryRun = await Run(["devices.json", .. Target(), "--dry-run"]).RunAsync();
        var first = await Run(["devices.json", .. Target()]).RunAsync();
        var second = await Run(["devices.json", .. Target()]).RunAsync();

        Assert.DoesNotContain("journal", dryRun.Error, StringComparison.Ordinal);
        Assert.Contains($"Recorded in the journal:\n  {file}\n", first.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("No journal knows", first.Error, StringComparison.Ordinal);
        Assert.Contains("imported_before: ", second.Error, StringComparison.Ordinal);
        using var reader = JournalReader.Open(file);
        Assert.Equal($"{App} at {cluster.Address}", reader.History(new JournalDeviceId("ttnv2", "source-app", "dev-1"))[^1].Detail);
    }

    [Fact]
    public async Task A_device_that_its_journal_knows_to_be_alive_at_its_source_is_told_with_the_command_that_retires_it()
    {
        files["devices.json"] = Lines(Otaa(1));
        var file = await JournalOfAsync(1);

        var result = await Run(["devices.json", .. Target(), "--journal", file]).RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Contains($"On both by the journal: 1; they are on The Things Stack and still alive at the source: retire them (`ttn-lw-migrate ttnv2 retire --journal {file}`)", result.Error, StringComparison.Ordinal);
        Assert.EndsWith($"Next:\n  ttn-lw-migrate verify --journal {file} --default-grpc-address {cluster.Address} --insecure\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_line_that_the_journal_does_not_know_needs_a_person_since_a_dry_run_retires_nothing()
    {
        files["devices.json"] = Lines(Otaa(1), Otaa(2));
        var file = await JournalOfAsync(1);

        var result = await Run(["devices.json", .. Target(), "--journal", file]).RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Matches("Needs a person:\n      1  not_in_journal: .*\n         dev-2\n", result.Error);
        Assert.Contains("Next:\n  ttn-lw-migrate verify devices.json ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_any_journal_that_knows_the_devices_the_import_says_so()
    {
        files["devices.json"] = Lines(Otaa(1));

        var dryRun = await Run(["devices.json", .. Target(), "--dry-run"]).RunAsync();
        var result = await Run(["devices.json", .. Target()]).RunAsync();

        const string Told = "No journal knows these devices: if their lines are of a dry run, they are still alive where they come from.\n";
        Assert.DoesNotContain(Told, dryRun.Error, StringComparison.Ordinal);
        Assert.Contains(Told, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_fails_is_told_once()
    {
        files["devices.json"] = Lines(Otaa(1).Replace("MAC_V1_0_3", "MAC_V7", StringComparison.Ordinal));

        var result = await Run(["devices.json", .. Target(), "--rejects", "rejects.json"]).RunAsync();

        Assert.Single(result.Error.Split('\n'), line => line.EndsWith("(import device `dev-1`)", StringComparison.Ordinal));
        Assert.DoesNotContain("\\u", Encoding.UTF8.GetString(files["rejects.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Frequency_plans_that_cannot_be_read_stop_the_run_before_the_first_device()
    {
        files["devices.json"] = Lines(Otaa(1), Otaa(2));

        var result = await Run(["devices.json", .. Target(), "--frequency-plans-dir", folder.File("no-plans")]).RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("Error: error:pkg/frequencyplans:read_list (read the list of frequency plans)\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("no-plans", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("dev-1", result.Error, StringComparison.Ordinal);
        Assert.Empty(cluster.DeviceIds(App));
    }

    [Fact]
    public async Task The_devices_that_were_replaced_are_in_a_file_that_is_named()
    {
        files["devices.json"] = Lines(Otaa(1));
        await Run(["devices.json", .. Target()]).RunAsync();
        files["devices.json"] = Lines(Otaa(1).Replace(AppKey, "C1C2C3C4C5C6C7C8C9CACBCCCDCECFC0", StringComparison.Ordinal));

        var result = await Run(["devices.json", .. Target(), "--on-conflict", "replace"]).RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Contains("  updated           1\n", result.Error, StringComparison.Ordinal);
        var kept = Path.Combine(folder.Path, "ttn-lw-migrate", $"replaced_{App}.json");
        Assert.Contains($"delete the file when all is well:\n  {kept}\n", result.Error, StringComparison.Ordinal);
        Assert.Contains(AppKey, await File.ReadAllTextAsync(kept), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(AppKey, result.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_file_that_breaks_off_is_named_with_the_line()
    {
        files["devices.json"] = Encoding.UTF8.GetBytes(Otaa(1) + "\n" + Otaa(2)[..100]);

        var result = await Run(["devices.json", .. Target()]).RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("Error: devices.json cannot be read further: line 2: ", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("abc\r", "abc")]
    [InlineData("abx\bc\n", "abc")]
    [InlineData("\b\bab\u001bc\r", "abc")]
    [InlineData("\u0004", null)]
    public void A_hidden_line_ends_at_Enter_and_takes_back_characters(string typed, string? expected)
    {
        var keys = new Queue<char>(typed);
        Assert.Equal(expected, Cli.Input.HiddenLine.Read(() => keys.Dequeue() is var c && c == '\b' ? new ConsoleKeyInfo(c, ConsoleKey.Backspace, false, false, false) : new ConsoleKeyInfo(c, default, false, false, false)));
        Assert.Empty(keys);
    }

    /// <summary>A journal of an export that has written a device and left it alive at its source.</summary>
    private async Task<string> JournalOfAsync(int number)
    {
        var file = folder.File("night.journal");
        await using var journal = DeviceJournal.Open(new JournalOptions(file, new JournalScope("ttnv2", "discovery.example.com:1900"), "1.2.3", TimeProvider.System));
        await journal.RecordAsync(JournalChange.Written(new JournalDeviceId("ttnv2", "source-app", $"dev-{number}"), "record"u8.ToArray(), Encoding.UTF8.GetBytes(Otaa(number))));
        return file;
    }

    private string[] Target() => ["--application-id", App, "--default-grpc-address", cluster.Address, "--insecure"];

    private CliRun Run(IEnumerable<string> words, byte[]? input = null) => new(["import", .. words])
    {
        Variables = new Dictionary<string, string> { ["TTS_APP_API_KEY"] = key },
        Files = files,
        Input = input ?? [],
        CreateFile = name => new Kept(name, files),
        StateFolder = folder.Path,
        Clock = TimeProvider.System,
    };

    private static byte[] Lines(params IEnumerable<string> devices) => Encoding.UTF8.GetBytes(string.Concat(devices.Select(line => line + "\n")));

    private static string Member(string line, string name)
    {
        using var json = JsonDocument.Parse(line);
        return json.RootElement.TryGetProperty(name, out var value) ? value.ToString() : "";
    }

    private static string Otaa(int number) =>
        $$$$"""{"ids":{"device_id":"dev-{{{{number}}}}","application_ids":{"application_id":"source-app"},"dev_eui":"70B3D57ED00000{{{{number:X2}}}}","join_eui":"70B3D57ED0000000"},"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"EU_863_870_TTN","supports_join":true,"root_keys":{"app_key":{"key":"{{{{AppKey}}}}"}}}""";

    private static string Abp(int number) =>
        $$$$"""{"ids":{"device_id":"dev-{{{{number}}}}","dev_eui":"70B3D57ED00000{{{{number:X2}}}}"},"lorawan_version":"MAC_V1_0_2","lorawan_phy_version":"PHY_V1_0_2_REV_B","frequency_plan_id":"EU_863_870_TTN","session":{"dev_addr":"26011F01","keys":{"f_nwk_s_int_key":{"key":"101112131415161718191A1B1C1D1E1F"},"app_s_key":{"key":"707172737475767778797A7B7C7D7E7F"}},"last_f_cnt_up":42}}""";

    /// <summary>A file that the program writes, kept when it is closed.</summary>
    private sealed class Kept(string name, Dictionary<string, byte[]> files) : MemoryStream
    {
        protected override void Dispose(bool disposing)
        {
            files[name] = ToArray();
            base.Dispose(disposing);
        }
    }
}
