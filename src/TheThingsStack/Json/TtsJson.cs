using System.Buffers;
using Google.Protobuf;

namespace TheThingsStack.Json;

/// <summary>The JSON dialect of The Things Stack (facts/tts-json.md), in both directions.</summary>
public static class TtsJson
{
    /// <summary>Writes a message as one compact JSON object, without a line end.</summary>
    /// <exception cref="TtsJsonException">The message holds a value that has no JSON form.</exception>
    public static void Write(IMessage message, IBufferWriter<byte> output) => throw new NotSupportedException();

    /// <summary>Reads one JSON object that fills <paramref name="utf8"/>.</summary>
    /// <exception cref="TtsJsonException">With line, path and reason.</exception>
    public static T Read<T>(ReadOnlySpan<byte> utf8)
        where T : IMessage<T>, new() => throw new NotSupportedException();
}
