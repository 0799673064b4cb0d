using Cli.CommandLine;
using Migration;

namespace Cli.Output;

/// <summary>Says the step after a run as commands to type. Secrets given on the command line are not repeated.</summary>
internal static class NextCommand
{
    private const string Hidden = "'***'";

    /// <summary>Gives the commands; empty when there is nothing to do.</summary>
    /// <param name="step">The step.</param>
    /// <param name="command">The command that ran.</param>
    /// <param name="words">Its words.</param>
    /// <param name="fromStandardInput">Whether the IDs came from standard input.</param>
    public static IReadOnlyList<string> For(NextStep step, Command command, IReadOnlyList<string> words, bool fromStandardInput)
    {
        var input = fromStandardInput ? " < device_ids.txt" : "";
        return step switch
        {
            NextStep.RunForReal => [$"{Again(command, words, keepDryRun: false)}{input} > devices.json"],
            NextStep.SolveAndRunAgain =>
            [
                "solve what is listed above at the source, then run the same command for those devices:",
                $"{Again(command, words, keepDryRun: true)}{input} > more-devices.json",
            ],
            NextStep.Continue => ["run the same command again, into another file:", $"{Again(command, words, keepDryRun: true)}{input} > more-devices.json"],
            NextStep.Import => ["ttn-lw-cli end-devices create --application-id YOUR-APPLICATION < devices.json"],
            _ => [],
        };
    }

    private static string Again(Command command, IReadOnlyList<string> words, bool keepDryRun)
    {
        var line = command.Root.Name;
        var secretFollows = false;
        foreach (var word in words)
        {
            if (secretFollows)
            {
                line += " " + Hidden;
                secretFollows = false;
                continue;
            }
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            var name = !word.StartsWith("--", StringComparison.Ordinal) ? "" : equals < 0 ? word[2..] : word[2..equals];
            if (name == Commands.GlobalFlags.DryRun && !keepDryRun)
                continue;
            if (name.Length > 0 && command.FindFlag(name) is { Secret: true })
            {
                secretFollows = equals < 0;
                line += equals < 0 ? " " + word : $" --{name}={Hidden}";
                continue;
            }
            line += " " + Shell(word);
        }
        return line;
    }

    /// <summary>Quotes a word for a POSIX shell when it needs it.</summary>
    private static string Shell(string word)
    {
        foreach (var c in word)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"-_./:=@,+%".Contains(c, StringComparison.Ordinal))
                return $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
        }
        return word.Length == 0 ? "''" : word;
    }
}
