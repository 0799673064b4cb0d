using Cli.CommandLine;
using Cli.Commands;
using Cli.Networks;

namespace Cli.Tests;

/// <summary>Keys that the user has set are in no help text, no completion and no message about a wrong command line.</summary>
public sealed class SecretTests
{
    private const string Secret = "NNSXS.SECRETOFTHETEST.THATMUSTNEVERSHOW";

    public static TheoryData<string> Paths => new(All(CommandTree.Create(SourceRegistry.All)).Select(command => command.Path));

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Help_and_usage_errors_show_no_key(string path)
    {
        var words = path.Split(' ').Skip(1).ToArray();
        var tree = CommandTree.Create(SourceRegistry.All);
        var secretFlags = All(tree).SelectMany(command => command.LocalFlags.Concat(command.InheritedFlags)).Where(flag => flag.Secret).ToList();
        var variables = secretFlags.SelectMany(flag => flag.Variables).Select(variable => variable.Name).Distinct(StringComparer.Ordinal).ToDictionary(name => name, _ => Secret);
        Assert.NotEmpty(variables);
        var own = All(tree).Single(command => command.Path == path).LocalFlags.Where(flag => flag.Secret && !flag.Hidden).Select(flag => $"--{flag.Name}={Secret}").ToList();
        string[][] commandLines =
        [
            [.. words, "--help"],
            [.. words, .. own, "--help"],
            [.. words, .. own, "--no-such-flag"],
            ["help", .. words],
            ["__complete", .. words, "--"],
        ];
        foreach (var line in commandLines)
        {
            var result = await new CliRun(line) { Variables = variables }.RunAsync();
            Assert.False((result.Output + result.Error).Contains(Secret, StringComparison.Ordinal), $"{string.Join(' ', line)}\n{result.Output}{result.Error}");
        }
    }

    private static IEnumerable<Command> All(Command command) => command.Children.SelectMany(All).Prepend(command);
}
