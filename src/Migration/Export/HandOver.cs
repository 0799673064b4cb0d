using Migration.Import;
using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;
using TheThingsStack.Registries;

namespace Migration;

/// <summary>
/// What follows the line of a device: record it, bring the device to the target when there is one, record that, and only then retire it at
/// the source and look whether it is retired. Each step is durable before the next begins, many devices are under way at a time and share
/// the synchronisations of the journal. Called by one caller at a time.
/// </summary>
/// <param name="source">The network that devices leave.</param>
/// <param name="target">Where they go; null when the file is all.</param>
/// <param name="journal">Makes retiring safe; null in a dry run, which changes nothing on either side.</param>
/// <param name="known">What this and earlier runs have recorded; null when nothing is.</param>
/// <param name="scope">Names devices in the journal; null without one.</param>
/// <param name="options">How the run goes.</param>
/// <param name="tally">Counts what happens.</param>
/// <param name="progress">Gets events, one at a time; may be null.</param>
/// <param name="stop">Cancelled when the run is to end: by the user, or by <see cref="Stop"/>.</param>
internal sealed class HandOver(
    IDeviceSource source, Importer? target, DeviceJournal? journal, JournalReader? known, JournalScope? scope, ExportOptions options, Tally tally,
    IProgress<ExportEvent>? progress, CancellationTokenSource stop) : IDisposable
{
    /// <summary>Accepted changes that are looked at together.</summary>
    private const int ConfirmedTogether = 64;

    private const string ImportedBefore = "imported_before";

    /// <summary>The device was retired, and somebody has given it keys again.</summary>
    public static readonly Note OtherKeys = new(
        "other_keys_at_source",
        "it was retired by an earlier run and has other keys at the source since; its line is the one of the earlier run. Find out which keys the device "
            + "itself has, and take it out of service on the side that has the others",
        NeedsPerson: true);

    private static readonly Passage Left = new();

    private readonly Queue<(Candidate Device, Task<Passage> Passage)> inHand = new();
    private readonly List<(Candidate Device, AcceptedRetirement Retirement)> accepted = [];
    private readonly SemaphoreSlim retiring = new(Math.Max(1, options.Concurrency));

    /// <summary>Devices in hand; one that waits for the target must not hold up the others.</summary>
    private readonly int room = Math.Max(Math.Max(1, options.Concurrency), target?.MostUnderWay ?? 0);

    private Failure? stopped;

    /// <summary>What stopped the run; null when nothing did.</summary>
    public Failure? Stopped => Volatile.Read(ref stopped);

    /// <summary>Ends the run: what is begun is finished, nothing else is begun. The first reason counts.</summary>
    public void Stop(Failure? why)
    {
        Interlocked.CompareExchange(ref stopped, why, null);
        stop.Cancel();
    }

    /// <summary>Takes a device whose line is out.</summary>
    /// <param name="device">The device.</param>
    /// <param name="line">Its line without line feed; copied before this returns.</param>
    public async Task BeginAsync(Candidate device, ReadOnlyMemory<byte> line)
    {
        inHand.Enqueue((device, PassAsync(device, line)));
        while (inHand.Count > 0 && (inHand.Count >= room || inHand.Peek().Passage.IsCompleted))
            await FinishNextAsync();
    }

    /// <summary>Notes in the journal that a device does not go.</summary>
    public void Reject(Candidate device, Failure failure)
    {
        if (journal is not null)
            inHand.Enqueue((device, RejectAsync(device, failure)));
    }

    /// <summary>Finishes the devices in hand.</summary>
    public async Task FinishAsync()
    {
        while (inHand.Count > 0)
            await FinishNextAsync();
        await ConfirmAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => retiring.Dispose();

    /// <summary>
    /// The way of one device. An import that has not begun when the run ends is left alone: nothing of the device has changed anywhere. What
    /// is begun runs to its end.
    /// </summary>
    private async Task<Passage> PassAsync(Candidate device, ReadOnlyMemory<byte> line)
    {
        ImportedDevice? imported = null;
        try
        {
            var written = Written(device, line);
            var (plan, intended) = Intend(device);
            if (target is null)
            {
                await RecordAsync([.. written, .. intended]);
            }
            else
            {
                await RecordAsync(written);
                imported = await ImportAsync(device, target);
                if (imported is null)
                    return Left;
                if (imported.Failure is { } failure)
                {
                    await RecordAsync([JournalChange.Rejected(Name(device), Tally.CodeOf(failure), Tally.Innermost(failure).Message)]);
                    return new Passage { Import = imported };
                }
                var arrived = imported.SkippedFor == ImportedBefore ? [] : new[] { JournalChange.Imported(Name(device), target.Target.ToString()) };
                await RecordAsync([.. arrived, .. intended]);
            }
            if (plan is null)
                return new Passage { Import = imported, Change = device.Entry is null || journal is null ? null : new ChangeOutcome(ChangeResult.Done) };
            device.Plan = plan;
        }
        catch (FailureException e)
        {
            // The journal is not safe: the source is left alone, for this device and all after it.
            Stop(e.Failure);
            return target is not null && imported is null
                ? Left
                : new Passage { Import = imported, Change = imported?.Failure is not null ? null : new ChangeOutcome(ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = true } };
        }
        await retiring.WaitAsync();
        try
        {
            return new Passage { Import = imported, Change = await source.RetireAsync(device.Read!, device.Plan, CancellationToken.None) };
        }
        finally
        {
            retiring.Release();
        }
    }

    private async Task<Passage> RejectAsync(Candidate device, Failure failure)
    {
        try
        {
            await RecordAsync([JournalChange.Rejected(Name(device), Tally.CodeOf(failure), Tally.Innermost(failure).Message)]);
        }
        catch (FailureException e) when (e.Failure.Name == JournalFailures.DamagedName)
        {
            // Its entry takes no step any more; that is what it was rejected for.
        }
        catch (FailureException e)
        {
            Stop(e.Failure);
        }
        return new Passage { Rejected = true };
    }

    private JournalChange[] Written(Candidate device, ReadOnlyMemory<byte> line) =>
        journal is null || device.Entry is not null ? [] : [JournalChange.Written(Name(device), device.Read!.Record, line.ToArray(), target is null ? null : $"{JournalReader.ToBeImported}{target.Target.Place}")];

    /// <summary>What is to be done at the source, and the steps that announce it; no plan when nothing is left to take there.</summary>
    private (RetirePlan? Plan, JournalChange[] Steps) Intend(Candidate device)
    {
        if (journal is null)
            return (null, []);
        var name = Name(device);
        if (device.Entry is not { } entry)
        {
            if (device.Retires == RetireScope.None)
                return (null, []);
            var plan = source.PlanRetirement(device.Read!, device.Retires, RetireWay.Clear);
            return (plan, [JournalChange.RetireIntended(name, plan.Way, plan.Replacement)]);
        }
        // Its keys left the source without this tool.
        if (device.Found is { } found)
            return (null, [JournalChange.RetireIntended(name, found.Way, found.Replacement), JournalChange.Retired(name, device.Notes[0].Text)]);
        if (entry.SourceSide == SourceSide.Retired && device.Again is null)
            return (null, []);
        var begun = device.Again ?? new RetirePlan(entry.Way!.Value, entry.Replacement);
        return (begun, [JournalChange.RetireIntended(name, begun.Way, begun.Replacement, "continued")]);
    }

    private Task RecordAsync(IReadOnlyList<JournalChange> changes) => journal is null || changes.Count == 0 ? Task.CompletedTask : journal.RecordAsync(changes);

    /// <summary>Brings a device to the target; null when it was not its turn any more, or when the target cannot be used.</summary>
    private async Task<ImportedDevice?> ImportAsync(Candidate device, Importer importer)
    {
        try
        {
            var sent = device.Device ?? TtsJson.Read<EndDevice>(device.Entry!.Line!.Value.Span);
            if (ImportedTo(device) is { } before)
            {
                // Early versions noted the application only.
                if (!before.IsSamePlace(importer.Target) && before.Place != importer.Application)
                    return new ImportedDevice(device.Reference.Id, 0, ImportResult.Failed, []) { Failure = Elsewhere(before.Place) };
                if (device.Entry is not null && await importer.NeedsNothingAsync(sent, stop.Token))
                    return new ImportedDevice(device.Reference.Id, 0, ImportResult.Skipped, []) { SkippedFor = ImportedBefore };
            }
            var earlier = device.Earlier?.Line is { } line ? TtsJson.Read<EndDevice>(line.Span) : null;
            var result = await importer.ImportAsync(sent, earlier, stop.Token);
            // Left there as it is, with other fields or keys: what the target has is not this device.
            if (result.SkippedFor == TargetLook.OtherIsThere)
                return result with { Result = ImportResult.Failed, SkippedFor = null, Failure = LeftAsItIs };
            if (!result.TargetFailed)
                return result;
            Stop(result.Failure);
            return null;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return null;
        }
        catch (RegistryException e) when (!e.ConcernsAll)
        {
            return new ImportedDevice(device.Reference.Id, 0, ImportResult.Failed, []) { Failure = DeviceImport.Describe(e) };
        }
        catch (FailureException e)
        {
            Stop(e.Failure);
            return null;
        }
    }

    /// <summary>Where an earlier run has brought the device to; null when none has.</summary>
    private ImportTarget? ImportedTo(Candidate device) =>
        (device.Entry ?? device.Earlier) is { TargetSide: not TargetSide.Unknown }
            ? ImportTarget.Of(known?.LastPlace(Name(device)))
            : null;

    private async Task FinishNextAsync()
    {
        var (device, running) = inHand.Dequeue();
        var passage = await running;
        if (passage.Rejected)
            return;
        if (target is not null)
            Take(device, passage.Import);
        if (passage.Change is not { } outcome)
            return;
        if (outcome.Result != ChangeResult.Accepted)
        {
            await SettleAsync([(device, outcome)]);
            return;
        }
        accepted.Add((device, new AcceptedRetirement(device.Reference, device.Read!, device.Plan!)));
        if (accepted.Count >= ConfirmedTogether)
            await ConfirmAsync();
    }

    private void Take(Candidate device, ImportedDevice? imported)
    {
        if (imported is null)
        {
            tally.ImportLeft++;
            return;
        }
        if (imported.Failure is { } cause)
        {
            var failure = Failure.Named("export", "import", $"device `{device.Reference.Id}` is not on The Things Stack, {Meanwhile(device)}") with
            {
                Attributes = new Dictionary<string, string> { ["device_id"] = device.Reference.Id },
                Cause = cause,
                Advice = cause.Advice,
            };
            tally.FailImport(device.Reference.Id, failure);
            progress?.Report(new ExportEvent.ImportFailed(device.Reference, failure));
            return;
        }
        tally.Imported++;
        if (imported.Result == ImportResult.Skipped)
            tally.ImportedBefore++;
        foreach (var note in imported.Notes)
            tally.Note(device.Reference.Id, note);
        progress?.Report(new ExportEvent.Imported(device.Reference, imported));
    }

    private string Meanwhile(Candidate device) =>
        journal is null ? "and would keep its keys at the source"
        : device.Entry is null ? "and keeps its keys at the source"
        : "and an earlier run has begun to take its keys from the source: they are in the journal";

    /// <summary>Looks whether the accepted changes are there.</summary>
    private async Task ConfirmAsync()
    {
        if (accepted.Count == 0)
            return;
        var outcomes = await source.ConfirmAsync([.. accepted.Select(a => a.Retirement)], CancellationToken.None);
        await SettleAsync([.. accepted.Select((a, i) => (a.Device, outcomes[i]))]);
        accepted.Clear();
    }

    private async Task SettleAsync(IReadOnlyList<(Candidate Device, ChangeOutcome Outcome)> settled)
    {
        var changes = new List<JournalChange>();
        foreach (var (device, outcome) in settled)
        {
            var name = Name(device);
            if (device.Plan is null)
                continue;
            if (outcome.Result == ChangeResult.Done)
                changes.Add(JournalChange.Retired(name, outcome.Detail));
            else if (outcome.Result == ChangeResult.Unchanged && device.Entry is null)
                changes.Add(JournalChange.TakenBack(Untouched(name), outcome.Failure?.Message));
            else if (outcome.Result == ChangeResult.Unchanged && device.Again is not null)
                changes.Add(JournalChange.TakenBack(device.Entry!, outcome.Failure?.Message));
            else if (outcome.JoinedAgain)
                changes.Add(JournalChange.TakenBack(Untouched(name), "it has joined again at the source: it is to be exported anew"));
            else if (outcome.ChangedAtSource)
                changes.Add(JournalChange.Retired(name, "the exported keys were no longer there"));
        }
        try
        {
            await RecordAsync(changes);
        }
        catch (FailureException e)
        {
            // What was done is done; the next run looks at the source and finds it.
            Stop(e.Failure);
        }
        foreach (var (device, outcome) in settled)
        {
            var isOver = outcome is { ChangedAtSource: true, JoinedAgain: false } && device.Entry is not null;
            if (isOver)
                tally.Note(device.Reference.Id, OtherKeys);
            if (outcome.Note is { } note)
                tally.Note(device.Reference.Id, note);
            if (outcome.Result == ChangeResult.Done || isOver)
            {
                tally.Retired++;
                progress?.Report(new ExportEvent.Retired(device.Reference));
                continue;
            }
            var failure = NotRetired(device.Reference.Id, outcome);
            tally.FailRetirement(device.Reference.Id, failure);
            if (outcome.SourceFailed)
                Stop(outcome.Failure);
            progress?.Report(new ExportEvent.RetireFailed(device.Reference, failure));
        }
    }

    /// <summary>The entry of a device that was new to this run, as it was before its retirement was announced.</summary>
    private static JournalEntry Untouched(JournalDeviceId name) => new() { Device = name, Line = ReadOnlyMemory<byte>.Empty };

    private Failure NotRetired(string id, ChangeOutcome outcome) =>
        Failure.Named("export", "retire", $"{(target is null ? $"line of device `{id}` is written" : $"device `{id}` is on The Things Stack")}, "
            + (outcome.Result == ChangeResult.Unchanged ? $"{(target is null ? "" : "and ")}its keys are still at the source" : "but its keys may still be at the source")) with
        {
            Attributes = new Dictionary<string, string> { ["device_id"] = id },
            Cause = outcome.Failure,
            Advice = "run the same command again: it looks at the source and finishes. "
                + (target is null ? "Do not import the line before: the device must not be on both sides" : "Until then the device is on both sides"),
        };

    /// <summary>Name in the journal; without one nothing is recorded under it.</summary>
    private JournalDeviceId Name(Candidate device) => new(scope?.Source ?? "", device.Reference.Application, device.Reference.Id);

    private static Failure LeftAsItIs { get; } = Failure.Named("import", TargetLook.OtherIsThere, "the target has it already, with other fields or keys, and keeps them") with
    {
        Advice = "--import-on-conflict update or replace changes it there; until then it is not retired",
    };

    private static Failure Elsewhere(string target) => Failure.Named("import", "imported_elsewhere", $"an earlier run has imported it into {target}") with
    {
        Attributes = new Dictionary<string, string> { ["target"] = target },
        Advice = "nothing was changed; name that application and that address, or take the device back first (`ttn-lw-migrate rollback` with the address)",
    };

    /// <summary>How far a device came after its line.</summary>
    private sealed record Passage
    {
        /// <summary>Only its rejection was to be noted.</summary>
        public bool Rejected { get; init; }

        /// <summary>What came of the import; null without a target, or when it was not begun.</summary>
        public ImportedDevice? Import { get; init; }

        /// <summary>What came of retiring; null when there was nothing to retire, or when it did not come to that.</summary>
        public ChangeOutcome? Change { get; init; }
    }
}
