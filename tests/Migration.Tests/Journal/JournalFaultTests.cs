using Migration.Journal;
using TheThingsStack.Errors;

namespace Migration.Tests.Journal;

/// <summary>What was promised is kept, whatever the disk does.</summary>
public sealed class JournalFaultTests : JournalTestBase
{
    private const int Devices = 12;

    public static TheoryData<string> Faults => ["full", "write-error", "sync-error"];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_disk_that_fails_at_any_write_or_sync_costs_nothing_that_was_promised(string fault)
    {
        for (var at = 1; ; at++)
        {
            using var disk = new FaultyDisk();
            switch (fault)
            {
                case "full": disk.FullAtWrite = at; break;
                case "write-error": disk.ErrorAtWrite = at; break;
                default: disk.ErrorAtSync = at; break;
            }
            var promised = await RunAsync(disk);
            var failed = promised.Count < Devices;
            disk.FullAtWrite = disk.ErrorAtWrite = disk.ErrorAtSync = 0;
            await HoldsAsync(disk, promised);
            if (!failed)
            {
                Assert.True(at > Devices, $"the fault never struck, {at}");
                return;
            }
        }
    }

    [Fact]
    public async Task A_power_cut_at_any_write_costs_nothing_that_was_promised()
    {
        var seed = new Random(20260102);
        for (var at = 1; at <= 150; at++)
        {
            using var disk = new FaultyDisk { PowerOffAtWrite = at };
            var promised = await RunAsync(disk);
            disk.LosePower(seed);
            await HoldsAsync(disk, promised);
        }
    }

    [Fact]
    public async Task Power_cuts_between_runs_cost_nothing_that_was_promised()
    {
        var seed = new Random(7);
        for (var round = 0; round < 40; round++)
        {
            using var disk = new FaultyDisk();
            var promised = new HashSet<int>();
            for (var cut = 0; cut < 4; cut++)
            {
                disk.PowerOffAtWrite = disk.Writes + seed.Next(1, 60);
                promised.UnionWith(await RunAsync(disk));
                disk.LosePower(seed);
            }
            await HoldsAsync(disk, promised);
        }
    }

    [Fact]
    public async Task After_a_failed_write_nothing_more_is_promised()
    {
        await using var journal = Open();
        await journal.RecordAsync(Written(1));
        Disk.ErrorAtSync = Disk.Syncs + 1;
        var first = (await Assert.ThrowsAsync<FailureException>(() => journal.RecordAsync(Written(2)))).Failure;
        Disk.ErrorAtSync = 0;
        var second = (await Assert.ThrowsAsync<FailureException>(() => journal.RecordAsync(Written(3)))).Failure;
        Assert.Equal(("unwritable", first), (first.Name, second));
        Assert.Contains("the disk reports an error", first.Message, StringComparison.Ordinal);
        Assert.Contains("run the same command again", first.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_devices_of_a_commit_that_fails_learn_of_it()
    {
        await using var journal = Open();
        Disk.FullAtWrite = Disk.Writes + 1;
        var tasks = Enumerable.Range(1, 100).Select(n => journal.RecordAsync(Written(n))).ToArray();
        foreach (var task in tasks)
            Assert.Contains("the disk is full", (await Assert.ThrowsAsync<FailureException>(() => task)).Failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_copy_of_the_files_at_any_instant_is_a_journal_with_all_that_was_promised()
    {
        // Copying the files is what a SIGKILL leaves: the system keeps what the process had written.
        await using var journal = Open();
        for (var n = 1; n <= 40; n++)
        {
            await journal.RecordAsync(Written(n), Intended(n));
            using var copy = new FaultyDisk();
            File.Copy(Disk.Journal, copy.Journal);
            File.Copy(Disk.Journal + "-wal", copy.Journal + "-wal");
            await HoldsAsync(copy, [.. Enumerable.Range(1, n)]);
        }
    }

    /// <summary>Records devices until the disk fails, and gives those whose recording was completed.</summary>
    private async Task<HashSet<int>> RunAsync(FaultyDisk disk)
    {
        var promised = new HashSet<int>();
        try
        {
            await using var journal = DeviceJournal.Open(new JournalOptions(disk.Journal, Scope, "1.2.3", Clock));
            foreach (var n in Enumerable.Range(1, Devices))
            {
                var known = journal.Reader.Find(Id(n));
                if (known is null)
                    await journal.RecordAsync(Written(n), Intended(n));
                else
                    await journal.RecordAsync(Intended(n));
                promised.Add(n);
            }
        }
        catch (FailureException e)
        {
            Assert.Equal("unwritable", e.Failure.Name);
        }
        return promised;
    }

    private async Task HoldsAsync(FaultyDisk disk, HashSet<int> promised)
    {
        await using var journal = DeviceJournal.Open(new JournalOptions(disk.Journal, Scope, "1.2.3", Clock));
        foreach (var n in promised)
        {
            var entry = journal.Reader.Find(Id(n));
            Assert.NotNull(entry);
            Assert.Equal(DeviceState.RetireIntended, entry.State);
            Assert.Equal(RecordOf(n), entry.Record.ToArray());
            Assert.Equal(LineOf(n), entry.Line!.Value.ToArray());
        }
        using var check = JournalReader.Connect(disk.Journal);
        Assert.Equal(1, JournalSchema.Number(check, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"));
    }
}
