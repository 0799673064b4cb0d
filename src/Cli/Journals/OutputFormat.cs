using System.Buffers;
using System.Text;
using System.Text.Json;
using Cli.CommandLine;

namespace Cli.Journals;

/// <summary><c>--output</c> of the commands that show something.</summary>
internal static class OutputFormat
{
    private const string Name = "output";
    private const string Json = "json";
    private const string Table = "table";

    public static Flag Flag { get; } = new(Name, FlagKind.Text, "What to print: table for people, json for scripts (one object per line)")
    {
        Addition = true,
        Default = Table,
        Words = [Table, Json],
    };

    /// <summary>True for JSON.</summary>
    /// <exception cref="UsageException">Neither of the two.</exception>
    public static bool IsJson(Invocation invocation) => invocation.Flags.Text(Name) switch
    {
        Json => true,
        Table => false,
        var other => throw new UsageException($"invalid argument {Quote.Double(other)} for \"--{Name}\" flag: table or json"),
    };
}

/// <summary>JSON on standard output, one object per line.</summary>
internal static class JsonOutput
{
    public static void WriteLine(CliEnvironment environment, Action<Utf8JsonWriter> members) =>
        CliApplication.WriteOutput(environment, Encoding.UTF8.GetString(Object(members)) + "\n");

    /// <summary>One object as bytes, without line feed.</summary>
    public static byte[] Object(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
