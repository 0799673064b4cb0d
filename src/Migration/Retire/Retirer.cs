using Migration.Journal;
using TheThingsStack.Errors;

namespace Migration;

/// <summary>What a retirement is about to do, for the user to agree to.</summary>
/// <param name="Ways">Devices by the way they are retired.</param>
/// <param name="Skipped">Devices with nothing to do.</param>
/// <param name="Failed">Devices that cannot be retired.</param>
public sealed record RetirePreview(IReadOnlyDictionary<RetireWay, int> Ways, int Skipped, int Failed)
{
    /// <summary>Devices to be retired of which the journal does not know that The Things Stack has them: it knows of no import at all.</summary>
    public int NotKnownOnTarget { get; init; }
}

/// <summary>
/// Retires devices that the journal knows as written. Their lines are safe in the journal, so nothing is lost whatever happens. A device that
/// was put back is left alone, and so is one that is not on The Things Stack, where the journal knows who is.
/// </summary>
/// <param name="source">The network.</param>
/// <param name="journal">The journal of the export.</param>
/// <param name="way">How; null takes the network's usual way for each kind of device.</param>
public sealed class Retirer(IDeviceSource source, DeviceJournal journal, RetireWay? way)
{
    private const int Concurrency = 16;
    private const int ConfirmedTogether = 64;

    private static readonly Failure NotWritten = Failure.Named("retire", "not_written", "its line was not written yet") with
    {
        Advice = "export the device first",
    };

    private static readonly Failure ChangedSince = Failure.Named("retire", "changed_at_source", "its keys at the source are neither those that were exported nor those an earlier retirement left") with
    {
        Advice = "nothing was changed; look at the device at the source and decide there",
    };

    private static readonly Failure RollbackUnfinished = Failure.Named("retire", "rollback_unfinished", "a rollback of this device was begun and not finished") with
    {
        Advice = "run the rollback again first",
    };

    private static readonly Failure NotImported = Failure.Named("retire", "not_imported", "it is not on The Things Stack as far as the journal knows, which does know of imports") with
    {
        Advice = "nothing was changed; import it first, or, when it is there already, let `verify --journal FILE` note that",
    };

    private readonly List<(JournalEntry Entry, AcceptedRetirement Retirement)> accepted = [];
    private readonly Lazy<bool> knowsImports = new(journal.Reader.KnowsImports);

    /// <summary>Counts what <see cref="RunAsync"/> would do. Calls no one.</summary>
    public async Task<RetirePreview> PreviewAsync(IReadOnlyList<string> ids, CancellationToken cancellation)
    {
        var ways = new SortedDictionary<RetireWay, int>();
        var skipped = 0;
        var failed = 0;
        var unknown = 0;
        await foreach (var selected in journal.Reader.SelectAsync(ids, cancellation))
        {
            switch (Decide(selected))
            {
                case Decision.Act act:
                    ways[act.Plan.Way] = ways.GetValueOrDefault(act.Plan.Way) + 1;
                    unknown += act.Entry.TargetSide == TargetSide.Unknown ? 1 : 0;
                    break;
                case Decision.Skip:
                    skipped++;
                    break;
                default:
                    failed++;
                    break;
            }
        }
        return new RetirePreview(ways, skipped, failed) { NotKnownOnTarget = unknown };
    }

    /// <summary>Retires. Expected failures are in the summary.</summary>
    /// <param name="ids">Device IDs; none means every device of the journal.</param>
    /// <param name="progress">Gets each result, in order of confirmation.</param>
    /// <param name="interrupt">Ends the run after the devices in hand.</param>
    public async Task<DeviceWorkSummary> RunAsync(IReadOnlyList<string> ids, IProgress<DeviceResult>? progress, CancellationToken interrupt)
    {
        var tally = new DeviceWorkTally(progress);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        try
        {
            var results = journal.Reader.SelectAsync(ids, stop.Token).InOrderAsync(Concurrency, (selected, _) => StepAsync(selected), CancellationToken.None);
            await foreach (var (decision, outcome) in results)
            {
                await TakeAsync(decision, outcome, tally);
                if (tally.Stopped is not null)
                    await stop.CancelAsync();
            }
        }
        catch (FailureException e)
        {
            tally.Stopped ??= e.Failure;
        }
        await ConfirmAsync(tally);
        return tally.Summarize(dryRun: false, interrupt.IsCancellationRequested);
    }

    private async Task<(Decision Decision, ChangeOutcome? Outcome)> StepAsync(SelectedDevice selected)
    {
        var decision = Decide(selected);
        if (decision is not Decision.Act act)
            return (decision, null);
        try
        {
            if (act.Plan is { Way: RetireWay.Delete, Replacement: null })
            {
                // Its last state goes into the journal: a deletion takes counters along that the export may not have seen.
                var (last, outcome) = await LookBeforeDeletionAsync(act.Entry, act.Expected);
                if (last is null)
                    return (decision, outcome);
                act = act with { Expected = last, Plan = act.Plan with { Replacement = last.Record } };
                decision = act;
            }
            await journal.RecordAsync(JournalChange.RetireIntended(act.Entry.Device, act.Plan.Way, act.Plan.Replacement));
        }
        catch (FailureException e)
        {
            return (decision, new ChangeOutcome(ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = true });
        }
        return (decision, await source.RetireAsync(act.Expected, act.Plan, CancellationToken.None));
    }

    private async Task<(SourceDevice? Last, ChangeOutcome? Outcome)> LookBeforeDeletionAsync(JournalEntry entry, SourceDevice expected)
    {
        try
        {
            var now = await source.ReadAsync(new DeviceReference(entry.Device.Application, entry.Device.DeviceId), CancellationToken.None);
            return source.Compare(now, expected, new RetirePlan(RetireWay.Delete, null)) is RecordMatch.Original
                ? (now, null)
                : (null, new ChangeOutcome(ChangeResult.Unchanged) { Failure = ChangedSince, ChangedAtSource = true });
        }
        catch (DeviceNotFoundException)
        {
            await journal.RecordAsync(JournalChange.RetireIntended(entry.Device, RetireWay.Delete, entry.Replacement));
            return (null, new ChangeOutcome(ChangeResult.Done) { Detail = "the device is no longer there" });
        }
        catch (SourceUnavailableException e)
        {
            return (null, new ChangeOutcome(ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = true });
        }
        catch (FailureException e)
        {
            return (null, new ChangeOutcome(ChangeResult.Unchanged) { Failure = e.Failure });
        }
    }

    private async Task TakeAsync(Decision decision, ChangeOutcome? outcome, DeviceWorkTally tally)
    {
        switch (decision)
        {
            case Decision.Skip skip:
                tally.Skip(skip.Id, skip.Code, skip.Text);
                break;
            case Decision.Fail fail:
                tally.Fail(fail.Id, fail.Failure);
                break;
            case Decision.Act act when outcome!.Result == ChangeResult.Accepted:
                var reference = new DeviceReference(act.Entry.Device.Application, act.Entry.Device.DeviceId);
                accepted.Add((act.Entry, new AcceptedRetirement(reference, act.Expected, act.Plan)));
                if (accepted.Count >= ConfirmedTogether)
                    await ConfirmAsync(tally);
                break;
            case Decision.Act act:
                await SettleAsync([(act.Entry, act.Plan, outcome)], tally);
                break;
        }
    }

    private async Task ConfirmAsync(DeviceWorkTally tally)
    {
        if (accepted.Count == 0)
            return;
        var outcomes = await source.ConfirmAsync([.. accepted.Select(a => a.Retirement)], CancellationToken.None);
        await SettleAsync([.. accepted.Select((a, i) => (a.Entry, a.Retirement.Plan, outcomes[i]))], tally);
        accepted.Clear();
    }

    private async Task SettleAsync(IReadOnlyList<(JournalEntry Entry, RetirePlan Plan, ChangeOutcome Outcome)> settled, DeviceWorkTally tally)
    {
        var changes = new List<JournalChange>();
        foreach (var (entry, _, outcome) in settled)
        {
            if (outcome.Result == ChangeResult.Done)
                changes.Add(JournalChange.Retired(entry.Device, outcome.Detail));
            else if (outcome.Result == ChangeResult.Unchanged && entry.SourceSide != SourceSide.RetireIntended)
                changes.Add(JournalChange.TakenBack(entry, outcome.Failure?.Message));
        }
        try
        {
            if (changes.Count > 0)
                await journal.RecordAsync(changes);
        }
        catch (FailureException e)
        {
            // What was done is done; the next run looks at the source and finds it.
            tally.Stopped ??= e.Failure;
        }
        foreach (var (entry, plan, outcome) in settled)
        {
            if (outcome.Result == ChangeResult.Done)
                tally.Done(entry.Device.DeviceId, outcome.Detail ?? plan.Way.Past());
            else
                tally.Fail(entry.Device.DeviceId, outcome.Failure ?? new Failure("the network did not say what happened"));
            if (outcome.SourceFailed)
                tally.Stopped ??= outcome.Failure;
        }
    }

    private Decision Decide(SelectedDevice selected)
    {
        if (selected.Entry is not { } entry)
            return new Decision.Fail(selected.Id, selected.Failure!);
        if (entry.Line is not { } line)
            return entry.RejectedCode is not null
                ? new Decision.Skip(selected.Id, "rejected", "it was not exported")
                : new Decision.Fail(selected.Id, NotWritten);
        if (entry.SourceSide == SourceSide.RestoreIntended)
            return new Decision.Fail(selected.Id, RollbackUnfinished);
        var original = source.FromRecord(entry.Device.Application, entry.Device.DeviceId, entry.Record);
        if (entry is { SourceSide: SourceSide.RetireIntended, Way: { } begun })
        {
            var seen = begun == RetireWay.Delete && entry.Replacement is { } record ? source.FromRecord(entry.Device.Application, entry.Device.DeviceId, record) : original;
            return new Decision.Act(entry, seen, new RetirePlan(begun, entry.Replacement));
        }
        var retired = entry.SourceSide == SourceSide.Retired;
        var chosen = way ?? source.DefaultWay(original);
        if (retired && (way is null || entry.Way == chosen || entry.Way == RetireWay.Delete))
            return new Decision.Skip(selected.Id, "already_retired", $"it was {entry.Way!.Value.Past()} already");
        if (entry.SourceSide == SourceSide.Restored)
            return new Decision.Skip(selected.Id, "put_back", "it was put back at the source: export it again before it is retired");
        if (entry.TargetSide == TargetSide.Unknown && (knowsImports.Value || journal.Reader.IsToBeImported(entry.Device)))
            return new Decision.Fail(selected.Id, NotImported);
        try
        {
            var plan = source.PlanRetirement(original, LineScope.Of(line.Span), chosen);
            var expected = retired && entry.Replacement is { } left ? source.FromRecord(entry.Device.Application, entry.Device.DeviceId, left) : original;
            return new Decision.Act(entry, expected, plan);
        }
        catch (FailureException e)
        {
            return new Decision.Fail(selected.Id, e.Failure);
        }
    }

    private abstract record Decision
    {
        public sealed record Act(JournalEntry Entry, SourceDevice Expected, RetirePlan Plan) : Decision;

        public sealed record Skip(string Id, string Code, string Text) : Decision;

        public sealed record Fail(string Id, Failure Failure) : Decision;
    }
}

/// <summary>Words for ways of retiring.</summary>
public static class RetireWayText
{
    /// <summary>cleared, rotated, muted, deleted.</summary>
    public static string Past(this RetireWay way) => way switch
    {
        RetireWay.Clear => "cleared",
        RetireWay.Rotate => "rotated",
        RetireWay.Mute => "muted",
        _ => "deleted",
    };
}
