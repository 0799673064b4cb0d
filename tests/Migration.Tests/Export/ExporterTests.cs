using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Migration.Journal;
using Testing;
using TheThingsStack.Errors;

namespace Migration.Tests.Export;

public sealed class ExporterTests : IAsyncDisposable
{
    private readonly FakeSource source = new();
    private readonly TemporaryFolder folder = new();
    private readonly EventList events = new();
    private readonly MemoryStream output = new();

    [Fact]
    public async Task Lines_come_in_the_order_of_the_input_whatever_device_is_read_first()
    {
        var ids = Ids(30);
        var first = new TaskCompletionSource();
        source.BeforeRead = async (id, cancellation) =>
        {
            if (id == ids[0])
                await first.Task.WaitAsync(cancellation);
            else if (id == ids[3])
                first.SetResult();
        };
        var summary = await RunAsync(ids);
        Assert.Equal(ids, Lines(output));
        Assert.Equal((30, 30, true, NextStep.Import), (summary.Exported, summary.Retired, summary.Succeeded, summary.Next));
        Assert.Equal(ids, source.Retired.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_device_is_retired_only_after_its_line_is_written_and_flushed()
    {
        var flushed = 0;
        events.Reported = e => flushed += e is ExportEvent.Exported ? 1 : 0;
        var ids = Ids(20);
        source.BeforeRetire = (id, _) =>
        {
            Assert.Contains(id, Lines(output));
            return Task.CompletedTask;
        };
        var summary = await RunAsync(ids);
        Assert.Equal((20, 20), (summary.Retired, flushed));
    }

    [Fact]
    public async Task A_dry_run_retires_nothing_and_says_to_run_for_real()
    {
        var summary = await RunAsync(Ids(5), new ExportOptions { DryRun = true });
        Assert.Empty(source.Retired);
        Assert.Equal((5, 0, NextStep.RunForReal), (summary.Exported, summary.Retired, summary.Next));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_run_goes_past_bad_devices_and_reports_every_problem(bool dryRun)
    {
        source.ReadFailures["dev-001"] = new FailureException(new Failure("not found"));
        source.Unmappable["dev-003"] = "no_keys";
        var summary = await RunAsync([.. Ids(5), "Upper"], new ExportOptions { DryRun = dryRun });
        Assert.Equal(["dev-000", "dev-002", "dev-004"], Lines(output));
        Assert.Equal(dryRun ? [] : ["dev-000", "dev-002", "dev-004"], source.Retired.Order(StringComparer.Ordinal));
        Assert.Equal(["invalid_fields", "no_keys", "read"], summary.Problems.Select(p => p.Code));
        Assert.Equal((3, 3, false, NextStep.SolveAndRunAgain), (summary.Exported, summary.Rejected, summary.Succeeded, summary.Next));
        Assert.Equal(["dev-001", "dev-003", "Upper"], events.Of<ExportEvent.Rejected>().Select(e => e.Device.Id));
    }

    [Fact]
    public async Task With_fail_fast_the_first_bad_device_ends_the_run()
    {
        source.Unmappable["dev-002"] = "no_keys";
        var summary = await RunAsync(Ids(50), new ExportOptions { FailFast = true });
        Assert.Equal(["dev-000", "dev-001"], Lines(output));
        Assert.Equal(["dev-000", "dev-001"], source.Retired.Order(StringComparer.Ordinal));
        Assert.Equal((1, false, NextStep.Continue), (summary.Rejected, summary.Succeeded, summary.Next));
    }

    [Property]
    public void Whatever_write_or_flush_fails_no_key_of_a_device_without_a_flushed_line_is_touched(byte devices, byte good, bool atFlush, byte concurrency)
    {
        var ids = Ids(devices % 40);
        var allowed = good % 45;
        using var failing = atFlush ? new FailingStream(flushes: allowed) : new FailingStream(writes: allowed);
        var network = new FakeSource();
        using var place = new TemporaryFolder();
        var summary = WithJournal(place, journal => new Exporter(network, new ExportOptions { Concurrency = 1 + (concurrency % 20) }, journal)
            .RunAsync(new ExportRequest(ExportedItems.Devices, ids), failing)).GetAwaiter().GetResult();
        var safe = ids.Take(allowed);
        Assert.Equal(safe, network.Retired.Order(StringComparer.Ordinal));
        Assert.Equal(allowed >= ids.Length, summary.Succeeded);
        Assert.Equal(Math.Min(allowed, ids.Length), summary.Exported);
        if (allowed < ids.Length)
        {
            Assert.Contains($"cannot write the line of device `{ids[allowed]}`", summary.Stopped!.Message, StringComparison.Ordinal);
            Assert.Equal(NextStep.Continue, summary.Next);
        }
    }

    [Property]
    public void Every_device_is_exported_rejected_or_skipped_and_only_exported_ones_are_retired(NonNull<byte[]> choices)
    {
        var network = new FakeSource();
        var ids = choices.Get.Select(c => $"dev-{c % 30:d3}").ToArray();
        foreach (var c in choices.Get)
        {
            var id = $"dev-{c % 30:d3}";
            if (c % 5 == 0)
                network.Unmappable[id] = "no_keys";
            else if (c % 7 == 0)
                network.ReadFailures[id] = new FailureException(new Failure("gone"));
            else if (c % 11 == 0)
                network.RetireFailures[id] = new FailureException(new Failure("refused"));
        }
        using var lines = new MemoryStream();
        var list = new EventList();
        using var place = new TemporaryFolder();
        var summary = WithJournal(place, journal => new Exporter(network, new ExportOptions(), journal).RunAsync(new ExportRequest(ExportedItems.Devices, ids), lines, list)).GetAwaiter().GetResult();
        Assert.Equal(ids.Length, summary.Exported + summary.Rejected + summary.Skipped);
        Assert.Equal(ids.Length - ids.Distinct().Count(), summary.Skipped);
        Assert.Equal(summary.Exported, summary.Retired + summary.RetireFailed);
        Assert.Equal(Lines(lines), list.Of<ExportEvent.Exported>().Select(e => e.DeviceId));
        Assert.All(network.Retired, id => Assert.Contains(id, Lines(lines)));
        Assert.Equal(summary.Rejected + summary.RetireFailed, summary.Problems.Sum(p => p.Count));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_devices_that_would_get_the_same_id_are_both_left_alone(bool application)
    {
        string[] ids = ["a-b-1", "xx-yy", "a_b-1", "a_b_1"];
        source.Applications["my-app"] = ids;
        var summary = application
            ? await RunAsync(["my-app"], what: ExportedItems.Applications)
            : await RunAsync(ids);
        Assert.Equal(["xx-yy"], Lines(output));
        Assert.Equal(["xx-yy"], source.Retired);
        Assert.Equal(("duplicate_device_id", 3), (summary.Problems.Single().Code, summary.Problems.Single().Count));
        Assert.DoesNotContain("a-b-1", source.Read);
    }

    [Fact]
    public async Task A_device_named_twice_is_exported_once()
    {
        var summary = await RunAsync(["dev-1", "dev-2", "dev-1", "dev-1"]);
        Assert.Equal(["dev-1", "dev-2"], Lines(output));
        Assert.Equal((2, 2, true), (summary.Exported, summary.Skipped, summary.Succeeded));
    }

    [Fact]
    public async Task When_the_user_interrupts_devices_with_a_line_are_finished_and_no_other_is_touched()
    {
        using var interrupt = new CancellationTokenSource();
        events.Reported = e =>
        {
            if (e is ExportEvent.Exported { DeviceId: "dev-004" })
                interrupt.Cancel();
        };
        source.BeforeRetire = (_, cancellation) => Task.Delay(20, cancellation);
        var summary = await RunAsync(Ids(100), interrupt: interrupt.Token);
        Assert.Equal(Ids(5), Lines(output));
        Assert.Equal(Ids(5), source.Retired.Order(StringComparer.Ordinal));
        Assert.Equal((true, false, NextStep.Continue, (int?)100), (summary.Interrupted, summary.Succeeded, summary.Next, summary.Total));
    }

    [Fact]
    public async Task An_interrupt_while_a_read_hangs_ends_the_run()
    {
        using var interrupt = new CancellationTokenSource();
        source.BeforeRead = async (id, cancellation) =>
        {
            if (id == "dev-002")
            {
                await interrupt.CancelAsync();
                await Task.Delay(Timeout.Infinite, cancellation);
            }
        };
        var summary = await RunAsync(Ids(10), new ExportOptions { Concurrency = 1 }, interrupt: interrupt.Token);
        Assert.True(summary.Interrupted);
        Assert.DoesNotContain("dev-002", Lines(output));
        Assert.Equal(Lines(output), source.Retired.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_network_that_cannot_be_used_stops_the_run_at_once()
    {
        source.ReadFailures["dev-002"] = new SourceUnavailableException(new Failure("Unauthorized") { Advice = "check the key" });
        var summary = await RunAsync(Ids(1000));
        Assert.Equal(["dev-000", "dev-001"], Lines(output));
        Assert.Equal("export device `dev-002`", summary.Stopped!.Message);
        Assert.Equal("Unauthorized", summary.Stopped.Cause!.Message);
        Assert.Equal(0, summary.Rejected);
        Assert.True(source.Read.Count < 100);
    }

    [Fact]
    public async Task A_list_that_fails_stops_the_run_before_anything_is_read()
    {
        source.Applications["my-app"] = Ids(10);
        source.ListFailure = new SourceUnavailableException(new Failure("connection refused"));
        var summary = await RunAsync(["my-app"], what: ExportedItems.Applications);
        Assert.Empty(source.Read);
        Assert.Equal(("connection refused", (int?)null, NextStep.Continue), (summary.Stopped!.Message, summary.Total, summary.Next));
    }

    [Fact]
    public async Task A_device_that_could_not_be_retired_is_reported_as_written_and_still_alive()
    {
        source.RetireFailures["dev-001"] = new FailureException(new Failure("context deadline exceeded"));
        var summary = await RunAsync(Ids(3));
        Assert.Equal(Ids(3), Lines(output));
        Assert.Equal((3, 2, 1, false), (summary.Exported, summary.Retired, summary.RetireFailed, summary.Succeeded));
        var failure = events.Of<ExportEvent.RetireFailed>().Single().Failure;
        Assert.Equal("line of device `dev-001` is written, but its keys may still be at the source", failure.Message);
        Assert.Equal("context deadline exceeded", failure.Cause!.Message);
    }

    [Fact]
    public async Task Devices_that_need_a_person_are_listed_with_what_to_do()
    {
        source.Notes["dev-001"] = [new Note("guided", "look at it", NeedsPerson: true), new Note("lost", "a tag was lost")];
        source.Notes["dev-002"] = [new Note("lost", "a tag was lost")];
        source.Scopes["dev-001"] = RetireScope.None;
        source.DecidedByDefault = ["sessions are exported"];
        var summary = await RunAsync(Ids(3));
        Assert.Equal(["dev-000", "dev-002"], source.Retired.Order(StringComparer.Ordinal));
        Assert.Equal(["guided 1 True do it dev-001", "lost 2 False  dev-001,dev-002"], summary.Notes.Select(n => $"{n.Code} {n.Count} {n.NeedsPerson} {n.Guide} {string.Join(',', n.Devices)}"));
        Assert.Equal(["sessions are exported"], summary.DecidedByDefault);
    }

    [Theory]
    [InlineData(1000, 1)]
    [InlineData(1001, 2)]
    public async Task Only_a_large_application_is_listed_twice(int devices, int lists)
    {
        source.Applications["my-app"] = Ids(devices);
        var summary = await RunAsync(["my-app"], new ExportOptions { DryRun = true }, what: ExportedItems.Applications);
        Assert.Equal((devices, lists), (summary.Exported, source.Lists));
        Assert.Equal(devices, events.Of<ExportEvent.Counted>().Single().Devices);
    }

    [Fact]
    public async Task No_more_devices_are_read_at_once_than_allowed()
    {
        var now = 0;
        var most = 0;
        source.BeforeRead = async (_, _) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref now));
            await Task.Yield();
            Interlocked.Decrement(ref now);
        };
        await RunAsync(Ids(200), new ExportOptions { Concurrency = 3 });
        Assert.InRange(most, 1, 3);
    }

    public async ValueTask DisposeAsync()
    {
        folder.Dispose();
        await output.DisposeAsync();
        await source.DisposeAsync();
    }

    private static string[] Ids(int count) => [.. Enumerable.Range(0, count).Select(i => $"dev-{i:d3}")];

    private static string[] Lines(MemoryStream stream) =>
    [
        .. System.Text.Encoding.UTF8.GetString(stream.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(l => JsonDocument.Parse(l).RootElement.GetProperty("ids").GetProperty("device_id").GetString()!),
    ];

    private Task<ExportSummary> RunAsync(
        string[] ids, ExportOptions? options = null, ExportedItems what = ExportedItems.Devices, CancellationToken interrupt = default) =>
        WithJournal(folder, journal => new Exporter(source, options ?? new ExportOptions(), options is { DryRun: true } ? null : journal).RunAsync(new ExportRequest(what, ids), output, events, interrupt));

    private static async Task<ExportSummary> WithJournal(TemporaryFolder folder, Func<DeviceJournal, Task<ExportSummary>> run)
    {
        await using var journal = DeviceJournal.Open(new JournalOptions(folder.File("test.journal"), new JournalScope("fake", ""), "1.2.3", TimeProvider.System));
        return await run(journal);
    }
}
