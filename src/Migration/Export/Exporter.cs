using System.Buffers;
using System.Runtime.CompilerServices;
using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;

namespace Migration;

/// <summary>
/// The path of a device: list, read, map, finish, write, record, retire. Lines come in the order of the input; memory does not grow with
/// the devices in hand. A device is retired only after its line is written and flushed, and record, line and intent are durable in the
/// journal, so whatever stops the run (a full disk, a closed pipe, Ctrl-C, SIGKILL, a power cut) no key is lost: the next run takes the
/// line from the journal and finishes what was begun. Without a journal nothing is retired.
/// </summary>
/// <param name="source">The network that devices leave.</param>
/// <param name="options">How the run goes.</param>
/// <param name="journal">Makes retiring safe; null retires nothing.</param>
/// <param name="earlier">What earlier runs have recorded, for a dry run; by default that of <paramref name="journal"/>.</param>
public sealed class Exporter(IDeviceSource source, ExportOptions options, DeviceJournal? journal = null, JournalReader? earlier = null)
{
    /// <summary>Devices whose list is kept between counting and reading.</summary>
    private const int Few = 1000;

    /// <summary>Accepted changes that are looked at together.</summary>
    private const int ConfirmedTogether = 64;

    private readonly JournalReader? known = journal?.Reader ?? earlier;
    private readonly JournalScope? scope = journal?.Scope ?? earlier?.Scope();
    private readonly Tally tally = new();
    private readonly HashSet<ulong> writtenIds = [];
    private readonly ArrayBufferWriter<byte> line = new(4096);
    private readonly Queue<(Candidate Device, Task<ChangeOutcome?> Outcome)> retiring = new();
    private readonly List<(Candidate Device, AcceptedRetirement Retirement)> accepted = [];
    private readonly List<JournalDeviceId> onlyInJournal = [];
    private readonly Census census = new(options);
    private IProgress<ExportEvent>? progress;
    private Failure? stopped;

    /// <summary>Runs once. Expected failures are in the summary, none is thrown.</summary>
    /// <param name="request">What to export.</param>
    /// <param name="output">Gets one JSON object and a line feed for each device, flushed one by one; stays open.</param>
    /// <param name="progress">Gets each event at once, one at a time; may be null.</param>
    /// <param name="interrupt">Ends the run: devices whose line is written are finished, no other is touched.</param>
    public async Task<ExportSummary> RunAsync(
        ExportRequest request, Stream output, IProgress<ExportEvent>? progress = null, CancellationToken interrupt = default)
    {
        this.progress = progress;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        int? total = null;
        try
        {
            var references = await CountAsync(request, stop.Token);
            total = census.Count;
            writtenIds.EnsureCapacity(census.Count);
            progress?.Report(new ExportEvent.Counted(census.Count));

            var candidates = references.InOrderAsync(Math.Max(1, options.Concurrency), PrepareAsync, stop.Token);
            await foreach (var candidate in candidates)
            {
                await TakeAsync(candidate, output, stop.Token);
                if (stopped is not null || (options.FailFast && tally.HasProblems))
                    break;
            }
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
        }
        catch (FailureException e)
        {
            stopped ??= e.Failure;
        }
        finally
        {
            while (retiring.Count > 0)
                await FinishRetirementAsync();
            await ConfirmAsync();
        }
        return Summarize(total, interrupt.IsCancellationRequested);
    }

    /// <summary>Looks at all IDs. A run of few devices keeps what the list told; a larger one lists again, so that memory does not grow with it.</summary>
    private async Task<IAsyncEnumerable<DeviceReference>> CountAsync(ExportRequest request, CancellationToken cancellation)
    {
        var few = new List<DeviceReference>();
        await foreach (var device in ReferencesAsync(request, cancellation))
        {
            census.Add(device);
            if (census.Count <= Few)
                few.Add(device);
            else if (few.Count > 0)
                few = [];
        }
        await CountOnlyInJournalAsync(request, cancellation);
        var isFew = census.Count - onlyInJournal.Count <= Few;
        few.AddRange(onlyInJournal.Select(device => new DeviceReference(device.Application, device.DeviceId)));
        census.Close();
        return isFew ? few.ToAsyncEnumerable() : ReferencesAsync(request, cancellation);
    }

    private async IAsyncEnumerable<DeviceReference> ReferencesAsync(ExportRequest request, [EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var id in request.Ids)
        {
            cancellation.ThrowIfCancellationRequested();
            if (request.What == ExportedItems.Devices)
            {
                yield return source.Refer(id);
                continue;
            }
            await foreach (var device in source.ListAsync(id, cancellation))
                yield return device;
        }
        foreach (var device in onlyInJournal)
            yield return new DeviceReference(device.Application, device.DeviceId);
    }

    /// <summary>Devices of the applications that an earlier run has written and that are no longer there: their lines belong to the output.</summary>
    private async Task CountOnlyInJournalAsync(ExportRequest request, CancellationToken cancellation)
    {
        if (known is null || request.What != ExportedItems.Applications)
            return;
        var listed = census.Devices();
        await foreach (var device in known.NamesAsync(onlyWritten: true, cancellation))
        {
            if (request.Ids.Contains(device.Application, StringComparer.Ordinal)
                && !listed.Contains(Census.Hash(device.Application, device.DeviceId)))
                onlyInJournal.Add(device);
        }
        foreach (var device in onlyInJournal)
            census.Add(new DeviceReference(device.Application, device.DeviceId));
    }

    /// <summary>Read, map and finish; changes nothing anywhere.</summary>
    private async Task<Candidate> PrepareAsync(DeviceReference reference, CancellationToken cancellation)
    {
        if (census.HadItsTurn(reference))
            return new Candidate(reference) { Repeated = true };
        JournalEntry? entry = null;
        try
        {
            entry = known?.Find(NameInJournal(reference));
        }
        catch (FailureException e)
        {
            return new Candidate(reference) { Failure = ExportFailure(reference, e.Failure) };
        }
        if (entry is { SourceSide: SourceSide.RestoreIntended })
            return new Candidate(reference) { Failure = ExportFailure(reference, RollbackUnfinished) };
        if (entry is { Line: not null, SourceHoldsOriginal: false })
            return FromJournal(reference, entry);
        if (census.Clashes(reference))
            return new Candidate(reference) { Failure = Clash(reference, DeviceNaming.DeviceId(reference.Id, options)) };
        SourceDevice device;
        try
        {
            device = await source.ReadAsync(reference, cancellation);
        }
        catch (SourceUnavailableException e)
        {
            return new Candidate(reference) { Failure = ExportFailure(reference, e.Failure), SourceFailed = true };
        }
        catch (DeviceNotFoundException) when (entry?.Line is not null)
        {
            return FromJournal(reference, entry) with { Notes = [GoneMeanwhile], Found = new RetirePlan(RetireWay.Delete, null) };
        }
        catch (FailureException e)
        {
            return new Candidate(reference) { Failure = ExportFailure(reference, e.Failure) };
        }
        switch (source.Map(device))
        {
            case MapResult.Rejected { KeysGone: true } when entry?.Line is not null:
                return FromJournal(reference, entry) with { Notes = [ClearedMeanwhile], Found = new RetirePlan(RetireWay.Clear, device.Record) };
            case MapResult.Rejected rejected:
                return new Candidate(reference) { Failure = ExportFailure(reference, rejected.Failure) };
            case MapResult.Mapped mapped:
                var notes = new List<Note>(mapped.Notes);
                var failure = DeviceNaming.Rename(mapped.Device, options, notes) ?? FieldRules.Check(mapped.Device);
                return failure is not null
                    ? new Candidate(reference) { Failure = failure }
                    : new Candidate(reference) { Read = device, Device = mapped.Device, Retires = mapped.Retires, Notes = notes };
            default:
                throw new InvalidOperationException("a device is mapped or rejected");
        }
    }

    /// <summary>A device that an earlier run has written and perhaps retired: its line is in the journal, and the source may no longer have its keys.</summary>
    private Candidate FromJournal(DeviceReference reference, JournalEntry entry)
    {
        var read = source.FromRecord(reference.Application, reference.Id, entry.Record);
        var candidate = new Candidate(reference) { Read = read, Entry = entry };
        if (entry is not { SourceSide: SourceSide.Retired, Way: { } way } || reference.Listed is null)
            return candidate;
        // The list shows for nothing whether the retirement still holds.
        return source.Compare(reference.Listed, read, new RetirePlan(way, entry.Replacement)) switch
        {
            RecordMatch.Original or RecordMatch.Mixed => candidate with { RetireAgain = true },
            RecordMatch.Other => candidate with { Notes = [OtherKeys] },
            _ => candidate,
        };
    }

    private async Task TakeAsync(Candidate candidate, Stream output, CancellationToken cancellation)
    {
        if (candidate.Repeated)
        {
            tally.Skipped++;
            progress?.Report(new ExportEvent.Skipped(candidate.Reference));
            return;
        }
        var failure = candidate.Failure;
        var id = "";
        if (failure is null)
        {
            if (candidate.Entry is { } entry)
                TakeLine(entry);
            else
                failure = Serialize(candidate);
            if (failure is null)
            {
                (var application, id) = candidate.Device is { Ids: { } ids } ? (ids.ApplicationIds.ApplicationId, ids.DeviceId) : LineIds.Of(line.WrittenSpan);
                if (!writtenIds.Add(Census.Hash(application, id)))
                    failure = Clash(candidate.Reference, id);
            }
        }
        if (candidate.SourceFailed)
        {
            stopped = failure;
            return;
        }
        if (failure is not null)
        {
            tally.Reject(candidate.Reference.Id, failure);
            progress?.Report(new ExportEvent.Rejected(candidate.Reference, failure));
            if (journal is not null)
                retiring.Enqueue((candidate, RecordRejectionAsync(candidate, failure)));
            return;
        }
        // Nothing of this device has happened yet: the last moment to leave it alone.
        cancellation.ThrowIfCancellationRequested();
        if (!await WriteAsync(candidate, output))
            return;
        tally.Exported++;
        foreach (var note in candidate.Notes)
            tally.Note(candidate.Reference.Id, note);
        if (candidate.Entry is not null)
            tally.FromJournal++;
        progress?.Report(new ExportEvent.Exported(candidate.Reference, id, candidate.Notes));
        if (options.DryRun || journal is null)
            return;
        retiring.Enqueue((candidate, RetireAsync(candidate)));
        while (retiring.Count > 0 && (retiring.Count >= Math.Max(1, options.Concurrency) || retiring.Peek().Outcome.IsCompleted))
            await FinishRetirementAsync();
    }

    private void TakeLine(JournalEntry entry)
    {
        line.ResetWrittenCount();
        line.Write(entry.Line!.Value.Span);
        line.Write("\n"u8);
    }

    private Failure? Serialize(Candidate candidate)
    {
        line.ResetWrittenCount();
        try
        {
            TtsJson.Write(candidate.Device!, line);
        }
        catch (TtsJsonException e)
        {
            return Failure.Named("export", "format", $"format device `{candidate.Device!.Ids.DeviceId}`") with
            {
                Attributes = new Dictionary<string, string> { ["device_id"] = candidate.Device.Ids.DeviceId },
                Cause = new Failure(e.Message),
            };
        }
        line.Write("\n"u8);
        return null;
    }

    private async Task<bool> WriteAsync(Candidate candidate, Stream output)
    {
        try
        {
            await output.WriteAsync(line.WrittenMemory, CancellationToken.None);
            await output.FlushAsync(CancellationToken.None);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException or NotSupportedException)
        {
            stopped = new Failure($"cannot write the line of device `{candidate.Reference.Id}`: {e.Message}")
            {
                Advice = "no key of this device, or of any after it, was touched. The last line of the file may be incomplete: remove it, make room, and run the command again into a new file",
            };
            return false;
        }
    }

    /// <summary>
    /// Records and retires. Runs to its end even when the user stops the run: the line is out, so the device is in hand. Null when there
    /// was nothing to retire.
    /// </summary>
    private async Task<ChangeOutcome?> RetireAsync(Candidate candidate)
    {
        var name = NameInJournal(candidate.Reference);
        try
        {
            if (candidate.Entry is { } entry)
            {
                if (candidate.Found is { } found)
                {
                    // Its keys left the source without this tool; nothing is left to take there.
                    await journal!.RecordAsync(JournalChange.RetireIntended(name, found.Way, found.Replacement), JournalChange.Retired(name, candidate.Notes[0].Text));
                    return new ChangeOutcome(ChangeResult.Done);
                }
                if (entry.SourceSide == SourceSide.Retired && !candidate.RetireAgain)
                    return new ChangeOutcome(ChangeResult.Done);
                candidate.Plan = new RetirePlan(entry.Way!.Value, entry.Replacement);
                await journal!.RecordAsync(JournalChange.RetireIntended(name, candidate.Plan.Way, candidate.Plan.Replacement, "continued"));
            }
            else
            {
                // The line without its line feed, copied before the buffer takes the next one.
                var written = JournalChange.Written(name, candidate.Read!.Record, line.WrittenMemory[..^1].ToArray());
                if (candidate.Retires == RetireScope.None)
                {
                    await journal!.RecordAsync(written);
                    return null;
                }
                candidate.Plan = source.PlanRetirement(candidate.Read, candidate.Retires, RetireWay.Clear);
                await journal!.RecordAsync(written, JournalChange.RetireIntended(name, candidate.Plan.Way, candidate.Plan.Replacement));
            }
        }
        catch (FailureException e)
        {
            // The journal is not safe: the source is left alone, for this device and all after it.
            return new ChangeOutcome(ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = true };
        }
        return await source.RetireAsync(candidate.Read!, candidate.Plan, CancellationToken.None);
    }

    private async Task<ChangeOutcome?> RecordRejectionAsync(Candidate candidate, Failure failure)
    {
        try
        {
            await journal!.RecordAsync(JournalChange.Rejected(NameInJournal(candidate.Reference), Tally.CodeOf(failure), Tally.Innermost(failure).Message));
            return null;
        }
        catch (FailureException e)
        {
            stopped ??= e.Failure;
            return null;
        }
    }

    private async Task FinishRetirementAsync()
    {
        var (device, running) = retiring.Dequeue();
        if (await running is not { } outcome)
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
            var name = NameInJournal(device.Reference);
            if (device.Plan is null)
                continue;
            if (outcome.Result == ChangeResult.Done)
                changes.Add(JournalChange.Retired(name, outcome.Detail));
            else if (outcome.Result == ChangeResult.Unchanged && device.Entry is null)
                changes.Add(JournalChange.TakenBack(new JournalEntry { Device = name, Line = ReadOnlyMemory<byte>.Empty }, outcome.Failure?.Message));
            else if (outcome.Result == ChangeResult.Unchanged && device.RetireAgain)
                changes.Add(JournalChange.TakenBack(device.Entry!, outcome.Failure?.Message));
            else if (outcome.ChangedAtSource)
                changes.Add(JournalChange.Retired(name, "the exported keys were no longer there"));
        }
        try
        {
            if (changes.Count > 0)
                await journal!.RecordAsync(changes);
        }
        catch (FailureException e)
        {
            // What was done is done; the next run looks at the source and finds it.
            stopped ??= e.Failure;
        }
        foreach (var (device, outcome) in settled)
        {
            if (outcome.ChangedAtSource && device.Entry is not null)
                tally.Note(device.Reference.Id, OtherKeys);
            if (outcome.Note is { } note)
                tally.Note(device.Reference.Id, note);
            if (outcome.Result == ChangeResult.Done || (outcome.ChangedAtSource && device.Entry is not null))
            {
                tally.Retired++;
                progress?.Report(new ExportEvent.Retired(device.Reference));
                continue;
            }
            var failure = Failure.Named("export", "retire", outcome.Result == ChangeResult.Unchanged
                ? $"line of device `{device.Reference.Id}` is written, its keys are still at the source"
                : $"line of device `{device.Reference.Id}` is written, but its keys may still be at the source") with
            {
                Attributes = new Dictionary<string, string> { ["device_id"] = device.Reference.Id },
                Cause = outcome.Failure,
                Advice = "run the same command again: it looks at the source and finishes. Do not import the line before: the device must not be on both sides",
            };
            tally.FailRetirement(device.Reference.Id, failure);
            if (outcome.SourceFailed)
                stopped ??= outcome.Failure;
            progress?.Report(new ExportEvent.RetireFailed(device.Reference, failure));
        }
    }

    private ExportSummary Summarize(int? total, bool interrupted)
    {
        var notReached = total is null || total > tally.Exported + tally.Rejected + tally.Skipped;
        return new ExportSummary
        {
            DryRun = options.DryRun,
            Total = total,
            Exported = tally.Exported,
            Skipped = tally.Skipped,
            Rejected = tally.Rejected,
            FromJournal = tally.FromJournal,
            Retired = tally.Retired,
            RetireFailed = tally.RetireFailed,
            Problems = tally.Problems(),
            Notes = tally.Notes(source.Guide),
            DecidedByDefault = source.DecidedByDefault,
            Stopped = stopped,
            Interrupted = interrupted && notReached,
            Next = notReached ? NextStep.Continue
                : tally.HasProblems ? NextStep.SolveAndRunAgain
                : tally.Exported == 0 ? NextStep.Nothing
                : options.DryRun ? NextStep.RunForReal
                : NextStep.Import,
        };
    }

    private static Failure RollbackUnfinished { get; } = Failure.Named("journal", "rollback_unfinished", "a rollback of this device was begun and not finished") with
    {
        Advice = "run the rollback again, then export the device",
    };

    private static Note GoneMeanwhile { get; } = new("gone_at_source", "it is no longer at the source; its line is the one of an earlier run");

    private static Note ClearedMeanwhile { get; } = new("cleared_at_source", "its keys are already gone at the source; its line is the one of an earlier run");

    private static Note OtherKeys { get; } = new("other_keys_at_source", "it was retired by an earlier run and has other keys at the source since; its line is the one of the earlier run");

    private JournalDeviceId NameInJournal(DeviceReference device) => new(scope!.Source, device.Application, device.Id);

    private static Failure ExportFailure(DeviceReference device, Failure cause) =>
        Failure.Named("export", "export", $"export device `{device.Id}`") with
        {
            Attributes = new Dictionary<string, string> { ["device_id"] = device.Id },
            Cause = cause,
            Advice = cause.Advice,
        };

    private static Failure Clash(DeviceReference device, string newId) =>
        Failure.Named("export", "duplicate_device_id", $"device `{device.Id}` and another device of this run would both become `{newId}`") with
        {
            Attributes = new Dictionary<string, string> { ["device_id"] = newId, ["old_id"] = device.Id },
            Advice = "nothing was changed about either; export one of them alone, and the other with --dev-id-prefix",
        };

    /// <summary>A device on its way from the list to the line.</summary>
    private sealed record Candidate(DeviceReference Reference)
    {
        public bool Repeated { get; init; }

        public Failure? Failure { get; init; }

        public bool SourceFailed { get; init; }

        public SourceDevice? Read { get; init; }

        public EndDevice? Device { get; init; }

        public RetireScope Retires { get; init; }

        /// <summary>What an earlier run recorded; the line is taken from it. Null when the device was read and mapped now.</summary>
        public JournalEntry? Entry { get; init; }

        /// <summary>The source has the original keys again although the journal knows the device as retired.</summary>
        public bool RetireAgain { get; init; }

        /// <summary>How the source was found although this tool did not retire the device; null otherwise.</summary>
        public RetirePlan? Found { get; init; }

        /// <summary>What was recorded as intended; null before and when nothing is retired.</summary>
        public RetirePlan? Plan { get; set; }

        public List<Note> Notes { get; init; } = [];
    }
}
