using System.Text;
using Microsoft.Extensions.Time.Testing;
using Migration.Import;
using Rpc;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Registries;
using static Migration.Tests.Import.ImportRun;

namespace Migration.Tests.Import;

/// <summary>Imports into the emulated The Things Stack.</summary>
public sealed class ImporterTests
{
    [Fact]
    public async Task Devices_are_on_all_four_servers_and_a_second_run_changes_nothing()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);

        var first = await cluster.ImportAsync(key, Otaa(1), Otaa(2), Abp(3));
        var second = await cluster.ImportAsync(key, Otaa(1), Otaa(2), Abp(3));

        Assert.Equal((3, 0), (first.Summary.Imported, first.Summary.Failed));
        Assert.Equal((0, 0, 3, 0), second.Counts);
        Assert.Equal(TtsServers.All, cluster.Device(App, "dev-1").Servers);
        Assert.Equal(TtsServers.All & ~TtsServers.Join, cluster.Device(App, "dev-3").Servers);
    }

    [Fact]
    public async Task A_device_that_fails_halfway_is_taken_back_and_the_others_go_on()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("AsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Internal, "broken"), item: "dev-2");

        var run = await cluster.ImportAsync(key, Otaa(1), Otaa(2), Otaa(3));

        Assert.Equal((2, 1), (run.Summary.Imported, run.Summary.Failed));
        Assert.Equal(TtsServers.None, cluster.Device(App, "dev-2").Servers);
    }

    [Fact]
    public async Task A_dry_run_says_what_would_happen_and_changes_nothing()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1));

        var run = await cluster.ImportAsync(key, Options with { DryRun = true }, Otaa(1), Otaa(2), Otaa(1, id: "other-id"));

        Assert.Equal((1, 0, 1, 1), run.Counts);
        Assert.Equal("euis_taken", Assert.Single(run.Summary.Problems).Code);
        Assert.Equal(["dev-1"], cluster.DeviceIds(App));
    }

    [Fact]
    public async Task A_create_without_an_answer_that_took_effect_is_recognised()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("EndDeviceRegistry/Create", new Fault.Fail(GrpcCode.Unavailable, "gone", Apply: true), to: 1);

        var run = await cluster.ImportAsync(key, Otaa(1));

        Assert.Equal((1, 0), (run.Summary.Imported, run.Summary.Failed));
        Assert.Equal(2, cluster.Requests.All.Count(call => call.Method.EndsWith(".EndDeviceRegistry/Create", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_key_without_rights_is_named_before_a_device_is_touched()
    {
        await using var cluster = await TtsCluster.StartAsync();
        cluster.AddApplication(App);
        var key = cluster.AddApiKey(App, global::TheThingsStack.Api.Right.ApplicationDevicesRead);

        var run = await cluster.ImportAsync(key, Otaa(1));

        Assert.Contains("RIGHT_APPLICATION_DEVICES_WRITE", run.Summary.Stopped!.Message, StringComparison.Ordinal);
        Assert.True(run.Summary.Stopped.NotAuthorised);
        Assert.Empty(cluster.DeviceIds(App));
    }

    [Fact]
    public async Task What_fails_halfway_is_taken_back_in_the_safe_order_the_Identity_Server_last()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("AsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Internal, "broken"), item: "dev-1");

        await cluster.ImportAsync(key, Otaa(1));

        Assert.Equal(
            ["NsEndDeviceRegistry/Delete", "JsEndDeviceRegistry/Delete", "EndDeviceRegistry/Delete"],
            cluster.Requests.All.Where(call => call.Method.EndsWith("/Delete", StringComparison.Ordinal)).Select(call => call.Method["/ttn.lorawan.v3.".Length..]));
    }

    [Fact]
    public async Task What_a_server_has_stored_although_it_refused_is_taken_back_too()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("AsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Internal, "broken", Apply: true), item: "dev-1");

        var run = await cluster.ImportAsync(key, Otaa(1));

        Assert.Equal("call_failed", run.Failure?.Name);
        Assert.Equal(TtsServers.None, cluster.Device(App, "dev-1").Servers);
    }

    [Fact]
    public async Task What_the_Identity_Server_has_stored_although_it_failed_is_taken_back_too()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("EndDeviceRegistry/Create", new Fault.Fail(GrpcCode.Internal, "broken", Apply: true), item: "dev-1");

        var run = await cluster.ImportAsync(key, Otaa(1));

        Assert.Equal("call_failed", run.Failure?.Name);
        Assert.Equal(TtsServers.None, cluster.Device(App, "dev-1").Servers);
    }

    [Fact]
    public async Task A_device_that_cannot_be_taken_back_is_named_and_a_second_run_completes_it()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("AsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Internal, "broken"), item: "dev-1");
        cluster.Faults.Add("NsEndDeviceRegistry/Delete", new Fault.Fail(GrpcCode.Internal, "broken too"), item: "dev-1");

        var first = await cluster.ImportAsync(key, Otaa(1));
        Assert.Equal("half_created", first.Failure?.Name);
        Assert.Equal(TtsServers.All & ~TtsServers.Application, cluster.Device(App, "dev-1").Servers);

        cluster.Faults.Clear();
        var second = await cluster.ImportAsync(key, Otaa(1));

        Assert.Equal((0, 1, 0, 0), second.Counts);
        Assert.Contains("half_created_completed", second.Notes);
        Assert.Equal(TtsServers.All, cluster.Device(App, "dev-1").Servers);
    }

    [Theory]
    [InlineData("lines", "{0}\n{1}\n")]
    [InlineData("lines of Windows", "{0}\r\n{1}")]
    [InlineData("an array", "[{0},\n{1}]")]
    [InlineData("a bad line in the middle", "{0}\n{2}\n{1}\n")]
    public async Task Lines_and_arrays_are_read_and_a_bad_line_stops_nobody_else(string what, string format)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var bad = Otaa(9).Replace("MAC_V1_0_3", "MAC_V7", StringComparison.Ordinal);

        var text = format.Replace("{0}", Otaa(1), StringComparison.Ordinal).Replace("{1}", Abp(2), StringComparison.Ordinal).Replace("{2}", bad, StringComparison.Ordinal);
        var run = await cluster.ImportTextAsync(key, Options, text);

        Assert.Equal(["dev-1", "dev-2"], cluster.DeviceIds(App));
        Assert.Null(run.Summary.Stopped);
        if (!what.StartsWith("a bad", StringComparison.Ordinal))
            return;
        var failed = Assert.Single(run.Devices, device => device.Failure is not null);
        Assert.Equal(("dev-9", 2, "format"), (failed.DeviceId, failed.Line, failed.Failure!.Name));
        Assert.Contains("line 2: lorawan_version", failed.Failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_breaks_off_stops_there_and_what_came_before_is_imported()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);

        var run = await cluster.ImportAsync(key, Otaa(1), Otaa(2)[..100]);

        Assert.Equal(["dev-1"], cluster.DeviceIds(App));
        Assert.Contains("the file cannot be read further", run.Summary.Stopped!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_devices_that_get_in_each_others_way_the_first_of_the_file_counts()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("EndDeviceRegistry/Create", new Fault.Delay(TimeSpan.FromMilliseconds(200)), item: "dev-1");

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Replace }, Otaa(1), Otaa(1, id: "other"), Otaa(1));

        Assert.Equal((1, 0, 1, 1), run.Counts);
        Assert.Equal("euis_taken", run.Failure!.Name);
        Assert.Contains("line 1", run.Failure.Message, StringComparison.Ordinal);
        Assert.Equal(["dev-1"], cluster.DeviceIds(App));
    }

    [Fact]
    public async Task Devices_that_were_asked_for_and_are_not_in_the_file_are_told()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var broken = Otaa(3).Replace("A1A2A3A4A5A6A7A8A9AAABACADAEAFA0", "A1", StringComparison.Ordinal);

        var run = await cluster.ImportAsync(key, Options with { Only = new HashSet<string> { "dev-2", "dev-3", "dev-9" } }, Otaa(1), Otaa(2), broken);

        Assert.Equal((1, 0, 0, 1), run.Counts);
        Assert.Equal("dev-3", Assert.Single(run.Devices, device => device.Failure is not null).DeviceId);
        Assert.Equal(["dev-9"], run.Summary.NotInFile);
        Assert.False(run.Summary.Succeeded);
    }

    [Theory]
    [InlineData("26011F01", false)]
    [InlineData("48011F01", true)]
    public async Task A_DevAddr_of_another_network_is_told(string address, bool told)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);

        var run = await cluster.ImportAsync(key, Abp(1, address));

        Assert.Equal((1, 0, 0, 0), run.Counts);
        Assert.Equal(told, run.Notes.Contains("dev_addr_of_another_network"));
        Assert.Equal(told, run.Summary.Notes.Any(note => note is { Code: "dev_addr_of_another_network", NeedsPerson: true }));
    }

    [Fact]
    public async Task Once_interrupted_devices_that_are_begun_are_finished_and_no_other_is_begun()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        using var interrupt = new CancellationTokenSource();
        // The first device is between two servers when the run is interrupted.
        cluster.Faults.Add("NsEndDeviceRegistry/Set", new Fault.Run(async _ => await interrupt.CancelAsync()), item: "dev-1", to: 1);

        var run = await cluster.ImportTextAsync(
            key, Options, string.Join('\n', Enumerable.Range(1, 200).Select(number => Otaa(number))), interrupt: interrupt.Token);

        Assert.True(run.Summary.Interrupted);
        Assert.True(cluster.DeviceIds(App).Count < 200);
        Assert.All(cluster.DeviceIds(App), id => Assert.Equal(TtsServers.All, cluster.Device(App, id).Servers));
    }

    [Fact]
    public async Task Devices_that_the_target_refuses_are_work_done_so_that_more_are_asked_for_at_a_time()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Faults.Add("EndDeviceRegistry/Create", new Fault.Fail(GrpcCode.FailedPrecondition, "no more devices"));
        // On a clock that stands still work takes no longer with more of it.
        var concurrency = AdaptiveConcurrency.Adaptive(new FakeTimeProvider());
        await using var client = new ClusterClient(new ClusterOptions
        {
            Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)),
            Key = ApiKey.TryParse(key, out var parsed, out _) ? parsed : null,
            Tls = null,
            Clock = TimeProvider.System,
            Concurrency = concurrency,
        });
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 200).Select(i => Otaa(i)))));

        var summary = await new Importer(client, Options, EmbeddedFrequencyPlanStore.Instance, concurrency, TimeProvider.System).RunAsync(file);

        Assert.Equal(200, summary.Failed);
        Assert.True(concurrency.Limit > 4, $"{concurrency.Limit}");
    }
}
