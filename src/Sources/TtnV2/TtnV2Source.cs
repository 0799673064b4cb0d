using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Migration;
using Rpc;
using TheThingsStack.Errors;

namespace Sources.TtnV2;

/// <summary>The Things Network V2: devices of one or more applications of a cluster (facts/ttnv2.md).</summary>
public sealed partial class TtnV2Source : IDeviceSource
{
    /// <summary>Calls that V2 never refuses: 5 in a second (facts/ttnv2.md section 8).</summary>
    private const int CallsPerSecond = 5;

    /// <summary>Devices in a row that failed for a passing reason, each after its retries, until the network counts as unusable.</summary>
    private const int FailuresInARow = 3;

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
        mapping = new TtnV2MappingOptions(options.FrequencyPlanId.Value, options.WithSession.Value, options.ResetsToFrequencyPlan.Value);
        pacer = new Pacer(context.Clock, CallsPerSecond, TimeSpan.FromSeconds(1));
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> DecidedByDefault => options.DecidedByDefault();

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
                : throw new FailureException(new Failure(reason));
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
        if (TtnV2Mapping.NeedsCounters(fresh, mapping))
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
    public async Task RetireAsync(SourceDevice device, RetireScope scope, CancellationToken cancellation)
    {
        var exported = ((TtnV2Device)device).Value!.LorawanDevice;
        LogClearing(context.Log, device.Id, scope);
        await WatchAsync(async () =>
        {
            await Client(device.Application).ChangeAsync(device.Id, fresh => TtnV2Retirement.Clear(exported, fresh, scope), cancellation);
            return true;
        });
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

    private ByteString NewSessionKeyId()
    {
        Span<byte> id = stackalloc byte[16];
        context.Entropy(id);
        return ByteString.CopyFrom(id);
    }

    [LoggerMessage(LogLevel.Information, "application {Application} is read with the access key given for {Configured}")]
    private static partial void LogOtherApplication(ILogger log, string application, string configured);

    [LoggerMessage(LogLevel.Debug, "device {Device}: clearing {Scope}")]
    private static partial void LogClearing(ILogger log, string device, RetireScope scope);
}
