using Google.Protobuf;

namespace Rpc;

/// <summary>A unary method: its path and its two message types.</summary>
/// <param name="FullName">Path on the wire, with the leading slash: <c>/package.Service/Method</c>.</param>
public sealed record Method<TRequest, TResponse>(string FullName)
    where TRequest : IMessage<TRequest>
    where TResponse : IMessage<TResponse>, new();

/// <summary>What one call adds to its channel.</summary>
public sealed record CallOptions
{
    /// <summary>Metadata to send; none by default.</summary>
    public Metadata? Headers { get; init; }

    /// <summary>Time for the whole call, connecting included. It is told to the server and enforced here. None by default.</summary>
    public TimeSpan? Timeout { get; init; }
}

/// <summary>A successful answer: the message and the metadata before and after it.</summary>
public sealed record UnaryResult<TResponse>(TResponse Response, Metadata Headers, Metadata Trailers);
