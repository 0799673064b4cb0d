using System.Collections.Concurrent;
using System.Globalization;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Rpc;
using TheThingsStack.Errors;

namespace TheThingsStack.Registries;

/// <summary>
/// Calls to one address of a cluster: with the key, a deadline, the pace the server wants, and retries of what is worth repeating
/// (facts/tts-api.md sections 1 and 11). Connects at the first call.
/// </summary>
internal sealed partial class RegistryConnection : IAsyncDisposable
{
    /// <summary>What The Things Stack sends at most.</summary>
    private const int MaxReceiveMessageSize = 16 * 1024 * 1024;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    /// <summary>So much longer than the connection waits the first call: what is said about the connection is more exact.</summary>
    private static readonly TimeSpan ConnectFirst = TimeSpan.FromSeconds(1);

    /// <summary>A server that has answered no call for so long is not there any more.</summary>
    private static readonly TimeSpan Gone = TimeSpan.FromSeconds(30);

    private readonly ClusterOptions options;
    private readonly RpcChannel channel;
    private readonly RatePacer pacer;
    private readonly ConcurrentDictionary<string, bool> warnings = new(StringComparer.Ordinal);
    private volatile bool answered;

    /// <summary>When a call last got an answer that can be used, be it a refusal; 0 before the first.</summary>
    private long served;

    /// <summary>Prepares calls to an address.</summary>
    /// <exception cref="FailureException">HTTPS_PROXY is set but not usable.</exception>
    public RegistryConnection(HostPort address, ClusterOptions options)
    {
        this.options = options;
        pacer = new RatePacer(options.Clock);
        ConnectProxy? proxy;
        try
        {
            proxy = ConnectProxy.FromEnvironment(options.Environment, address);
        }
        catch (FormatException e)
        {
            throw new FailureException(new Failure(e.Message), e);
        }
        channel = new RpcChannel(new RpcChannelOptions
        {
            Address = address,
            Time = options.Clock,
            Tls = options.Tls,
            Proxy = proxy,
            ConnectTimeout = options.FirstTimeout,
            MaxReceiveMessageSize = MaxReceiveMessageSize,
            // Servers in Go allow 100 to 250 calls on a connection; more may be worth it.
            EnableMultipleHttp2Connections = true,
        });
    }

    /// <summary>The server.</summary>
    public HostPort Address => channel.Address;

    /// <summary>Calls a method, again while that may help.</summary>
    /// <param name="method">Method.</param>
    /// <param name="request">Request.</param>
    /// <param name="entity">Device or application the call is about, for the pace; empty for none.</param>
    /// <param name="perDevice">Whether that is a device.</param>
    /// <param name="cancellation">Stops waiting; the server may have acted.</param>
    /// <exception cref="RegistryException">The call failed for good.</exception>
    public async Task<UnaryResult<TResponse>> CallAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, string entity, bool perDevice, CancellationToken cancellation)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new()
    {
        var begun = options.Clock.GetTimestamp();
        var mayHaveActed = false;
        var rateLimited = TimeSpan.Zero;
        for (var attempt = 1; ; attempt++)
        {
            TimeSpan pause;
            try
            {
                return await OnceAsync(method, request, entity, perDevice, cancellation);
            }
            catch (RpcException e)
            {
                var refused = RegistryErrors.IsRateLimit(e);
                // A refusal means that nothing was done; what went wrong inside a server may have gone wrong after that.
                mayHaveActed |= e.Origin == RpcFailureOrigin.Server
                    ? e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal or StatusCode.Unknown or StatusCode.DataLoss
                    : e.ServerMayHaveActed;
                pause = refused ? RefusalPause(e) : Pause(attempt);
                if (refused)
                {
                    attempt--;
                    rateLimited += pause;
                }
                var elapsed = options.Clock.GetElapsedTime(begun);
                var isGone = !IsServed(e) && e.Origin != RpcFailureOrigin.Local && IsGone();
                // One that answered before and takes no connection now is being started again: that takes longer than a call that failed.
                var usedUp = e.Origin == RpcFailureOrigin.Connect ? elapsed + pause > Gone : attempt >= options.Attempts;
                if (!RegistryErrors.IsTransient(e, answered) || usedUp || rateLimited > options.RateLimitPatience
                    || (isGone && !refused && elapsed >= Gone) || (!answered && elapsed + pause > options.FirstTimeout))
                {
                    throw new RegistryException(RegistryErrors.Describe(e), e)
                    {
                        MayHaveActed = mayHaveActed,
                        Duration = elapsed,
                        ServerIsGone = isGone,
                    };
                }
                LogRetry(options.Log, method.FullName, e.Message, pause.TotalSeconds);
            }
            await Task.Delay(pause, options.Clock, cancellation);
        }
    }

    /// <summary>Notes that the server has refused to tell fields.</summary>
    public void NotTold(string method, IEnumerable<string> paths) => LogNotTold(options.Log, Address.ToString(), string.Join(", ", paths), method);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => channel.DisposeAsync();

    private async Task<UnaryResult<TResponse>> OnceAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, string entity, bool perDevice, CancellationToken cancellation)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new()
    {
        await pacer.WaitAsync(method.FullName, entity, cancellation);
        var generation = options.Concurrency?.Generation ?? 0;
        var headers = new Metadata();
        if (options.Key is { } key)
            headers.Add("authorization", "Bearer " + key.Reveal());
        try
        {
            var call = new CallOptions { Headers = headers, Timeout = answered ? options.Timeout : options.FirstTimeout + ConnectFirst };
            var result = await channel.CallAsync(method, request, call, cancellation);
            answered = true;
            Volatile.Write(ref served, options.Clock.GetTimestamp());
            Heard(method.FullName, entity, perDevice, result.Headers, refused: false);
            return result;
        }
        catch (RpcException e)
        {
            if (e.Origin == RpcFailureOrigin.Server)
                answered = true;
            if (IsServed(e))
                Volatile.Write(ref served, options.Clock.GetTimestamp());
            Heard(method.FullName, entity, perDevice, e.Headers, RegistryErrors.IsRateLimit(e));
            if (e is { Origin: RpcFailureOrigin.Server, StatusCode: StatusCode.ResourceExhausted or StatusCode.Unavailable } or { Origin: RpcFailureOrigin.Transport, StatusCode: StatusCode.ResourceExhausted })
                options.Concurrency?.Refused(generation);
            throw;
        }
    }

    private void Heard(string method, string entity, bool perDevice, Metadata headers, bool refused)
    {
        pacer.Observe(method, entity, perDevice, headers, refused);
        foreach (var warning in headers.GetAll("warning"))
        {
            // One text may come with every device.
            if (warnings.Count < 1000 && warnings.TryAdd(warning.Value, true))
                LogWarning(options.Log, Address.ToString(), warning.Value);
        }
    }

    /// <summary>The server has worked on the call, and what it says is about this call alone.</summary>
    private static bool IsServed(RpcException e) =>
        e.Origin == RpcFailureOrigin.Server && e.StatusCode is not (StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.ResourceExhausted);

    private bool IsGone() => Volatile.Read(ref served) is var last && (last == 0 || options.Clock.GetElapsedTime(last) >= Gone);

    private static TimeSpan Pause(int attempt)
    {
        var pause = FirstPause * Math.Pow(2, attempt - 1);
        return pause < LongestPause ? pause : LongestPause;
    }

    /// <summary>Until the limit lets one call pass; times below a second are told as zero.</summary>
    private static TimeSpan RefusalPause(RpcException refusal) =>
        TimeSpan.FromSeconds(int.TryParse(refusal.Headers.Get("x-rate-limit-retry"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds > 0 ? seconds + 1 : 1);

    [LoggerMessage(LogLevel.Debug, "{Method}: {Error}; trying again in {Seconds} s")]
    private static partial void LogRetry(ILogger log, string method, string error, double seconds);

    [LoggerMessage(LogLevel.Warning, "The Things Stack at {Address} is of a version that does not know {Paths} ({Method}): these fields are not compared")]
    private static partial void LogNotTold(ILogger log, string address, string paths, string method);

    [LoggerMessage(LogLevel.Warning, "The Things Stack at {Address} warns: {Text}")]
    private static partial void LogWarning(ILogger log, string address, string text);
}
