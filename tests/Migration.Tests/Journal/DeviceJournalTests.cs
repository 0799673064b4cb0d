using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Migration.Journal;
using TheThingsStack.Errors;

namespace Migration.Tests.Journal;

public sealed class DeviceJournalTests : JournalTestBase
{
    [Fact]
    public async Task What_was_recorded_is_there_after_opening_again()
    {
        await using (var journal = Open())
        {
            await journal.RecordAsync(Written(1), Intended(1));
            Clock.Advance(TimeSpan.FromSeconds(2));
            await journal.RecordAsync(JournalChange.Retired(Id(1), "checked"));
        }
        using var reader = JournalReader.Open(Disk.Journal);
        var entry = reader.Find(Id(1))!;
        Assert.Equal(RecordOf(1), entry.Record.ToArray());
        Assert.Equal(LineOf(1), entry.Line!.Value.ToArray());
        Assert.Equal("cleared"u8.ToArray(), entry.Replacement!.Value.ToArray());
        Assert.Equal((DeviceState.Retired, RetireWay.Clear, 1, "1.2.3"), (entry.State, entry.Way!.Value, entry.Attempts, entry.ToolVersion));
        Assert.Equal(TimeSpan.FromSeconds(2), entry.Changed - entry.Created);
        Assert.Equal(Scope, reader.Scope());
        Assert.Equal(
            [(DeviceState.Written, 0, null), (DeviceState.RetireIntended, 1, null), (DeviceState.Retired, 1, "checked")],
            reader.History(Id(1)).Select(e => (e.State, e.Attempt, e.Detail)));
        Assert.Null(reader.Find(Id(2)));
    }

    [Fact]
    public async Task Entries_are_read_in_the_order_in_which_devices_were_met()
    {
        await using var journal = Open();
        int[] order = [.. Enumerable.Range(0, 700).Select(n => (n * 37) % 700)];
        foreach (var chunk in order.Chunk(50))
            await journal.RecordAsync([.. chunk.Select(Written)]);
        await journal.RecordAsync(Intended(order[0]));
        Assert.Equal(order.Select(Id), (await All(journal.Reader)).Select(e => e.Device));
        Assert.Equal([new StateCount(DeviceState.Written, 699), new StateCount(DeviceState.RetireIntended, 1)], journal.Reader.Counts());
    }

    [Fact]
    public async Task The_same_device_ID_in_two_applications_is_two_devices()
    {
        await using var journal = Open();
        var other = Id(1) with { Application = "other" };
        await journal.RecordAsync(Written(1), JournalChange.Rejected(other, "no_keys", "it has no keys"));
        Assert.Equal([DeviceState.Written, DeviceState.Rejected], journal.Reader.NamesOf("dev-1").Select(name => journal.Reader.Find(name)!.State));
        Assert.Equal("it has no keys", journal.Reader.Find(other)!.RejectedReason);
    }

    [Fact]
    public async Task Ten_thousand_devices_in_flight_share_few_synchronisations()
    {
        await using var journal = Open();
        var before = Disk.Syncs;
        await Task.WhenAll(Enumerable.Range(0, 10_000).Select(n => journal.RecordAsync(Written(n), Intended(n))));
        Assert.InRange(Disk.Syncs - before, 1, 400);
        Assert.Equal([new StateCount(DeviceState.RetireIntended, 10_000)], journal.Reader.Counts());
    }

    [Fact]
    public async Task A_step_is_complete_only_after_a_synchronisation_that_began_after_it_was_asked_for()
    {
        await using var journal = Open();
        using var hold = new ManualResetEventSlim();
        using var entered = new SemaphoreSlim(0);
        Disk.BeforeSync = () =>
        {
            entered.Release();
            hold.Wait(TimeSpan.FromSeconds(30));
        };
        var recording = journal.RecordAsync(Written(1));
        Assert.True(await entered.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.False(recording.IsCompleted);
        Disk.BeforeSync = null;
        hold.Set();
        await recording;
    }

    [Fact]
    public async Task Journal_and_folder_are_private_to_their_owner()
    {
        if (OperatingSystem.IsWindows())
            return;
        var folder = Path.Combine(Disk.Folder, "a", "b");
        var file = Path.Combine(folder, "x.journal");
        await using var journal = DeviceJournal.Open(Options(Scope) with { File = file });
        await journal.RecordAsync(Written(1));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        foreach (var path in Directory.EnumerateFiles(folder))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.True(File.Exists(file + "-wal"));
    }

    [Fact]
    public async Task A_journal_that_others_may_read_is_made_private_again()
    {
        if (OperatingSystem.IsWindows())
            return;
        await Open().DisposeAsync();
        File.SetUnixFileMode(Disk.Journal, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        await Open().DisposeAsync();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Disk.Journal));
    }

    [Fact]
    public async Task Every_commit_is_synchronised_and_foreign_keys_are_on()
    {
        await using var journal = Open();
        using var other = JournalReader.Connect(Disk.Journal);
        Assert.Equal(1, JournalSchema.Number(other, "PRAGMA foreign_keys"));
        var before = Disk.Syncs;
        for (var n = 0; n < 5; n++)
            await journal.RecordAsync(Written(n));
        Assert.True(Disk.Syncs - before >= 5);
    }

    [Fact]
    public async Task Two_runs_on_one_journal_exclude_each_other()
    {
        await using (var journal = Open())
        {
            var failure = Assert.Throws<FailureException>(() => Open()).Failure;
            Assert.Equal("in_use", failure.Name);
            Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"process {Environment.ProcessId} since 2026-01-02"), failure.Message, StringComparison.Ordinal);
            Assert.Equal("in_use", Assert.Throws<FailureException>(() => DeviceJournal.Destroy(Disk.Journal)).Failure.Name);
        }
        await Open().DisposeAsync();
    }

    [Fact]
    public async Task Looking_is_possible_while_a_run_holds_the_journal()
    {
        await using var journal = Open();
        using var reader = JournalReader.Open(Disk.Journal);
        await journal.RecordAsync(Written(1));
        Assert.Equal(DeviceState.Written, reader.Find(Id(1))!.State);
    }

    [Fact]
    public async Task A_lock_left_by_a_dead_process_holds_nobody_up()
    {
        if (OperatingSystem.IsWindows())
            return;
        // flock(1) takes the same lock as .NET; killing it is the crash.
        await Open().DisposeAsync();
        using var holder = Process.Start(new ProcessStartInfo("flock", ["--exclusive", "--no-fork", JournalLock.PathOf(Disk.Journal), "sh", "-c", "echo held; exec sleep 60"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        Assert.Equal("held", await holder.StandardOutput.ReadLineAsync());
        Assert.Equal("in_use", Assert.Throws<FailureException>(() => Open()).Failure.Name);
        holder.Kill();
        await holder.WaitForExitAsync();
        await Open().DisposeAsync();
    }

    [Fact]
    public async Task Nothing_is_promised_once_the_file_was_moved_or_deleted()
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var journal = Open();
        await journal.RecordAsync(Written(1));
        File.Move(Disk.Journal, Disk.Journal + ".moved");

        var failure = (await Assert.ThrowsAsync<FailureException>(() => journal.RecordAsync(Written(2)))).Failure;

        Assert.Contains("somebody has moved or deleted it during this run", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_runs_whose_lock_file_somebody_has_removed_the_earlier_one_stops()
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var earlier = Open();
        await earlier.RecordAsync(Written(1));
        File.Delete(Disk.Journal + ".lock");
        await using var later = Open();

        var failure = (await Assert.ThrowsAsync<FailureException>(() => earlier.RecordAsync(Written(2)))).Failure;

        Assert.Contains("another run has begun on it", failure.Message, StringComparison.Ordinal);
        await later.RecordAsync(Written(2));
    }

    [Fact]
    public async Task A_journal_of_another_network_is_refused()
    {
        await Open().DisposeAsync();
        var failure = Assert.Throws<FailureException>(() => Open(Scope with { Server = "other:1900" })).Failure;
        Assert.Equal("other_migration", failure.Name);
        Assert.Contains("`ttnv2` at `discovery.example.com:1900`", failure.Message, StringComparison.Ordinal);
        await DeviceJournal.Open(Options(null)).DisposeAsync();
    }

    [Fact]
    public void A_missing_journal_is_only_created_for_a_migration()
    {
        Assert.Equal("not_found", Assert.Throws<FailureException>(() => DeviceJournal.Open(Options(null))).Failure.Name);
        Assert.Equal("not_found", Assert.Throws<FailureException>(() => JournalReader.Open(Disk.Journal)).Failure.Name);
        Assert.Equal("not_found", Assert.Throws<FailureException>(() => DeviceJournal.Destroy(Disk.Journal)).Failure.Name);
        Assert.Empty(Directory.EnumerateFiles(Disk.Folder));
    }

    [Fact]
    public void Files_that_are_no_journals_are_left_alone()
    {
        var text = new string('x', 5000);
        File.WriteAllText(Disk.Journal, text);
        Assert.Equal("not_a_journal", Assert.Throws<FailureException>(() => Open()).Failure.Name);
        Assert.Equal("not_a_journal", Assert.Throws<FailureException>(() => JournalReader.Open(Disk.Journal)).Failure.Name);
        Assert.Equal(text, File.ReadAllText(Disk.Journal));

        var database = Path.Combine(Disk.Folder, "other.db");
        File.Create(database).Dispose();
        using (var connection = JournalReader.Connect(database, SqliteOpenMode.ReadWrite))
            JournalSchema.Run(connection, "CREATE TABLE photo (id INTEGER)");
        Assert.Equal("not_a_journal", Assert.Throws<FailureException>(() => DeviceJournal.Open(Options(Scope) with { File = database })).Failure.Name);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_says_how_to_proceed()
    {
        var file = Path.Combine(Disk.Folder, "file");
        File.WriteAllText(file, "");
        var failure = Assert.Throws<FailureException>(() => DeviceJournal.Open(Options(Scope) with { File = Path.Combine(file, "sub", "x.journal") })).Failure;
        Assert.Equal("unwritable", failure.Name);
        Assert.Contains("--dry-run", failure.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_older_journal_is_brought_forward_and_a_newer_one_refused()
    {
        await using (var journal = Open())
            await journal.RecordAsync(Written(1), Intended(1));
        IReadOnlyList<string> newer = [.. JournalSchema.Steps, "ALTER TABLE migration ADD COLUMN remark TEXT"];
        await using (var journal = DeviceJournal.Open(Options(Scope), newer))
            Assert.Equal(RecordOf(1), journal.Reader.Find(Id(1))!.Record.ToArray());

        var failure = Assert.Throws<FailureException>(() => Open()).Failure;
        Assert.Equal("newer", failure.Name);
        Assert.Equal("newer", Assert.Throws<FailureException>(() => JournalReader.Open(Disk.Journal)).Failure.Name);
    }

    [Theory]
    [InlineData("UPDATE device SET record = x'00' WHERE device_id = 'dev-1'")]
    [InlineData("UPDATE device SET line = x'00' WHERE device_id = 'dev-1'")]
    [InlineData("UPDATE device SET replacement = NULL WHERE device_id = 'dev-1'")]
    [InlineData("UPDATE device SET source_side = 'Retired' WHERE device_id = 'dev-1'")]
    [InlineData("UPDATE device SET way = 'Delete' WHERE device_id = 'dev-1'")]
    [InlineData("UPDATE device SET attempts = attempts + 1 WHERE device_id = 'dev-1'")]
    [InlineData("UPDATE device SET device_id = 'dev-1' WHERE device_id = 'dev-3'")]
    public async Task A_damaged_entry_is_noticed_and_does_not_hinder_the_others(string damage)
    {
        await using (var journal = Open())
            await journal.RecordAsync(damage.Contains("dev-3", StringComparison.Ordinal) ? Written(3) : Written(1), Written(2), damage.Contains("dev-3", StringComparison.Ordinal) ? Intended(3) : Intended(1));
        using (var connection = JournalReader.Connect(Disk.Journal, SqliteOpenMode.ReadWrite))
            JournalSchema.Run(connection, damage);
        await using var again = Open();
        var failure = Assert.Throws<FailureException>(() => again.Reader.Find(Id(1))).Failure;
        Assert.Equal("damaged", failure.Name);
        Assert.Equal("dev-1", failure.Attributes["device_id"]);
        Assert.Equal("damaged", (await Assert.ThrowsAsync<FailureException>(() => again.RecordAsync(JournalChange.Retired(Id(1))))).Failure.Name);
        await again.RecordAsync(Intended(2));
        Assert.Equal(DeviceState.RetireIntended, again.Reader.Find(Id(2))!.State);
    }

    [Fact]
    public async Task A_clock_that_jumps_changes_no_order()
    {
        await using (var journal = Open())
        {
            await journal.RecordAsync(Written(1));
            Clock.AdjustTime(Clock.GetUtcNow().AddYears(-3));
            await journal.RecordAsync(Intended(1));
            await journal.RecordAsync(Written(2));
            Clock.AdjustTime(Clock.GetUtcNow().AddYears(50));
            await journal.RecordAsync(JournalChange.Retired(Id(1)));
        }
        using var reader = JournalReader.Open(Disk.Journal);
        Assert.Equal([DeviceState.Written, DeviceState.RetireIntended, DeviceState.Retired], reader.History(Id(1)).Select(e => e.State));
        Assert.Equal([Id(1), Id(2)], (await All(reader)).Select(e => e.Device));
        Assert.Equal(DeviceState.Retired, reader.Find(Id(1))!.State);
    }

    [Fact]
    public async Task Keys_are_in_no_text_about_an_entry_or_a_step()
    {
        await using var journal = Open();
        await journal.RecordAsync(Written(1), Intended(1));
        var entry = journal.Reader.Find(Id(1))!;
        foreach (var text in (string[])[entry.ToString(), Written(1).ToString(), Intended(1).ToString(), string.Join(' ', journal.Reader.History(Id(1)))])
            Assert.DoesNotContain("0011223344", text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("ttnv2/my-app/dev-1: RetireIntended", entry.ToString());
    }

    [Fact]
    public async Task Destroying_refuses_while_devices_are_unfinished()
    {
        await using (var journal = Open())
        {
            await journal.RecordAsync(Written(1), Intended(1));
            await journal.RecordAsync(JournalChange.Rejected(Id(2), "no_keys", "it has no keys"));
        }
        var failure = Assert.Throws<FailureException>(() => DeviceJournal.Destroy(Disk.Journal)).Failure;
        Assert.Equal("unfinished", failure.Name);
        Assert.Contains("has 1 unfinished device", failure.Message, StringComparison.Ordinal);
        await using (var journal = Open())
            await journal.RecordAsync(JournalChange.Retired(Id(1)));
        DeviceJournal.Destroy(Disk.Journal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Disk.Folder));
    }

    [Fact]
    public async Task Destroying_takes_the_write_ahead_log_of_a_crashed_run_along()
    {
        await using (var journal = Open())
        {
            await journal.RecordAsync(Written(1), Intended(1), JournalChange.Retired(Id(1)));
            foreach (var suffix in (string[])["", "-wal", "-shm"])
                File.Copy(Disk.Journal + suffix, Path.Combine(Disk.Folder, "crashed.journal" + suffix));
        }
        DeviceJournal.Destroy(Path.Combine(Disk.Folder, "crashed.journal"));
        Assert.Empty(Directory.EnumerateFiles(Disk.Folder, "crashed*"));
    }
}
