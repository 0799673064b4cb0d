using Google.Protobuf;

namespace TheThingsStack.Json;

/// <summary>Writes the lines of a devices file: one compact object and a line feed each, as the exporter and the importers expect.</summary>
public static class DeviceJsonWriter
{
    /// <summary>
    /// Writes one message and a line feed in a single write, so that a line is never cut by an error in the message. The stream is not flushed.
    /// </summary>
    /// <exception cref="TtsJsonException">The message holds a value that has no JSON form; nothing was written.</exception>
    public static async ValueTask WriteLineAsync(Stream stream, IMessage message, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(message);
        var json = new WireBuffer(4096);
        try
        {
            TtsJson.Write(message, ref json);
            json.Byte((byte)'\n');
            await stream.WriteAsync(json.WrittenMemory, cancellation).ConfigureAwait(false);
        }
        finally
        {
            json.Dispose();
        }
    }

    /// <summary>Gives one message as a line with its line feed.</summary>
    /// <exception cref="TtsJsonException">The message holds a value that has no JSON form.</exception>
    public static byte[] Line(IMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var json = new WireBuffer(4096);
        try
        {
            TtsJson.Write(message, ref json);
            json.Byte((byte)'\n');
            return json.Written.ToArray();
        }
        finally
        {
            json.Dispose();
        }
    }
}
