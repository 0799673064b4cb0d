using System.Text.Json;
using Google.Protobuf;
using Migration.Import;
using Migration.Journal;
using Rpc;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;
using TheThingsStack.Registries;

namespace Migration.Tests.Export;

/// <summary>Each device goes from a network in memory to the emulated The Things Stack, and leaves the one only when it is on the other.</summary>
public sealed class StraightThroughTests : IAsyncLifetime, IDisposable
{
    private const string Application = "target-app";
    private const string Create = "EndDeviceRegistry/Create";

    private static readonly string[] Ids = ["dev-000", "dev-001", "dev-002", "dev-003", "dev-004"];

    private readonly FakeSource source = new();
    private readonly TemporaryFolder folder = new();
    private readonly EventList events = new();
    private readonly FlushedStream output = new();
    private TtsCluster cluster = null!;
    private string key = "";

    public async Task InitializeAsync()
    {
        source.Make = Device;
        cluster = await TtsCluster.StartAsync();
        key = cluster.AddApplication(Application);
    }

    public async Task DisposeAsync()
    {
        await cluster.DisposeAsync();
        await source.DisposeAsync();
    }

    public void Dispose()
    {
        output.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task A_device_is_written_recorded_imported_recorded_and_only_then_retired()
    {
        using var look = new LazyReader(folder);
        var created = new SortedDictionary<string, string>(StringComparer.Ordinal);
        cluster.Faults.Add(Create, new Fault.Run(call =>
        {
            var id = CreateEndDeviceRequest.Parser.ParseFrom(call.Request).EndDevice.Ids.DeviceId;
            lock (created)
                created[id] = $"line {Lines().Contains(id)}, {string.Join(' ', look.History(id))}, retired {source.Retired.Contains(id)}";
            return Task.CompletedTask;
        }));
        source.BeforeRetire = (id, _) =>
        {
            Assert.Equal(TtsServers.All, cluster.Device(Application, id).Servers);
            Assert.Equal([DeviceState.Written, DeviceState.Imported, DeviceState.RetireIntended], look.History(id));
            return Task.CompletedTask;
        };

        var summary = await RunAsync();

        Assert.Equal((5, 5, 0, 5, true, NextStep.Verify), (summary.Exported, summary.Imported, summary.ImportFailed, summary.Retired, summary.Succeeded, summary.Next));
        Assert.Equal(Ids, created.Keys);
        Assert.All(created.Values, seen => Assert.Equal("line True, Written, retired False", seen));
        Assert.Equal(Ids, Lines());
        foreach (var id in Ids)
            Assert.Equal([DeviceState.Written, DeviceState.Imported, DeviceState.RetireIntended, DeviceState.Retired], look.History(id));
        Assert.All(Ids, id => Assert.Equal(["Exported", "Imported", "Retired"], events.NamesOf(id)));
    }

    [Fact]
    public async Task A_device_whose_import_fails_keeps_its_key_and_the_others_go_on()
    {
        cluster.Faults.Add("AsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.InvalidArgument, "not like this"), item: "dev-002");

        var summary = await RunAsync();

        Assert.Equal(["dev-000", "dev-001", "dev-003", "dev-004"], source.Retired.Order(StringComparer.Ordinal));
        Assert.Equal(TtsServers.None, cluster.Device(Application, "dev-002").Servers);
        Assert.Equal((5, 4, 1, 4, false, NextStep.SolveAndRunAgain), (summary.Exported, summary.Imported, summary.ImportFailed, summary.Retired, summary.Succeeded, summary.Next));
        var failed = Assert.Single(events.Of<ExportEvent.ImportFailed>());
        Assert.Equal(("dev-002", "device `dev-002` is not on The Things Stack, and keeps its keys at the source"), (failed.Device.Id, failed.Failure.Message));
        Assert.Contains("not like this", failed.Failure.Cause!.Message, StringComparison.Ordinal);
        Assert.Equal(["dev-002"], Assert.Single(summary.Problems).Devices);
        using var look = new LazyReader(folder);
        Assert.Equal((DeviceState.Written, true), (look.Find("dev-002").State, look.Find("dev-002").SourceHoldsOriginal));

        cluster.Faults.Clear();
        var again = await RunAsync();
        Assert.Equal((5, 5, true), (again.Imported, again.Retired, again.Succeeded));
        AssertMoved();
    }

    /// <summary>Where a run was killed: what was done of its path, first step first.</summary>
    public enum Point
    {
        Nothing, Written, Registered, OnJoinServer, Created, Imported, RetireIntended, SourceChanged, Retired,
    }

    public static TheoryData<Point> Points() => [.. Enum.GetValues<Point>()];

    [Theory]
    [MemberData(nameof(Points))]
    public async Task Killed_at_any_point_the_same_command_finishes_each_device(Point point)
    {
        await KillAsync("dev-002", point);

        var summary = await RunAsync();

        Assert.True(summary.Succeeded, string.Join('\n', summary.Problems));
        Assert.Equal((5, 5, 5), (summary.Exported, summary.Imported, summary.Retired));
        AssertMoved();
        var calls = cluster.Requests.All.Count;
        var again = await RunAsync();
        Assert.Equal((5, 5, 5), (again.FromJournal, again.ImportedBefore, again.Retired));
        // Only the questions about the target itself.
        Assert.DoesNotContain(cluster.Requests.All.Skip(calls), call => call.Method.EndsWith("/Create", StringComparison.Ordinal) || call.Method.EndsWith("/Set", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Point.Created)]
    [InlineData(Point.Imported)]
    public async Task A_device_that_has_joined_anew_at_the_source_since_takes_its_new_session_along(Point point)
    {
        source.Make = (application, id) => WithSession(Device(application, id), 1, 10);
        await KillAsync("dev-002", point);
        source.Make = (application, id) => WithSession(Device(application, id), 2, 3);

        var summary = await RunAsync();

        Assert.True(summary.Succeeded, string.Join('\n', summary.Problems));
        AssertMoved();
        var session = cluster.Device(Application, "dev-002").Network!.Session;
        Assert.Equal(Session(2, 3).DevAddr, session.DevAddr);
        Assert.Equal(3u, session.LastFCntUp);
    }

    [Fact]
    public async Task A_device_that_has_joined_at_the_target_since_keeps_its_session_there()
    {
        source.Make = (application, id) => WithSession(Device(application, id), 1, 10);
        await KillAsync("dev-002", Point.Created);
        var joined = cluster.Join(Application, "dev-002");

        var summary = await RunAsync();

        Assert.True(summary.Succeeded, string.Join('\n', summary.Problems));
        Assert.NotNull(joined);
        Assert.NotEqual(Session(1, 10).DevAddr, cluster.Device(Application, "dev-002").Network!.Session.DevAddr);
        Assert.Contains("dev-002", source.Retired);
    }

    [Fact]
    public async Task Devices_that_an_earlier_run_without_a_target_has_retired_are_imported_from_the_journal()
    {
        await RunAsync(straight: false);
        Assert.Empty(cluster.DeviceIds(Application));

        var summary = await RunAsync();

        Assert.Equal((5, 5, 5, 0), (summary.FromJournal, summary.Imported, summary.Retired, summary.ImportedBefore));
        AssertMoved();
    }

    [Fact]
    public async Task A_device_that_went_to_another_application_is_not_imported_twice()
    {
        await RunAsync();
        key = cluster.AddApplication("other-app");

        var summary = await RunAsync(application: "other-app");

        Assert.Equal((0, 5), (summary.Imported, summary.ImportFailed));
        Assert.Equal("imported_elsewhere", Assert.Single(summary.Problems).Code);
        Assert.Empty(cluster.DeviceIds("other-app"));
    }

    [Fact]
    public async Task A_target_that_is_not_there_stops_the_run_before_a_device_is_read()
    {
        await cluster.StopAsync();

        var summary = await RunAsync();

        Assert.NotNull(summary.Stopped);
        Assert.Empty(source.Read);
        Assert.Equal(NextStep.Continue, summary.Next);
    }

    [Fact]
    public async Task A_target_that_goes_away_stops_the_run_and_devices_that_are_not_there_keep_their_keys()
    {
        var many = Many(200);
        source.Applications["my-app"] = many;
        cluster.Faults.Add(Create, new Fault.Fail(GrpcCode.Unauthenticated, "the key was revoked"), from: 21);

        var summary = await RunAsync(ids: many);

        Assert.Contains("the key was revoked", Tally.Innermost(summary.Stopped!).Message, StringComparison.Ordinal);
        Assert.Equal((20, 20, 0), (summary.Imported, summary.Retired, summary.ImportFailed));
        Assert.Equal(summary.Exported, summary.Imported + summary.ImportLeft);
        Assert.Equal(cluster.DeviceIds(Application), source.Retired.Order(StringComparer.Ordinal));

        cluster.Faults.Clear();
        Assert.True((await RunAsync(ids: many)).Succeeded);
        AssertMoved(many);
    }

    [Fact]
    public async Task When_the_user_interrupts_devices_whose_import_is_begun_are_finished_and_no_other_is_touched()
    {
        var many = Many(300);
        source.Applications["my-app"] = many;
        using var interrupt = new CancellationTokenSource();
        cluster.Faults.Add(Create, new Fault.Run(_ => interrupt.CancelAsync()), from: 10, to: 10);

        var summary = await RunAsync(ids: many, interrupt: interrupt.Token);

        Assert.True(summary is { Interrupted: true, Stopped: null, Next: NextStep.Continue }, summary.ToString());
        Assert.InRange(summary.Imported, 10, 299);
        Assert.Equal((summary.Imported, summary.Exported), (summary.Retired, summary.Imported + summary.ImportLeft));
        Assert.Equal(cluster.DeviceIds(Application), source.Retired.Order(StringComparer.Ordinal));
        Assert.True((await RunAsync(ids: many)).Succeeded);
        AssertMoved(many);
    }

    [Fact]
    public async Task A_dry_run_asks_both_sides_and_changes_neither()
    {
        cluster.Put(OnTarget(Device("my-app", "dev-001"), id: "somebody-elses"));
        var before = cluster.Requests.All.Count;

        var summary = await RunAsync(dryRun: true);

        Assert.Equal((5, 4, 1, 0), (summary.Exported, summary.Imported, summary.ImportFailed, summary.Retired));
        Assert.Equal("euis_taken", Assert.Single(summary.Problems).Code);
        Assert.Empty(source.Retired);
        Assert.Equal(["somebody-elses"], cluster.DeviceIds(Application));
        Assert.DoesNotContain(cluster.Requests.All.Skip(before), call => call.Method.EndsWith("/Create", StringComparison.Ordinal) || call.Method.EndsWith("/Set", StringComparison.Ordinal));
        Assert.False(File.Exists(folder.File("test.journal")));
    }

    [Fact]
    public async Task Without_a_journal_nothing_goes()
    {
        var (client, importer) = Target(Application, dryRun: false);
        await using (client)
        {
            var summary = await new Exporter(source, new ExportOptions(), target: importer).RunAsync(new ExportRequest(ExportedItems.Devices, Ids), output, events);
            Assert.Equal("no_journal", summary.Stopped!.Name);
        }
        Assert.Empty(source.Read);
        Assert.Empty(cluster.DeviceIds(Application));
    }

    [Fact]
    public async Task A_key_that_may_not_read_keys_is_refused_before_anything_is_read()
    {
        key = cluster.AddApiKey(Application, Right.ApplicationDevicesRead, Right.ApplicationDevicesWrite, Right.ApplicationDevicesWriteKeys);

        var summary = await RunAsync();

        Assert.Contains("RIGHT_APPLICATION_DEVICES_READ_KEYS", summary.Stopped!.Message, StringComparison.Ordinal);
        Assert.Empty(source.Read);
    }

    [Fact]
    public async Task A_device_that_is_imported_but_cannot_be_retired_is_said_to_be_on_both_sides_and_finished_by_the_next_run()
    {
        source.RetireFailures["dev-001"] = new FailureException(new Failure("context deadline exceeded"));
        var summary = await RunAsync();
        Assert.Equal((5, 4, 1), (summary.Imported, summary.Retired, summary.RetireFailed));
        Assert.Equal("device `dev-001` is on The Things Stack, but its keys may still be at the source", events.Of<ExportEvent.RetireFailed>().Single().Failure.Message);

        source.RetireFailures.Clear();
        Assert.True((await RunAsync()).Succeeded);
        AssertMoved();
    }

    /// <summary>Does what a run does to one device until it is killed; the others are untouched.</summary>
    private async Task KillAsync(string id, Point point)
    {
        var device = source.Make("my-app", id);
        var name = new JournalDeviceId("fake", "my-app", id);
        if (point >= Point.Registered)
            await ImportAsync(device);
        var there = cluster.Device(Application, id);
        if (point < Point.Created)
            cluster.Put(Application, id, there with { Network = null, Application = null, Join = point >= Point.OnJoinServer ? there.Join : null });
        await using (var journal = Journal())
        {
            if (point >= Point.Written)
                await journal.RecordAsync(JournalChange.Written(name, "record"u8.ToArray(), TtsJson.WriteBytes(device)));
            if (point >= Point.Imported)
                await journal.RecordAsync(JournalChange.Imported(name, Application));
            if (point >= Point.RetireIntended)
                await journal.RecordAsync(JournalChange.RetireIntended(name, RetireWay.Clear, "retired"u8.ToArray()));
            if (point >= Point.Retired)
                await journal.RecordAsync(JournalChange.Retired(name));
        }
        if (point >= Point.SourceChanged)
            await source.RetireAsync(source.FromRecord("my-app", id, default), new RetirePlan(RetireWay.Clear, null), CancellationToken.None);
    }

    private async Task ImportAsync(EndDevice device)
    {
        var (client, importer) = Target(Application, dryRun: false);
        await using (client)
            Assert.Null((await importer.ImportAsync(device, null, CancellationToken.None)).Failure);
    }

    private void AssertMoved(string[]? ids = null)
    {
        ids ??= Ids;
        Assert.Equal(ids, Lines());
        Assert.Equal(ids, cluster.DeviceIds(Application));
        Assert.Equal(ids, source.Retired.Distinct().Order(StringComparer.Ordinal));
        foreach (var id in ids)
        {
            var found = cluster.Device(Application, id);
            Assert.Equal(TtsServers.All, found.Servers);
            Assert.Equal(Device("my-app", id).RootKeys.AppKey.Key, found.Join!.RootKeys.AppKey.Key);
        }
    }

    private async Task<ExportSummary> RunAsync(
        string[]? ids = null, bool straight = true, string application = Application, bool dryRun = false, CancellationToken interrupt = default)
    {
        output.SetLength(0);
        events.Clear();
        var (client, importer) = Target(application, dryRun);
        await using var closing = client;
        await using var journal = dryRun ? null : Journal();
        var request = new ExportRequest(ExportedItems.Devices, ids ?? Ids);
        return await new Exporter(source, new ExportOptions { DryRun = dryRun }, journal, target: straight ? importer : null).RunAsync(request, output, events, interrupt);
    }

    private (ClusterClient Client, Importer Importer) Target(string application, bool dryRun)
    {
        Assert.True(ApiKey.TryParse(key, out var parsed, out _));
        var concurrency = AdaptiveConcurrency.Adaptive(TimeProvider.System);
        var client = new ClusterClient(new ClusterOptions
        {
            Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)),
            Key = parsed,
            Tls = null,
            Clock = TimeProvider.System,
            Concurrency = concurrency,
        });
        var options = new ImportOptions { Application = application, DryRun = dryRun, NeedsToReadKeys = true };
        return (client, new Importer(client, options, EmbeddedFrequencyPlanStore.Instance, concurrency, TimeProvider.System));
    }

    private DeviceJournal Journal() => DeviceJournal.Open(new JournalOptions(folder.File("test.journal"), new JournalScope("fake", ""), "1.2.3", TimeProvider.System));

    private string[] Lines() =>
    [
        .. output.Flushed.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonDocument.Parse(l).RootElement.GetProperty("ids").GetProperty("device_id").GetString()!),
    ];

    private static string[] Many(int count) => [.. Enumerable.Range(0, count).Select(i => $"dev-{i:d3}")];

    private static EndDevice Device(string application, string id)
    {
        var device = FakeSource.EndDeviceNamed(application, id);
        device.SupportsJoin = true;
        device.LorawanVersion = MACVersion.MacV103;
        device.LorawanPhyVersion = PHYVersion.PhyV103RevA;
        device.FrequencyPlanId = "EU_863_870_TTN";
        device.RootKeys = new RootKeys { AppKey = new KeyEnvelope { Key = Bytes(id) } };
        return device;
    }

    private static EndDevice WithSession(EndDevice device, byte number, uint counter)
    {
        device.Session = Session(number, counter);
        Assert.True(LoRaWan.Regional.FrequencyPlans.Embedded.TryGet(device.FrequencyPlanId, out var plan));
        Assert.True(global::TheThingsStack.Mac.MacStateBuilder.TryBuildSettled(device, plan, RxDelay._1, out var state, out _));
        device.MacState = state;
        return device;
    }

    private static Session Session(byte number, uint counter) => new()
    {
        DevAddr = ByteString.CopyFrom(0x26, 1, 0, number),
        Keys = new SessionKeys
        {
            SessionKeyId = ByteString.CopyFrom(number),
            FNwkSIntKey = new KeyEnvelope { Key = Bytes("nwk" + number) },
            AppSKey = new KeyEnvelope { Key = Bytes("app" + number) },
        },
        LastFCntUp = counter,
        StartedAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(DateTimeOffset.UnixEpoch.AddYears(50)),
    };

    private static ByteString Bytes(string text) => ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));

    private static EndDevice OnTarget(EndDevice device, string? id = null)
    {
        var there = device.Clone();
        there.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = Application };
        there.Ids.DeviceId = id ?? there.Ids.DeviceId;
        return there;
    }

    /// <summary>Looks into the journal of a run that is under way.</summary>
    private sealed class LazyReader(TemporaryFolder folder) : IDisposable
    {
        private readonly Lazy<JournalReader> reader = new(() => JournalReader.Open(folder.File("test.journal")));

        public DeviceState[] History(string id) => [.. reader.Value.History(new JournalDeviceId("fake", "my-app", id)).Select(step => step.State)];

        public JournalEntry Find(string id) => reader.Value.Find(new JournalDeviceId("fake", "my-app", id))!;

        public void Dispose()
        {
            if (reader.IsValueCreated)
                reader.Value.Dispose();
        }
    }
}
