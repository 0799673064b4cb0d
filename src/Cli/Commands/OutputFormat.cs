using Cli.CommandLine;

namespace Cli.Commands;

/// <summary><c>--output</c> of the commands that show something: a table for people, or JSON for scripts.</summary>
internal static class OutputFormat
{
    private const string Name = "output";
    private const string Json = "json";
    private const string Table = "table";

    public static Flag Flag { get; } = new(Name, FlagKind.Text, "What to print: table for people, json for scripts (one object per line)")
    {
        Addition = true,
        Shorthand = 'o',
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
