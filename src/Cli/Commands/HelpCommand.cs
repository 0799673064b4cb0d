using Cli.CommandLine;

namespace Cli.Commands;

/// <summary><c>help [command...]</c>.</summary>
internal static class HelpCommand
{
    public static Command Create() => new("help", "Help about any command")
    {
        Description = $"Help provides help for any command in the application.\nSimply type {CommandTree.ProgramName} help [path to command] for full details.",
        Operands = "[command]",
        CompleteArguments = Complete,
        RunAsync = RunAsync,
    };

    private static Task<int> RunAsync(Invocation invocation)
    {
        var environment = invocation.Environment;
        var root = invocation.Command.Root;
        try
        {
            CliApplication.WriteOutput(environment, HelpText.Help(CommandFinder.Find(root, invocation.Arguments).Command, environment.Variable));
        }
        catch (UsageException)
        {
            var topic = string.Join(' ', invocation.Arguments.Select(Quote.Back));
            environment.StandardError.Write($"Unknown help topic [{topic}]\n{HelpText.Usage(root, environment.Variable)}");
        }
        return Task.FromResult(0);
    }

    private static IEnumerable<Suggestion> Complete(Command help, IReadOnlyList<string> before)
    {
        try
        {
            return Completion.Children(CommandFinder.Find(help.Root, before).Command);
        }
        catch (UsageException)
        {
            return [];
        }
    }
}
