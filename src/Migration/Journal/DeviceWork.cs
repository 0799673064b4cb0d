using TheThingsStack.Errors;

namespace Migration.Journal;

/// <summary>What a command on devices of the journal (retire, rollback) came to for one device.</summary>
/// <param name="Id">Device ID at the source.</param>
/// <param name="Result">What came of it.</param>
/// <param name="Code">Stable name of the reason; null when done.</param>
/// <param name="Text">What was done, or the reason, as a sentence; may be null when done.</param>
/// <param name="Failure">The failure in full; null when done or skipped.</param>
public sealed record DeviceResult(string Id, DeviceResultKind Result, string? Code = null, string? Text = null, Failure? Failure = null);

/// <summary>Kind of <see cref="DeviceResult"/>.</summary>
public enum DeviceResultKind
{
    /// <summary>Done and checked; in a dry run: would be done.</summary>
    Done,

    /// <summary>Nothing was to be done.</summary>
    Skipped,

    /// <summary>Not done, or not known to be: needs attention.</summary>
    Failed,
}

/// <summary>What a command on devices of the journal came to.</summary>
public sealed record DeviceWorkSummary
{
    /// <summary>True when nothing was to be changed.</summary>
    public bool DryRun { get; init; }

    /// <summary>Devices done.</summary>
    public int Done { get; init; }

    /// <summary>Devices with nothing to do.</summary>
    public int Skipped { get; init; }

    /// <summary>Devices that need attention.</summary>
    public int Failed { get; init; }

    /// <summary>Reasons of the failed ones, most frequent first.</summary>
    public IReadOnlyList<ReasonCount> Problems { get; init; } = [];

    /// <summary>What is left to a person about devices that are done or needed nothing.</summary>
    public IReadOnlyList<ReasonCount> Notes { get; init; } = [];

    /// <summary>What stopped the command before its end; null when all devices had their turn or the user stopped it.</summary>
    public Failure? Stopped { get; init; }

    /// <summary>True when the user stopped the command; devices in hand were finished.</summary>
    public bool Interrupted { get; init; }
}

/// <summary>Counts results and passes them on.</summary>
internal sealed class DeviceWorkTally(IProgress<DeviceResult>? progress)
{
    private readonly Tally reasons = new();
    private int done;
    private int skipped;

    public Failure? Stopped { get; set; }

    public void Done(string id, string? text = null)
    {
        done++;
        progress?.Report(new DeviceResult(id, DeviceResultKind.Done, Text: text));
    }

    public void Skip(string id, string code, string text)
    {
        skipped++;
        progress?.Report(new DeviceResult(id, DeviceResultKind.Skipped, code, text));
    }

    public void Fail(string id, Failure failure)
    {
        reasons.Reject(id, failure);
        progress?.Report(new DeviceResult(id, DeviceResultKind.Failed, Tally.CodeOf(failure), Tally.Innermost(failure).Message, failure));
    }

    public void Note(string id, Note note) => reasons.Note(id, note);

    public DeviceWorkSummary Summarize(bool dryRun, bool interrupted) => new()
    {
        DryRun = dryRun,
        Done = done,
        Skipped = skipped,
        Failed = reasons.Rejected,
        Problems = reasons.Problems(),
        Notes = reasons.Notes(static _ => null),
        Stopped = Stopped,
        Interrupted = interrupted,
    };
}
