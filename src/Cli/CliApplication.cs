using System.Text;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Output;
using TheThingsStack.Errors;

namespace Cli;

/// <summary>The program: finds the command that the words mean and runs it.</summary>
public static class CliApplication
{
    /// <summary>Runs one command line to its end.</summary>
    /// <param name="environment">The world outside.</param>
    /// <param name="cancellation">Ends the run at once.</param>
    /// <returns>Exit code: 0 done, 1 failed; commands that the Go tool does not have also give 2, 3, 4 and 130, see docs/exit-codes.md.</returns>
    public static Task<int> RunAsync(CliEnvironment environment, CancellationToken cancellation = default) =>
        RunAsync(environment, CommandTree.Create(), cancellation);

    /// <summary>Runs with another tree of commands.</summary>
    internal static async Task<int> RunAsync(CliEnvironment environment, Command root, CancellationToken cancellation)
    {
        var error = environment.StandardError;
        var verbose = false;
        // Commands of our own have exit codes of their own; those of the Go tool keep 0 and 1.
        var addition = false;
        try
        {
            var (command, words) = CommandFinder.Find(root, environment.Arguments);
            addition = command.Addition;
            if (command.TakesFlagsAsArguments)
                return await RunAsync(command, new Dictionary<string, GivenValue>(), words);

            if (command.Deprecated is not null)
                error.Write($"Command {Quote.Double(command.Name)} is deprecated, {command.Deprecated}\n");
            var parsed = FlagParser.Parse(command, words);
            if (parsed.Help || command.RunAsync is null)
            {
                if (!parsed.Help && command.Parent is not null && parsed.Arguments is [var word, ..])
                    ReportUnknown(command, word, error);
                WriteOutput(environment, HelpText.Help(command, environment.Variable));
                return 0;
            }
            if (command.TakesNoArguments && parsed.Arguments.Count > 0)
                throw new UsageException($"unknown command {Quote.Double(parsed.Arguments[0])} for {Quote.Double(command.Path)}");
            foreach (var (flag, word) in parsed.WordsAfterSwitches)
                error.Write($"note: --{flag.Name} does not take the next word: it is on, and {Quote.Double(word)} is an argument; write --{flag.Name}={word}\n");
            RequireValues(command, parsed);
            verbose = parsed.Given.ContainsKey("verbose");
            return await RunAsync(command, parsed.Given, parsed.Arguments);
        }
        catch (UsageException e)
        {
            FailurePrinter.WriteUsage(error, e);
            return addition ? ExitCode.Usage : ExitCode.Failed;
        }
        catch (FailureException e)
        {
            FailurePrinter.Write(error, e.Failure);
            return addition ? ExitCode.Of(e.Failure) : ExitCode.Failed;
        }
        catch (OutputException e)
        {
            FailurePrinter.Write(error, e.Failure);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            FailurePrinter.Write(error, new Failure("interrupted"));
            return addition ? ExitCode.Interrupted : ExitCode.Failed;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            FailurePrinter.WriteBug(error, e, verbose);
        }
        return ExitCode.Failed;

        Task<int> RunAsync(Command command, IReadOnlyDictionary<string, GivenValue> given, IReadOnlyList<string> arguments) =>
            command.RunAsync!(new Invocation(command, new FlagValues(command, given, environment.Variable), arguments, environment, cancellation));
    }

    /// <summary>
    /// Flags of the Go tool may be empty, and then mean what they mean there. Ours may not: an address from a variable that was not set would be as
    /// if it had not been given, and a device put back without leaving the target.
    /// </summary>
    private static void RequireValues(Command command, ParsedWords parsed)
    {
        foreach (var given in parsed.Given.Values)
        {
            if (given.Text.Length == 0 && command.FindFlag(given.Flag) is { Addition: true, Kind: FlagKind.Text, Secret: false })
                throw new UsageException($"--{given.Flag} is empty: was a variable not set?");
        }
    }

    /// <summary>A command that only has others below it got a word that is none of them: where the Go tool answers with help alone, a note tells.</summary>
    private static void ReportUnknown(Command command, string word, TextWriter error)
    {
        if (command.Addition)
            throw CommandFinder.Unknown(command, word);
        var near = CommandFinder.Nearest(command, word) is { } name ? $"; did you mean {name}?" : "";
        error.Write($"note: unknown command {Quote.Double(word)} for {Quote.Double(command.Path)}: nothing was done{near}\n");
    }

    /// <summary>Writes text (help, lists, scripts) to standard output.</summary>
    internal static void WriteOutput(CliEnvironment environment, string text)
    {
        try
        {
            environment.StandardOutput.Write(Encoding.UTF8.GetBytes(text));
            environment.StandardOutput.Flush();
        }
        catch (IOException e)
        {
            throw new OutputException(e);
        }
    }
}
