using System.Globalization;
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
/// <param name="journal">Journal of the migration: imported devices are recorded, and not sent twice. Null without one, or with <see cref="Journal"/>.</param>
public sealed class Importer(
    ClusterClient cluster, ImportOptions options, IFrequencyPlanStore plans, AdaptiveConcurrency concurrency, TimeProvider clock, DeviceJournal? journal = null)
{
    /// <summary>Devices read ahead or done but not yet reported: one that waits for a server must not hold up the others.</summary>
    private const int Window = 512;

    /// <summary>Code of the note about devices that the journal of the import does not know.</summary>
    public const string NotInJournalCode = "not_in_journal";

    private static readonly Note NotInJournal = new(
        NotInJournalCode,
        "the journal does not know it, so no run has taken it out of service: if its line is of a dry run it is still alive where it comes from",
        NeedsPerson: true);

    private readonly Tally tally = new();
    private readonly Filters.SeenIdentifiers seen = new();
    private readonly ImportJournal? record = journal is null ? null : ImportJournal.Of(journal);
    private readonly Dictionary<ulong, Task> underWay = [];
    private readonly HashSet<string>? unmet = options.Only is null ? null : [.. options.Only];
    private bool isComplete;
    private Task? preparing;
    private DevicePreparation? preparation;
    private DeviceImport? import;
    private DeviceImport? importBesides;

    /// <summary>Where to record, in place of the journal of the constructor: it may be looked for. Disposed by the caller.</summary>
    public ImportJournal? Journal { get; init; }

    /// <summary>Keeps devices of the target before they are replaced; null keeps them in memory until the new ones are there.</summary>
    public FormerDevicesFile? Former { get; init; }

    /// <summary>Name of the devices file, for messages.</summary>
    public string FileName { get; init; } = "the file";

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
                foreach (var note in result.Notes.Where(note => result.Result != ImportResult.Failed && (result.Result != ImportResult.Skipped || note.Code != DevicePreparation.AdjustedCode)))
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
            stopped ??= new Failure($"{FileName} cannot be read further: {e.Message}")
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
            NotInFile = isComplete && unmet is not null ? [.. unmet.Order(StringComparer.Ordinal)] : [],
        };
    }

    /// <summary>Application that gets the devices.</summary>
    public string Application => options.Application;

    /// <summary>That application and its cluster, as the journal notes it.</summary>
    public ImportTarget Target => new(options.Application, cluster.Identity.Address.ToString(), options.Abp);

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

    /// <summary>
    /// Whether nothing is to be done about a device that an earlier run has imported: all servers still have it. A journal does not know what
    /// was deleted at the target since. Where the user wants devices of the target changed, each is looked at in full.
    /// </summary>
    /// <exception cref="RegistryException">The target does not say.</exception>
    public async Task<bool> NeedsNothingAsync(EndDevice device, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (options.OnConflict is ConflictWay.Update or ConflictWay.Replace)
            return false;
        var ids = new EndDeviceIdentifiers { DeviceId = device.Ids.DeviceId, ApplicationIds = new ApplicationIdentifiers { ApplicationId = options.Application } };
        using var turn = await concurrency.EnterAsync(cancellation);
        var identity = cluster.Identity.FindAsync(ids, [], cancellation);
        var others = new List<Task<EndDevice?>> { cluster.Network.FindAsync(ids, [], cancellation), cluster.Application.FindAsync(ids, [], cancellation) };
        if (device.SupportsJoin)
            others.Add(cluster.Join.FindAsync(ids, [], cancellation));
        var records = await Task.WhenAll([identity, .. others]);
        turn.Done();
        return Array.TrueForAll(records, static record => record is not null) && (await identity)!.Ids.DevEui == device.Ids.DevEui;
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
        await plans.RequireIndexAsync(cancellation);
        var facts = await TargetFacts.AskAsync(cluster, options.Application, options.NeedsToReadKeys || options.OnConflict == ConflictWay.Replace, cancellation);
        preparation = new DevicePreparation(options, facts, plans);
        import = With(options);
        importBesides = With(options with { OnConflict = ConflictWay.Fail });

        DeviceImport With(ImportOptions how) => new(cluster, new TargetLook(cluster, facts, how), preparation, how, Former, clock);
    }

    private async IAsyncEnumerable<DeviceLine> LinesAsync(Stream devices, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var line in new DeviceJsonReader(devices, keepRaw: true).ReadAsync(cancellation))
        {
            if (options.Only is null)
            {
                yield return line;
            }
            else if (IdOf(line) is var id && options.Only.Contains(id))
            {
                unmet?.Remove(id);
                yield return line;
            }
        }
        isComplete = true;
    }

    /// <summary>The device ID, also of a line that cannot be read; where the line has none, <c>line</c> and its number.</summary>
    private static string IdOf(DeviceLine line)
    {
        var id = line.Device?.Ids?.DeviceId ?? (line.Device is null ? LineIds.TryFindDevice(line.Raw.Span) : null);
        return string.IsNullOrEmpty(id) ? string.Create(CultureInfo.InvariantCulture, $"line {line.Line}") : id;
    }

    private async Task<ImportedDevice?> ImportLineAsync(DeviceLine line, CancellationToken cancellation)
    {
        if (line.Device is not { } device)
        {
            return new ImportedDevice(IdOf(line), line.Line, ImportResult.Failed, [])
            {
                Failure = Failure.Named("import", "format", line.Problem!.Message) with { Advice = "correct the device in the file and import it again" },
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
        var records = Journal ?? record;
        var target = Target;
        JournalDeviceId? name;
        try
        {
            name = records?.NameOf(device);
        }
        catch (FailureException e)
        {
            // Its entry is damaged: nothing could be recorded about it.
            return Failed(e.Failure);
        }
        if (name is { } known && WasImported(records!.Journal!.Reader, known, target))
        {
            try
            {
                if (await NeedsNothingAsync(device, cancellation))
                    return new ImportedDevice(id, line, ImportResult.Skipped, []) { SkippedFor = "imported_before" };
            }
            catch (RegistryException e)
            {
                return Failed(DeviceImport.Describe(e)) with { TargetFailed = e.ConcernsAll };
            }
        }

        var (prepared, refusal) = await preparation!.PrepareAsync(device, cancellation);
        if (refusal is not null)
            return Failed(refusal);

        var sent = earlier is null ? null : (await preparation.PrepareAsync(earlier, cancellation)).Prepared;
        var identity = Filters.DeviceIdentity.Of(prepared!.Identity.Device);
        using var mine = Begin(identity, line, out var duplicate, out var before);
        if (duplicate is not null && options.DryRun)
            return Failed(duplicate);
        // The first one of the file comes first; then the target says whether it is the same device.
        await before.WaitAsync(cancellation);
        ImportedDevice result;
        using (var turn = await concurrency.EnterAsync(cancellation))
        {
            // The last moment to leave the device alone.
            cancellation.ThrowIfCancellationRequested();
            result = await (duplicate is null ? import! : importBesides!).RunAsync(prepared, sent, line);
            // One that the target refuses is work done too; one that it did not answer says nothing about how much it can do.
            if (!result.TargetFailed && result.Failure?.Name is not ("no_answer" or "half_created" or "replace_half_done"))
                turn.Done();
        }
        if (duplicate is not null && result.Failure?.Name is "exists" or "id_taken" or "euis_taken")
            result = result with { Failure = duplicate };
        if (name is { } recorded && !options.DryRun && result.Result is ImportResult.Imported or ImportResult.Updated or ImportResult.Skipped && result.SkippedFor is null or "already_there" or "already_there_and_joined")
            await records!.Journal!.RecordAsync(JournalChange.Imported(recorded, target.ToString()));
        return records is { Journal: not null } && name is null ? result with { Notes = [.. result.Notes, NotInJournal] } : result;

        ImportedDevice Failed(Failure why) => new(id.Length > 0 ? id : $"line {line}", line, ImportResult.Failed, []) { Failure = why };
    }

    /// <summary>An earlier run has imported it into the same application of the same cluster, and it was not exported anew since. Anything else is for the target to say.</summary>
    private static bool WasImported(JournalReader reader, JournalDeviceId name, ImportTarget target) =>
        reader.Find(name) is { TargetSide: not TargetSide.Unknown }
        && reader.History(name).LastOrDefault(static step => step.State == DeviceState.Written || step.IsPlace) is { IsPlace: true } last
        && ImportTarget.Of(last.Detail)!.IsSamePlace(target);

    /// <summary>Says that a device is under way, until disposed, and whether the file has had one that is in its way.</summary>
    /// <param name="device">The device.</param>
    /// <param name="line">Its line; 0 when it comes from elsewhere, where nothing of the kind occurs.</param>
    /// <param name="duplicate">What it shares with an earlier one.</param>
    /// <param name="before">Ends when those are done.</param>
    private UnderWay Begin(Filters.DeviceIdentity device, long line, out Failure? duplicate, out Task before)
    {
        (duplicate, before) = (null, Task.CompletedTask);
        lock (seen)
        {
            if (line > 0 && seen.Add(device, line) is [var finding, ..])
            {
                duplicate = Failure.Named("import", finding.Error.EndsWith("id_taken", StringComparison.Ordinal) ? "id_taken" : "euis_taken", finding.Message) with
                {
                    Advice = "two devices of the file get in each other's way: the first one counts; correct the other",
                };
                before = Task.WhenAll(UnderWay.Keys(device).Select(key => underWay.GetValueOrDefault(key, Task.CompletedTask)));
            }
            return new UnderWay(underWay, seen, device);
        }
    }

    /// <summary>A device that is being imported, so that one of the same identifiers waits for it.</summary>
    private sealed class UnderWay : IDisposable
    {
        private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Dictionary<ulong, Task> all;
        private readonly object gate;
        private readonly Filters.DeviceIdentity device;

        public UnderWay(Dictionary<ulong, Task> all, object gate, Filters.DeviceIdentity device)
        {
            (this.all, this.gate, this.device) = (all, gate, device);
            foreach (var key in Keys(device))
                all[key] = done.Task;
        }

        public static IEnumerable<ulong> Keys(Filters.DeviceIdentity device)
        {
            if (device.Id is { } id)
                yield return id;
            if (device.Euis is { } euis)
                yield return euis;
        }

        public void Dispose()
        {
            lock (gate)
            {
                foreach (var key in Keys(device))
                {
                    if (all.GetValueOrDefault(key) == done.Task)
                        all.Remove(key);
                }
            }
            done.SetResult();
        }
    }

    private static string SkipText(string code) => code switch
    {
        "imported_before" => "an earlier run has imported it into this application, by the journal",
        "already_there" => "the target has it, with the same keys, versions and session",
        "already_there_and_joined" => "the target has it, and it has joined there",
        _ => "the application has it already, with other fields; --on-conflict update changes it",
    };
}
