using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cli.Output;

/// <summary>JSON on standard output, one object per line.</summary>
internal static class JsonOutput
{
    // A reason names things in backticks: \u0060 would be hard to read.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void WriteLine(CliEnvironment environment, Action<Utf8JsonWriter> members) =>
        CliApplication.WriteOutput(environment, Encoding.UTF8.GetString(Object(members)) + "\n");

    /// <summary>One object as bytes, without line feed.</summary>
    public static byte[] Object(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
