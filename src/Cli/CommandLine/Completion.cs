using System.Text;

namespace Cli.CommandLine;

/// <summary>A word offered by completion.</summary>
/// <param name="Word">The word.</param>
/// <param name="Description">What it means, or null.</param>
public sealed record Suggestion(string Word, string? Description = null);

/// <summary>
/// Answers the hidden command <c>__complete</c> that completion scripts call: one word per line with a tab and its description,
/// then <c>:N</c>, where N tells the shell what to do besides (0 its default, files; 4 nothing).
/// </summary>
public static class Completion
{
    private const int ShellDefault = 0;
    private const int NoFiles = 4;

    /// <summary>Answers.</summary>
    /// <param name="root">Top of the command tree.</param>
    /// <param name="words">The words after the program's name; the last one is being typed and may be empty.</param>
    /// <param name="withDescriptions">Whether descriptions follow the words.</param>
    /// <returns>What goes to standard output and what goes to standard error.</returns>
    public static (string Output, string Notes) Answer(Command root, IReadOnlyList<string> words, bool withDescriptions)
    {
        var suggestions = new List<Suggestion>();
        var directive = ShellDefault;
        var notes = new StringBuilder();
        try
        {
            directive = Complete(root, Take(words, words.Count - 1), words[^1], suggestions);
        }
        catch (UsageException e)
        {
            notes.Append("[Debug] [Error] ").Append(e.Message).Append('\n');
        }
        var output = new StringBuilder();
        foreach (var suggestion in suggestions)
        {
            var line = withDescriptions && suggestion.Description is { Length: > 0 } ? $"{suggestion.Word}\t{suggestion.Description}" : suggestion.Word;
            var end = line.IndexOf('\n', StringComparison.Ordinal);
            output.Append((end < 0 ? line : line[..end]).Trim()).Append('\n');
        }
        output.Append(':').Append(directive).Append('\n');
        notes.Append("Completion ended with directive: ")
            .Append(directive == NoFiles ? "ShellCompDirectiveNoFileComp" : "ShellCompDirectiveDefault").Append('\n');
        return (output.ToString(), notes.ToString());
    }

    /// <summary>Offers the shown children of a command.</summary>
    public static IEnumerable<Suggestion> Children(Command command)
    {
        foreach (var child in command.Children)
        {
            if (child.IsShown)
                yield return new Suggestion(child.Name, child.Summary);
        }
    }

    private static int Complete(Command root, IReadOnlyList<string> before, string typed, List<Suggestion> suggestions)
    {
        Command command;
        IReadOnlyList<string> words;
        try
        {
            (command, words) = CommandFinder.Find(root, before);
        }
        catch (UsageException)
        {
            throw new UsageException($"unable to find a command for arguments: [{string.Join(' ', before)}]");
        }

        var (flag, value, problem) = FlagBeingTyped(command, ref words, typed);
        ParsedWords parsed;
        try
        {
            parsed = FlagParser.Parse(command, words);
        }
        catch (UsageException e)
        {
            throw new UsageException($"Error while parsing flags from args [{string.Join(' ', words)}]: {e.Message}");
        }
        if (problem is not null && !parsed.EndedByDashes)
            throw new UsageException(problem);
        if (parsed.Help)
            return NoFiles;

        if (flag is not null && !parsed.EndedByDashes)
        {
            foreach (var word in flag.Words)
            {
                if (word.StartsWith(value, StringComparison.Ordinal))
                    suggestions.Add(new Suggestion(word));
            }
            return flag.Words.Count > 0 ? NoFiles : ShellDefault;
        }
        if (typed.StartsWith('-') && !typed.Contains('=', StringComparison.Ordinal) && !parsed.EndedByDashes)
        {
            OfferFlags(command, parsed, typed, suggestions);
            return NoFiles;
        }

        var directive = ShellDefault;
        if (parsed.Arguments.Count == 0 && command.Children.Count > 0 && !HasLocalFlag(command, parsed))
        {
            Offer(Children(command), typed, suggestions);
            directive = NoFiles;
        }
        if (command.CompleteArguments is not null)
        {
            Offer(command.CompleteArguments(command, parsed.Arguments), typed, suggestions);
            directive = NoFiles;
        }
        return directive;
    }

    /// <summary>Finds the flag whose value is being typed, as <c>--f=v</c> or as the word after <c>--f</c>.</summary>
    private static (Flag? Flag, string Value, string? Problem) FlagBeingTyped(Command command, ref IReadOnlyList<string> words, string typed)
    {
        var equals = typed.IndexOf('=', StringComparison.Ordinal);
        if (typed.StartsWith('-'))
        {
            if (equals < 0)
                return (null, typed, null);
            var name = typed.StartsWith("--", StringComparison.Ordinal) ? typed[2..equals] : typed[(equals - 1)..equals];
            return FindByWord(command, name) is { } flag ? (flag, typed[(equals + 1)..], null) : (null, typed, NotSupported(command, name));
        }
        if (words.Count == 0 || words[^1] is not { Length: > 1 } last || last[0] != '-' || last == "--" || last.Contains('=', StringComparison.Ordinal))
            return (null, typed, null);
        var before = last.StartsWith("--", StringComparison.Ordinal) ? last[2..] : last[^1..];
        if (FindByWord(command, before) is not { } found)
            return (null, typed, NotSupported(command, before));
        if (found.Kind == FlagKind.Switch)
            return (null, typed, null);
        words = Take(words, words.Count - 1);
        return (found, typed, null);
    }

    private static Flag? FindByWord(Command command, string name) =>
        command.FindFlag(name) ?? (name.Length == 1 ? command.FindShorthand(name[0]) : null);

    private static string NotSupported(Command command, string name) => $"Subcommand '{command.Name}' does not support flag '{name}'";

    private static bool HasLocalFlag(Command command, ParsedWords parsed)
    {
        foreach (var flag in command.LocalFlags)
        {
            if (parsed.Given.ContainsKey(flag.Target) && !command.PersistentFlags.Contains(flag))
                return true;
        }
        return false;
    }

    private static void OfferFlags(Command command, ParsedWords parsed, string typed, List<Suggestion> suggestions)
    {
        foreach (var flag in command.InheritedFlags.Concat(command.LocalFlags))
        {
            if (flag.Hidden || parsed.Given.ContainsKey(flag.Target))
                continue;
            if (("--" + flag.Name).StartsWith(typed, StringComparison.Ordinal))
                suggestions.Add(new Suggestion("--" + flag.Name, flag.Description));
            if (flag.Shorthand is { } letter && ("-" + letter).StartsWith(typed, StringComparison.Ordinal))
                suggestions.Add(new Suggestion("-" + letter, flag.Description));
        }
    }

    private static void Offer(IEnumerable<Suggestion> candidates, string typed, List<Suggestion> suggestions)
    {
        foreach (var candidate in candidates)
        {
            if (candidate.Word.StartsWith(typed, StringComparison.Ordinal))
                suggestions.Add(candidate);
        }
    }

    private static List<string> Take(IReadOnlyList<string> words, int count)
    {
        var taken = new List<string>(count);
        for (var i = 0; i < count; i++)
            taken.Add(words[i]);
        return taken;
    }
}
