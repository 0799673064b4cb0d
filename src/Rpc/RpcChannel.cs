using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;

namespace Rpc;

/// <summary>
/// Unary gRPC calls to one server, over one HTTP/2 connection that is made at the first call and again whenever it is gone. Any number of calls
/// may run at the same time.
/// </summary>
public sealed class RpcChannel : IAsyncDisposable
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly RpcChannelOptions options;
    private readonly Connector connector;
    private readonly HttpMessageInvoker http;
    private readonly Uri root;
    private readonly ConcurrentDictionary<string, Uri> paths = new(StringComparer.Ordinal);
    private ConnectSignal signal = new();
    private int disposed;

    static RpcChannel() =>
        // .NET sizes HTTP/2 windows with pings. The V2 servers count pings and hang up (facts/ttnv2.md 1.5, 8); a fixed window serves as well.
        AppContext.SetSwitch("System.Net.SocketsHttpHandler.Http2FlowControl.DisableDynamicWindowSizing", true);

    /// <summary>Makes a channel; nothing is sent before the first call.</summary>
    public RpcChannel(RpcChannelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        this.options = options;
        root = new Uri($"{(options.Tls is null ? "http" : "https")}://{options.Address.UriHost}:{options.Address.Port.ToString(CultureInfo.InvariantCulture)}/");
        connector = new Connector(options) { Failed = FailWaitingCalls };
        const int window = 1024 * 1024;
        http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectCallback = (_, cancellation) => connector.ConnectAsync(cancellation),
            ConnectTimeout = Timeout.InfiniteTimeSpan,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = options.EnableMultipleHttp2Connections,
            InitialHttp2StreamWindowSize = window,
            ResponseHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
        });
    }

    /// <summary>The server.</summary>
    public HostPort Address => options.Address;

    /// <summary>Calls a unary method.</summary>
    /// <exception cref="RpcException">The call failed.</exception>
    /// <exception cref="OperationCanceledException">The caller's token was cancelled; whether the server acted is not known.</exception>
    public async Task<UnaryResult<TResponse>> CallAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions? call = null, CancellationToken cancellation = default)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        cancellation.ThrowIfCancellationRequested();
        var timeout = call?.Timeout;
        if (timeout <= TimeSpan.Zero)
            throw Failure(method.FullName, StatusCode.DeadlineExceeded, "the time for the call is over before it began", RpcFailureOrigin.Deadline, mayHaveActed: false);
        var size = request.CalculateSize();
        if (size > options.MaxSendMessageSize)
        {
            throw Failure(
                method.FullName,
                StatusCode.ResourceExhausted,
                string.Create(CultureInfo.InvariantCulture, $"trying to send message larger than max ({size} vs. {options.MaxSendMessageSize})"),
                RpcFailureOrigin.Local,
                mayHaveActed: false);
        }

        using var content = new MessageContent(request, size);
        using var message = NewRequest(method.FullName, content, call);
        using var state = new CallState(content, timeout is { } limit && limit < LongestTimer ? limit : null, options.Time);
        try
        {
            using (cancellation.UnsafeRegister(static s => ((CallState)s!).Cancel(), state))
            using (Volatile.Read(ref signal).Register(state))
            {
                return await ExchangeAsync<TResponse>(method.FullName, message, state.Token);
            }
        }
        catch (Exception e) when (e is not RpcException)
        {
            cancellation.ThrowIfCancellationRequested();
            ObjectDisposedException.ThrowIf(disposed != 0, this);
            throw Explain(method.FullName, e, state, timeout);
        }
        finally
        {
            content.Release();
        }
    }

    /// <summary>Closes the connection; calls under way fail.</summary>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
            http.Dispose();
        return ValueTask.CompletedTask;
    }

    private HttpRequestMessage NewRequest(string path, MessageContent content, CallOptions? call)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, paths.GetOrAdd(path, static (p, r) => new Uri(r, p), root))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        var headers = message.Headers;
        headers.TryAddWithoutValidation("te", "trailers");
        headers.TryAddWithoutValidation("user-agent", options.UserAgent);
        headers.TryAddWithoutValidation("grpc-accept-encoding", "gzip");
        if (call?.Timeout is { } timeout)
            headers.TryAddWithoutValidation("grpc-timeout", WireFormat.Timeout(timeout));
        if (call?.Headers is { } metadata)
        {
            foreach (var entry in metadata)
            {
                // A few names belong to HTTP's content headers in .NET's eyes; on the wire there is no difference.
                if (!headers.TryAddWithoutValidation(entry.Key, entry.Value))
                    content.Headers.TryAddWithoutValidation(entry.Key, entry.Value);
            }
        }
        return message;
    }

    private async Task<UnaryResult<TResponse>> ExchangeAsync<TResponse>(string method, HttpRequestMessage message, CancellationToken cancellation)
        where TResponse : IMessage<TResponse>, new()
    {
        using var response = await http.SendAsync(message, cancellation);
        var early = Status.Read(response.Headers.NonValidated);
        if (early is null && (response.StatusCode != HttpStatusCode.OK || !NotGrpc.IsGrpc(NotGrpc.ContentType(response))))
            throw Failure(method, await NotGrpc.DescribeAsync(response, options.Time, cancellation), Received(response), Metadata.Empty);
        var headers = Received(response);
        if (early is not null)
        {
            // Trailers-only: the headers are the trailers. A server that says OK in this form has sent no message.
            throw early.Code == StatusCode.OK
                ? Failure(method, new AnswerProblem(StatusCode.Internal, "the server answered without a message", RpcFailureOrigin.Protocol), headers, headers)
                : Failure(method, early, headers, headers);
        }
        var encoding = response.Headers.NonValidated.TryGetValues("grpc-encoding", out var encodings) ? encodings.ToString() : null;
        var body = await response.Content.ReadAsStreamAsync(cancellation);
        using var answer = await AnswerReader.ReadAsync(body, encoding, options.MaxReceiveMessageSize, cancellation);
        var trailers = new Metadata();
        AddReceived(trailers, response.TrailingHeaders.NonValidated);
        var status = Status.Read(response.TrailingHeaders.NonValidated);
        if (status is not null && status.Code != StatusCode.OK)
            throw Failure(method, status, headers, trailers);
        if (answer.Problem is not null)
            throw Failure(method, answer.Problem, headers, trailers);
        if (status is null)
        {
            throw Failure(
                method,
                new AnswerProblem(StatusCode.Unknown, "the answer ends without a gRPC status", RpcFailureOrigin.Protocol, "A proxy that does not know gRPC may stand between: it must pass HTTP/2 trailers on."),
                headers,
                trailers);
        }
        var result = new TResponse();
        try
        {
            result.MergeFrom(answer.Message);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Failure(
                method,
                new AnswerProblem(StatusCode.Internal, $"the message of the answer is not a {typeof(TResponse).Name}: {Printable.OneLine(e.Message, 300)}", RpcFailureOrigin.Protocol),
                headers,
                trailers);
        }
        return new UnaryResult<TResponse>(result, headers, trailers);
    }

    private static Metadata Received(HttpResponseMessage response)
    {
        var metadata = new Metadata();
        AddReceived(metadata, response.Headers.NonValidated);
        AddReceived(metadata, response.Content.Headers.NonValidated);
        return metadata;
    }

    private static void AddReceived(Metadata metadata, HttpHeadersNonValidated headers)
    {
        foreach (var (name, values) in headers)
        {
            var key = name.ToLowerInvariant();
            if (key is "content-type" or "grpc-status" or "grpc-message" or "grpc-encoding" or "grpc-accept-encoding")
                continue;
            foreach (var value in values)
                metadata.AddReceived(key, value);
        }
    }

    private RpcException Explain(string method, Exception cause, CallState state, TimeSpan? timeout)
    {
        var failure = state.ConnectFailure ?? ConnectFailure.In(cause);
        if (failure is not null)
        {
            return new RpcException(Address, StatusCode.Unavailable, failure.Detail, failure.Origin, cause)
            {
                Method = method,
                Advice = failure.Advice,
                Trouble = failure.Trouble,
            };
        }
        if (cause is OperationCanceledException)
            return TimedOut(method, state, timeout, cause);
        var last = cause;
        for (var inner = cause; inner is not null; inner = inner.InnerException)
        {
            last = inner;
            switch (inner)
            {
                case HttpProtocolException protocol:
                    return Http2Failure(method, protocol, state);
                case SocketException socket:
                    return Failure(method, StatusCode.Unavailable, $"the connection broke during the call: {Connector.SocketText(socket)}", RpcFailureOrigin.Transport, state.Taken, cause);
                case HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded }:
                    return Failure(method, StatusCode.Unavailable, "the server closed the connection during the call", RpcFailureOrigin.Transport, state.Taken, cause);
                case HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded }:
                    return Failure(method, StatusCode.ResourceExhausted, "the metadata of the answer is larger than 64 KiB", RpcFailureOrigin.Local, state.Taken, cause);
            }
        }
        return last is IOException or ObjectDisposedException
            ? Failure(method, StatusCode.Unavailable, "the connection broke during the call", RpcFailureOrigin.Transport, state.Taken, cause)
            : Failure(method, StatusCode.Internal, $"the answer breaks the rules of HTTP/2: {Printable.OneLine(last.Message, 200)}", RpcFailureOrigin.Protocol, state.Taken, cause);
    }

    private RpcException TimedOut(string method, CallState state, TimeSpan? timeout, Exception cause)
    {
        if (timeout is not { } time || !state.Token.IsCancellationRequested)
            return Failure(method, StatusCode.Cancelled, "the call was cancelled by the connection", RpcFailureOrigin.Transport, state.Taken, cause);
        var stage = connector.Stage;
        var detail = (stage, state.Taken) switch
        {
            (not null, _) => Connector.TimeOutDetail(stage, time),
            (null, true) => $"no answer within {Connector.Seconds(time)}",
            (null, false) => $"not sent within {Connector.Seconds(time)}: the server limits how many calls run at a time",
        };
        return Failure(method, StatusCode.DeadlineExceeded, detail, RpcFailureOrigin.Deadline, state.Taken, cause);
    }

    /// <summary>The status for an error code of HTTP/2, by the table of the gRPC specification.</summary>
    private RpcException Http2Failure(string method, HttpProtocolException protocol, CallState state)
    {
        const int refusedStream = 7;
        var (status, detail) = protocol.ErrorCode switch
        {
            0 => (StatusCode.Unavailable, "the server ended the connection during the call"),
            refusedStream => (StatusCode.Unavailable, "the server did not take the call (REFUSED_STREAM)"),
            8 => (StatusCode.Cancelled, "the server broke the call off (CANCEL)"),
            11 => (StatusCode.ResourceExhausted, "the server wants fewer calls (ENHANCE_YOUR_CALM)"),
            12 => (StatusCode.PermissionDenied, "the server wants stronger TLS (INADEQUATE_SECURITY)"),
            _ => (StatusCode.Internal, string.Create(CultureInfo.InvariantCulture, $"the server broke the call off with HTTP/2 error {protocol.ErrorCode} ({ErrorName(protocol.ErrorCode)})")),
        };
        return Failure(method, status, detail, RpcFailureOrigin.Transport, state.Taken && protocol.ErrorCode != refusedStream, protocol);
    }

    /// <summary>Names of RFC 9113 section 7.</summary>
    private static string ErrorName(long code) => code switch
    {
        1 => "PROTOCOL_ERROR",
        2 => "INTERNAL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        4 => "SETTINGS_TIMEOUT",
        5 => "STREAM_CLOSED",
        6 => "FRAME_SIZE_ERROR",
        9 => "COMPRESSION_ERROR",
        10 => "CONNECT_ERROR",
        13 => "HTTP_1_1_REQUIRED",
        _ => "unknown",
    };

    private RpcException Failure(
        string method, StatusCode status, string detail, RpcFailureOrigin origin, bool mayHaveActed, Exception? cause = null) =>
        new(Address, status, detail, origin, cause) { Method = method, ServerMayHaveActed = mayHaveActed };

    private RpcException Failure(string method, AnswerProblem problem, Metadata headers, Metadata trailers) =>
        new(Address, problem.StatusCode, problem.Detail, problem.Origin)
        {
            Method = method,
            Advice = problem.Advice,
            Headers = headers,
            Trailers = trailers,
        };

    private RpcException Failure(string method, Status status, Metadata headers, Metadata trailers) =>
        new(Address, status.Code, status.Detail, status.Origin)
        {
            Method = method,
            Headers = headers,
            Trailers = trailers,
            StatusDetails = trailers.GetBytes("grpc-status-details-bin") ?? ReadOnlyMemory<byte>.Empty,
        };

    /// <summary>
    /// .NET tells only one of the calls that wait for a connection that it failed, and tries again for the next one: with a host that swallows
    /// packets, each call would wait for the connect timeouts of all before it. So all that wait are told.
    /// </summary>
    private void FailWaitingCalls(ConnectFailure failure) => Interlocked.Exchange(ref signal, new ConnectSignal()).Raise(failure);

    /// <summary>Tells waiting calls that the connection failed.</summary>
    [SuppressMessage("Design", "CA1001", Justification = "see source")]
    private sealed class ConnectSignal
    {
        // No Dispose: it has no timer and no wait handle, and calls may still register with it.
        private readonly CancellationTokenSource source = new();
        private ConnectFailure? failure;

        public CancellationTokenRegistration Register(CallState state)
        {
            state.Signal = this;
            return source.Token.UnsafeRegister(static s => ((CallState)s!).FailIfWaiting(), state);
        }

        public ConnectFailure? Failure => failure;

        public void Raise(ConnectFailure why)
        {
            failure = why;
            source.Cancel();
        }
    }

    /// <summary>What can end one call before its answer.</summary>
    private sealed class CallState : IDisposable
    {
        private readonly MessageContent content;
        private readonly CancellationTokenSource source;

        public CallState(MessageContent content, TimeSpan? timeout, TimeProvider time)
        {
            this.content = content;
            source = timeout is { } limit ? new CancellationTokenSource(limit, time) : new CancellationTokenSource();
        }

        public CancellationToken Token => source.Token;

        public ConnectSignal? Signal { get; set; }

        /// <summary>The failed attempt that the call was told of while it waited; null for a call that a connection took.</summary>
        public ConnectFailure? ConnectFailure => content.Withdrawn ? Signal?.Failure : null;

        public bool Taken => content.Taken;

        public void Cancel() => source.Cancel();

        public void FailIfWaiting()
        {
            if (content.Withdraw())
                source.Cancel();
        }

        public void Dispose() => source.Dispose();
    }

    /// <summary>grpc-status with grpc-message.</summary>
    private sealed record Status(StatusCode Code, string Detail, RpcFailureOrigin Origin)
    {
        /// <summary>Reads the status of trailers, or of the headers of a trailers-only answer; null when there is none.</summary>
        public static Status? Read(HttpHeadersNonValidated headers)
        {
            if (!headers.TryGetValues("grpc-status", out var values))
                return null;
            var code = values.ToString();
            var message = headers.TryGetValues("grpc-message", out var messages) ? WireFormat.DecodeMessage(messages.ToString()) : "";
            if (!int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return new(StatusCode.Unknown, $"the gRPC status of the answer is \"{Printable.OneLine(code, 40)}\", not a number", RpcFailureOrigin.Protocol);
            return number > (int)StatusCode.Unauthenticated
                ? new(StatusCode.Unknown, string.Create(CultureInfo.InvariantCulture, $"status {number}, which gRPC does not have: {message}"), RpcFailureOrigin.Server)
                : new((StatusCode)number, message, RpcFailureOrigin.Server);
        }
    }
}
