using System.Buffers;
using System.Runtime.CompilerServices;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;

namespace Migration;

/// <summary>
/// The path of a device: list, read, map, finish, write, retire. Lines come in the order of the input; memory does not grow with the
/// devices in hand. A device is retired only after its line is written and flushed, so whatever stops the run (a full disk, a closed pipe,
/// Ctrl-C) no key of an unwritten device is touched.
/// </summary>
public sealed class Exporter(IDeviceSource source, ExportOptions options)
{
    /// <summary>Devices whose list is kept between counting and reading.</summary>
    private const int Few = 2000;

    private readonly Tally tally = new();
    private readonly HashSet<ulong> writtenIds = [];
    private readonly ArrayBufferWriter<byte> line = new(4096);
    private readonly Queue<(Candidate Device, Task<FailureException?> Outcome)> retiring = new();
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
        census.Close();
        return census.Count <= Few ? few.ToAsyncEnumerable() : ReferencesAsync(request, cancellation);
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
    }

    /// <summary>Read, map and finish; changes nothing anywhere.</summary>
    private async Task<Candidate> PrepareAsync(DeviceReference reference, CancellationToken cancellation)
    {
        if (census.HadItsTurn(reference))
            return new Candidate(reference) { Repeated = true };
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
        catch (FailureException e)
        {
            return new Candidate(reference) { Failure = ExportFailure(reference, e.Failure) };
        }
        switch (source.Map(device))
        {
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

    private async Task TakeAsync(Candidate candidate, Stream output, CancellationToken cancellation)
    {
        if (candidate.Repeated)
        {
            tally.Skipped++;
            progress?.Report(new ExportEvent.Skipped(candidate.Reference));
            return;
        }
        var failure = candidate.Failure;
        if (failure is null)
        {
            var ids = candidate.Device!.Ids;
            if (!writtenIds.Add(Census.Hash(ids.ApplicationIds.ApplicationId, ids.DeviceId)))
                failure = Clash(candidate.Reference, ids.DeviceId);
            else
                failure = Serialize(candidate);
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
            return;
        }
        // Nothing of this device has happened yet: the last moment to leave it alone.
        cancellation.ThrowIfCancellationRequested();
        if (!await WriteAsync(candidate, output))
            return;
        tally.Exported++;
        foreach (var note in candidate.Notes)
            tally.Note(candidate.Reference.Id, note);
        progress?.Report(new ExportEvent.Exported(candidate.Reference, candidate.Device!.Ids.DeviceId, candidate.Notes));
        if (options.DryRun || candidate.Retires == RetireScope.None)
            return;
        retiring.Enqueue((candidate, RetireAsync(candidate)));
        while (retiring.Count > 0 && (retiring.Count >= Math.Max(1, options.Concurrency) || retiring.Peek().Outcome.IsCompleted))
            await FinishRetirementAsync();
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

    /// <summary>Runs to its end even when the user stops the run: the line is out, so the device is in hand.</summary>
    private async Task<FailureException?> RetireAsync(Candidate candidate)
    {
        try
        {
            await source.RetireAsync(candidate.Read!, candidate.Retires, CancellationToken.None);
            return null;
        }
        catch (FailureException e)
        {
            return e;
        }
    }

    private async Task FinishRetirementAsync()
    {
        var (device, outcome) = retiring.Dequeue();
        if (await outcome is not { } problem)
        {
            tally.Retired++;
            progress?.Report(new ExportEvent.Retired(device.Reference));
            return;
        }
        var failure = Failure.Named("export", "retire", $"line of device `{device.Reference.Id}` is written, but its keys may still be at the source") with
        {
            Attributes = new Dictionary<string, string> { ["device_id"] = device.Reference.Id },
            Cause = problem.Failure,
            Advice = "clear them there before you import the line, or remove the line and run again: the device must not be on both sides",
        };
        tally.FailRetirement(device.Reference.Id, failure);
        if (problem is SourceUnavailableException)
            stopped ??= problem.Failure;
        progress?.Report(new ExportEvent.RetireFailed(device.Reference, failure));
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

        public IReadOnlyList<Note> Notes { get; init; } = [];
    }
}
