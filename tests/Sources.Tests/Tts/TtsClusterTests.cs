using Microsoft.Extensions.Logging.Abstractions;
using Migration;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Sources.Tts;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Sources.Tests.Tts;

/// <summary>The source over gRPC, against the emulated cluster.</summary>
public sealed class TtsClusterTests : IDisposable
{
    private const string Application = "my-app";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("tts");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact] // D12
    public async Task A_server_that_is_out_of_service_for_a_moment_costs_no_device()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = Fill(cluster, 6);
        foreach (var method in new[] { "EndDeviceRegistry/Get", "JsEndDeviceRegistry/Get", "NsEndDeviceRegistry/Get" })
            cluster.Faults.Add(method, new Fault.Fail(GrpcCode.Unavailable, "restarting"), from: 2, to: 3);
        var run = await ExportAsync(cluster, key);
        Assert.Equal((6, 0), (run.Lines.Count, run.Rejected.Count));
    }

    [Fact] // D12
    public async Task A_rate_limit_slows_a_run_down_and_costs_no_device()
    {
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RateLimit = new TtsRateLimit(60, 2) });
        var key = Fill(cluster, 6);
        var run = await ExportAsync(cluster, key);
        Assert.Equal((6, 0), (run.Lines.Count, run.Rejected.Count));
    }

    [Fact] // D14
    public void A_CA_file_without_certificates_is_refused_before_any_call()
    {
        var file = Path.Combine(folder.FullName, "ca.pem");
        File.WriteAllText(file, "nothing");
        var failure = Assert.Throws<FailureException>(() => TtsSource.Open(
            new TtsOptions
            {
                AppId = new Setting<string>(Application),
                AppApiKey = new Setting<string>("NNSXS.ABC.DEF"),
                DefaultAddress = new Setting<string>("localhost:1"),
                CaFile = new Setting<string>(file, "--ca-file"),
            },
            Context)).Failure;
        Assert.Contains("ca.pem", failure.Message, StringComparison.Ordinal);
        Assert.Contains("--ca-file", failure.Advice, StringComparison.Ordinal);
    }

    [Fact] // D15
    public async Task Four_addresses_serve_as_well_as_one()
    {
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { FourListeners = true });
        var key = Fill(cluster, 3);
        var run = await ExportAsync(cluster, key, options => options with
        {
            ApplicationServerAddress = new Setting<string>(cluster.ApplicationServerAddress),
            NetworkServerAddress = new Setting<string>(cluster.NetworkServerAddress),
            JoinServerAddress = new Setting<string>(cluster.JoinServerAddress),
        });
        Assert.Equal((3, 0), (run.Lines.Count, run.Rejected.Count));
    }

    [Fact] // D4
    public async Task A_key_that_may_not_read_keys_stops_the_run_and_names_the_right()
    {
        await using var cluster = await TtsCluster.StartAsync();
        Fill(cluster, 3);
        var key = cluster.AddApiKey(Application, Right.ApplicationDevicesRead);
        var run = await ExportAsync(cluster, key);
        Assert.Empty(run.Lines);
        var refusal = run.Summary.Stopped!.Cause!;
        Assert.Equal("insufficient_application_rights", refusal.Name);
        Assert.Contains("RIGHT_APPLICATION_DEVICES_READ_KEYS", refusal.Attributes["missing"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_key_that_may_not_delete_stops_the_run_before_a_line_is_written_or_a_device_deleted(bool disableDownlinksOnly)
    {
        await using var cluster = await TtsCluster.StartAsync();
        Fill(cluster, 3);
        var key = cluster.AddApiKey(Application, Right.ApplicationDevicesRead, Right.ApplicationDevicesReadKeys);
        var run = await ExportAsync(
            cluster,
            key,
            options => disableDownlinksOnly ? options with { DisableSourceDownlinks = new Setting<bool>(true) } : options with { DeleteSourceDevice = new Setting<bool>(true) },
            Path.Combine(folder.FullName, "run.journal"));
        Assert.Empty(run.Lines);
        Assert.Equal(3, cluster.DeviceIds(Application).Count);
        var refusal = run.Summary.Stopped!.Cause!;
        Assert.Equal(("missing_rights", "RIGHT_APPLICATION_DEVICES_WRITE"), (refusal.Name, refusal.Attributes["missing"]));
        Assert.DoesNotContain(cluster.Requests.All, request => request.Method.EndsWith("/Delete", StringComparison.Ordinal) || request.Method.EndsWith("/Set", StringComparison.Ordinal));
        // Without changing the source the same key is enough.
        Assert.Equal(3, (await ExportAsync(cluster, key)).Lines.Count);
    }

    [Fact]
    public async Task Rights_are_asked_for_once_however_many_devices_there_are()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = Fill(cluster, 9);
        var run = await ExportAsync(cluster, key, options => options with { DeleteSourceDevice = new Setting<bool>(true) }, Path.Combine(folder.FullName, "run.journal"));
        Assert.Equal(9, run.Summary.Retired);
        Assert.Equal(1, cluster.Requests.All.Count(request => request.Method.EndsWith("/ListRights", StringComparison.Ordinal)));
    }

    [Fact] // D22
    public async Task Downlinks_that_the_source_sent_after_the_line_are_told_in_the_summary()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = Fill(cluster, 2);
        const string Id = "meter-000002";
        var reads = 0;
        cluster.Requests.Answered = request =>
        {
            if (request is { Item: Id, Status.Code: GrpcCode.Ok } && request.Method.EndsWith("NsEndDeviceRegistry/Get", StringComparison.Ordinal) && Interlocked.Increment(ref reads) == 1)
            {
                var device = cluster.Device(Application, Id);
                device.Network!.Session.LastNFCntDown += 3;
                cluster.Put(Application, Id, device);
            }
        };
        var run = await ExportAsync(cluster, key, options => options with { DeleteSourceDevice = new Setting<bool>(true) }, Path.Combine(folder.FullName, "run.journal"));
        Assert.Equal(2, run.Summary.Retired);
        Assert.Equal([Id], Assert.Single(run.Summary.Notes, note => note.Code == "counters_moved").Devices);
    }

    [Fact]
    public async Task Deleted_devices_are_gone_from_all_servers_and_a_rollback_puts_them_back_as_they_were()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = Fill(cluster, 9);
        var before = cluster.DeviceIds(Application).ToDictionary(id => id, id => cluster.Device(Application, id));
        var file = Path.Combine(folder.FullName, "run.journal");
        var run = await ExportAsync(cluster, key, options => options with { DeleteSourceDevice = new Setting<bool>(true) }, file);
        Assert.Equal((9, 9, 0), (run.Lines.Count, run.Summary.Retired, run.Summary.RetireFailed));
        Assert.Empty(cluster.DeviceIds(Application));

        await using var source = Open(cluster, key);
        using var journal = Migration.Journal.JournalReader.Open(file);
        foreach (var (id, was) in before)
        {
            var entry = journal.Find(new Migration.Journal.JournalDeviceId("tts", Application, id))!;
            var outcome = await source.RestoreAsync(source.FromRecord(Application, id, entry.Record), new RetirePlan(entry.Way!.Value, entry.Replacement), dryRun: false, CancellationToken.None);
            Assert.True(outcome.Result == ChangeResult.Done, outcome.Failure?.ToString());
            var now = cluster.Device(Application, id);
            Assert.Equal(was.Servers, now.Servers);
            foreach (var (a, b) in new[] { (was.Identity, now.Identity), (was.Network, now.Network), (was.Application, now.Application), (was.Join, now.Join) })
                Assert.Equal(Comparable(a), Comparable(b));
        }
    }

    private static SourceContext Context => new(TimeProvider.System, bytes => bytes.Fill(7), NullLogger.Instance);

    private static string Fill(TtsCluster cluster, int devices)
    {
        var key = cluster.AddApplication(Application);
        TtsSampleDevices.AddMany(cluster, Application, devices);
        return key;
    }

    private static TtsOptions Options(TtsCluster cluster, string key) => new()
    {
        AppId = new Setting<string>(Application),
        AppApiKey = new Setting<string>(key),
        DefaultAddress = new Setting<string>(cluster.Address),
        Insecure = new Setting<bool>(true),
    };

    private static TtsSource Open(TtsCluster cluster, string key) => TtsSource.Open(Options(cluster, key), Context);

    private static async Task<Run> ExportAsync(TtsCluster cluster, string key, Func<TtsOptions, TtsOptions>? change = null, string? journal = null)
    {
        var options = Options(cluster, key);
        await using var source = TtsSource.Open(change?.Invoke(options) ?? options, Context);
        return await TtsRun.ExportAsync(source, new ExportOptions { DryRun = journal is null }, new ExportRequest(ExportedItems.Applications, [Application]), journalFile: journal);
    }

    /// <summary>Times are the server's own.</summary>
    private static EndDevice? Comparable(EndDevice? record)
    {
        var copy = record?.Clone();
        if (copy is null)
            return null;
        copy.CreatedAt = copy.UpdatedAt = null;
        if (copy.Session is { } session)
            session.StartedAt = null;
        return copy;
    }
}
