using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.IO.Hashing;

namespace Rpc;

/// <summary>What is wrong with the messages of an answer.</summary>
internal sealed record AnswerProblem(StatusCode StatusCode, string Detail, RpcFailureOrigin Origin, string? Advice = null);

/// <summary>The one message of a unary answer, in a pooled buffer; or why there is none.</summary>
internal readonly struct Answer : IDisposable
{
    private readonly byte[]? buffer;

    private Answer(byte[]? buffer, int length, AnswerProblem? problem)
    {
        this.buffer = buffer;
        Length = length;
        Problem = problem;
    }

    /// <summary>Length of the message in bytes.</summary>
    public int Length { get; }

    /// <summary>What is wrong; null when <see cref="Message"/> is good.</summary>
    public AnswerProblem? Problem { get; }

    /// <summary>The message, decompressed.</summary>
    public ReadOnlySpan<byte> Message => buffer.AsSpan(0, Length);

    public static Answer Of(byte[] rented, int length) => new(rented, length, null);

    public static Answer Bad(AnswerProblem problem) => new(null, 0, problem);

    public void Dispose()
    {
        if (buffer is not null)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}

/// <summary>Reads the length-prefixed messages of an answer.</summary>
internal static class AnswerReader
{
    /// <summary>Reads exactly one message, to the end of the body, so that the trailers are there afterwards.</summary>
    /// <param name="body">The body of the answer.</param>
    /// <param name="encoding">The grpc-encoding header, or null.</param>
    /// <param name="most">Most bytes of a message, compressed and not.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async ValueTask<Answer> ReadAsync(Stream body, string? encoding, int most, CancellationToken cancellation)
    {
        var prefix = ArrayPool<byte>.Shared.Rent(MessageContent.PrefixLength);
        byte[]? message = null;
        try
        {
            var count = await body.ReadAtLeastAsync(prefix.AsMemory(0, MessageContent.PrefixLength), MessageContent.PrefixLength, false, cancellation);
            if (count == 0)
                return Broken("the server answered without a message");
            if (count < MessageContent.PrefixLength)
                return Broken(Truncated(count, MessageContent.PrefixLength, "the prefix of the message"));
            var flag = prefix[0];
            var length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
            if (flag > 1)
                return Broken(string.Create(CultureInfo.InvariantCulture, $"the answer is not framed as gRPC: its first byte is 0x{flag:x2}"));
            if (length > (uint)most)
                return Answer.Bad(TooLarge(string.Create(CultureInfo.InvariantCulture, $"received message larger than max ({length} vs. {most})")));
            message = ArrayPool<byte>.Shared.Rent((int)length);
            count = await body.ReadAtLeastAsync(message.AsMemory(0, (int)length), (int)length, false, cancellation);
            if (count < length)
                return Broken(Truncated(count, (int)length, "the message"));
            if (await body.ReadAsync(prefix.AsMemory(0, 1), cancellation) != 0)
                return Broken("the server answered with more than one message");
            if (flag == 1)
                return Decompress(message, (int)length, encoding, most);
            var answer = Answer.Of(message, (int)length);
            message = null;
            return answer;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(prefix);
            if (message is not null)
                ArrayPool<byte>.Shared.Return(message);
        }
    }

    private static Answer Decompress(byte[] compressed, int compressedLength, string? encoding, int most)
    {
        if (encoding is null or "identity")
            return Broken("the message is marked as compressed, but the answer has no grpc-encoding");
        if (encoding != "gzip")
            return Broken($"the message is compressed with {Printable.OneLine(encoding, 40)}, which was not offered to the server");
        var plain = ArrayPool<byte>.Shared.Rent(Math.Max(256, (int)Math.Min(most, compressedLength * 4L)));
        var length = 0;
        try
        {
            using var gzip = new GZipStream(new MemoryStream(compressed, 0, compressedLength), CompressionMode.Decompress);
            while (true)
            {
                if (length == plain.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, plain.Length * 2L));
                    plain.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(plain);
                    plain = larger;
                }
                var count = gzip.Read(plain.AsSpan(length));
                if (count == 0)
                    break;
                length += count;
                if (length > most)
                    return Answer.Bad(TooLarge(string.Create(CultureInfo.InvariantCulture, $"received message after decompression larger than max {most}")));
            }
            if (!IsWhole(compressed.AsSpan(0, compressedLength), plain.AsSpan(0, length)))
                return Broken("the message cannot be decompressed");
            var answer = Answer.Of(plain, length);
            plain = null;
            return answer;
        }
        catch (InvalidDataException)
        {
            return Broken("the message cannot be decompressed");
        }
        finally
        {
            if (plain is not null)
                ArrayPool<byte>.Shared.Return(plain);
        }
    }

    /// <summary>
    /// Whether a gzip file ends with the checksum and the length of its content, as it must (RFC 1952 section 2.3.1). .NET takes a file whose
    /// end is missing, and looks at neither then.
    /// </summary>
    private static bool IsWhole(ReadOnlySpan<byte> compressed, ReadOnlySpan<byte> plain)
    {
        const int shortestFile = 18;
        return compressed.Length >= shortestFile
            && BinaryPrimitives.ReadUInt32LittleEndian(compressed[^8..]) == Crc32.HashToUInt32(plain)
            && BinaryPrimitives.ReadUInt32LittleEndian(compressed[^4..]) == (uint)plain.Length;
    }

    private static Answer Broken(string detail) => Answer.Bad(new(StatusCode.Internal, detail, RpcFailureOrigin.Protocol));

    private static AnswerProblem TooLarge(string detail) => new(
        StatusCode.ResourceExhausted, detail, RpcFailureOrigin.Local, "Ask for less at a time, or allow larger messages.");

    private static string Truncated(int count, int length, string what) => string.Create(
        CultureInfo.InvariantCulture, $"the answer ends within {what}, after {count} of {length} bytes");
}
