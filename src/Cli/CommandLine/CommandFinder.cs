
namespace Cli.CommandLine;

/// <summary>
/// Finds the command that the words of a command line mean. Flags may stand before the command; since the command is not known yet,
/// a flag that the command so far does not know is taken to be followed by its value. So is <c>--help</c>, as in the Go tool.
/// </summary>
public static class CommandFinder
{
    /// <summary>Gives the command, and the words left for it; throws <see cref="UsageException"/> for an unknown word after the root.</summary>
    public static (Command Command, IReadOnlyList<string> Words) Find(Command root, IReadOnlyList<string> words)
    {
        var command = root;
        var left = new List<string>(words);
        while (NextWord(command, left) is { } at && command.FindChild(left[at]) is { } child)
        {
            left.RemoveAt(at);
            command = child;
        }
        if (command.Parent is null && NextWord(command, left) is { } unknown)
            throw Unknown(command, left[unknown]);
        return (command, left);
    }

    /// <summary>A word that is no command below this one, with those that are near.</summary>
    public static UsageException Unknown(Command command, string word)
    {
        var suggestion = Suggest(command, word);
        // The Go tool does not suggest the commands of the guide, since they are deprecated.
        var ofGuide = suggestion.Length > 0 ? null : command.Children.FirstOrDefault(child => child.Deprecated is not null && IsNear(word, child));
        return new UsageException($"unknown command {Quote.Double(word)} for \"{command.Path}\"{suggestion}", ofGuide is null ? null : $"Did you mean {ofGuide.Name}?")
        {
            HelpOf = command,
        };
    }

    /// <summary>The name of a command below this one that is near; null when there is none.</summary>
    public static string? Nearest(Command command, string word) =>
        command.Children.Where(child => child.IsShown && IsNear(word, child)).MinBy(child => EditDistance.Between(word, child.Name))?.Name;

    /// <summary>Position of the first word that is neither a flag nor a flag's value; null when there is none.</summary>
    private static int? NextWord(Command command, List<string> words)
    {
        for (var at = 0; at < words.Count; at++)
        {
            var word = words[at];
            if (word == "--")
                return null;
            if (TakesNextWord(command, word))
                at++;
            else if (word.Length > 0 && word[0] != '-')
                return at;
        }
        return null;
    }

    private static bool TakesNextWord(Command command, string word)
    {
        if (word.Length < 2 || word[0] != '-' || word.Contains('=', StringComparison.Ordinal))
            return false;
        if (word[1] == '-')
            return command.FindFlag(word[2..]) is not { Kind: FlagKind.Switch, Name: not "help" };
        return word.Length == 2;
    }

    /// <summary>Commands that are near. Ours are suggested only where the Go tool has none to suggest.</summary>
    private static string Suggest(Command command, string word)
    {
        var near = command.Children.Where(child => child.IsShown && IsNear(word, child)).ToList();
        if (near.Exists(child => !child.Addition))
            near.RemoveAll(child => child.Addition);
        return near.Count == 0 ? "" : $"\n\nDid you mean this?\n{string.Concat(near.Select(child => $"\t{child.Name}\n"))}";
    }

    /// <summary>One or two letters begin only what the Go tool has.</summary>
    private static bool IsNear(string word, Command child) =>
        EditDistance.Between(word, child.Name) <= 2
        || ((word.Length > 2 || !child.Addition) && child.Name.StartsWith(word, StringComparison.OrdinalIgnoreCase));
}
