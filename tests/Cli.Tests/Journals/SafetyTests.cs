using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Migration.Journal;
using Migration.Tests.Journal;
using Sandbox.TtnV2;
using Testing;
using Device = Sources.TtnV2.Api.Handler.Device;

namespace Cli.Tests.Journals;

/// <summary>No key is lost, whatever happens, and everything done to the source can be undone: commands against a V2 cluster on loopback.</summary>
public sealed class SafetyTests : IAsyncLifetime, IDisposable
{
    private const string App = "my-app";
    private const string Key = "ttn-account-v2.key-of-the-safety-tests";

    private readonly TemporaryFolder folder = new();
    private TtnV2Cluster cluster = null!;
    private IReadOnlyList<Device> before = [];

    public async Task InitializeAsync()
    {
        cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication(App, Key);
        foreach (var id in (string[])["otaa-1", "otaa-2"])
            cluster.Add(SampleDevices.Otaa(App, id));
        cluster.Add(SampleDevices.Joined(App, "joined-1"));
        cluster.Add(SampleDevices.Joined(App, "joined-2"));
        cluster.Add(SampleDevices.Abp(App, "abp-1"));
        before = cluster.Devices(App);
    }

    public Task DisposeAsync() => cluster.DisposeAsync().AsTask();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task The_same_command_again_writes_the_complete_file_although_the_keys_are_gone(string withSession)
    {
        var first = await ExportAsync("--with-session=" + withSession);
        Assert.All(cluster.Devices(App).Where(d => d.DevId.StartsWith("otaa", StringComparison.Ordinal)), d => Assert.True(IsCleared(d.LorawanDevice.AppKey)));
        var sets = Calls("SetDevice");
        var second = await ExportAsync("--with-session=" + withSession);
        Assert.Equal((0, 0), (first.ExitCode, second.ExitCode));
        // An ABP device that was left running is read again: its line has its counters of now.
        Assert.Equal(Lines(first).Where(l => withSession == "true" || !l.Contains("abp-1", StringComparison.Ordinal)), Lines(second).Where(l => withSession == "true" || !l.Contains("abp-1", StringComparison.Ordinal)));
        Assert.Equal(Ids(first), Ids(second));
        Assert.Equal(sets, Calls("SetDevice"));
        Assert.Contains("taken from its journal", second.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cleared_device_met_without_its_journal_is_never_exported_with_zero_keys()
    {
        await ExportAsync();
        using var other = new TemporaryFolder();
        var result = await Run("ttnv2", "device", "otaa-1", "abp-1").In(other.Path).RunAsync();
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("its key is already cleared here: restore it with `rollback`, or point --journal at the journal of the earlier run", result.Error, StringComparison.Ordinal);
        var pointed = await Run("ttnv2", "device", "otaa-1", "abp-1", "--journal", Journal).In(other.Path).RunAsync();
        Assert.Equal((0, 2), (pointed.ExitCode, Lines(pointed).Length));
    }

    [Fact]
    public async Task Devices_that_were_deleted_stay_in_the_file()
    {
        var first = await ExportAsync("--with-session=false");
        Assert.Equal(0, (await Run("ttnv2", "retire", "--yes").RunAsync()).ExitCode);
        Assert.Null(cluster.Device(App, "abp-1"));
        var second = await ExportAsync("--with-session=false");
        Assert.Equal(Ids(first).Order(StringComparer.Ordinal), Ids(second).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_dry_run_leaves_no_journal()
    {
        Assert.Equal(0, (await ExportAsync("--dry-run")).ExitCode);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task Without_a_journal_that_can_be_written_nothing_is_changed()
    {
        await File.WriteAllTextAsync(folder.File("file"), "");
        var result = await ExportAsync("--journal", folder.File("file/x.journal"));
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains("choose another place with --journal FILE, or add --dry-run", result.Error, StringComparison.Ordinal);
        AssertSource(before);
    }

    [Fact]
    public async Task Two_runs_at_once_exclude_each_other()
    {
        await ExportAsync("--dry-run");
        await using (DeviceJournal.Open(new JournalOptions(Journal, new JournalScope("ttnv2", cluster.DiscoveryAddress), "1", TimeProvider.System)))
        {
            var result = await ExportAsync();
            Assert.Equal((1, ""), (result.ExitCode, result.Output));
            Assert.Contains("is in use by another run (process ", result.Error, StringComparison.Ordinal);
            AssertSource(before);
        }
        Assert.Equal(0, (await ExportAsync()).ExitCode);
    }

    [Fact]
    public async Task Whatever_line_stdout_is_closed_at_no_unwritten_device_is_touched_and_the_next_run_is_complete()
    {
        for (var lines = 0; lines < before.Count; lines++)
        {
            using var place = new TemporaryFolder();
            await using var closing = new ClosingStream(lines);
            var result = await Run("ttnv2", "application", App).In(place.Path).To(closing).RunAsync();
            Assert.Equal(1, result.ExitCode);
            var written = Encoding.UTF8.GetString(closing.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(lines, written.Length);
            Assert.All(before, d => Assert.Equal(written.Any(l => l.Contains($"\"{d.DevId}\"", StringComparison.Ordinal)), !Normal(d).Equals(Normal(cluster.Device(App, d.DevId)!))));
            var again = await Run("ttnv2", "application", App).In(place.Path).RunAsync();
            Assert.Equal(0, again.ExitCode);
            AssertComplete(again);
            Assert.Equal(0, (await Run("rollback").In(place.Path).RunAsync()).ExitCode);
            AssertSource(before);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whatever_write_of_the_journal_fails_no_key_is_lost_and_the_next_run_is_complete(bool powerCut)
    {
        var seed = new Random(5);
        for (var at = 1; ; at += 2)
        {
            using var disk = new FaultyDisk();
            if (powerCut)
                disk.PowerOffAtWrite = at;
            else
                disk.FullAtWrite = at;
            var result = await Run("ttnv2", "application", App, "--journal", disk.Journal).RunAsync();
            if (powerCut)
                disk.LosePower(seed);
            disk.FullAtWrite = 0;
            var again = await Run("ttnv2", "application", App, "--journal", disk.Journal).RunAsync();
            Assert.True(again.ExitCode == 0, again.Error);
            AssertComplete(again);
            var rollback = await Run("rollback", "--journal", disk.Journal).RunAsync();
            Assert.True(rollback.ExitCode == 0, rollback.Error);
            AssertSource(before);
            if (result.ExitCode == 0)
            {
                Assert.True(at > 5, "the fault never struck");
                return;
            }
        }
    }

    [Fact]
    public async Task A_clock_that_jumps_changes_nothing()
    {
        var clock = new JumpingClock();
        var result = await Run("ttnv2", "application", App).With(clock).With("TTNV2_REQUESTS_PER_SECOND", "50").RunAsync();
        Assert.True(result.ExitCode == 0, result.Error);
        AssertComplete(result);
        Assert.Equal(0, (await Run("rollback").With(clock).RunAsync()).ExitCode);
        AssertSource(before);
    }

    [Fact]
    public async Task Retiring_takes_the_ways_of_the_guide_and_asks_before_it_deletes()
    {
        await ExportAsync("--with-session=false");
        var unasked = await Run("ttnv2", "retire").RunAsync();
        Assert.Equal(2, unasked.ExitCode);
        Assert.Contains("      1  deleted: they are removed", unasked.Error, StringComparison.Ordinal);
        Assert.Contains("add --yes to delete", unasked.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await Run("ttnv2", "retire").Typing("no").RunAsync()).ExitCode);
        Assert.NotNull(cluster.Device(App, "abp-1"));
        Assert.Equal(0, (await Run("ttnv2", "retire", "--dry-run").RunAsync()).ExitCode);
        Assert.NotNull(cluster.Device(App, "abp-1"));
        Assert.Equal(0, (await Run("ttnv2", "retire").Typing("delete").RunAsync()).ExitCode);
        Assert.Null(cluster.Device(App, "abp-1"));
        var session = cluster.Device(App, "joined-1")!.LorawanDevice.NwkSKey;
        Assert.Equal(0, (await Run("ttnv2", "retire", "joined-1", "--way", "rotate").RunAsync()).ExitCode);
        var rotated = cluster.Device(App, "joined-1")!.LorawanDevice;
        Assert.Equal("5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A", Convert.ToHexString(rotated.AppKey.Span));
        Assert.Equal(session, rotated.NwkSKey);
        Assert.Equal(3, (await Run("ttnv2", "retire", "nobody").RunAsync()).ExitCode);
        Assert.Equal(0, (await Run("rollback").RunAsync()).ExitCode);
        AssertSource(before);
    }

    [Fact]
    public async Task Rollback_says_what_it_would_do_does_it_once_and_never_lowers_a_counter()
    {
        await ExportAsync("--with-session=false");
        var uplinked = cluster.Device(App, "joined-1")!;
        uplinked.LorawanDevice.FCntUp = 5000;
        cluster.Add(uplinked);
        var sets = Calls("SetDevice");
        var dry = await Run("rollback", "--dry-run", "--output", "json").RunAsync();
        Assert.Equal((0, sets), (dry.ExitCode, Calls("SetDevice")));
        Assert.Equal(4, Json(dry).Count(j => j.TryGetProperty("result", out var r) && r.GetString() == "to restore"));
        Assert.Equal(0, (await Run("rollback").RunAsync()).ExitCode);
        Assert.Equal(5000u, cluster.Device(App, "joined-1")!.LorawanDevice.FCntUp);
        sets = Calls("SetDevice");
        Assert.Equal(0, (await Run("rollback").RunAsync()).ExitCode);
        Assert.Equal(sets, Calls("SetDevice"));
    }

    [Fact]
    public async Task Rollback_leaves_alone_what_somebody_changed_since()
    {
        await ExportAsync("--with-session=false");
        var changed = cluster.Device(App, "otaa-1")!;
        changed.LorawanDevice.AppKey = ByteString.CopyFrom(Convert.FromHexString("0102030405060708090A0B0C0D0E0F10"));
        cluster.Add(changed);
        var result = await Run("rollback").RunAsync();
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("changed_since_retired", result.Error, StringComparison.Ordinal);
        Assert.Equal(changed.LorawanDevice.AppKey, cluster.Device(App, "otaa-1")!.LorawanDevice.AppKey);
        Assert.False(IsCleared(cluster.Device(App, "otaa-2")!.LorawanDevice.AppKey));
    }

    [Fact]
    public async Task Status_journal_and_exit_codes_tell_what_is_left()
    {
        var export = await ExportAsync("--with-session=false");
        var status = await Run("status").RunAsync();
        Assert.Contains("  written                  1\n  retired                  4\n  in all                   5\n", status.Output, StringComparison.Ordinal);
        var json = Json(await Run("status", "--output", "json").RunAsync()).Single();
        Assert.Equal((4, 1), (json.GetProperty("devices").GetProperty("retired").GetInt32(), json.GetProperty("unfinished").GetInt32()));
        Assert.Equal(5, Json(await Run("journal", "list", "--output=json").RunAsync()).Count);
        Assert.Contains("4 retired", (await Run("journal", "list", "--all").RunAsync()).Output, StringComparison.Ordinal);

        var hidden = await Run("journal", "show", "joined-1").RunAsync();
        Assert.Contains("\"app_key\":{\"key\":\"***\"}", hidden.Output, StringComparison.Ordinal);
        Assert.Matches("retire intended +attempt 1", hidden.Output);
        var shown = await Run("journal", "show", "joined-1", "--reveal").RevealingAsync();
        Assert.Contains(Convert.ToHexString(before.Single(d => d.DevId == "joined-1").LorawanDevice.AppKey.Span), shown.Output, StringComparison.Ordinal);
        Assert.Equal(export.Output, (await Run("journal", "export").RevealingAsync()).Output);

        Assert.Equal(2, (await Run("journal", "destroy").RunAsync()).ExitCode);
        var refused = await Run("journal", "destroy", "--yes").RunAsync();
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("has 1 unfinished device", refused.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await Run("ttnv2", "retire", "--yes").RunAsync()).ExitCode);
        Assert.Equal(0, (await Run("journal", "destroy", "--yes").RunAsync()).ExitCode);
        Assert.Equal(1, (await Run("status").RunAsync()).ExitCode);
        Assert.Equal(2, (await Run("status", "--bogus").RunAsync()).ExitCode);
    }

    [Fact]
    public async Task A_key_that_is_not_accepted_is_exit_code_4()
    {
        await ExportAsync();
        var result = await Run("rollback", "--ttnv2.app-access-key=ttn-account-v2.wrong").RunAsync();
        Assert.Equal(4, result.ExitCode);
        // What stops the run is in full for the first device only, and at the end.
        Assert.Single(result.Error.Split('\n'), line => line.StartsWith("Error: ", StringComparison.Ordinal) && line.Contains("/journal:device (", StringComparison.Ordinal));
        Assert.Matches("Why devices failed:\n +[0-9]+  .*\n", result.Error);
        Assert.EndsWith(
            "Next:\n  solve what is said above, then run the same command again; it looks at the source first and does what is left:\n  ttn-lw-migrate rollback --ttnv2.app-access-key='***' --verbose\n",
            result.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Standard_output_into_the_journal_is_refused_before_anything_is_changed()
    {
        var journal = folder.File("devices.json");
        await File.WriteAllBytesAsync(journal, []);
        var result = await new CliRun("ttnv2", "application", App, "--journal", journal)
        {
            Variables = Run().Variables,
            StateFolder = folder.Path,
            OutputIs = path => path == journal,
        }.RunAsync();
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.StartsWith($"Error: standard output and the journal are the same file, {journal}: each would overwrite the other\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, Calls("SetDevice"));
    }

    [Fact]
    public async Task A_file_is_known_again_by_an_open_one()
    {
        var (file, other) = (folder.File("one"), folder.File("two"));
        await File.WriteAllTextAsync(other, "123");
        await using var open = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        Assert.True(Output.StandardStreams.IsSameFile(open.SafeFileHandle, file));
        open.Write("123"u8);
        open.Flush();
        File.SetLastWriteTimeUtc(other, new DateTime(2026, 11, 29, 2, 0, 0, DateTimeKind.Utc));
        Assert.True(Output.StandardStreams.IsSameFile(open.SafeFileHandle, file));
        Assert.False(Output.StandardStreams.IsSameFile(open.SafeFileHandle, other));
        Assert.False(Output.StandardStreams.IsSameFile(open.SafeFileHandle, folder.File("nothing")));
    }

    [Theory]
    [InlineData("--rejects", "ttnv2", "application", App)]
    [InlineData("--rejects", "import", "devices.json", "--application-id=x", "--default-grpc-address=localhost:1", "--insecure", "--app-api-key=NNSXS.A.B")]
    [InlineData("--report", "verify", "devices.json", "--application-id=x", "--default-grpc-address=localhost:1", "--insecure", "--app-api-key=NNSXS.A.B")]
    public async Task A_journal_is_not_emptied_by_a_flag_that_names_it(string flag, params string[] words)
    {
        await ExportAsync("--with-session=false");
        var result = await Run([.. words, flag, Journal]).Reading("devices.json", []).RunAsync();
        Assert.Contains($"Error: {flag} names a journal, {Journal}, which would be lost\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("  in all                   5\n", (await Run("status").RunAsync()).Output, StringComparison.Ordinal);
        var named = folder.File("new.journal");
        var both = await Run([.. words, flag, named, "--journal", named]).Reading("devices.json", []).RunAsync();
        Assert.DoesNotContain(" retired ", both.Error, StringComparison.Ordinal);
        Assert.NotEqual(0, both.ExitCode);
    }

    [Theory]
    [InlineData("ttnv2", "retire", "--yes")]
    [InlineData("rollback")]
    public async Task An_empty_list_of_IDs_or_an_empty_ID_never_means_all_devices(params string[] words)
    {
        await ExportAsync("--with-session=false");
        var calls = cluster.Requests.All.Count;
        foreach (var content in (string[])["", "\n\r\n"])
        {
            var listed = await Run([.. words, "--ids-from", "rejects.json"]).Reading("rejects.json", Encoding.UTF8.GetBytes(content)).RunAsync();
            Assert.Equal(0, listed.ExitCode);
            Assert.EndsWith("note: no IDs in rejects.json, nothing to do\n", listed.Error, StringComparison.Ordinal);
        }
        var unset = await Run([.. words, ""]).RunAsync();
        Assert.Equal(2, unset.ExitCode);
        Assert.Contains("a device ID is empty: was a variable not set?", unset.Error, StringComparison.Ordinal);
        Assert.Equal(calls, cluster.Requests.All.Count);
        Assert.Contains("  written                  1\n  retired                  4\n", (await Run("status").RunAsync()).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_the_journal_does_not_know_is_named_with_where_to_look()
    {
        await ExportAsync();
        foreach (var words in (string[][])[["journal", "show", "nobody"], ["rollback", "nobody"]])
        {
            var result = await Run(words).RunAsync();
            Assert.Contains("/journal:unknown_device (device `nobody` is not in journal `", result.Error, StringComparison.Ordinal);
            Assert.Contains("hint: check the ID (`journal list` shows them), or name the journal of the run that exported it with --journal FILE\n", result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Of_several_journals_one_can_be_named_as_the_message_has_it()
    {
        await ExportAsync();
        File.Copy(Journal, Path.Combine(Path.GetDirectoryName(Journal)!, "other.journal"));
        var several = await new CliRun("status") { StateFolder = folder.Path }.RunAsync();
        var named = several.Error[(several.Error.IndexOf("--journal FILE: ", StringComparison.Ordinal) + "--journal FILE: ".Length)..].TrimEnd().Split(", ");
        Assert.Equal(2, named.Length);
        foreach (var file in named)
            Assert.Equal(0, (await Run("status", "--journal", file, "-o", "json").RunAsync()).ExitCode);
    }

    [Fact]
    public async Task What_is_to_be_typed_next_names_the_journal_that_was_named()
    {
        var journal = folder.File("night.journal");
        await ExportAsync("--with-session=false", "--journal", journal);
        var status = await Run("status", "--journal", journal).RunAsync();
        Assert.Contains($"(`ttn-lw-migrate ttnv2 retire --journal {journal}`)", status.Output, StringComparison.Ordinal);
        Assert.Contains($"`ttn-lw-migrate rollback --journal {journal}` puts them back", status.Output, StringComparison.Ordinal);
        var dry = await Run("rollback", "--dry-run", "--journal", journal).RunAsync();
        Assert.EndsWith($"Next:\n  ttn-lw-migrate rollback --journal {journal} --verbose\n", dry.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rejects_tell_the_reason_and_are_a_list_of_IDs_again()
    {
        cluster.Add(SampleDevices.Template(App, "template-1"));
        var rejects = folder.File("rejects.json");
        var result = await ExportAsync("--rejects", rejects);
        Assert.Equal(1, result.ExitCode);
        var content = await File.ReadAllBytesAsync(rejects);
        var line = JsonDocument.Parse(content).RootElement;
        Assert.Equal(("template-1", App, "register_on_join_template"), (line.GetProperty("device_id").GetString(), line.GetProperty("application_id").GetString(), line.GetProperty("code").GetString()));
        Assert.NotEqual("", line.GetProperty("what_to_do").GetString());
        var again = await Run("ttnv2", "device", "--ids-from", rejects).Reading(rejects, content).RunAsync();
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("of 1\n", again.Error, StringComparison.Ordinal);
        var list = await Run("ttnv2", "device", "--ids-from", "ids.txt").Reading("ids.txt", "otaa-1\r\notaa-2\n"u8.ToArray()).RunAsync();
        Assert.Equal(["otaa-1", "otaa-2"], Ids(list));
    }

    private string Journal => Path.Combine(folder.Path, "ttn-lw-migrate", JournalLocation.FileName(new JournalScope("ttnv2", cluster.DiscoveryAddress), App));

    private SafeRun Run(params string[] words) => new(words, folder.Path, cluster.Variables(App, Key), [Key, .. before.SelectMany(d => new[] { d.LorawanDevice.AppKey, d.LorawanDevice.NwkSKey, d.LorawanDevice.AppSKey }).Where(k => !IsCleared(k)).Select(k => Convert.ToHexString(k.Span))]);

    private Task<CliResult> ExportAsync(params string[] words) => Run(["ttnv2", "application", App, .. words]).RunAsync();

    private int Calls(string method) => cluster.Requests.All.Count(r => r.ShortMethod == method);

    private void AssertComplete(CliResult result)
    {
        Assert.Equal(before.Select(d => d.DevId), Ids(result));
        foreach (var (device, line) in before.Zip(Lines(result)))
        {
            foreach (var key in (ByteString[])[device.LorawanDevice.AppKey, device.LorawanDevice.NwkSKey, device.LorawanDevice.AppSKey])
                Assert.True(IsCleared(key) || line.Contains(Convert.ToHexString(key.Span), StringComparison.Ordinal), $"{device.DevId}: {line}");
        }
    }

    private void AssertSource(IReadOnlyList<Device> expected) =>
        Assert.Equal(expected.Select(Normal), cluster.Devices(App).Select(Normal));

    private static Device Normal(Device device)
    {
        var copy = device.Clone();
        copy.LorawanDevice.LastSeen = 0;
        return copy;
    }

    private static bool IsCleared(ByteString key) => !key.Span.ContainsAnyExcept((byte)0);

    private static string[] Lines(CliResult result) => result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string[] Ids(CliResult result) => [.. Lines(result).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("ids").GetProperty("device_id").GetString()!)];

    private static List<JsonElement> Json(CliResult result) => [.. Lines(result).Select(l => JsonDocument.Parse(l).RootElement)];

    /// <summary>One command; whatever it prints is searched for keys.</summary>
    private sealed record SafeRun(IReadOnlyList<string> Words, string StateFolder, IReadOnlyDictionary<string, string> Variables, IReadOnlyList<string> Secrets)
    {
        private Stream? output;
        private string? typed;
        private TimeProvider clock = TimeProvider.System;
        private Dictionary<string, byte[]> files = [];

        public SafeRun In(string stateFolder) => this with { StateFolder = stateFolder };

        public SafeRun To(Stream stream) => this with { output = stream };

        public SafeRun Typing(string word) => this with { typed = word };

        public SafeRun With(TimeProvider time) => this with { clock = time };

        public SafeRun With(string variable, string value) => this with { Variables = new Dictionary<string, string>(Variables) { [variable] = value } };

        public SafeRun Reading(string name, byte[] content) => this with { files = new() { [name] = content } };

        public async Task<CliResult> RunAsync()
        {
            var result = await RevealingAsync();
            // Lines of an export have to hold keys; nothing else may.
            if (Words is not ["ttnv2", "application" or "device", ..])
                Assert.All(Secrets, secret => Assert.DoesNotContain(secret, result.Output, StringComparison.OrdinalIgnoreCase));
            foreach (var file in Directory.EnumerateFiles(StateFolder, "*.json"))
                Assert.All(Secrets, secret => Assert.DoesNotContain(secret, File.ReadAllText(file), StringComparison.OrdinalIgnoreCase));
            return result;
        }

        public async Task<CliResult> RevealingAsync()
        {
            var result = await new CliRun([.. Words, "--verbose"])
            {
                Variables = Variables,
                StateFolder = StateFolder,
                Output = output,
                Input = Encoding.UTF8.GetBytes((typed ?? "") + "\n"),
                InputIsTerminal = typed is not null,
                Clock = clock,
                Files = files,
            }.RunAsync();
            Assert.All(Secrets, secret => Assert.DoesNotContain(secret, result.Error, StringComparison.OrdinalIgnoreCase));
            return result;
        }
    }

    private sealed class ClosingStream(int lines) : MemoryStream
    {
        private int written;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            ++written > lines ? throw new IOException("Broken pipe") : base.WriteAsync(buffer, cancellationToken);
    }

    /// <summary>The time of day is another one at each look, within the life of the certificates; timers run as they should.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        private readonly Random random = new(3);

        public override DateTimeOffset GetUtcNow()
        {
            lock (random)
                return System.GetUtcNow().AddSeconds(random.NextInt64(0, 20_000_000));
        }
    }
}
