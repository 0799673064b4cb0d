using System.Text;
using Migration.Import;
using Migration.Journal;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Testing;
using static Migration.Tests.Import.ImportRun;

namespace Migration.Tests.Import;

/// <summary>The journal of the export notes what was imported, where it knows the devices.</summary>
public sealed class ImportJournalTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly List<string> notes = [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_second_run_only_asks_whether_devices_that_the_journal_knows_as_imported_are_still_there()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var file = await WriteAsync("one", Otaa(1), Abp(2));
        await RunNamedAsync(cluster, key, file, Otaa(1), Abp(2));
        cluster.Requests.Clear();

        var run = await RunNamedAsync(cluster, key, file, Otaa(1), Abp(2));

        Assert.Equal((0, 0, 2, 0), run.Counts);
        Assert.All(run.Devices, device => Assert.Equal("imported_before", device.SkippedFor));
        Assert.All(
            cluster.Requests.All.Where(call => call.Item?.StartsWith("dev-", StringComparison.Ordinal) == true),
            call => Assert.EndsWith("/Get", call.Method, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_run_that_was_stopped_goes_on_with_the_rest()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var file = await WriteAsync("one", Otaa(1), Otaa(2), Otaa(3));
        cluster.Faults.Add("NsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Internal, "broken"), item: "dev-2");

        var first = await RunNamedAsync(cluster, key, file, Otaa(1), Otaa(2), Otaa(3));
        cluster.Faults.Clear();
        var second = await RunNamedAsync(cluster, key, file, Otaa(1), Otaa(2), Otaa(3));

        Assert.Equal((2, 0, 0, 1), first.Counts);
        Assert.Equal((1, 0, 2, 0), second.Counts);
        Assert.Equal(["dev-1 imported", "dev-2 imported", "dev-3 imported"], States(file));
    }

    [Fact]
    public async Task An_import_into_another_application_is_not_taken_for_done()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var file = await WriteAsync("one", Abp(1));
        await RunNamedAsync(cluster, key, file, Abp(1));
        var other = cluster.AddApplication("other-app");

        await using var journal = Named(file);
        var run = await cluster.ImportTextAsync(other, new ImportOptions { Application = "other-app" }, Abp(1), journal);

        // Without JoinEUI two applications can have it.
        Assert.Equal((1, 0, 0, 0), run.Counts);
    }

    [Fact]
    public async Task The_only_journal_that_knows_the_devices_is_found_and_written()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var (other, file) = (await WriteAsync("other", Otaa(7)), await WriteAsync("mine", Otaa(2), Otaa(3)));
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "broken.journal"), "no journal");

        await using (var journal = Among(other, Path.Combine(folder.Path, "broken.journal"), file))
        {
            // The first device is in none of them.
            await RunAsync(cluster, key, journal, Otaa(1), Otaa(2), Otaa(3));
            Assert.Equal(file, journal.Journal?.File);
        }

        Assert.Equal(["dev-2 imported", "dev-3 imported"], States(file));
        Assert.Equal(["dev-7 written"], States(other));
        Assert.Contains("broken.journal", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_several_journals_know_a_device_none_is_written_and_it_is_said()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var (one, two) = (await WriteAsync("one", Otaa(1)), await WriteAsync("two", Otaa(1)));

        await using var journal = Among(one, two);
        var run = await RunAsync(cluster, key, journal, Otaa(1));

        Assert.Equal((1, 0, 0, 0), run.Counts);
        Assert.Null(journal.Journal);
        Assert.Contains("--journal FILE", Assert.Single(notes), StringComparison.Ordinal);
        Assert.Equal(["dev-1 written"], States(one));
    }

    [Fact]
    public async Task A_journal_that_another_run_holds_does_not_stop_an_import_that_did_not_name_it()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var file = await WriteAsync("one", Otaa(1));
        await using var held = Open(file);

        await using var journal = Among(file);
        var run = await RunAsync(cluster, key, journal, Otaa(1));

        Assert.Equal((1, 0, 0, 0), run.Counts);
        Assert.Contains("nothing is recorded", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_renamed_device_with_an_old_id_of_its_own_is_found_by_the_one_that_the_export_kept()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var line = Otaa(1, more: ""","attributes":{"old-id":"mine","old-id-2":"dev_1"}""");
        var file = await WriteAsync("one", [("dev_1", line)]);

        await RunNamedAsync(cluster, key, file, line);

        Assert.Equal(["dev_1 imported"], States(file));
    }

    [Fact]
    public async Task A_line_of_the_same_ID_from_another_application_is_not_the_device_of_the_journal()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var file = await WriteAsync("one", Otaa(1));

        await using var journal = Among(file);
        await RunAsync(cluster, key, journal, Otaa(1).Replace("source-app", "another-source", StringComparison.Ordinal));

        Assert.Null(journal.Journal);
        Assert.Equal(["dev-1 written"], States(file));
    }

    private static Task<ImportOutcome> RunAsync(TtsCluster cluster, string key, ImportJournal journal, params string[] lines) =>
        cluster.ImportTextAsync(key, Options, string.Join('\n', lines), journal);

    private static async Task<ImportOutcome> RunNamedAsync(TtsCluster cluster, string key, string file, params string[] lines)
    {
        await using var journal = Named(file);
        return await RunAsync(cluster, key, journal, lines);
    }

    private static DeviceJournal Open(string file, JournalScope? scope = null) => DeviceJournal.Open(new JournalOptions(file, scope, "1.2.3", TimeProvider.System));

    private ImportJournal Among(params string[] files) => ImportJournal.Among(files, file => Open(file), notes.Add);

    private static ImportJournal Named(string file) => ImportJournal.Of(Open(file));

    private Task<string> WriteAsync(string name, params string[] lines) =>
        WriteAsync(name, lines.Select(line => (LineIds.Of(Encoding.UTF8.GetBytes(line)).Device, line)));

    private async Task<string> WriteAsync(string name, IEnumerable<(string SourceId, string Line)> devices)
    {
        var file = Path.Combine(folder.Path, name + ".journal");
        await using var journal = Open(file, new JournalScope("ttnv2", "discovery.example.com:1900"));
        foreach (var (id, line) in devices)
            await journal.RecordAsync(JournalChange.Written(new JournalDeviceId("ttnv2", "source-app", id), "record"u8.ToArray(), Encoding.UTF8.GetBytes(line)));
        return file;
    }

    private static List<string> States(string file)
    {
        using var reader = JournalReader.Open(file);
        return [.. reader.ReadAllAsync().ToBlockingEnumerable().Select(entry => $"{entry.Device.DeviceId} {entry.State.ToString().ToLowerInvariant()}")];
    }
}
