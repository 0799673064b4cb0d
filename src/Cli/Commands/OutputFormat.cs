using Cli.CommandLine;
using TheThingsStack.Errors;

namespace Cli.Commands;

/// <summary><c>--output</c>: a table for people, or JSON for scripts.</summary>
internal static class OutputFormat
{
    private const string Name = "output";

    public static Flag Flag() => new(Name, FlagKind.Text, "table or json") { Default = "table", Words = ["table", "json"], Addition = true, Shorthand = 'o' };

    /// <exception cref="FailureException">Neither of the two.</exception>
    public static bool IsJson(FlagValues flags) => flags.Text(Name) switch
    {
        "json" => true,
        "table" => false,
        var other => throw new FailureException(new Failure($"--{Name} is {Quote.Double(other)}; it is table or json")),
    };
}
