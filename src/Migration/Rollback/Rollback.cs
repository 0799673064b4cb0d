using Migration.Journal;
using TheThingsStack.Errors;

namespace Migration;

/// <summary>Puts devices back at the source as the journal has them: keys, sessions, deleted devices. Idempotent.</summary>
/// <param name="source">The network.</param>
/// <param name="reader">The journal of the export.</param>
/// <param name="journal">The same journal, to record; null makes it a dry run.</param>
public sealed class Rollback(IDeviceSource source, JournalReader reader, DeviceJournal? journal)
{
    private const int Concurrency = 16;

    /// <summary>Rolls back. Expected failures are in the summary.</summary>
    /// <param name="ids">Device IDs; none means every device of the journal.</param>
    /// <param name="progress">Gets each result, in the order of the devices.</param>
    /// <param name="interrupt">Ends the run after the devices in hand.</param>
    public async Task<DeviceWorkSummary> RunAsync(IReadOnlyList<string> ids, IProgress<DeviceResult>? progress, CancellationToken interrupt)
    {
        var tally = new DeviceWorkTally(progress);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        try
        {
            var results = reader.SelectAsync(ids, stop.Token).InOrderAsync(Concurrency, (selected, _) => StepAsync(selected), CancellationToken.None);
            await foreach (var (selected, outcome) in results)
            {
                Take(selected, outcome, tally);
                if (tally.Stopped is not null)
                    await stop.CancelAsync();
            }
        }
        catch (FailureException e)
        {
            tally.Stopped ??= e.Failure;
        }
        return tally.Summarize(dryRun: journal is null, interrupt.IsCancellationRequested);
    }

    private async Task<(SelectedDevice Selected, ChangeOutcome? Outcome)> StepAsync(SelectedDevice selected)
    {
        if (selected.Entry is not { Way: { } way } entry || entry.SourceHoldsOriginal)
            return (selected, null);
        var device = entry.Device;
        var original = source.FromRecord(device.Application, device.DeviceId, entry.Record);
        try
        {
            if (journal is not null)
                await journal.RecordAsync(JournalChange.RestoreIntended(device));
            var outcome = await source.RestoreAsync(original, new RetirePlan(way, entry.Replacement), dryRun: journal is null, CancellationToken.None);
            if (journal is not null && outcome.Result == ChangeResult.Done)
                await journal.RecordAsync(JournalChange.Restored(device, outcome.Detail));
            else if (journal is not null && outcome.Result == ChangeResult.Unchanged && entry.SourceSide != SourceSide.RestoreIntended)
                await journal.RecordAsync(JournalChange.TakenBack(entry, outcome.Failure?.Message));
            return (selected, outcome);
        }
        catch (FailureException e)
        {
            // Only the journal throws here.
            return (selected, new ChangeOutcome(ChangeResult.Unknown) { Failure = e.Failure, SourceFailed = true });
        }
    }

    private static void Take(SelectedDevice selected, ChangeOutcome? outcome, DeviceWorkTally tally)
    {
        if (selected.Failure is { } failure)
            tally.Fail(selected.Id, failure);
        else if (outcome is null)
            tally.Skip(selected.Id, "nothing_to_restore", selected.Entry!.SourceSide == SourceSide.Restored ? "it was restored already" : "nothing was changed about it");
        else if (outcome.Result == ChangeResult.Done)
            tally.Done(selected.Id, outcome.Detail);
        else
            tally.Fail(selected.Id, outcome.Failure ?? new Failure("the network did not say what happened"));
        if (outcome is { SourceFailed: true })
            tally.Stopped ??= outcome.Failure;
    }
}
