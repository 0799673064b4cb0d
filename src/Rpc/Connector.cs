using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Rpc;

/// <summary>Makes the connections of one channel, in bounded time, and says in plain words why one does not come to be.</summary>
internal sealed class Connector(RpcChannelOptions options)
{
    private volatile string? stage;

    /// <summary>What the attempt in progress is doing; null when there is none.</summary>
    public string? Stage => stage;

    /// <summary>Told of each failed attempt.</summary>
    public Action<ConnectFailure>? Failed { get; set; }

    /// <summary>Opens a connection that HTTP/2 can start on.</summary>
    /// <exception cref="ConnectFailure">It did not come to be.</exception>
    public async ValueTask<Stream> ConnectAsync(CancellationToken cancellation)
    {
        var started = options.Time.GetTimestamp();
        using var time = new CancellationTokenSource(options.ConnectTimeout, options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, time.Token);
        Stream? stream = null;
        try
        {
            stage = "opening the connection";
            var dial = options.Dial(options.Proxy?.Address ?? options.Address, options.Time, both.Token);
            stream = await Abandonable(dial, both.Token);
            if (options.Proxy is not null)
            {
                stage = $"asking the proxy {options.Proxy} for a tunnel";
                await options.Proxy.TunnelAsync(stream, options.Address, both.Token);
            }
            stage = options.Tls is null ? "waiting for the HTTP/2 greeting of the server" : "in the TLS handshake";
            var opening = new OpeningStream(stream, options.Tls is not null, () => GreetingTime(started), () => Seconds(options.ConnectTimeout))
            {
                // In plaintext the attempt is only over when the server has shown that it speaks HTTP/2.
                Decided = options.Tls is null ? Decide : null,
            };
            stream = opening;
            if (options.Tls is null)
                return stream;
            var secured = await SecureAsync(opening, options.Tls, both.Token);
            stage = null;
            return secured;
        }
        catch (Exception e)
        {
            if (stream is not null)
                await stream.DisposeAsync();
            var timedOut = time.IsCancellationRequested && !cancellation.IsCancellationRequested;
            if (e is OperationCanceledException && !timedOut)
            {
                stage = null;
                throw;
            }
            var failure = timedOut ? TimedOut(stage!, e) : Explain(e);
            Decide(failure);
            throw failure;
        }
    }

    /// <summary>The failure of an attempt that the time of a call or of the connection ran out for.</summary>
    public static string TimeOutDetail(string stage, TimeSpan time) => $"cannot connect: no answer within {Seconds(time)} ({stage})";

    /// <summary>A duration as people write it: <c>10 s</c>.</summary>
    public static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture) + " s";

    private void Decide(ConnectFailure? failure)
    {
        stage = null;
        if (failure is not null)
            Failed?.Invoke(failure);
    }

    private CancellationTokenSource GreetingTime(long started)
    {
        var left = options.ConnectTimeout - options.Time.GetElapsedTime(started);
        return new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, options.Time);
    }

    /// <summary>Waits no longer than the token allows, also for a name resolution that cannot be interrupted; a late connection is closed.</summary>
    private static async Task<Stream> Abandonable(Task<Stream> dial, CancellationToken cancellation)
    {
        try
        {
            return await dial.WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            _ = dial.ContinueWith(TcpDialer.CloseLate, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }
    }

    private async Task<Stream> SecureAsync(OpeningStream opening, TlsTrust trust, CancellationToken cancellation)
    {
        var check = new CertificateCheck(trust, options.Address, options.Time);
        var secured = new SslStream(opening);
        try
        {
            await secured.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = check.Name,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                    EnabledSslProtocols = SslProtocols.None,
                    CertificateChainPolicy = check.Policy(),
                    RemoteCertificateValidationCallback = (_, certificate, chain, errors) => check.Accept(certificate, chain, errors),
                },
                cancellation);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await secured.DisposeAsync();
            throw opening.Failure ?? TlsFailure(check, opening, e);
        }
        if (secured.NegotiatedApplicationProtocol != SslApplicationProtocol.Http2)
        {
            await secured.DisposeAsync();
            throw NoHttp2(null);
        }
        return secured;
    }

    private static ConnectFailure TlsFailure(CertificateCheck check, OpeningStream opening, Exception cause)
    {
        if (check.Refusal is not null)
            return new ConnectFailure(RpcFailureOrigin.Handshake, $"TLS failed: {check.Refusal}", check.Advice, cause) { Trouble = check.Trouble };
        if (opening.Alert is { } alert)
        {
            const byte noApplicationProtocol = 120;
            return alert == noApplicationProtocol
                ? NoHttp2(cause)
                : new ConnectFailure(
                    RpcFailureOrigin.Handshake,
                    string.Create(CultureInfo.InvariantCulture, $"TLS failed: the server ends the handshake with alert {alert} ({AlertName(alert)})"),
                    "See the log of the server for what it does not accept.",
                    cause);
        }
        var socket = cause as SocketException ?? cause.InnerException as SocketException;
        return cause is IOException
            ? new ConnectFailure(
                RpcFailureOrigin.Connect,
                socket is null ? "TLS failed: the server closed the connection" : $"TLS failed: {SocketText(socket)}",
                "Check that the port is the one for TLS and that the server is well.",
                cause)
            : new ConnectFailure(RpcFailureOrigin.Handshake, $"TLS failed: {Printable.OneLine((cause.InnerException ?? cause).Message, 200)}", null, cause);
    }

    private static ConnectFailure NoHttp2(Exception? cause) => new(
        RpcFailureOrigin.Handshake,
        "TLS works, but the server does not offer HTTP/2 on this port",
        "This is not the gRPC port of the server, or a proxy stands before it: check the port.",
        cause)
    {
        Trouble = ConnectTrouble.NotGrpcPort,
    };

    /// <summary>Names of RFC 8446 section 6.</summary>
    private static string AlertName(byte alert) => alert switch
    {
        40 => "handshake failure",
        42 => "bad certificate",
        46 => "certificate unknown",
        47 => "illegal parameter",
        48 => "unknown authority",
        49 => "access denied",
        50 => "decode error",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        112 => "unrecognized name",
        116 => "client certificate required",
        _ => "see RFC 8446 section 6",
    };

    private ConnectFailure TimedOut(string during, Exception cause) => new(
        RpcFailureOrigin.Connect,
        TimeOutDetail(during, options.ConnectTimeout),
        "Check the address, and that no firewall stands between.",
        cause);

    private ConnectFailure Explain(Exception cause)
    {
        if (cause is ConnectFailure failure)
            return failure;
        var socket = cause as SocketException ?? cause.InnerException as SocketException;
        if (socket is null)
            return new ConnectFailure(RpcFailureOrigin.Connect, $"cannot connect: {Printable.OneLine(cause.Message, 200)}", null, cause);
        var through = options.Proxy is null ? "" : $" to the proxy {options.Proxy}";
        return new ConnectFailure(RpcFailureOrigin.Connect, $"cannot connect{through}: {SocketText(socket)}", SocketAdvice(socket), cause)
        {
            Trouble = options.Proxy is null && socket.SocketErrorCode == SocketError.ConnectionRefused ? ConnectTrouble.NotGrpcPort : ConnectTrouble.Other,
        };
    }

    /// <summary>What a socket error means, in words that are the same on every system.</summary>
    public static string SocketText(SocketException socket) => socket.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => "the connection was reset",
        SocketError.HostNotFound or SocketError.NoData => "no such host",
        SocketError.TryAgain => "the host name cannot be resolved now",
        SocketError.HostUnreachable or SocketError.HostDown => "no route to the host",
        SocketError.NetworkUnreachable or SocketError.NetworkDown => "the network cannot be reached",
        SocketError.TimedOut => "the host does not answer",
        SocketError.AccessDenied => "the system or a firewall forbids it",
        _ => Printable.OneLine(socket.Message, 200),
    };

    private static string? SocketAdvice(SocketException socket) => socket.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "Check that the server runs and that the port is right.",
        SocketError.HostNotFound or SocketError.NoData => "Check the spelling of the host name.",
        SocketError.TryAgain => "Check the network and the name servers of this computer.",
        SocketError.HostUnreachable or SocketError.HostDown or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.TimedOut
            or SocketError.AccessDenied => "Check the address, the network, and that no firewall stands between.",
        _ => null,
    };
}
