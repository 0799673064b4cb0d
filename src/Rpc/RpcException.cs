using System.Diagnostics.CodeAnalysis;

namespace Rpc;

/// <summary>Where a failed call failed.</summary>
public enum RpcFailureOrigin
{
    /// <summary>The server answered with this status.</summary>
    Server,
    /// <summary>No connection could be made; the request was not sent. A later try may work.</summary>
    Connect,
    /// <summary>The peer is not the one that was asked for: certificate, TLS or plaintext, no HTTP/2. The request was not accepted; a repeat does not help.</summary>
    Handshake,
    /// <summary>The connection broke under the call.</summary>
    Transport,
    /// <summary>What came back is not a good gRPC answer.</summary>
    Protocol,
    /// <summary>The time for the call ran out here.</summary>
    Deadline,
    /// <summary>A limit of this client was reached.</summary>
    Local,
}

/// <summary>What keeps a connection from coming about, where a client can say more than this library: how its flags are called, which ports are usual.</summary>
public enum ConnectTrouble
{
    /// <summary>None of the others.</summary>
    Other,

    /// <summary>TLS was asked for, and the port speaks gRPC without it.</summary>
    PlaintextPort,

    /// <summary>Plaintext was asked for, and the port speaks TLS, or closes as servers that want TLS do.</summary>
    TlsPort,

    /// <summary>Nobody listens on the port, or something that is not gRPC.</summary>
    NotGrpcPort,

    /// <summary>The certificate is good, but nobody that is trusted stands for it.</summary>
    UnknownAuthority,
}

/// <summary>A call that failed. <see cref="Exception.Message"/> names the server; it never has request metadata in it.</summary>
[SuppressMessage("Design", "CA1064", Justification = "public on purpose")]
public sealed class RpcException : Exception
{
    /// <summary>Makes a failure, with everything that is known about it.</summary>
    public RpcException(HostPort target, StatusCode statusCode, string detail, RpcFailureOrigin origin, Exception? innerException = null)
        : base(null, innerException)
    {
        Target = target;
        StatusCode = statusCode;
        Detail = detail;
        Origin = origin;
        ServerMayHaveActed = origin is not (RpcFailureOrigin.Connect or RpcFailureOrigin.Handshake);
    }

    /// <summary>The status the server gave, or what the gRPC specification has for this failure.</summary>
    public StatusCode StatusCode { get; }

    /// <summary>The server's own text (grpc-message, decoded, may be empty), or what went wrong here or on the way.</summary>
    public string Detail { get; }

    /// <summary>The server that was called.</summary>
    public HostPort Target { get; }

    /// <summary>Where it failed.</summary>
    public RpcFailureOrigin Origin { get; }

    /// <summary>The path of the method that was called, as /package.Service/Method; empty when no call was made.</summary>
    public string Method { get; init; } = "";

    /// <summary>False when it is certain that the server never worked on the request.</summary>
    public bool ServerMayHaveActed { get; init; }

    /// <summary>Metadata that came before the answer, empty when none did.</summary>
    public Metadata Headers { get; init; } = Metadata.Empty;

    /// <summary>Metadata that came with the status, empty when none did.</summary>
    public Metadata Trailers { get; init; } = Metadata.Empty;

    /// <summary>The bytes of grpc-status-details-bin (a google.rpc.Status), empty when there were none.</summary>
    public ReadOnlyMemory<byte> StatusDetails { get; init; }

    /// <summary>What the user can do next, as a sentence; null when the failure says it all.</summary>
    public string? Advice { get; init; }

    /// <summary>What kept the connection from coming about.</summary>
    public ConnectTrouble Trouble { get; init; }

    /// <summary>Where and what, in one line: <c>eu.thethings.network:1904: NotFound: handler:device:app:dev not found</c>.</summary>
    public override string Message => $"{Target}: {StatusCode}: {Detail}";
}
