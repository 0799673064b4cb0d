using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using Google.Protobuf;

namespace Rpc;

/// <summary>
/// The request as gRPC frames it: one flag byte, four bytes of length, the message. It can be sent several times (HTTP repeats a request that a
/// server going away did not take), so the pooled buffer lives until the call is over and no sending is under way.
/// </summary>
internal sealed class MessageContent : HttpContent
{
    /// <summary>Bytes before each message.</summary>
    public const int PrefixLength = 5;

    private const int Waiting = 0;
    private const int TakenByConnection = 1;
    private const int WithdrawnByCall = 2;

    private readonly int length;
    private int fate = Waiting;
    private byte[]? buffer;
    private int users = 1;

    public MessageContent(IMessage message, int size)
    {
        length = PrefixLength + size;
        buffer = ArrayPool<byte>.Shared.Rent(length);
        buffer[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(1), (uint)size);
        message.WriteTo(buffer.AsSpan(PrefixLength, size));
        Headers.TryAddWithoutValidation("content-type", "application/grpc");
    }

    /// <summary>Whether a connection has taken the request: from then on the server may see it.</summary>
    public bool Taken => Volatile.Read(ref fate) == TakenByConnection;

    /// <summary>Whether <see cref="Withdraw"/> came before any connection: the server never sees the request.</summary>
    public bool Withdrawn => Volatile.Read(ref fate) == WithdrawnByCall;

    /// <summary>Keeps connections from taking the request; false when one has it already.</summary>
    public bool Withdraw() => Interlocked.CompareExchange(ref fate, WithdrawnByCall, Waiting) != TakenByConnection;

    /// <summary>The call is over.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref users) == 0 && Interlocked.Exchange(ref buffer, null) is { } rented)
            ArrayPool<byte>.Shared.Return(rented);
    }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref fate, TakenByConnection, Waiting) == WithdrawnByCall || !TryUse())
            throw new OperationCanceledException("the call is over", cancellationToken);
        try
        {
            await stream.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
        }
        finally
        {
            Release();
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private bool TryUse()
    {
        var now = Volatile.Read(ref users);
        while (now > 0)
        {
            var seen = Interlocked.CompareExchange(ref users, now + 1, now);
            if (seen == now)
                return true;
            now = seen;
        }
        return false;
    }
}
