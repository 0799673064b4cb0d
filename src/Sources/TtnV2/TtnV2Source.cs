using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Migration;
using Rpc;
using TheThingsStack.Errors;
using LoRaWanDevice = Sources.TtnV2.Api.LoRaWan.Device;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.TtnV2;

/// <summary>The Things Network V2: devices of one or more applications of a cluster (facts/ttnv2.md).</summary>
public sealed partial class TtnV2Source : IDeviceSource
{
    /// <summary>Devices in a row that failed for a passing reason, each after its retries, until the network counts as unusable.</summary>
    private const int FailuresInARow = 3;

    /// <summary>A read and a change; the pages that are looked at afterwards cost next to nothing.</summary>
    private const int CallsToRetire = 2;

    private readonly TtnV2Options options;
    private readonly TtnV2MappingOptions mapping;
    private readonly SourceContext context;
    private readonly X509Certificate2Collection authorities;
    private readonly Pacer pacer;
    private readonly ConcurrentDictionary<string, TtnV2Client> clients = new(StringComparer.Ordinal);
    private int failuresInARow;

    private TtnV2Source(TtnV2Options options, SourceContext context, X509Certificate2Collection authorities)
    {
        this.options = options;
        this.context = context;
        this.authorities = authorities;
        mapping = new TtnV2MappingOptions(options.FrequencyPlanId.Value, options.WithSession.Value, options.ResetsToFrequencyPlan.Value, options.StraightThrough);
        pacer = new Pacer(context.Clock, options.CallsPerSecond(), TimeSpan.FromSeconds(1));
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> DecidedByDefault => options.DecidedByDefault();

    /// <inheritdoc/>
    public TimeSpan LeastTimeToRetire => options.CallsPerSecond() is > 0 and var rate ? TimeSpan.FromSeconds(1) * CallsToRetire / rate : TimeSpan.Zero;

    /// <summary>Checks the options; calls nobody yet.</summary>
    /// <exception cref="FailureException">An option is missing or wrong, or the CA file cannot be used.</exception>
    public static TtnV2Source Open(TtnV2Options options, SourceContext context)
    {
        if (options.Validate() is { } failure)
            throw new FailureException(failure);
        var trusted = new X509Certificate2Collection();
        if (options.CaCert.Value.Length > 0)
        {
            trusted = TlsTrust.TryReadFile(options.CaCert.Value, out var certificates, out var reason)
                ? certificates
                : throw new FailureException(new Failure(reason) { Advice = "the path comes from --ca-cert or TTNV2_CA_CERT" });
        }
        return new TtnV2Source(options, context, trusted);
    }

    /// <inheritdoc/>
    public string? Guide(string noteCode) => TtnV2Mapping.Guide(noteCode);

    /// <inheritdoc/>
    public DeviceReference Refer(string id) => new(options.AppId.Value, id);

    /// <inheritdoc/>
    public async IAsyncEnumerable<DeviceReference> ListAsync(string application, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (TtnV2Options.Typed(application) is { } problem)
            throw new FailureException(Failure.Named("source/ttnv2", "invalid_app_id", $"app id `{application}` {problem}"));
        if (application != options.AppId.Value)
            LogOtherApplication(context.Log, application, options.AppId.Value);
        await foreach (var device in Client(application).ListAsync(cancellation))
            yield return new DeviceReference(application, device.Id) { Listed = device };
    }

    /// <inheritdoc/>
    public async Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation)
    {
        if (device.Listed is TtnV2Device listed && !TtnV2Mapping.NeedsCounters(listed, mapping))
            return listed;
        if (TtnV2Options.Typed(device.Id) is { } problem)
            throw new FailureException(Failure.Named("source/ttnv2", "invalid_device_id", $"device ID {problem}"));
        var fresh = await WatchAsync(() => Client(device.Application).GetAsync(device.Id, cancellation));
        if (options.Exports && TtnV2Mapping.NeedsCounters(fresh, mapping))
            fresh.Plan = await context.FrequencyPlans.FindAsync(mapping.FrequencyPlanId, cancellation);
        return fresh;
    }

    /// <inheritdoc/>
    public MapResult Map(SourceDevice device)
    {
        var read = (TtnV2Device)device;
        return TtnV2Mapping.Map(read, mapping, new TtnV2SessionContext(NewSessionKeyId, context.Clock.GetUtcNow(), read.Plan));
    }

    /// <inheritdoc/>
    public SourceDevice FromRecord(string application, string id, ReadOnlyMemory<byte> record) =>
        TtnV2Device.Decode(application, id, record, hasCounters: false);

    /// <summary>The guide's ways: another AppKey for devices that join, so that their session lives on; ABP devices have to go.</summary>
    public RetireWay DefaultWay(SourceDevice device) =>
        LoRaWan(device).AppKey.Span.ContainsAnyExcept((byte)0) ? RetireWay.Rotate : RetireWay.Delete;

    /// <inheritdoc/>
    public RetirePlan PlanRetirement(SourceDevice device, RetireScope scope, RetireWay way) =>
        new(way, way == RetireWay.Delete ? null : TtnV2Retirement.Replace(((TtnV2Device)device).Value!, scope, way, context.Entropy).ToByteArray());

    /// <inheritdoc/>
    public RecordMatch Compare(SourceDevice now, SourceDevice exported, RetirePlan plan) =>
        TtnV2Retirement.Compare(((TtnV2Device)now).Value?.LorawanDevice, LoRaWan(exported), Replacement(exported, plan)?.LorawanDevice);

    /// <inheritdoc/>
    public async Task<ChangeOutcome> RetireAsync(SourceDevice expected, RetirePlan plan, CancellationToken cancellation)
    {
        LogRetiring(context.Log, expected.Id, plan.Way);
        var exported = LoRaWan(expected);
        var replacement = plan.Way == RetireWay.Delete ? null : Replacement(expected, plan)!.LorawanDevice;
        var match = RecordMatch.Original;
        var joinedAgain = false;
        var sent = false;
        try
        {
            await WatchAsync(() => Client(expected.Application).ChangeAsync(
                expected.Id,
                fresh =>
                {
                    match = TtnV2Retirement.Compare(fresh.Value?.LorawanDevice, exported, replacement);
                    joinedAgain = TtnV2Retirement.HasRootKeyOf(fresh.Value?.LorawanDevice, exported);
                    if (match is not (RecordMatch.Original or RecordMatch.Mixed))
                        return null;
                    sent = true;
                    return replacement is null ? TtnV2Change.Delete : TtnV2Change.Set(TtnV2Retirement.Retire(fresh.Value!, exported, replacement));
                },
                (TtnV2Device)expected,
                cancellation));
        }
        catch (DeviceNotFoundException)
        {
            return new ChangeOutcome(ChangeResult.Done) { Detail = plan.Way == RetireWay.Delete ? null : "the device is no longer there" };
        }
        catch (FailureException e)
        {
            return new ChangeOutcome(sent ? ChangeResult.Unknown : ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = e is SourceUnavailableException };
        }
        return match switch
        {
            RecordMatch.Other => new ChangeOutcome(ChangeResult.Unchanged) { Failure = ChangedAtSource, ChangedAtSource = true, JoinedAgain = joinedAgain },
            RecordMatch.Replaced => new ChangeOutcome(ChangeResult.Done),
            _ => new ChangeOutcome(ChangeResult.Accepted),
        };
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ChangeOutcome>> ConfirmAsync(IReadOnlyList<AcceptedRetirement> accepted, CancellationToken cancellation)
    {
        var outcomes = new ChangeOutcome?[accepted.Count];
        try
        {
            await ConfirmByListAsync(accepted, outcomes, cancellation);
        }
        catch (FailureException e)
        {
            // Each device is asked for below, and says what is wrong.
            LogNoList(context.Log, e.Message);
        }
        await Task.WhenAll(accepted.Select(async (a, i) => outcomes[i] ??= await ConfirmOneAsync(a, cancellation)));
        return outcomes!;
    }

    /// <inheritdoc/>
    public async Task<ChangeOutcome> RestoreAsync(SourceDevice original, RetirePlan plan, bool dryRun, CancellationToken cancellation)
    {
        LogRestoring(context.Log, original.Id);
        var exported = LoRaWan(original);
        var left = Replacement(original, plan);
        var client = Client(original.Application);
        var match = RecordMatch.Other;
        var sent = false;
        var detail = "";
        try
        {
            try
            {
                await WatchAsync(() => client.ChangeAsync(
                    original.Id,
                    fresh =>
                    {
                        match = TtnV2Retirement.Compare(fresh.Value?.LorawanDevice, exported, left?.LorawanDevice);
                        detail = match is RecordMatch.Original ? "its keys were there already" : dryRun ? "its keys would be put back" : "its keys are back";
                        if (match is not (RecordMatch.Replaced or RecordMatch.Mixed) || dryRun)
                            return null;
                        sent = true;
                        return TtnV2Change.Set(TtnV2Retirement.Restore(fresh.Value!, exported, left!.LorawanDevice));
                    },
                    null,
                    cancellation));
            }
            catch (DeviceNotFoundException)
            {
                match = RecordMatch.Replaced;
                detail = (plan.Way == RetireWay.Delete ? "" : "it was deleted there meanwhile; ") + (dryRun ? "it would be registered again" : "it is registered again");
                if (!dryRun)
                {
                    sent = true;
                    await WatchAsync(() => client.SetAsync(TtnV2Retirement.Recreate(((TtnV2Device)original).Value!, plan.Way == RetireWay.Delete ? left : null), cancellation));
                }
            }
            if (match == RecordMatch.Other)
                return new ChangeOutcome(ChangeResult.Unchanged) { Failure = ChangedSinceRetired, ChangedAtSource = true };
            if (!sent)
                return new ChangeOutcome(ChangeResult.Done) { Detail = detail };
            var now = await WatchAsync(() => client.GetAsync(original.Id, cancellation));
            return TtnV2Retirement.Compare(now.Value?.LorawanDevice, exported, left?.LorawanDevice) == RecordMatch.Original
                ? new ChangeOutcome(ChangeResult.Done) { Detail = detail }
                : new ChangeOutcome(ChangeResult.Unknown) { Failure = NoEffect };
        }
        catch (FailureException e)
        {
            return new ChangeOutcome(sent ? ChangeResult.Unknown : ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = e is SourceUnavailableException };
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var client in clients.Values)
            await client.DisposeAsync();
        pacer.Dispose();
    }

    /// <summary>The key may be for one application only; the handler of each says so itself.</summary>
    private TtnV2Client Client(string application) =>
        clients.GetOrAdd(application, a => new TtnV2Client(a, options, context, authorities, pacer));

    /// <summary>One device that fails after all its retries may be a bad device; several in a row are a bad network.</summary>
    private async Task<T> WatchAsync<T>(Func<Task<T>> work)
    {
        try
        {
            var result = await work();
            failuresInARow = 0;
            return result;
        }
        catch (FailureException e) when (e is not SourceUnavailableException && e.InnerException is RpcException rpc && TtnV2Errors.IsTransient(rpc, reachedBefore: true))
        {
            if (Interlocked.Increment(ref failuresInARow) < FailuresInARow)
                throw;
            throw new SourceUnavailableException(e.Failure, e);
        }
    }

    private static Failure ChangedAtSource { get; } = Failure.Named("source/ttnv2", "changed_at_source", "its keys in V2 are no longer those that were exported") with
    {
        Advice = "nothing was changed; remove its line from the file and export the device again",
    };

    private static Failure ChangedSinceRetired { get; } = Failure.Named("source/ttnv2", "changed_since_retired", "its keys in V2 are neither the original ones nor those the retirement left: somebody changed the device since") with
    {
        Advice = "nothing was changed; see the original with `journal show ID --reveal` and decide in the V2 console",
    };

    private static Failure NoEffect { get; } = Failure.Named("source/ttnv2", "no_effect", "V2 accepted the change, but it is not there") with
    {
        Advice = "run the command again; it looks first",
    };

    private static LoRaWanDevice LoRaWan(SourceDevice device) => ((TtnV2Device)device).Value!.LorawanDevice;

    private static V2Device? Replacement(SourceDevice device, RetirePlan plan) =>
        plan.Replacement is { } record ? TtnV2Device.Decode(device.Application, device.Id, record, hasCounters: false).Value : null;

    /// <summary>
    /// A list page shows the keys of many devices in one call (facts/ttnv2.md section 8); devices that came from a list know their place
    /// in it. Who is not found there, or not as it should be, is asked for by name.
    /// </summary>
    private async Task ConfirmByListAsync(IReadOnlyList<AcceptedRetirement> accepted, ChangeOutcome?[] outcomes, CancellationToken cancellation)
    {
        var groups = accepted.Index()
            .Where(a => a.Item.Plan.Way != RetireWay.Delete && a.Item.Device.Listed is TtnV2Device { Position: not null })
            .GroupBy(a => a.Item.Device.Application, StringComparer.Ordinal);
        foreach (var group in groups)
        {
            var first = group.Min(a => ((TtnV2Device)a.Item.Device.Listed!).Position!.Value);
            var last = group.Max(a => ((TtnV2Device)a.Item.Device.Listed!).Position!.Value);
            var count = last - first + 1;
            if (group.Count() < 2 || count > TtnV2Client.PageSize)
                continue;
            var page = new Dictionary<string, TtnV2Device>(StringComparer.Ordinal);
            foreach (var device in await Client(group.Key).PageAsync(first, count, cancellation))
                page[device.Id] = device;
            foreach (var (index, one) in group)
            {
                if (page.TryGetValue(one.Exported.Id, out var now) && Compare(now, one.Exported, one.Plan) == RecordMatch.Replaced)
                    outcomes[index] = new ChangeOutcome(ChangeResult.Done);
            }
        }
    }

    private async Task<ChangeOutcome> ConfirmOneAsync(AcceptedRetirement accepted, CancellationToken cancellation)
    {
        var deletion = accepted.Plan.Way == RetireWay.Delete;
        try
        {
            var now = await WatchAsync(() => Client(accepted.Exported.Application).GetAsync(accepted.Exported.Id, cancellation));
            return !deletion && Compare(now, accepted.Exported, accepted.Plan) == RecordMatch.Replaced
                ? new ChangeOutcome(ChangeResult.Done)
                : new ChangeOutcome(ChangeResult.Unknown) { Failure = NoEffect };
        }
        catch (DeviceNotFoundException)
        {
            return new ChangeOutcome(ChangeResult.Done) { Detail = deletion ? null : "the device is no longer there" };
        }
        catch (FailureException e)
        {
            return new ChangeOutcome(ChangeResult.Unknown) { Failure = e.Failure, SourceFailed = e is SourceUnavailableException };
        }
    }

    private ByteString NewSessionKeyId()
    {
        Span<byte> id = stackalloc byte[16];
        context.Entropy(id);
        return ByteString.CopyFrom(id);
    }

    [LoggerMessage(LogLevel.Information, "application {Application} is read with the access key given for {Configured}")]
    private static partial void LogOtherApplication(ILogger log, string application, string configured);

    [LoggerMessage(LogLevel.Debug, "device {Device}: retiring, {Way}")]
    private static partial void LogRetiring(ILogger log, string device, RetireWay way);

    [LoggerMessage(LogLevel.Debug, "device {Device}: restoring")]
    private static partial void LogRestoring(ILogger log, string device);

    [LoggerMessage(LogLevel.Debug, "the list cannot be used to look at the changes, each device is asked for: {Error}")]
    private static partial void LogNoList(ILogger log, string error);
}
