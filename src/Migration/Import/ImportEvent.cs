using TheThingsStack.Errors;

namespace Migration.Import;

/// <summary>What came of a device.</summary>
public enum ImportResult
{
    /// <summary>Created on all servers; in a dry run: it would be.</summary>
    Imported,

    /// <summary>It was there and has the fields of its line now; in a dry run: it would.</summary>
    Updated,

    /// <summary>It was there, or an earlier run had imported it; nothing was changed.</summary>
    Skipped,

    /// <summary>It is not imported.</summary>
    Failed,
}

/// <summary>One device of an import.</summary>
/// <param name="DeviceId">Its ID; its line when it has none.</param>
/// <param name="Line">Line of the file on which it starts; 0 when it comes from elsewhere.</param>
/// <param name="Result">What came of it.</param>
/// <param name="Notes">What to know about it.</param>
public sealed record ImportedDevice(string DeviceId, long Line, ImportResult Result, IReadOnlyList<Note> Notes)
{
    /// <summary>Why it failed; null otherwise.</summary>
    public Failure? Failure { get; init; }

    /// <summary>Why it was skipped, as a code; null otherwise.</summary>
    public string? SkippedFor { get; init; }

    /// <summary>Every other device would fail alike, so the run stops.</summary>
    public bool TargetFailed { get; init; }
}

/// <summary>What an import came to. Counts are exact; lists of devices are cut as in <see cref="ExportSummary"/>.</summary>
public sealed record ImportSummary
{
    public required bool DryRun { get; init; }

    /// <summary>Devices met, those that could not be read included.</summary>
    public required int Total { get; init; }

    public required int Imported { get; init; }

    public required int Updated { get; init; }

    public required int Skipped { get; init; }

    public required int Failed { get; init; }

    /// <summary>Reasons of failures, most frequent first.</summary>
    public required IReadOnlyList<ReasonCount> Problems { get; init; }

    /// <summary>Reasons of skipping, most frequent first.</summary>
    public required IReadOnlyList<ReasonCount> SkippedFor { get; init; }

    /// <summary>Notes, those that need a person first.</summary>
    public required IReadOnlyList<ReasonCount> Notes { get; init; }

    /// <summary>What stopped the run before its end; null when it came to its end.</summary>
    public Failure? Stopped { get; init; }

    public bool Interrupted { get; init; }

    /// <summary>Device IDs that were asked for and that the file does not have, sorted; empty when it was not read to its end.</summary>
    public IReadOnlyList<string> NotInFile { get; init; } = [];

    /// <summary>True when every device is on the target.</summary>
    public bool Succeeded => Stopped is null && !Interrupted && Failed == 0 && NotInFile.Count == 0;
}
