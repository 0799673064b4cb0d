using System.Buffers;
using System.Runtime.CompilerServices;
using Migration.Import;
using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;

namespace Migration;

/// <summary>
/// The path of a device: list, read, map, finish, write, record, retire; with a target, it is imported and that is recorded before it is
/// retired. Lines come in the order of the input; memory does not grow with the devices in hand. A device is retired only after its line is
/// written and flushed, and record, line and intent are durable in the journal, so whatever stops the run (a full disk, a closed pipe, Ctrl-C,
/// SIGKILL, a power cut) no key is lost: the next run takes the line from the journal and finishes what was begun. Without a journal nothing
/// is imported or retired.
/// </summary>
/// <param name="source">The network that devices leave.</param>
/// <param name="options">How the run goes.</param>
/// <param name="journal">Makes retiring safe; null retires nothing.</param>
/// <param name="earlier">What earlier runs have recorded, for a dry run; by default that of <paramref name="journal"/>.</param>
/// <param name="target">Where the devices go straight through; null when the file is all. Made without a journal: this run keeps it.</param>
public sealed class Exporter(
    IDeviceSource source, ExportOptions options, DeviceJournal? journal = null, JournalReader? earlier = null, Importer? target = null)
{
    /// <summary>Devices whose list is kept between counting and reading.</summary>
    private const int Few = 1000;

    private readonly JournalReader? known = journal?.Reader ?? earlier;
    private readonly JournalScope? scope = journal?.Scope ?? earlier?.Scope();
    private readonly Tally tally = new();
    private readonly HashSet<ulong> writtenIds = [];
    private readonly ArrayBufferWriter<byte> line = new(4096);
    private readonly List<JournalDeviceId> onlyInJournal = [];
    private readonly Census census = new(options);
    private HashSet<ulong>? listed;
    private IProgress<ExportEvent>? progress;

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
        using var handOver = new HandOver(source, target, options.DryRun ? null : journal, known, scope, options, tally, progress, stop);
        int? total = null;
        try
        {
            if (target is not null)
                await ReadyAsync(target, stop.Token);
            var references = await CountAsync(request, stop.Token);
            total = census.Count;
            writtenIds.EnsureCapacity(census.Count);
            progress?.Report(new ExportEvent.Counted(census.Count));

            var candidates = references.InOrderAsync(Math.Max(1, options.Concurrency), PrepareAsync, stop.Token);
            await foreach (var candidate in candidates)
            {
                await TakeAsync(candidate, output, handOver, stop.Token);
                if (handOver.Stopped is not null || (options.FailFast && tally.HasProblems))
                    break;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
        catch (FailureException e)
        {
            handOver.Stop(e.Failure);
        }
        finally
        {
            await handOver.FinishAsync();
        }
        return Summarize(total, handOver.Stopped, interrupt.IsCancellationRequested);
    }

    /// <summary>Nothing is read before the target is known to take devices, and a journal to remember which.</summary>
    private async Task ReadyAsync(Importer importer, CancellationToken cancellation)
    {
        if (journal is null && !options.DryRun)
        {
            throw new FailureException(Failure.Named("export", "no_journal", "devices cannot go straight through without a journal: a run that is stopped could not tell which are on both sides") with
            {
                Advice = "name one with --journal FILE, or add --dry-run",
            });
        }
        await importer.PrepareAsync(cancellation);
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
        listed = census.Devices();
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
            return await RetiredAsync(reference, entry, cancellation);
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
            case MapResult.Mapped mapped when LostRootKey(entry, mapped.Device) is { } former:
                return former.Session is null && !mapped.Device.SupportsJoin
                    ? FromJournal(reference, entry!) with { Notes = [ClearedMeanwhile], Found = new RetirePlan(RetireWay.Clear, device.Record) }
                    : new Candidate(reference) { Failure = ExportFailure(reference, OtherRootKey) };
            case MapResult.Mapped mapped:
                var notes = new List<Note>(mapped.Notes);
                if (entry is { SourceSide: SourceSide.Restored })
                    notes.Add(PutBackBefore);
                var failure = DeviceNaming.Rename(mapped.Device, options, notes) ?? FieldRules.Check(mapped.Device);
                return failure is not null
                    ? new Candidate(reference) { Failure = failure }
                    : new Candidate(reference) { Read = device, Device = mapped.Device, Retires = mapped.Retires, Earlier = entry, Notes = notes };
            default:
                throw new InvalidOperationException("a device is mapped or rejected");
        }
    }

    /// <summary>
    /// The line of an earlier run when its root key is no longer at the source: the journal may hold the only copy, so the line is not replaced.
    /// A device that goes without its session is then as a retirement leaves it; any other has got another key.
    /// </summary>
    private static EndDevice? LostRootKey(JournalEntry? entry, EndDevice now)
    {
        if (entry?.Line is not { } line)
            return null;
        var former = TtsJson.Read<EndDevice>(line.Span);
        return IsLost(former.RootKeys?.AppKey, now.RootKeys?.AppKey) || IsLost(former.RootKeys?.NwkKey, now.RootKeys?.NwkKey) ? former : null;

        static bool IsLost(KeyEnvelope? was, KeyEnvelope? now) => was is { Key.IsEmpty: false } && was.Key != now?.Key;
    }

    /// <summary>A device that an earlier run has written and perhaps retired: its line is in the journal, and the source may no longer have its keys.</summary>
    private Candidate FromJournal(DeviceReference reference, JournalEntry entry) =>
        new(reference) { Read = source.FromRecord(reference.Application, reference.Id, entry.Record), Entry = entry };

    /// <summary>A device that an earlier run has retired, or was about to: a look, in the list where that tells all, shows whether it is out of service still.</summary>
    private async Task<Candidate> RetiredAsync(DeviceReference reference, JournalEntry entry, CancellationToken cancellation)
    {
        var candidate = FromJournal(reference, entry);
        if (entry is not { SourceSide: SourceSide.Retired, Way: { } way } || IsGone(reference))
            return candidate;
        SourceDevice now;
        try
        {
            now = reference.Listed ?? await source.ReadAsync(reference, cancellation);
        }
        catch (SourceUnavailableException e)
        {
            return new Candidate(reference) { Failure = ExportFailure(reference, e.Failure), SourceFailed = true };
        }
        catch (DeviceNotFoundException)
        {
            return candidate;
        }
        catch (FailureException)
        {
            return candidate with { Notes = [NotLookedAt] };
        }
        var left = new RetirePlan(way, entry.Replacement);
        var again = source.PlanAgain(now, left);
        return source.Compare(now, candidate.Read!, left) switch
        {
            RecordMatch.Original or RecordMatch.Mixed => candidate with { Again = again },
            RecordMatch.Replaced => candidate with { Again = again?.Way == way ? null : again },
            _ => candidate with { Notes = [HandOver.OtherKeys] },
        };
    }

    /// <summary>The list has told that the device is not there.</summary>
    private bool IsGone(DeviceReference reference) => reference.Listed is null && listed?.Contains(Census.Hash(reference.Application, reference.Id)) == false;

    private async Task TakeAsync(Candidate candidate, Stream output, HandOver handOver, CancellationToken cancellation)
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
            handOver.Stop(failure);
            return;
        }
        if (failure is not null)
        {
            tally.Reject(candidate.Reference.Id, failure);
            progress?.Report(new ExportEvent.Rejected(candidate.Reference, failure));
            handOver.Reject(candidate, failure);
            return;
        }
        // Nothing of this device has happened yet: the last moment to leave it alone.
        cancellation.ThrowIfCancellationRequested();
        if (await WriteAsync(candidate, output) is { } unwritten)
        {
            handOver.Stop(unwritten);
            return;
        }
        tally.Exported++;
        foreach (var note in candidate.Notes)
            tally.Note(candidate.Reference.Id, note);
        if (candidate.Entry is not null)
            tally.FromJournal++;
        if (options.DryRun && candidate.Retires != RetireScope.None)
            tally.ToRetire++;
        progress?.Report(new ExportEvent.Exported(candidate.Reference, id, candidate.Notes, candidate.Entry is not null));
        // The line without its line feed.
        if (target is not null || (!options.DryRun && journal is not null))
            await handOver.BeginAsync(candidate, line.WrittenMemory[..^1]);
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

    private async Task<Failure?> WriteAsync(Candidate candidate, Stream output)
    {
        try
        {
            await output.WriteAsync(line.WrittenMemory, CancellationToken.None);
            await output.FlushAsync(CancellationToken.None);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException or NotSupportedException)
        {
            return new Failure($"cannot write the line of device `{candidate.Reference.Id}`: {SystemReason.Of(e)}")
            {
                Advice = "no key of this device, or of any after it, was touched. The last line of the file may be incomplete: remove it, make room, and run the command again into a new file",
            };
        }
    }

    private ExportSummary Summarize(int? total, Failure? stopped, bool interrupted)
    {
        var notReached = total is null || tally.ImportLeft > 0 || total > tally.Exported + tally.Rejected + tally.Skipped;
        return new ExportSummary
        {
            DryRun = options.DryRun,
            Total = total,
            Exported = tally.Exported,
            Skipped = tally.Skipped,
            Rejected = tally.Rejected,
            FromJournal = tally.FromJournal,
            ImportedTo = target?.Application,
            Imported = tally.Imported,
            ImportedBefore = tally.ImportedBefore,
            ImportFailed = tally.ImportFailed,
            ImportLeft = tally.ImportLeft,
            Retired = tally.Retired,
            TimeOfRealRun = source.LeastTimeToRetire * tally.ToRetire,
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
                : target is not null ? NextStep.Verify
                : NextStep.Import,
        };
    }

    private static Failure RollbackUnfinished { get; } = Failure.Named("journal", "rollback_unfinished", "a rollback of this device was begun and not finished") with
    {
        Advice = "run the rollback again, then export the device",
    };

    private static Failure OtherRootKey { get; } = Failure.Named("export", "other_root_key", "its root key at the source is not the one that an earlier run has written: somebody has changed or cleared it since") with
    {
        Advice = "nothing was changed, and the journal keeps the former key, perhaps the only copy. When the device has the former key, put it back at the source "
            + "(`ttn-lw-migrate journal show ID --reveal` shows it) and run the command again; when the new one is right, export the device with another --journal FILE",
    };

    private static Note GoneMeanwhile { get; } = new("gone_at_source", "it is no longer at the source; its line is the one of an earlier run");

    private static Note NotLookedAt { get; } = new(
        "not_looked_at", "it was retired by an earlier run, and the source does not tell whether it is still: look at it there", NeedsPerson: true);

    private static Note PutBackBefore { get; } = new("put_back_before", "it was put back by a rollback, and goes again now");

    private static Note ClearedMeanwhile { get; } = new("cleared_at_source", "its keys are already gone at the source; its line is the one of an earlier run");

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
}
