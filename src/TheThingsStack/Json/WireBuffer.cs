using System.Buffers;
using System.Runtime.CompilerServices;

namespace TheThingsStack.Json;

/// <summary>Bytes that grow, from the shared pool. A struct passed by reference; <see cref="Dispose"/> gives the memory back.</summary>
internal struct WireBuffer(int capacity) : IDisposable
{
    private byte[] bytes = ArrayPool<byte>.Shared.Rent(capacity);

    /// <summary>Bytes written.</summary>
    public int Length { get; set; }

    /// <summary>What was written.</summary>
    public readonly ReadOnlySpan<byte> Written => bytes.AsSpan(0, Length);

    /// <summary>What was written, for asynchronous use.</summary>
    public readonly ReadOnlyMemory<byte> WrittenMemory => bytes.AsMemory(0, Length);

    public void Dispose()
    {
        var rented = bytes;
        bytes = [];
        Length = 0;
        if (rented.Length > 0)
            ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>Gives room for <paramref name="size"/> bytes at the end; <see cref="Length"/> is not changed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Room(int size)
    {
        if (bytes.Length - Length < size)
            Grow(size);
        return bytes.AsSpan(Length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Byte(byte value)
    {
        if (bytes.Length == Length)
            Grow(1);
        bytes[Length++] = value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Bytes(scoped ReadOnlySpan<byte> value)
    {
        value.CopyTo(Room(value.Length));
        Length += value.Length;
    }

    /// <summary>Appends a base-128 number, as protobuf writes tags, lengths and integers.</summary>
    public void Varint(ulong value)
    {
        var room = Room(10);
        var i = 0;
        while (value >= 0x80)
        {
            room[i++] = (byte)(value | 0x80);
            value >>= 7;
        }
        room[i++] = (byte)value;
        Length += i;
    }

    public void Fixed32(uint value)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(Room(4), value);
        Length += 4;
    }

    public void Fixed64(ulong value)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(Room(8), value);
        Length += 8;
    }

    /// <summary>Starts a block whose length is not known yet: one byte is kept for it.</summary>
    public int Open()
    {
        Byte(0);
        return Length;
    }

    /// <summary>Ends the block that starts at <paramref name="start"/>: puts its length before it, moving it when that needs more than a byte. Gives the bytes it moved by.</summary>
    public int Close(int start)
    {
        var length = Length - start;
        if (length < 0x80)
        {
            bytes[start - 1] = (byte)length;
            return 0;
        }
        var extra = length < 1 << 14 ? 1 : length < 1 << 21 ? 2 : length < 1 << 28 ? 3 : 4;
        _ = Room(extra);
        bytes.AsSpan(start, length).CopyTo(bytes.AsSpan(start + extra));
        var at = start - 1;
        for (var rest = (uint)length; ; rest >>= 7)
        {
            if (rest < 0x80)
            {
                bytes[at] = (byte)rest;
                break;
            }
            bytes[at++] = (byte)(rest | 0x80);
        }
        Length += extra;
        return extra;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int size)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(bytes.Length * 2, checked(Length + size)));
        Written.CopyTo(larger);
        if (bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(bytes);
        bytes = larger;
    }
}
