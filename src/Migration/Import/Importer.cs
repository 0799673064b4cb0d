using System.Runtime.CompilerServices;
using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;
using TheThingsStack.Registries;

namespace Migration.Import;

/// <summary>
/// Imports devices into an application of The Things Stack. Each device is created completely or not at all, one that fails does not stop the
/// others, and a second run with the same devices changes nothing that is done. Memory does not grow with the file.
/// </summary>
/// <param name="cluster">The target.</param>
/// <param name="options">How the import goes.</param>
/// <param name="plans">Frequency plans, for the checks before a device is sent.</param>
/// <param name="concurrency">Devices under way at a time.</param>
/// <param name="clock">Clock.</param>
/// <param name="journal">Journal of the migration: imported devices are recorded, and not sent twice. Null without one.</param>
public sealed class Importer(
    ClusterClient cluster, ImportOptions options, IFrequencyPlanStore plans, AdaptiveConcurrency concurrency, TimeProvider clock, DeviceJournal? journal = null)
{
    /// <summary>Devices read ahead or done but not yet reported: one that waits for a server must not hold up the others.</summary>
    private const int Window = 512;

    private readonly Tally tally = new();
    private readonly Filters.SeenIdentifiers seen = new();
    private Task? preparing;
    private DevicePreparation? preparation;
    private DeviceImport? import;

    /// <summary>Runs once. Expected failures are in the summary, none is thrown.</summary>
    /// <param name="devices">Devices file: lines or a list; stays open.</param>
    /// <param name="progress">Gets each device in the order of the file; may be null.</param>
    /// <param name="interrupt">Ends the run: devices that are begun are finished, no other is.</param>
    public async Task<ImportSummary> RunAsync(Stream devices, IProgress<ImportedDevice>? progress = null, CancellationToken interrupt = default)
    {
        Failure? stopped = null;
        int total = 0, imported = 0, updated = 0, skipped = 0, failed = 0;
        var skips = new Tally();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        try
        {
            await PrepareAsync(stop.Token);
            await foreach (var result in LinesAsync(devices, stop.Token).InOrderAsync(Window, ImportLineAsync, stop.Token))
            {
                if (result is null)
                    continue;
                total++;
                switch (result.Result)
                {
                    case ImportResult.Imported:
                        imported++;
                        break;
                    case ImportResult.Updated:
                        updated++;
                        break;
                    case ImportResult.Skipped:
                        skipped++;
                        skips.Note(result.DeviceId, new Note(result.SkippedFor!, SkipText(result.SkippedFor!)));
                        break;
                    default:
                        failed++;
                        tally.Reject(result.DeviceId, result.Failure!);
                        break;
                }
                foreach (var note in result.Notes.Where(_ => result.Result != ImportResult.Failed))
                    tally.Note(result.DeviceId, note);
                progress?.Report(result);
                if (result.TargetFailed)
                    stopped ??= result.Failure;
                if (result.TargetFailed || (options.FailFast && failed > 0))
                    await stop.CancelAsync();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
        catch (FailureException e)
        {
            stopped ??= e.Failure;
        }
        catch (TtsJsonException e)
        {
            stopped ??= new Failure($"the file cannot be read further: {e.Message}")
            {
                Advice = "the devices before that place are done; correct the file and run the command again",
            };
        }
        return new ImportSummary
        {
            DryRun = options.DryRun,
            Total = total,
            Imported = imported,
            Updated = updated,
            Skipped = skipped,
            Failed = failed,
            Problems = tally.Problems(),
            SkippedFor = skips.Notes(static _ => null),
            Notes = tally.Notes(static _ => null),
            Stopped = stopped,
            Interrupted = interrupt.IsCancellationRequested,
        };
    }

    /// <summary>Application that gets the devices.</summary>
    public string Application => options.Application;

    /// <summary>The most devices that can be under way at a time.</summary>
    public int MostUnderWay => concurrency.Most;

    /// <summary>Imports one device, for a run that retires it afterwards. Asks the target about itself at the first device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="earlier">
    /// What an earlier run of the same migration may have sent; null when there was none. When the target has exactly that, it is ours and is
    /// brought up to <paramref name="device"/>, whatever <see cref="ImportOptions.OnConflict"/> says.
    /// </param>
    /// <param name="cancellation">Ends the waiting for a turn. Once begun, the import runs to its end.</param>
    /// <exception cref="FailureException">The target cannot be used at all.</exception>
    public async Task<ImportedDevice> ImportAsync(EndDevice device, EndDevice? earlier, CancellationToken cancellation)
    {
        await PrepareAsync(cancellation);
        return await ImportAsync(device, earlier, 0, cancellation);
    }

    /// <summary>Asks the target, once, what must be known before the first device.</summary>
    /// <exception cref="FailureException">The target cannot be used.</exception>
    public Task PrepareAsync(CancellationToken cancellation)
    {
        lock (seen)
            return preparing ??= AskAsync(cancellation);
    }

    private async Task AskAsync(CancellationToken cancellation)
    {
        var facts = await TargetFacts.AskAsync(cluster, options.Application, options.NeedsToReadKeys, cancellation);
        preparation = new DevicePreparation(options, facts, plans);
        import = new DeviceImport(cluster, new TargetLook(cluster, facts, options), options, clock);
    }

    private async IAsyncEnumerable<DeviceLine> LinesAsync(Stream devices, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var line in new DeviceJsonReader(devices).ReadAsync(cancellation))
        {
            if (options.Only is null || (line.Device?.Ids is { } ids && options.Only.Contains(ids.DeviceId)))
                yield return line;
        }
    }

    private async Task<ImportedDevice?> ImportLineAsync(DeviceLine line, CancellationToken cancellation)
    {
        if (line.Device is not { } device)
        {
            return new ImportedDevice($"line {line.Line}", line.Line, ImportResult.Failed, [])
            {
                Failure = Failure.Named("import", "format", $"line {line.Line}: {line.Problem!.Message}") with { Advice = "correct the device in the file and import it again" },
            };
        }
        try
        {
            return await ImportAsync(device, null, line.Line, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Not begun.
            return null;
        }
    }

    private async Task<ImportedDevice> ImportAsync(EndDevice device, EndDevice? earlier, long line, CancellationToken cancellation)
    {
        var id = device.Ids?.DeviceId ?? "";
        var name = journal is null ? null : NameInJournal(device);
        if (name is { } known && journal!.Reader.Find(known) is { TargetSide: not TargetSide.Unknown })
            return new ImportedDevice(id, line, ImportResult.Skipped, []) { SkippedFor = "imported_before" };

        var (prepared, refusal) = await preparation!.PrepareAsync(device, cancellation);
        if (refusal is null && FirstDuplicate(prepared!, line) is { } duplicate)
            refusal = duplicate;
        if (refusal is not null)
            return new ImportedDevice(id.Length > 0 ? id : $"line {line}", line, ImportResult.Failed, []) { Failure = refusal };

        var sent = earlier is null ? null : (await preparation.PrepareAsync(earlier, cancellation)).Prepared;
        ImportedDevice result;
        using (var turn = await concurrency.EnterAsync(cancellation))
        {
            // The last moment to leave the device alone.
            cancellation.ThrowIfCancellationRequested();
            result = await import!.RunAsync(prepared!, sent, line);
            if (result.Result != ImportResult.Failed)
                turn.Done();
        }
        if (name is { } recorded && !options.DryRun && result.Result is ImportResult.Imported or ImportResult.Updated or ImportResult.Skipped && result.SkippedFor is null or "already_there" or "already_there_and_joined")
            await journal!.RecordAsync(JournalChange.Imported(recorded, options.Application));
        return result;
    }

    /// <summary>In a dry run nothing is created, so that the target does not see devices of the file that get in each other's way.</summary>
    private Failure? FirstDuplicate(PreparedDevice device, long line)
    {
        if (!options.DryRun)
            return null;
        lock (seen)
        {
            var findings = seen.Add(Filters.DeviceIdentity.Of(device.Identity.Device), line);
            return findings.Count == 0
                ? null
                : Failure.Named("import", findings[0].Error.EndsWith("id_taken", StringComparison.Ordinal) ? "id_taken" : "euis_taken", findings[0].Message) with
                {
                    Advice = "two devices of the file get in each other's way: the first one is imported; correct the other",
                };
        }
    }

    /// <summary>The journal knows devices by their names at the source; a renamed device carries that as an attribute.</summary>
    private JournalDeviceId? NameInJournal(EndDevice device)
    {
        var id = device.Ids?.DeviceId ?? "";
        var application = device.Ids?.ApplicationIds?.ApplicationId ?? "";
        if (id.Length == 0)
            return null;
        string[] names = device.Attributes.TryGetValue("old-id", out var old) && old != id ? [old, id] : [id];
        foreach (var candidate in names.SelectMany(journal!.Reader.NamesOf))
        {
            if (journal.Reader.Find(candidate) is { Line: { } line } && LineIds.Of(line.Span) == (application, id))
                return candidate;
        }
        return null;
    }

    private static string SkipText(string code) => code switch
    {
        "imported_before" => "an earlier run has imported it, by the journal",
        "already_there" => "the target has it exactly so",
        "already_there_and_joined" => "the target has it, and it has joined there",
        _ => "the application has it already, with other fields; --on-conflict update changes it",
    };
}
