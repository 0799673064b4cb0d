using TheThingsStack.Errors;

namespace Migration;

/// <summary>What a run came to. Counts are exact; lists of devices are cut at <see cref="ListedPerReason"/> for each reason.</summary>
public sealed record ExportSummary
{
    /// <summary>How many devices are listed for each reason; every one was reported as an event.</summary>
    public const int ListedPerReason = 1000;

    /// <summary>True when nothing was to be retired.</summary>
    public required bool DryRun { get; init; }

    /// <summary>Devices of the run, including those not reached; null when they could not be listed.</summary>
    public required int? Total { get; init; }

    /// <summary>Lines written.</summary>
    public required int Exported { get; init; }

    /// <summary>Lines among them that an earlier run had already written, taken from the journal.</summary>
    public int FromJournal { get; init; }

    /// <summary>Devices named more than once, each further time.</summary>
    public required int Skipped { get; init; }

    /// <summary>Devices that cannot go.</summary>
    public required int Rejected { get; init; }

    /// <summary>Application that gets the devices; null when the file is all.</summary>
    public string? ImportedTo { get; init; }

    /// <summary>Exported devices that the target has; in a dry run: that it would take.</summary>
    public int Imported { get; init; }

    /// <summary>Those among them that were there before this run.</summary>
    public int ImportedBefore { get; init; }

    /// <summary>Exported devices that the target does not have; this run did not retire them.</summary>
    public int ImportFailed { get; init; }

    /// <summary>Exported devices whose import was not begun, because the run ended before.</summary>
    public int ImportLeft { get; init; }

    /// <summary>Exported devices of which the source has lost what was exported, in this run or an earlier one.</summary>
    public required int Retired { get; init; }

    /// <summary>After a dry run: what the source's limit of calls makes the real run take at the least; zero when there is no limit.</summary>
    public TimeSpan TimeOfRealRun { get; init; }

    /// <summary>Exported devices whose keys may still be at the source.</summary>
    public required int RetireFailed { get; init; }

    /// <summary>Rejections, failed imports and failed retirements by reason, most frequent first.</summary>
    public required IReadOnlyList<ReasonCount> Problems { get; init; }

    /// <summary>Notes by code, those that need a person first, then most frequent first.</summary>
    public required IReadOnlyList<ReasonCount> Notes { get; init; }

    /// <summary>Which defaults decided; one sentence each.</summary>
    public required IReadOnlyList<string> DecidedByDefault { get; init; }

    /// <summary>What stopped the run before its end; null when all devices had their turn or the user stopped it.</summary>
    public Failure? Stopped { get; init; }

    /// <summary>True when the user stopped the run; devices in hand were finished.</summary>
    public bool Interrupted { get; init; }

    /// <summary>What to do next.</summary>
    public required NextStep Next { get; init; }

    /// <summary>True when every device of the run is on its way: nothing rejected, nothing left half done, not stopped.</summary>
    public bool Succeeded => Stopped is null && !Interrupted && Rejected == 0 && RetireFailed == 0 && ImportFailed == 0 && ImportLeft == 0;
}

/// <summary>How often something occurred, and for which devices.</summary>
/// <param name="Code">Stable name.</param>
/// <param name="Text">What it is, one sentence, from the first device it occurred for.</param>
/// <param name="Count">Devices.</param>
/// <param name="NeedsPerson">True when somebody has to do something about each of these devices.</param>
/// <param name="Guide">What that is; null when <paramref name="Text"/> says it.</param>
/// <param name="Devices">IDs at the source in input order, at most <see cref="ExportSummary.ListedPerReason"/>.</param>
public sealed record ReasonCount(string Code, string Text, int Count, bool NeedsPerson, string? Guide, IReadOnlyList<string> Devices);

/// <summary>What comes after a run; the command line says it as a command.</summary>
public enum NextStep
{
    /// <summary>Nothing was exported and nothing failed.</summary>
    Nothing,

    /// <summary>The dry run was clean: the same command without <c>--dry-run</c>.</summary>
    RunForReal,

    /// <summary>Some devices need attention; the others may go: look at the list, then run the same command again for them.</summary>
    SolveAndRunAgain,

    /// <summary>The run did not reach all devices: the same command again, into a new file.</summary>
    Continue,

    /// <summary>All lines are written: import the file into The Things Stack.</summary>
    Import,

    /// <summary>All devices are on the target: look whether they arrive there.</summary>
    Verify,
}
