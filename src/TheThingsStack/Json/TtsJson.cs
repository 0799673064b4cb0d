using System.Buffers;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using TheThingsStack.Validation;

namespace TheThingsStack.Json;

/// <summary>
/// The JSON dialect of The Things Stack (facts/tts-json.md), in both directions. Messages pass through their wire bytes: the tables built
/// from the .proto files and their annotations say how each field looks, so there is no code per message and no reflection per device.
/// </summary>
public static class TtsJson
{
    /// <summary>Writes a message as one compact JSON object, without a line end. Nothing is written when it fails.</summary>
    /// <exception cref="TtsJsonException">The message holds a value that has no JSON form.</exception>
    public static void Write(IMessage message, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(output);
        var json = new WireBuffer(4096);
        try
        {
            Write(message, ref json);
            output.Write(json.Written);
        }
        finally
        {
            json.Dispose();
        }
    }

    /// <summary>Writes a message as one compact JSON object.</summary>
    /// <exception cref="TtsJsonException">The message holds a value that has no JSON form.</exception>
    public static byte[] WriteBytes(IMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var json = new WireBuffer(4096);
        try
        {
            Write(message, ref json);
            return json.Written.ToArray();
        }
        finally
        {
            json.Dispose();
        }
    }

    /// <summary>Reads one JSON object that fills <paramref name="utf8"/>; white space around it is allowed.</summary>
    /// <exception cref="TtsJsonException">With line, path and reason.</exception>
    public static T Read<T>(ReadOnlySpan<byte> utf8)
        where T : IMessage<T>, new()
    {
        var message = ReadObject<T>(utf8, firstLine: 1, out var length);
        JsonMessageReader.RequireEnd(utf8, length, firstLine: 1);
        return message;
    }

    /// <summary>Reads the JSON object at the start of <paramref name="utf8"/>, after white space, and gives its end.</summary>
    internal static T ReadObject<T>(ReadOnlySpan<byte> utf8, long firstLine, out int length)
        where T : IMessage<T>, new() => ReadObject<T>(utf8, firstLine, checks: null, out length, out _);

    /// <summary>Also says whether the message keeps all field rules, as long as its wire bytes are at hand; false when nothing was checked.</summary>
    internal static T ReadObject<T>(ReadOnlySpan<byte> utf8, long firstLine, MessageChecks? checks, out int length, out bool isValid)
        where T : IMessage<T>, new()
    {
        var wire = new WireBuffer(Math.Clamp(utf8.Length / 2, 1024, 1 << 16));
        var trail = Trail.Take();
        try
        {
            var reader = new JsonMessageReader(utf8, firstLine, trail, ref wire);
            try
            {
                length = reader.Read(Types<T>.Table);
            }
            finally
            {
                reader.Dispose();
            }
            isValid = checks is not null && checks.Validate(new WireBytes(wire.Written), 0, wire.Length) is null;
            return Parse<T>(wire.Written, reader.WireDepth);
        }
        finally
        {
            Trail.Return(trail);
            wire.Dispose();
        }
    }

    internal static void Write(IMessage message, ref WireBuffer json)
    {
        var wire = new WireBuffer(message.CalculateSize());
        var trail = Trail.Take();
        try
        {
            var size = message.CalculateSize();
            message.WriteTo(wire.Room(size)[..size]);
            wire.Length = size;
            new JsonMessageWriter(wire.Written, trail, ref json).Message(TableOf(message.Descriptor));
        }
        finally
        {
            Trail.Return(trail);
            wire.Dispose();
        }
    }

    internal static MessageTable TableOf(MessageDescriptor descriptor)
    {
        if (last is { } known && ReferenceEquals(known.Descriptor, descriptor))
            return known.Table;
        var table = MessageTable.Of(descriptor);
        last = new Known(descriptor, table);
        return table;
    }

    private sealed record Known(MessageDescriptor Descriptor, MessageTable Table);

    private static volatile Known? last;

    private static T Parse<T>(ReadOnlySpan<byte> wire, int depth)
        where T : IMessage<T>, new()
    {
        var message = new T();
        // The library reads 100 levels by default; only deep free-form objects (decoded payloads) need more.
        if (depth < 90)
        {
            message.MergeFrom(wire);
            return message;
        }
        using var stream = new MemoryStream(wire.ToArray());
        using var input = CodedInputStream.CreateWithLimits(stream, int.MaxValue, depth + 16);
        message.MergeFrom(input);
        return message;
    }

    private static class Types<T>
        where T : IMessage<T>, new()
    {
        public static readonly MessageTable Table = MessageTable.Of(new T().Descriptor);
    }
}
