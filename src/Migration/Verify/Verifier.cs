using System.Runtime.CompilerServices;
using LoRaWan;
using Migration.Import;
using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Registries;

namespace Migration.Verify;

/// <summary>One device to verify.</summary>
/// <param name="Index">Place in the file or journal, from 0.</param>
/// <param name="Line">Line of the file on which it starts, from 1; 0 for a journal.</param>
/// <param name="Device">The device as it was sent, its application that of the target; null when the line cannot be read.</param>
/// <param name="Problem">Why it cannot be read.</param>
public sealed record SentDevice(long Index, long Line, EndDevice? Device, Failure? Problem)
{
    /// <summary>Its name in the journal; null for a file.</summary>
    public JournalDeviceId? Journal { get; init; }

    /// <summary>When it was imported, if the journal knows.</summary>
    public DateTimeOffset? ImportedAt { get; init; }

    /// <summary>What the import changed of it, if the journal knows; else it is <see cref="VerifyOptions.Abp"/>.</summary>
    public AbpAdjustments? Abp { get; init; }

    /// <summary>Where it may be at its old network; null when that is not known.</summary>
    public SourceName? AtSource { get; init; }
}

/// <summary>How to verify.</summary>
public sealed record VerifyOptions
{
    /// <summary>Time of day and timers.</summary>
    public required TimeProvider Clock { get; init; }

    /// <summary>How long to watch for devices that have not arrived; zero looks once.</summary>
    public TimeSpan Wait { get; init; }

    /// <summary>The old network; null when it is not asked.</summary>
    public ISourceWitness? Source { get; init; }

    /// <summary>What the import changed of ABP devices of which no journal knows.</summary>
    public AbpAdjustments Abp { get; init; } = new();

    /// <summary>Frequency plans, as for the import.</summary>
    public IFrequencyPlanStore Plans { get; init; } = EmbeddedFrequencyPlanStore.Instance;
}

/// <summary>How far a verification is.</summary>
/// <param name="Checked">Devices looked at.</param>
/// <param name="Arrived">Devices with nothing left to do.</param>
/// <param name="Attention">Devices that time alone will not bring over.</param>
/// <param name="Waiting">Devices that may still arrive.</param>
public sealed record VerifyProgress(long Checked, long Arrived, long Attention, long Waiting)
{
    /// <summary>Whether all devices were looked at once.</summary>
    public bool IsWatching { get; init; }

    /// <summary>When the next look is; null before the watch.</summary>
    public DateTimeOffset? NextLook { get; init; }

    /// <summary>Why the last look failed; it is repeated.</summary>
    public Failure? Trouble { get; init; }
}

/// <summary>How a verification ended.</summary>
/// <param name="Interrupted">Stopped by the user: devices not looked at are in no count, devices waited for in that of their last state.</param>
/// <param name="TimeIsUp">Devices were still waited for when the time was up.</param>
public sealed record VerifyEnd(bool Interrupted, bool TimeIsUp);

/// <summary>
/// Compares devices with the four servers and, if asked to, watches those that have not arrived. Looks are many devices wide and polite: the
/// Identity Server is asked for twenty devices at once, a watch lists when devices were last seen and asks for the session only of those that
/// were. Every device is given once, with its final state: first those that are settled at the first look, in order, then others as they
/// arrive, at the end the rest in order. Memory: some 300 bytes for each device that is waited for, nothing for the others.
/// </summary>
/// <param name="target">The cluster.</param>
/// <param name="options">How.</param>
public sealed class Verifier(ITargetDevices target, VerifyOptions options)
{
    /// <summary>Batches of twenty in hand; enough work for the most calls that may be under way.</summary>
    private const int BatchesInHand = 8;

    private readonly OldNetwork? source = options.Source is { } witness ? new OldNetwork(witness) : null;
    private readonly List<WaitingDevice> waiting = [];
    private long seen;
    private long arrived;
    private long attention;

    /// <summary>Devices that may still arrive, with what was last known. To be read inside <c>progress</c> only.</summary>
    public IEnumerable<VerifiedDevice> Waiting => waiting.Select(static device => device.Device);

    /// <summary>Runs once.</summary>
    /// <param name="devices">Devices in order.</param>
    /// <param name="settled">Takes each device with its final state; not called concurrently.</param>
    /// <param name="progress">Takes the progress; called often.</param>
    /// <param name="interrupt">Ends the look or the watch; what is known is given.</param>
    /// <exception cref="FailureException">Every device would fail alike, e.g. the key is refused; what is known was given.</exception>
    public async Task<VerifyEnd> RunAsync(
        IAsyncEnumerable<SentDevice> devices, Func<SettledDevice, ValueTask> settled, Action<VerifyProgress> progress, CancellationToken interrupt)
    {
        ArgumentNullException.ThrowIfNull(settled);
        ArgumentNullException.ThrowIfNull(progress);
        var deadline = options.Clock.GetUtcNow() + options.Wait;
        var timeIsUp = false;
        try
        {
            var prefixes = await PrefixesAsync(interrupt);
            await foreach (var batch in Batches(devices, interrupt).InOrderAsync(BatchesInHand, (batch, stop) => LookAsync(batch, prefixes, stop), interrupt))
            {
                foreach (var found in batch)
                {
                    seen++;
                    if (options.Wait > TimeSpan.Zero && CutOver.MayStillArrive(found.Device.State))
                        waiting.Add(found);
                    else
                        await SettleAsync(found);
                }
                progress(Progress());
            }
            await new Watch(target, options.Clock, source, waiting, prefixes).RunAsync(
                deadline, SettleAsync, (next, trouble) => progress(Progress() with { IsWatching = true, NextLook = next, Trouble = trouble }), interrupt);
            timeIsUp = waiting.Count > 0;
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            return new VerifyEnd(Interrupted: true, TimeIsUp: false);
        }
        finally
        {
            foreach (var left in waiting)
                await SettleAsync(left);
            waiting.Clear();
        }
        return new VerifyEnd(Interrupted: false, timeIsUp);

        VerifyProgress Progress() => new(seen, arrived, attention, waiting.Count);

        ValueTask SettleAsync(WaitingDevice found)
        {
            if (CutOver.IsDone(found.Device.State))
                arrived++;
            else
                attention++;
            return settled(new SettledDevice(found.Device, found.Journal));
        }
    }

    /// <summary>Whether the cluster does not accept the key for what was asked.</summary>
    public static bool IsRefused(FailureException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return failure.Failure.NotAuthorised
            || failure is RegistryException { Cause.Origin: Rpc.RpcFailureOrigin.Server, StatusCode: Rpc.StatusCode.Unauthenticated or Rpc.StatusCode.PermissionDenied };
    }

    private async IAsyncEnumerable<List<SentDevice>> Batches(IAsyncEnumerable<SentDevice> devices, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var applications = new HashSet<string>(StringComparer.Ordinal);
        var batch = new List<SentDevice>(DeviceRegistry.BatchSize);
        await foreach (var device in devices.WithCancellation(cancellation))
        {
            // Once for each application, so that all that the key lacks is told at once and not by every device.
            if (Application(device) is { Length: > 0 } application && applications.Add(application) && await target.MissingRightsAsync(application, cancellation) is { } missing)
                throw new FailureException(missing);
            if (batch.Count > 0 && (batch.Count == DeviceRegistry.BatchSize || Application(batch[0]) != Application(device)))
            {
                yield return batch;
                batch = new List<SentDevice>(DeviceRegistry.BatchSize);
            }
            batch.Add(device);
        }
        if (batch.Count > 0)
            yield return batch;
    }

    private static string Application(SentDevice device) => device.Device?.Ids?.ApplicationIds?.ApplicationId ?? "";

    /// <summary>Old servers do not tell which addresses they route; then every kept address needs a gateway.</summary>
    private async Task<IReadOnlyList<DevAddrPrefix>?> PrefixesAsync(CancellationToken cancellation)
    {
        try
        {
            return await target.PrefixesAsync(cancellation);
        }
        // A wrong address, which has no such method either, shows at the first device.
        catch (RegistryException e) when (!e.ConcernsAll || e.IsUnimplemented)
        {
            return null;
        }
    }

    private async Task<WaitingDevice[]> LookAsync(List<SentDevice> batch, IReadOnlyList<DevAddrPrefix>? prefixes, CancellationToken cancellation)
    {
        Dictionary<string, EndDevice>? identities = null;
        Failure? failure = null;
        var ids = batch.Where(static device => device.Device?.Ids?.DeviceId is { Length: > 0 }).Select(static device => device.Device!.Ids.DeviceId).Distinct(StringComparer.Ordinal).ToList();
        try
        {
            identities = new Dictionary<string, EndDevice>(StringComparer.Ordinal);
            foreach (var device in ids.Count == 0 ? [] : await target.IdentitiesAsync(Application(batch[0]), ids, cancellation))
                identities[device.Ids.DeviceId] = device;
        }
        catch (RegistryException e) when (!e.ConcernsAll)
        {
            failure = e.Failure;
        }
        return await Task.WhenAll(batch.Select(device =>
            device.Problem is { } problem ? Task.FromResult(Unchecked(device, problem))
            : failure is { } reason ? Task.FromResult(Unchecked(device, reason))
            : LookAsync(device, identities!.GetValueOrDefault(device.Device!.Ids?.DeviceId ?? ""), prefixes, cancellation)));
    }

    private async Task<WaitingDevice> LookAsync(SentDevice sent, EndDevice? identity, IReadOnlyList<DevAddrPrefix>? prefixes, CancellationToken cancellation)
    {
        var device = sent.Device!;
        WaitingDevice? found = null;
        try
        {
            var network = target.NetworkAsync(device.Ids, cancellation);
            var application = target.ApplicationAsync(device.Ids, cancellation);
            var join = device.SupportsJoin ? target.JoinAsync(device.Ids, cancellation) : Task.FromResult<EndDevice?>(null);
            await Task.WhenAll(network, application, join);
            var parts = await SentRecords.PrepareAsync(device, sent.Abp ?? options.Abp, options.Plans, cancellation);
            var records = new TargetRecords(identity, await network, await application, await join) { Tells = target.Tells };
            var judged = CutOver.Judge(parts, records, prefixes, sent.ImportedAt);
            found = new WaitingDevice(judged with { Index = sent.Index, Line = sent.Line }, SessionMark.Of(parts, records)) { Journal = sent.Journal };
            if (source is null)
                return found;
            found = await source.LookAsync(found with { AtSource = sent.AtSource, Keys = KeyMarks.Of(device) }, cancellation);
            // A watch has time to ask later; a network that allows few calls would hold up its first look for hours.
            var canWait = options.Wait > TimeSpan.Zero && found.Device.LiveAtSource is not null;
            return OldNetwork.IsWorthAsking(found) && !canWait ? await source.AskAsync(found, cancellation) : found;
        }
        catch (RegistryException e) when (!e.ConcernsAll)
        {
            return Unchecked(sent, e.Failure);
        }
        catch (FailureException e) when (found is not null && e is not (SourceUnavailableException or RegistryException))
        {
            return found with { Device = found.Device with { Failure = e.Failure } };
        }
    }

    private static WaitingDevice Unchecked(SentDevice sent, Failure reason) => new(
        new VerifiedDevice
        {
            Index = sent.Index,
            Line = sent.Line,
            Application = Application(sent),
            DeviceId = sent.Device?.Ids?.DeviceId ?? "",
            DevEui = sent.Device?.Ids?.DevEui is { } eui ? Convert.ToHexString(eui.Span) : "",
            Failure = reason,
        },
        default)
    {
        Journal = sent.Journal,
    };
}

/// <summary>A device with its final state.</summary>
/// <param name="Device">The device.</param>
/// <param name="Journal">Its name in the journal; null for a file.</param>
public sealed record SettledDevice(VerifiedDevice Device, JournalDeviceId? Journal);

/// <summary>A device whose state may still change. Holds no key.</summary>
internal sealed record WaitingDevice(VerifiedDevice Device, SessionMark Mark)
{
    public JournalDeviceId? Journal { get; init; }

    /// <summary>Marks of the keys that were sent.</summary>
    public KeyMarks Keys { get; init; }

    /// <summary>Where it is, or may be, at the old network.</summary>
    public SourceName? AtSource { get; init; }

    /// <summary>Whether the old network has it; then <see cref="AtSource"/> says where.</summary>
    public bool IsAtSource { get; init; }

    /// <summary>Whether the list told all that the old network knows of it.</summary>
    public bool IsWholeAtSource { get; init; }
}
