namespace Rpc;

/// <summary>How to reach one server.</summary>
public sealed record RpcChannelOptions
{
    /// <summary>Most bytes of a received message that gRPC clients take by default: 4 MiB.</summary>
    public const int DefaultMaxReceiveMessageSize = 4 * 1024 * 1024;

    /// <summary>The server.</summary>
    public required HostPort Address { get; init; }

    /// <summary>The clock for deadlines, connect timeout and certificate dates.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>TLS with this trust; null for plaintext HTTP/2 (h2c with prior knowledge).</summary>
    public TlsTrust? Tls { get; init; }

    /// <summary>Time for name resolution, TCP, proxy, TLS and the server's HTTP/2 greeting together. Default 10 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Most bytes of a received message, after decompression. Default 4 MiB; The Things Stack sends up to 16 MiB.</summary>
    public int MaxReceiveMessageSize { get; init; } = DefaultMaxReceiveMessageSize;

    /// <summary>Most bytes of a sent message. Default 16 MiB, what The Things Stack takes.</summary>
    public int MaxSendMessageSize { get; init; } = 16 * 1024 * 1024;

    /// <summary>The user-agent header.</summary>
    public string UserAgent { get; init; } = "ttn-lw-migrate";

    /// <summary>Whether more connections are opened when the server's limit of concurrent calls on one is reached. Default no: calls wait their turn.</summary>
    public bool EnableMultipleHttp2Connections { get; init; }

    /// <summary>
    /// HTTP proxy to reach the server through, with CONNECT, for TLS and plaintext alike; null for none. The process's environment is not
    /// looked at: see <see cref="ConnectProxy.FromEnvironment"/>.
    /// </summary>
    public ConnectProxy? Proxy { get; init; }

    /// <summary>How a TCP connection is opened; tests put other networks here.</summary>
    internal Func<HostPort, TimeProvider, CancellationToken, Task<Stream>> Dial { get; init; } = TcpDialer.DialAsync;
}
