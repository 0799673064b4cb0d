using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Migration;
using Rpc;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Sources.Tts;

/// <summary>The Things Stack: devices of one or more applications of a cluster (facts/tts-source.md).</summary>
public sealed partial class TtsSource : IDeviceSource
{
    /// <summary>Most devices read at a time; how many are read, <see cref="AdaptiveConcurrency"/> finds.</summary>
    public const int MostDevices = 128;

    private readonly TtsOptions options;
    private readonly TtsMappingOptions mapping;
    private readonly SourceContext context;
    private readonly ITtsServers servers;
    private readonly TtsReader reader;
    private readonly AdaptiveConcurrency concurrency;
    private readonly ConcurrentDictionary<(string Application, bool WithKeys), Lazy<Task<Failure?>>> rights = new();

    internal TtsSource(TtsOptions options, SourceContext context, ITtsServers servers)
    {
        this.options = options;
        this.context = context;
        this.servers = servers;
        mapping = new TtsMappingOptions(
            options.NoSession.Value, options.KeepClusterFields.Value, options.ExportClaimCodes.Value, servers.Has(TtsServer.Join), options.Retires);
        reader = new TtsReader(servers, context.Clock, context.Log);
        concurrency = options.FixedConcurrency() is { } given
            ? AdaptiveConcurrency.Fixed(context.Clock, given)
            : AdaptiveConcurrency.Adaptive(context.Clock, most: MostDevices);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> DecidedByDefault => options.DecidedByDefault();

    /// <summary>Checks the options; calls nobody yet.</summary>
    /// <param name="options">What the user said.</param>
    /// <param name="context">The surroundings.</param>
    /// <param name="needsAppId">Whether devices may be named without their application.</param>
    /// <exception cref="FailureException">An option is missing or wrong, or the CA file cannot be used.</exception>
    public static TtsSource Open(TtsOptions options, SourceContext context, bool needsAppId = true)
    {
        if (options.Validate(needsAppId) is { } failure)
            throw new FailureException(failure);
        var addresses = new Dictionary<TtsServer, HostPort>();
        foreach (var server in Enum.GetValues<TtsServer>())
        {
            if (options.Address(server, out var address) is null && address is { } given)
                addresses[server] = given;
        }
        if (!ApiKey.TryParse(options.AppApiKey.Value, out var key, out var reason))
            throw new FailureException(Failure.Named("source/tts/config", "invalid_app_api_key", reason) with { Advice = $"copy the key again from the Console into {options.AppApiKey.Origin ?? "--app-api-key"}" });
        if (options.Insecure.Value)
            LogInsecure(context.Log);
        var client = new ClusterClient(new ClusterOptions
        {
            Addresses = new ClusterAddresses(addresses[TtsServer.Identity], At(TtsServer.Network), At(TtsServer.Application), At(TtsServer.Join)),
            Key = key,
            Tls = options.Insecure.Value ? null : Trust(options),
            Clock = context.Clock,
            Log = context.Log,
            Environment = context.Environment,
        });
        return new TtsSource(options, context, new ClusterServers(client, addresses.Keys.ToHashSet()));

        // A server that is not there is never called.
        HostPort At(TtsServer server) => addresses.GetValueOrDefault(server, addresses[TtsServer.Identity]);
    }

    /// <inheritdoc/>
    public string? Guide(string noteCode) => TtsMapping.Guide(noteCode);

    /// <summary>Gives the reference of a device: its ID, or <c>APPLICATION/ID</c> for one of another application than the configured one.</summary>
    public DeviceReference Refer(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        var slash = id.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? new DeviceReference(options.AppId.Value, id) : new DeviceReference(id[..slash], id[(slash + 1)..]);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<DeviceReference> ListAsync(string application, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (options.Retires != RetireScope.Device)
        {
            await foreach (var id in PagesAsync(application, cancellation))
                yield return new DeviceReference(application, id);
            yield break;
        }
        // Pages are cut by position: what is deleted meanwhile would shift them (defect D3). So the whole list first.
        var all = new List<string>();
        await foreach (var id in PagesAsync(application, cancellation))
            all.Add(id);
        foreach (var id in all)
            yield return new DeviceReference(application, id);
    }

    /// <inheritdoc/>
    public async Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Application.Length == 0)
            throw new FailureException(Failure.Named("source/tts/config", "no_app_id", "no app id") with { Advice = "give --app-id, or name the device APPLICATION/ID" });
        // A run that will change the source finds out before the first line that it may not.
        if (options.Retires != RetireScope.None)
            await RequireRightsAsync(device.Application, withKeys: false, cancellation);
        return await InTurnAsync(() => reader.ReadAsync(device.Application, device.Id, cancellation), cancellation);
    }

    /// <inheritdoc/>
    public MapResult Map(SourceDevice device) => TtsMapping.Map((TtsDevice)device, mapping);

    /// <inheritdoc/>
    public SourceDevice FromRecord(string application, string id, ReadOnlyMemory<byte> record) => TtsDevice.Decode(application, id, record);

    /// <inheritdoc/>
    public RetireWay DefaultWay(SourceDevice device) => RetireWay.Delete;

    /// <inheritdoc/>
    public RetirePlan PlanRetirement(SourceDevice device, RetireScope scope, RetireWay way)
    {
        // What the flags of an export ask for wins; a retirement by itself says how.
        if (scope.HasFlag(RetireScope.Device))
            return new RetirePlan(RetireWay.Delete, device.Record);
        if (scope.HasFlag(RetireScope.Downlinks) || way == RetireWay.Mute)
            return new RetirePlan(RetireWay.Mute, TtsRetirement.Mute((TtsDevice)device).Record);
        return way == RetireWay.Delete
            ? new RetirePlan(RetireWay.Delete, null)
            : throw new FailureException(Failure.Named("source/tts", "no_such_way", $"a device of The Things Stack cannot be {way.Past()}: its servers do not take empty keys") with
            {
                Advice = "use --way delete, or --way mute to stop only its downlinks",
            });
    }

    /// <summary>As the flags of this run say: a device whose downlinks were stopped may have to go, and without a flag none is touched.</summary>
    public RetirePlan? PlanAgain(SourceDevice now, RetirePlan earlier) =>
        options.Retires switch
        {
            RetireScope.None => null,
            RetireScope.Downlinks when ((TtsDevice)now).NetworkServer is null => null,
            var scope => PlanRetirement(now, scope, RetireWay.Delete),
        };

    /// <inheritdoc/>
    public RecordMatch Compare(SourceDevice now, SourceDevice exported, RetirePlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var match = TtsRetirement.CompareKeys((TtsDevice)now, (TtsDevice)exported, !options.NoSession.Value);
        return match == RecordMatch.Original && plan.Way == RetireWay.Mute && TtsRetirement.IsMuted((TtsDevice)now) ? RecordMatch.Replaced : match;
    }

    /// <inheritdoc/>
    public async Task<ChangeOutcome> RetireAsync(SourceDevice expected, RetirePlan plan, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var exported = (TtsDevice)expected;
        LogRetiring(context.Log, exported.Id, plan.Way);
        return await ChangeAsync(
            async change =>
            {
                await RequireRightsAsync(exported.Application, withKeys: false, cancellation);
                var now = await reader.ReadRemainsAsync(exported.Application, exported.Id, cancellation);
                if (!now.Records().Any())
                    return new ChangeOutcome(ChangeResult.Done) { Detail = "the device is no longer there" };
                switch (Compare(now, exported, plan))
                {
                    case RecordMatch.Other:
                        var joinedAgain = exported.Joins && TtsRetirement.CompareKeys(now, exported, sessionMatters: false) != RecordMatch.Other;
                        return new ChangeOutcome(ChangeResult.Unchanged) { Failure = ChangedAtSource, ChangedAtSource = true, JoinedAgain = joinedAgain };
                    case RecordMatch.Replaced:
                        return new ChangeOutcome(ChangeResult.Done);
                    case RecordMatch.Mixed when plan.Way != RetireWay.Delete:
                        return new ChangeOutcome(ChangeResult.Unchanged) { Failure = ChangedAtSource, ChangedAtSource = true };
                }
                if (plan.Way == RetireWay.Delete)
                    await DeleteAsync(now, change, cancellation);
                else
                    await MuteAsync(now, change, cancellation);
                var moved = TtsRetirement.CountersMoved(now, exported);
                return new ChangeOutcome(ChangeResult.Done) { Detail = moved, Note = moved is null ? null : CountersMoved };
            },
            cancellation);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ChangeOutcome>> ConfirmAsync(IReadOnlyList<AcceptedRetirement> accepted, CancellationToken cancellation) =>
        // The servers answer a change when it is made, so none is left to look at; asked all the same, a look is a retirement again.
        await Task.WhenAll(accepted.Select(a => RetireAsync(a.Exported, a.Plan, cancellation)));

    /// <inheritdoc/>
    public async Task<ChangeOutcome> RestoreAsync(SourceDevice original, RetirePlan plan, bool dryRun, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var exported = (TtsDevice)original;
        LogRestoring(context.Log, exported.Id);
        return await ChangeAsync(
            async change =>
            {
                await RequireRightsAsync(exported.Application, withKeys: plan.Way == RetireWay.Delete, cancellation);
                var now = await reader.ReadRemainsAsync(exported.Application, exported.Id, cancellation);
                var match = Compare(now, exported, plan);
                if (match == RecordMatch.Other)
                    return new ChangeOutcome(ChangeResult.Unchanged) { Failure = ChangedSinceRetired, ChangedAtSource = true };
                // Before a deletion its downlinks may have been stopped.
                var wasMuted = plan.Way == RetireWay.Mute || (plan.Replacement is { } left && TtsRetirement.IsMuted(TtsDevice.Decode(exported.Application, exported.Id, left)));
                var isMuted = TtsRetirement.IsMuted(now);
                var details = new List<string>();
                if (match == RecordMatch.Mixed)
                {
                    details.Add(dryRun ? "it would be registered again" : "it is registered again");
                    // As it was last seen before the deletion: counters never go back.
                    var last = plan is { Way: RetireWay.Delete, Replacement: { } record } ? TtsDevice.Decode(exported.Application, exported.Id, record) : exported;
                    isMuted |= now.NetworkServer is null && TtsRetirement.IsMuted(last);
                    if (!dryRun)
                        await RegisterAsync(now, last, change, cancellation);
                }
                if (wasMuted && isMuted && !TtsRetirement.IsMuted(exported))
                {
                    details.Add(dryRun ? "its downlinks would be sent again" : "its downlinks are sent again");
                    if (!dryRun)
                        await UnmuteAsync(exported, change, cancellation);
                }
                return new ChangeOutcome(ChangeResult.Done) { Detail = details.Count > 0 ? string.Join("; ", details) : "it was as before already" };
            },
            cancellation);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => servers.DisposeAsync();

    private static TlsTrust Trust(TtsOptions options)
    {
        if (options.CaFile.Value.Length == 0)
            return TlsTrust.System;
        if (!TlsTrust.TryReadFile(options.CaFile.Value, out X509Certificate2Collection? certificates, out var reason))
            throw new FailureException(new Failure(reason) { Advice = $"{options.CaFile.Origin ?? "--ca-file"} names a file of PEM certificates; leave it out for a public cluster" });
        return TlsTrust.System.WithCertificateAuthorities(certificates);
    }

    /// <summary>
    /// The IDs of an application, page by page; a list that changes meanwhile is not trusted. The next page is on its way while the devices of
    /// one are read.
    /// </summary>
    private async IAsyncEnumerable<string> PagesAsync(string application, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var listed = 0;
        int? total = null;
        string? last = null;
        Task<(IReadOnlyList<string> Ids, int? Total)>? next = servers.ListAsync(application, 1, cancellation);
        for (var page = 1; next is not null; page++)
        {
            var answer = await ToldAsync(next);
            var boundary = last is null ? null : servers.AtAsync(application, listed, cancellation);
            var before = listed;
            listed += answer.Ids.Count;
            LogPage(context.Log, application, listed, answer.Total?.ToString(CultureInfo.InvariantCulture) ?? "?");
            if (page > 1 && answer.Total != total)
                throw new FailureException(ListChanged(application, $"it had {total} devices at first and {answer.Total} later"));
            total = answer.Total;
            if (listed > total || (answer.Ids.Count == 0 && listed < total))
                throw new FailureException(ListChanged(application, $"it has {total} devices, {listed} of them were listed"));
            var isLast = total is null ? answer.Ids.Count < IdentityServerClient.PageSize : listed >= total;
            next = isLast ? null : servers.ListAsync(application, page + 1, cancellation);
            foreach (var id in answer.Ids)
                yield return id;
            // One deleted and another registered leave the number as it is, and the first of this page on the page before, unseen.
            if (boundary is not null && await ToldAsync(boundary) != last)
                throw new FailureException(ListChanged(application, $"device `{last}` was its number {before} and no longer is"));
            last = answer.Ids is [.., var end] ? end : null;
        }

        static async Task<T> ToldAsync<T>(Task<T> call)
        {
            try
            {
                return await call;
            }
            catch (RegistryException e)
            {
                throw TtsFailures.Of(e);
            }
        }
    }

    /// <summary>Asks once for each application, and stops the run when the key may not do what it is about to do.</summary>
    private async Task RequireRightsAsync(string application, bool withKeys, CancellationToken cancellation)
    {
        var answer = rights.GetOrAdd((application, withKeys), key => new Lazy<Task<Failure?>>(() => AskRightsAsync(key.Application, key.WithKeys)));
        if (await answer.Value.WaitAsync(cancellation) is { } missing)
            throw new SourceUnavailableException(missing);
    }

    private async Task<Failure?> AskRightsAsync(string application, bool withKeys)
    {
        try
        {
            return await servers.MissingRightsAsync(
                application,
                withKeys ? [Right.ApplicationDevicesWrite, Right.ApplicationDevicesWriteKeys] : [Right.ApplicationDevicesWrite],
                CancellationToken.None);
        }
        catch (RegistryException e)
        {
            return e.Failure;
        }
    }

    private async Task DeleteAsync(TtsDevice now, Change change, CancellationToken cancellation)
    {
        var ids = now.Identifiers();
        foreach (var server in TtsRetirement.DeleteOrder)
        {
            // One that never joins is not at the Join Server, which would say NotFound (defect D2).
            if (now.Of(server) is not null)
                await change.MakeAsync(() => servers.DeleteAsync(server, ids, cancellation));
        }
    }

    private async Task MuteAsync(TtsDevice now, Change change, CancellationToken cancellation)
    {
        var device = new EndDevice { Ids = now.Identifiers(), MacSettings = new MACSettings { ScheduleDownlinks = new BoolValue { Value = false } } };
        await change.MakeAsync(() => servers.SetAsync(TtsServer.Network, device, [TtsRetirement.DownlinksValue], cancellation));
    }

    private async Task UnmuteAsync(TtsDevice original, Change change, CancellationToken cancellation)
    {
        var was = original.NetworkServer?.MacSettings?.ScheduleDownlinks;
        var device = new EndDevice { Ids = original.Identifiers(), MacSettings = was is null ? null : new MACSettings { ScheduleDownlinks = was.Clone() } };
        await change.MakeAsync(() => servers.SetAsync(TtsServer.Network, device, [was is null ? TtsRetirement.Downlinks : TtsRetirement.DownlinksValue], cancellation));
    }

    private async Task RegisterAsync(TtsDevice now, TtsDevice last, Change change, CancellationToken cancellation)
    {
        var ids = last.Identifiers();
        foreach (var server in TtsRetirement.CreateOrder)
        {
            if (last.Of(server) is not { } record || now.Of(server) is not null)
                continue;
            var (device, paths) = TtsRetirement.Restore(server, record, ids);
            if (server == TtsServer.Identity)
            {
                await change.MakeAsync(async () =>
                {
                    await servers.CreateAsync(device, cancellation);
                    return true;
                });
            }
            else
            {
                await change.MakeAsync(() => servers.SetAsync(server, device, paths, cancellation));
            }
        }
    }

    private async Task<ChangeOutcome> ChangeAsync(Func<Change, Task<ChangeOutcome>> work, CancellationToken cancellation)
    {
        var change = new Change();
        try
        {
            return await InTurnAsync(() => work(change), cancellation);
        }
        catch (FailureException e)
        {
            return new ChangeOutcome(change.Begun ? ChangeResult.Unknown : ChangeResult.Unchanged) { Failure = e.Failure, SourceFailed = e is SourceUnavailableException };
        }
    }

    private async Task<T> InTurnAsync<T>(Func<Task<T>> work, CancellationToken cancellation)
    {
        using var turn = await concurrency.EnterAsync(cancellation);
        try
        {
            var result = await work();
            turn.Done();
            return result;
        }
        catch (FailureException e)
        {
            if (e is RegistryException { IsOverload: true } || e.InnerException is RegistryException { IsOverload: true })
                turn.Refused();
            else
                turn.Done();
            throw;
        }
    }

    private static Note CountersMoved { get; } = new(
        "counters_moved", "the source sent more downlinks after the line was written: the device does not take as many of the target's first ones; `journal show ID` tells how many");

    private static Failure ChangedAtSource { get; } = Failure.Named("source/tts", "changed_at_source", "its keys at the source are no longer those that were exported: it has joined, or was registered anew") with
    {
        Advice = "nothing was changed; remove its line from the file and export the device again",
    };

    private static Failure ChangedSinceRetired { get; } = Failure.Named("source/tts", "changed_since_retired", "its keys at the source are not the original ones: somebody registered or changed the device since") with
    {
        Advice = "nothing was changed; see the original with `journal show ID --reveal` and decide in the Console",
    };

    private static Failure ListChanged(string application, string how) =>
        Failure.Named("source/tts", "list_changed", $"the list of application `{application}` changed while it was read: {how}") with
        {
            Advice = "run the command again when nobody registers or deletes devices",
        };

    /// <summary>Whether anything was sent that may have changed the source.</summary>
    private sealed class Change
    {
        public bool Begun { get; private set; }

        public async Task<T> MakeAsync<T>(Func<Task<T>> call)
        {
            try
            {
                var result = await call();
                Begun = true;
                return result;
            }
            catch (RegistryException e)
            {
                Begun |= e.MayHaveActed;
                throw TtsFailures.Of(e);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Using insecure connection to API")]
    private static partial void LogInsecure(ILogger log);

    [LoggerMessage(LogLevel.Debug, "application {Application}: {Listed} of {Total} devices listed")]
    private static partial void LogPage(ILogger log, string application, int listed, string total);

    [LoggerMessage(LogLevel.Debug, "device {Device}: retiring, {Way}")]
    private static partial void LogRetiring(ILogger log, string device, RetireWay way);

    [LoggerMessage(LogLevel.Debug, "device {Device}: restoring")]
    private static partial void LogRestoring(ILogger log, string device);
}
