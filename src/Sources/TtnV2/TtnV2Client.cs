using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using Migration;
using Polly;
using Polly.Retry;
using Rpc;
using Sources.TtnV2.Api.Discovery;
using Sources.TtnV2.Api.Handler;
using TheThingsStack.Errors;
using Empty = Google.Protobuf.WellKnownTypes.Empty;
using Metadata = Rpc.Metadata;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.TtnV2;

/// <summary>
/// Speaks with the V2 servers for one application: finds its handler, then lists, gets and sets devices, paced and retried
/// (facts/ttnv2.md sections 1 to 4.5). Connects at the first call.
/// </summary>
internal sealed partial class TtnV2Client : IAsyncDisposable
{
    /// <summary>Devices asked for in one page. About 180 KB; the server has no limit of its own.</summary>
    public const int PageSize = 1000;

    private const int SmallestPage = 50;
    private const int Attempts = 10;
    private const int AttemptsBeforeFirstAnswer = 3;
    private const int MaxReceiveMessageSize = 64 * 1024 * 1024;
    private const string ServiceName = "ttn-lw-migrate";
    private const string ServiceVersion = "2.x.x";

    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    private static readonly Method<GetByAppIDRequest, Announcement> GetByAppId = new("/discovery.Discovery/GetByAppID");
    private static readonly Method<ApplicationIdentifier, DeviceRecords> GetDevices = new("/handler.ApplicationManager/GetDevicesForApplication");
    private static readonly Method<DeviceIdentifier, UndecodedDevice> GetDevice = new("/handler.ApplicationManager/GetDevice");
    private static readonly Method<DeviceIdentifier, Empty> DeleteDevice = new("/handler.ApplicationManager/DeleteDevice");
    private static readonly Method<V2Device, Empty> SetDevice = new("/handler.ApplicationManager/SetDevice");

    private readonly string application;
    private readonly TtnV2Options options;
    private readonly SourceContext context;
    private readonly X509Certificate2Collection authorities;
    private readonly Pacer pacer;
    private readonly ResiliencePipeline retries;
    private readonly SemaphoreSlim connecting = new(1);
    private RpcChannel? handler;
    private volatile bool answered;

    public TtnV2Client(string application, TtnV2Options options, SourceContext context, X509Certificate2Collection authorities, Pacer pacer)
    {
        this.application = application;
        this.options = options;
        this.context = context;
        this.authorities = authorities;
        this.pacer = pacer;
        retries = new ResiliencePipelineBuilder { TimeProvider = context.Clock }
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = Attempts - 1,
                ShouldHandle = args => ValueTask.FromResult(
                    args.Outcome.Exception is RpcException e
                    && TtnV2Errors.IsTransient(e, answered)
                    && (answered || args.AttemptNumber < AttemptsBeforeFirstAnswer - 1)),
                DelayGenerator = args => ValueTask.FromResult<TimeSpan?>(TimeSpan.FromSeconds(args.AttemptNumber + 1)),
                OnRetry = args =>
                {
                    if (args.Outcome.Exception is RpcException e)
                        LogRetry(context.Log, e.Message, args.RetryDelay.TotalSeconds, args.AttemptNumber + 2, Attempts);
                    return ValueTask.CompletedTask;
                },
            })
            .Build();
    }

    /// <summary>Lists the devices of the application in the order of their IDs, a page at a time.</summary>
    public async IAsyncEnumerable<TtnV2Device> ListAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var limit = PageSize;
        int? total = null;
        for (var offset = 0; ;)
        {
            var start = offset;
            var page = await CallAsync(
                async token =>
                {
                    try
                    {
                        return await OnceAsync(GetDevices, new ApplicationIdentifier { AppId = application }, token, limit, start);
                    }
                    catch (RpcException e) when (e.StatusCode == StatusCode.DeadlineExceeded || e.Origin == RpcFailureOrigin.Local)
                    {
                        // Too much for one answer, in time or in bytes.
                        var smaller = Math.Max(SmallestPage, limit / 2);
                        if (e.Origin != RpcFailureOrigin.Local || smaller == limit)
                        {
                            limit = smaller;
                            throw;
                        }
                        limit = smaller;
                        throw new RpcException(e.Target, StatusCode.DeadlineExceeded, e.Detail, RpcFailureOrigin.Deadline, e);
                    }
                },
                cancellation);
            foreach (var (place, record) in page.Response.Devices.Index())
                yield return TtnV2Device.Decode(application, id: null, record.Memory, hasCounters: false, position: start + place);
            offset += page.Response.Devices.Count;
            LogPage(context.Log, application, offset, page.Headers.Get("total") ?? "?");

            // Pages are cut by position: when the list changes meanwhile, a device may fall between two of them.
            int? said = int.TryParse(page.Headers.Get("total"), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
            if (total is not null && said != total)
                throw new FailureException(ListChanged($"it had {total} devices at first and {said} later"));
            total = said;
            if (page.Response.Devices.Count == 0 && offset < total)
                throw new FailureException(ListChanged($"it has {total} devices, {offset} of them were listed"));
            if (total is null ? page.Response.Devices.Count < limit : offset >= total)
                yield break;
        }
    }

    /// <summary>Reads one device with its frame counters.</summary>
    public async Task<TtnV2Device> GetAsync(string id, CancellationToken cancellation)
    {
        var answer = await CallAsync(token => OnceAsync(GetDevice, Identifier(id), token), cancellation);
        return Decode(id, answer.Response);
    }

    /// <summary>One part of the list, as it is now; no counters.</summary>
    /// <param name="offset">Place of the first device, from 0.</param>
    /// <param name="count">Devices at most.</param>
    /// <param name="cancellation">Stops waiting.</param>
    public async Task<IReadOnlyList<TtnV2Device>> PageAsync(int offset, int count, CancellationToken cancellation)
    {
        var page = await CallAsync(token => OnceAsync(GetDevices, new ApplicationIdentifier { AppId = application }, token, count, offset), cancellation);
        return [.. page.Response.Devices.Select(record => TtnV2Device.Decode(application, id: null, record.Memory, hasCounters: false))];
    }

    /// <summary>Stores a device, and creates it when it is not there.</summary>
    public async Task<bool> SetAsync(V2Device record, CancellationToken cancellation)
    {
        await CallAsync(token => OnceAsync(SetDevice, record, token), cancellation);
        return true;
    }

    /// <summary>
    /// Reads a device afresh, lets <paramref name="decide"/> say what to do, and does it. The steps are repeated together, so that a
    /// change that was applied without an answer is seen.
    /// </summary>
    /// <param name="id">Device ID.</param>
    /// <param name="decide">Gives the change to make, or null when nothing is to be done.</param>
    /// <param name="known">The device as it was read before: used in place of a first read when that was a moment ago. May be null.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="DeviceNotFoundException">The device is not there.</exception>
    public async Task<bool> ChangeAsync(string id, Func<TtnV2Device, TtnV2Change?> decide, TtnV2Device? known, CancellationToken cancellation)
    {
        var fresh = known is not null && known.IsFresh(context.Clock) ? known : null;
        await CallAsync<object?>(
            async token =>
            {
                var now = fresh ?? Decode(id, (await OnceAsync(GetDevice, Identifier(id), token)).Response);
                fresh = null;
                switch (decide(now))
                {
                    case { Record: { } record }:
                        await OnceAsync(SetDevice, record, token);
                        break;
                    case { }:
                        await OnceAsync(DeleteDevice, Identifier(id), token);
                        break;
                }
                return null;
            },
            cancellation);
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (handler is not null)
            await handler.DisposeAsync();
        connecting.Dispose();
    }

    private DeviceIdentifier Identifier(string id) => new() { AppId = application, DevId = id };

    private TtnV2Device Decode(string id, UndecodedDevice answer) =>
        TtnV2Device.Decode(application, id, Google.Protobuf.MessageExtensions.ToByteArray(answer), hasCounters: true, readAt: context.Clock.GetTimestamp());

    /// <summary>Runs a step with retries; what remains becomes a failure with the server's own text.</summary>
    private async Task<T> CallAsync<T>(Func<CancellationToken, Task<T>> step, CancellationToken cancellation)
    {
        await ConnectAsync(cancellation);
        try
        {
            return await retries.ExecuteAsync(
                static async (run, token) => await run(token), step, cancellation);
        }
        catch (RpcException e)
        {
            var failure = TtnV2Errors.FromHandler(e, application);
            if (TtnV2Errors.IsDeviceNotFound(e))
                throw new DeviceNotFoundException(failure, e);
            throw TtnV2Errors.ConcernsAll(e) || !answered
                ? new SourceUnavailableException(failure, e)
                : new FailureException(failure, e);
        }
    }

    /// <summary>One call to the handler, in its turn.</summary>
    private async Task<UnaryResult<TResponse>> OnceAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CancellationToken cancellation, int limit = 0, int offset = 0)
        where TRequest : Google.Protobuf.IMessage<TRequest>
        where TResponse : Google.Protobuf.IMessage<TResponse>, new()
    {
        await pacer.WaitAsync(cancellation);
        var headers = Headers();
        headers.Add("key", options.AppAccessKey.Value);
        if (limit > 0)
            headers.Add("limit", limit.ToString(CultureInfo.InvariantCulture));
        if (offset > 0)
            headers.Add("offset", offset.ToString(CultureInfo.InvariantCulture));
        try
        {
            var result = await handler!.CallAsync(method, request, new CallOptions { Headers = headers, Timeout = CallTimeout }, cancellation);
            answered = true;
            pacer.Served();
            return result;
        }
        catch (RpcException e)
        {
            if (e.Origin == RpcFailureOrigin.Server)
                answered = true;
            if (TtnV2Errors.IsRateLimit(e))
                pacer.Refused();
            throw;
        }
    }

    private async Task ConnectAsync(CancellationToken cancellation)
    {
        if (handler is not null)
            return;
        await connecting.WaitAsync(cancellation);
        try
        {
            handler ??= Open(await HandlerAsync(cancellation));
        }
        finally
        {
            connecting.Release();
        }
    }

    /// <summary>Where the handler is and which certificate it has: as given, or as the discovery server announces it.</summary>
    private async Task<(HostPort Address, TlsTrust? Tls)> HandlerAsync(CancellationToken cancellation)
    {
        if (options.HandlerAddress.Value.Length > 0)
            return (Parse(options.HandlerAddress.Value, "handler address"), Trust());
        var announcement = await DiscoverAsync(cancellation);
        var comma = announcement.NetAddress.IndexOf(',', StringComparison.Ordinal);
        var first = comma < 0 ? announcement.NetAddress : announcement.NetAddress[..comma];
        if (first.Length == 0)
            throw Announced(announcement, "the announcement has no address", null);
        if (!TtnV2Address.TryParse(first, out var address, out var reason))
            throw Announced(announcement, $"its address cannot be used: {reason}", null);
        LogHandler(context.Log, application, announcement.Id, address.ToString());
        if (announcement.Certificate.Length == 0)
            return (address, Trust());
        return TlsTrust.TryReadPem(announcement.Certificate, out var certificates, out reason)
            ? (address, TlsTrust.Pinned(certificates, address.Host))
            : throw Announced(announcement, $"the announced certificate cannot be read: {reason}", null);
    }

    private async Task<Announcement> DiscoverAsync(CancellationToken cancellation)
    {
        var given = options.DiscoveryServerAddress.Value;
        var address = Parse(given.Length > 0 ? given : TtnV2Options.CommunityDiscovery, "discovery server address");
        await using var discovery = Open((address, options.DiscoveryServerInsecure.Value ? null : Trust()));
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                // The access key is for the handler; the discovery server does not need it.
                var answer = await discovery.CallAsync(
                    GetByAppId, new GetByAppIDRequest { AppId = application }, new CallOptions { Headers = Headers(), Timeout = CallTimeout }, cancellation);
                return answer.Response;
            }
            catch (RpcException e) when (attempt < AttemptsBeforeFirstAnswer && e.Origin == RpcFailureOrigin.Server && TtnV2Errors.IsTransient(e, reachedBefore: true))
            {
                await Task.Delay(TimeSpan.FromSeconds(attempt), context.Clock, cancellation);
            }
            catch (RpcException e)
            {
                throw new SourceUnavailableException(TtnV2Errors.FromDiscovery(e, application), e);
            }
        }
    }

    private RpcChannel Open((HostPort Address, TlsTrust? Tls) server)
    {
        ConnectProxy? proxy;
        try
        {
            proxy = ConnectProxy.FromEnvironment(context.Environment, server.Address);
        }
        catch (FormatException e)
        {
            throw new SourceUnavailableException(new Failure(e.Message), e);
        }
        return new RpcChannel(new RpcChannelOptions
        {
            Address = server.Address,
            Time = context.Clock,
            Tls = server.Tls,
            Proxy = proxy,
            MaxReceiveMessageSize = MaxReceiveMessageSize,
        });
    }

    private TlsTrust Trust() => authorities.Count == 0 ? TlsTrust.System : TlsTrust.System.WithCertificateAuthorities(authorities);

    private static Metadata Headers() => new() { { "service-name", ServiceName }, { "service-version", ServiceVersion } };

    private static HostPort Parse(string text, string what) =>
        TtnV2Address.TryParse(text, out var address, out var reason) ? address : throw new SourceUnavailableException(new Failure($"{what}: {reason}"));

    private static SourceUnavailableException Announced(Announcement announcement, string problem, Exception? cause) =>
        new(new Failure($"handler `{announcement.Id}` as announced by the discovery server: {problem}") { Advice = "give the handler with handler-address, and its certificate with ca-cert" }, cause);

    private Failure ListChanged(string how) =>
        Failure.Named("source/ttnv2", "list_changed", $"the list of application `{application}` changed while it was read: {how}") with
        {
            Advice = "run the command again when nobody registers or deletes devices",
        };

    [LoggerMessage(LogLevel.Debug, "{Error}; trying again in {Seconds} s (attempt {Attempt} of {Attempts})")]
    private static partial void LogRetry(ILogger log, string error, double seconds, int attempt, int attempts);

    [LoggerMessage(LogLevel.Debug, "application {Application}: {Listed} of {Total} devices listed")]
    private static partial void LogPage(ILogger log, string application, int listed, string total);

    [LoggerMessage(LogLevel.Debug, "application {Application} is at handler {Handler}, {Address}")]
    private static partial void LogHandler(ILogger log, string application, string handler, string address);
}

/// <summary>A change to make: a record to store, or the deletion.</summary>
/// <param name="Record">The record to store; null deletes.</param>
internal sealed record TtnV2Change(V2Device? Record)
{
    /// <summary>The deletion.</summary>
    public static TtnV2Change Delete { get; } = new((V2Device?)null);

    /// <summary>Stores a record.</summary>
    public static TtnV2Change Set(V2Device record) => new(record);

    /// <summary>The kind of change; never a key.</summary>
    public override string ToString() => Record is null ? "delete" : "set";
}
