using System.Collections.Concurrent;
using Migration.Import;
using Migration.Journal;
using Migration.Verify;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;
using TheThingsStack.Registries;

namespace Migration;

/// <summary>
/// Puts devices back at the source as the journal has them: keys, sessions, deleted devices. Idempotent. With a target, a device leaves
/// The Things Stack before it is put back, so that it is at no time on both sides; its keys are in the journal meanwhile.
/// </summary>
/// <param name="source">The network.</param>
/// <param name="reader">The journal of the export.</param>
/// <param name="journal">The same journal, to record; null makes it a dry run.</param>
/// <param name="target">Removes devices from The Things Stack; null leaves them there, and a note says so.</param>
public sealed class Rollback(IDeviceSource source, JournalReader reader, DeviceJournal? journal, TargetRemoval? target = null)
{
    private const int Concurrency = 16;

    private static readonly Note StillOnTarget = new(
        "still_on_target",
        "it was imported into The Things Stack and is there still: on both sides it answers neither reliably. Run the same command again with "
            + "--default-grpc-address HOST:PORT --application-id APP (and the target's key), or delete it in the Console",
        NeedsPerson: true);

    private static readonly Note LeftTarget = new("left_target", "removed from The Things Stack first, so that they are on one side only");

    private static readonly Note WouldLeaveTarget = new("would_leave_target", "would be removed from The Things Stack first");

    private static readonly Note NotLookedFor = new(
        "not_looked_for_on_target",
        "the journal does not know that it was imported, so it was not looked for on The Things Stack: add --application-id APP if it may be there");

    private static readonly Note RetiredAgain = new(
        "retired_again",
        "it was restored, and the source no longer answers it with its original keys: `rollback` with its ID puts it back again",
        NeedsPerson: true);

    private static readonly Failure NotAtSource = Failure.Named("rollback", "not_at_source", "the journal does not know that it was retired, and still the source does not answer it with its original keys") with
    {
        Advice = "nothing was changed; it would be on neither side. The keys are in the journal (`journal show ID --reveal`): give them back at the source first",
    };

    private readonly ConcurrentDictionary<string, Lazy<Task<Dictionary<string, SourceSighting>>>> lists = new(StringComparer.Ordinal);

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
            var results = reader.SelectAsync(ids, stop.Token).InOrderAsync(Concurrency, (selected, _) => StepAsync(selected, ids.Count > 0), CancellationToken.None);
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

    private async Task<(SelectedDevice Selected, ChangeOutcome? Outcome)> StepAsync(SelectedDevice selected, bool isNamed)
    {
        if (selected.Entry is not { } entry)
            return (selected, null);
        try
        {
            return (selected, await StepAsync(entry, isNamed));
        }
        catch (SourceUnavailableException e)
        {
            return (selected, new ChangeOutcome(ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = true });
        }
        catch (RegistryException e)
        {
            return (selected, new ChangeOutcome(ChangeResult.Unknown) { Failure = e.Failure });
        }
        catch (FailureException e)
        {
            return (selected, new ChangeOutcome(ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = e.Failure.Namespace?.EndsWith("/journal", StringComparison.Ordinal) == true });
        }
    }

    /// <summary>One device; null, or unchanged without a failure, when nothing was to be done.</summary>
    private async Task<ChangeOutcome?> StepAsync(JournalEntry entry, bool isNamed)
    {
        var device = entry.Device;
        if (entry.Way is not { } way || entry.SourceSide == SourceSide.Untouched)
        {
            return !IsLookedFor(entry) || await IsAliveAsync(entry, mayList: false)
                ? await LeaveTargetOnlyAsync(entry)
                : new ChangeOutcome(ChangeResult.Unchanged) { Failure = NotAtSource };
        }
        if (entry.SourceSide == SourceSide.Restored)
        {
            if (await IsAliveAsync(entry, mayList: !isNamed))
                return await LeaveTargetOnlyAsync(entry);
            // Perhaps somebody meant it; it is not to leave the target for it either.
            if (!isNamed)
                return new ChangeOutcome(ChangeResult.Unchanged) { Note = RetiredAgain };
        }

        var original = source.FromRecord(device.Application, device.DeviceId, entry.Record);
        var plan = new RetirePlan(way, entry.Replacement);
        Note? note = null;
        if (target is not null)
        {
            // It must not leave one side when the other does not take it back.
            var possible = await source.RestoreAsync(original, plan, dryRun: true, CancellationToken.None);
            if (possible.Result != ChangeResult.Done)
                return possible;
            note = await LeaveTargetAsync(entry) is null ? null : LeavingTarget;
        }
        if (journal is not null)
            await journal.RecordAsync(JournalChange.RestoreIntended(device));
        var outcome = await source.RestoreAsync(original, plan, dryRun: journal is null, CancellationToken.None);
        if (journal is not null && outcome.Result == ChangeResult.Done)
            await journal.RecordAsync(JournalChange.Restored(device, outcome.Detail));
        else if (journal is not null && outcome.Result == ChangeResult.Unchanged && entry.SourceSide != SourceSide.RestoreIntended)
            await journal.RecordAsync(JournalChange.TakenBack(entry, outcome.Failure?.Message));
        return outcome with { Note = note };
    }

    private async Task<ChangeOutcome?> LeaveTargetOnlyAsync(JournalEntry entry) =>
        await LeaveTargetAsync(entry) is { } only ? new ChangeOutcome(ChangeResult.Done) { Detail = only, Note = LeavingTarget } : null;

    /// <summary>
    /// Whether the source answers a device with the keys of its line. Of many devices a list may tell at once; before one leaves the target on the
    /// strength of it, and where the list does not tell, the device itself is asked for.
    /// </summary>
    private async Task<bool> IsAliveAsync(JournalEntry entry, bool mayList)
    {
        if (entry.Line is not { } line || source is not ISourceWitness witness)
            return true;
        var (_, application, id) = entry.Device;
        var sent = KeyMarks.Of(TtsJson.Read<EndDevice>(line.Span));
        if (mayList && target is null)
        {
            var list = await lists.GetOrAdd(application, name => new(() => witness.ReadListAsync(name, CancellationToken.None))).Value;
            if (list.TryGetValue(id, out var sighting) && sighting.Keys?.Answer(sent) == true)
                return true;
        }
        return (await witness.SightAsync(application, id, CancellationToken.None))?.Keys?.Answer(sent) == true;
    }

    private Note LeavingTarget => journal is null ? WouldLeaveTarget : LeftTarget;

    /// <summary>Removes the device from the target; says so, or null when it was not there.</summary>
    private async Task<string?> LeaveTargetAsync(JournalEntry entry)
    {
        if (target is null || !IsLookedFor(entry))
            return null;
        var imported = PlaceOf(entry);
        var application = await target.RemoveAsync(entry, imported?.Application, dryRun: journal is null);
        // Not being where it never was says nothing about where it is.
        if (application is null && imported?.Server is { } server && server != target.Server)
            throw new FailureException(Elsewhere(entry.Device.DeviceId, server));
        if (journal is not null && (application is not null || entry.TargetSide != TargetSide.Unknown))
            await journal.RecordAsync(JournalChange.OffTarget(entry, application is null ? "it is not on The Things Stack" : $"removed from The Things Stack, application {application}"));
        return application is null ? null : journal is null ? $"it would be removed from application {application} of The Things Stack" : $"removed from application {application} of The Things Stack";
    }

    /// <summary>Where the journal knows the device to be; null when it does not.</summary>
    private ImportTarget? PlaceOf(JournalEntry entry) =>
        ImportTarget.Of(entry.TargetSide == TargetSide.Unknown ? reader.LastPart(entry.Device) : reader.LastPlace(entry.Device));

    private bool IsLookedFor(JournalEntry entry) => target is not null && (target.NamesApplication || PlaceOf(entry) is not null);

    private Failure Elsewhere(string id, string server) =>
        Failure.Named("rollback", "imported_elsewhere", $"device `{id}` is not at {target!.Server}; it was imported at {server}") with
        {
            Advice = $"nothing was changed; give --default-grpc-address {server}, or the address where the device is now",
        };

    private void Take(SelectedDevice selected, ChangeOutcome? outcome, DeviceWorkTally tally)
    {
        if (selected.Failure is { } failure)
            tally.Fail(selected.Id, failure);
        else if (outcome is null or { Result: ChangeResult.Unchanged, Failure: null })
            tally.Skip(selected.Id, "nothing_to_restore", selected.Entry!.SourceSide == SourceSide.Restored ? "it was restored already" : "nothing was changed about it");
        else if (outcome.Result == ChangeResult.Done)
            tally.Done(selected.Id, outcome.Detail);
        else
            tally.Fail(selected.Id, outcome.Failure ?? new Failure("the network did not say what happened"));
        if (outcome?.Note is { } note)
            tally.Note(selected.Id, note);
        if (selected.Entry is { TargetSide: not TargetSide.Unknown } known && !IsLookedFor(known) && outcome?.Result is null or ChangeResult.Done)
            tally.Note(selected.Id, StillOnTarget);
        if (target is { NamesApplication: false } && selected.Entry is { TargetSide: TargetSide.Unknown, Line: not null } && outcome is { Result: ChangeResult.Done })
            tally.Note(selected.Id, NotLookedFor);
        if (outcome is { SourceFailed: true })
            tally.Stopped ??= outcome.Failure;
    }
}
