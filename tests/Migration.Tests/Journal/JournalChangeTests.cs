using Migration.Journal;

namespace Migration.Tests.Journal;

public sealed class JournalChangeTests : JournalTestBase
{
    public static TheoryData<string, string, bool> Steps => new()
    {
        // What happened before, what is asked, whether it is allowed.
        { "", "read", true },
        { "", "written", true },
        { "", "rejected", true },
        { "", "intended", false },
        { "", "retired", false },
        { "", "imported", false },
        { "read", "intended", false },
        { "rejected", "intended", false },
        { "rejected", "written", true },
        { "written", "written", true },
        { "written", "rejected", true },
        { "written", "intended", true },
        { "written", "retired", false },
        { "written", "restore", false },
        { "written", "restored", false },
        { "written", "not-retired", true },
        { "written", "imported", true },
        { "written imported", "intended", true },
        { "written intended", "read", false },
        { "written intended", "written", false },
        { "written intended", "rejected", true },
        { "written intended", "intended", true },
        { "written intended", "not-retired", true },
        { "written intended", "restore", true },
        { "written intended retired", "read", false },
        { "written intended retired", "written", false },
        { "written intended retired", "intended", true },
        { "written intended retired", "restore", true },
        { "written intended retired", "restored", true },
        { "written intended retired", "verified", true },
        { "written intended retired restore", "intended", false },
        { "written intended retired restore", "written", false },
        { "written intended retired restore", "restore", true },
        { "written intended retired restore restored", "written", true },
        { "written intended retired restore restored", "intended", true },
        { "written intended retired restore restored", "restored", true },
        { "written intended retired restore restored", "restore", true },
    };

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task Steps_that_could_cost_the_original_are_refused(string before, string step, bool allowed)
    {
        await using var journal = Open();
        foreach (var earlier in before.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            await journal.RecordAsync(Change(earlier));
        var entry = journal.Reader.Find(Id(1));
        if (allowed)
        {
            await journal.RecordAsync(Change(step));
            Assert.Equal(Change(step).State, journal.Reader.History(Id(1))[^1].State);
        }
        else
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => journal.RecordAsync(Change(step)));
            var after = journal.Reader.Find(Id(1));
            Assert.Equal(entry?.State, after?.State);
            Assert.Equal(entry?.Record.ToArray(), after?.Record.ToArray());
            Assert.Equal(before.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length, journal.Reader.History(Id(1)).Count);
        }
    }

    [Fact]
    public async Task A_call_with_a_refused_step_records_none_of_its_steps()
    {
        await using var journal = Open();
        await Assert.ThrowsAsync<InvalidOperationException>(() => journal.RecordAsync(Written(1), Intended(2)));
        Assert.Empty(await All(journal.Reader));
        await journal.RecordAsync(Written(3));
        Assert.Equal(1, (await All(journal.Reader)).Single().Ordinal);
    }

    [Theory]
    [InlineData("read", DeviceState.Read, true)]
    [InlineData("rejected", DeviceState.Rejected, false)]
    [InlineData("written", DeviceState.Written, true)]
    [InlineData("written imported", DeviceState.Imported, true)]
    [InlineData("written intended", DeviceState.RetireIntended, true)]
    [InlineData("written imported intended", DeviceState.RetireIntended, true)]
    [InlineData("written intended not-retired", DeviceState.Written, true)]
    [InlineData("written intended retired", DeviceState.Retired, false)]
    [InlineData("written intended retired imported", DeviceState.Imported, false)]
    [InlineData("written intended retired imported verified", DeviceState.Verified, false)]
    [InlineData("written intended retired imported restore", DeviceState.RestoreIntended, true)]
    [InlineData("written intended retired imported restore restored", DeviceState.Restored, false)]
    public async Task The_state_shown_is_the_one_that_matters_most(string steps, DeviceState expected, bool unfinished)
    {
        await using var journal = Open();
        foreach (var step in steps.Split(' '))
            await journal.RecordAsync(Change(step));
        var entry = journal.Reader.Find(Id(1))!;
        Assert.Equal((expected, unfinished), (entry.State, entry.IsUnfinished));
        Assert.Equal([new StateCount(expected, 1)], journal.Reader.Counts());
        Assert.Equal(unfinished ? 1 : 0, journal.Reader.CountUnfinished());
    }

    private static JournalEntry Before => new() { Device = Id(1), Record = RecordOf(1), Line = LineOf(1) };

    private static JournalChange Change(string step) => step switch
    {
        "read" => JournalChange.Read(Id(1), RecordOf(9)),
        "written" => JournalChange.Written(Id(1), RecordOf(1), LineOf(1)),
        "rejected" => JournalChange.Rejected(Id(1), "no_keys", "it has no keys"),
        "intended" => Intended(1),
        "not-retired" => JournalChange.TakenBack(Before),
        "retired" => JournalChange.Retired(Id(1)),
        "restore" => JournalChange.RestoreIntended(Id(1)),
        "restored" => JournalChange.Restored(Id(1)),
        "imported" => JournalChange.Imported(Id(1)),
        "verified" => JournalChange.Verified(Id(1)),
        _ => throw new ArgumentException(step),
    };
}
