using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace TheThingsStack.Json;

/// <summary>Reads the wire bytes of a message that this program serialized: well formed, the values of one field beside each other.</summary>
internal readonly ref struct WireBytes(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> bytes = bytes;

    public int Length => bytes.Length;

    /// <summary>All bytes.</summary>
    public ReadOnlySpan<byte> All => bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Varint(scoped ref int at)
    {
        var b = bytes[at];
        if (b < 0x80)
        {
            at++;
            return b;
        }
        return LongVarint(ref at);
    }

    public float Float(int at) => BinaryPrimitives.ReadSingleLittleEndian(bytes[at..]);

    public double Double(int at) => BinaryPrimitives.ReadDoubleLittleEndian(bytes[at..]);

    public ReadOnlySpan<byte> Slice(int start, int length) => bytes.Slice(start, length);

    /// <summary>A length and that many bytes.</summary>
    public ReadOnlySpan<byte> Block(scoped ref int at)
    {
        var length = (int)Varint(ref at);
        var block = bytes.Slice(at, length);
        at += length;
        return block;
    }

    /// <summary>Passes over the value that follows a tag.</summary>
    public void Skip(uint tag, scoped ref int at)
    {
        switch (tag & 7)
        {
            case 0:
                while (bytes[at++] >= 0x80)
                {
                }
                break;
            case 1:
                at += 8;
                break;
            case 5:
                at += 4;
                break;
            default:
                var length = (int)Varint(ref at);
                at += length;
                break;
        }
    }

    /// <summary>Notes for each field where its first tag stands, plus one; absent fields keep zero.</summary>
    public void Index(MessageTable table, int start, int end, Span<int> places)
    {
        for (var at = start; at < end;)
        {
            var here = at;
            var tag = (uint)Varint(ref at);
            if (table.ByNumber((int)(tag >> 3)) is { } field && places[field.Index] == 0)
                places[field.Index] = here + 1;
            Skip(tag, ref at);
        }
    }

    private ulong LongVarint(scoped ref int at)
    {
        ulong value = 0;
        var shift = 0;
        byte b;
        do
        {
            b = bytes[at++];
            value |= (ulong)(b & 0x7f) << shift;
            shift += 7;
        }
        while (b >= 0x80);
        return value;
    }
}
