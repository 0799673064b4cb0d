using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Migration;

/// <summary>A device on its way from the list to the line, and on to the target.</summary>
internal sealed record Candidate(DeviceReference Reference)
{
    public bool Repeated { get; init; }

    public Failure? Failure { get; init; }

    public bool SourceFailed { get; init; }

    public SourceDevice? Read { get; init; }

    public EndDevice? Device { get; init; }

    public RetireScope Retires { get; init; }

    /// <summary>What an earlier run recorded; the line is taken from it. Null when the device was read and mapped now.</summary>
    public JournalEntry? Entry { get; init; }

    /// <summary>What an earlier run recorded of a device that was read and mapped now; null when there is nothing.</summary>
    public JournalEntry? Earlier { get; init; }

    /// <summary>What is to be done at the source although the journal knows the device as retired: it has its keys again there, or more is asked for now.</summary>
    public RetirePlan? Again { get; init; }

    /// <summary>How the source was found although this tool did not retire the device; null otherwise.</summary>
    public RetirePlan? Found { get; init; }

    /// <summary>What is recorded as intended; null before and when nothing is retired.</summary>
    public RetirePlan? Plan { get; set; }

    public List<Note> Notes { get; init; } = [];
}
