using System.Text;

namespace Cli.CommandLine;

/// <summary>The command line cannot be understood.</summary>
/// <param name="message">What is wrong, as the reference says it.</param>
/// <param name="advice">What to type instead, or null.</param>
public sealed class UsageException(string message, string? advice = null) : Exception(message)
{
    /// <summary>What to type instead, or null.</summary>
    public string? Advice { get; } = advice;

    /// <summary>The command whose <c>--help</c> is named after the message; null: none.</summary>
    public Command? HelpOf { get; init; }
}

/// <summary>A word such as <c>false</c> after a switch: an argument, though the user may have meant the switch.</summary>
public sealed record WordAfterSwitch(Flag Flag, string Word);

/// <summary>Words of a command line, taken apart.</summary>
/// <param name="Given">Values of flags by target, the last one of each.</param>
/// <param name="Arguments">Words that are not flags.</param>
/// <param name="WordsAfterSwitches">Switches that were followed by a word such as <c>false</c>, which is an argument and not their value.</param>
/// <param name="EndedByDashes">Whether <c>--</c> ended the flags.</param>
public sealed record ParsedWords(
    IReadOnlyDictionary<string, GivenValue> Given, IReadOnlyList<string> Arguments,
    IReadOnlyList<WordAfterSwitch> WordsAfterSwitches, bool EndedByDashes)
{
    /// <summary>Whether help was asked for.</summary>
    public bool Help => Given.TryGetValue("help", out var help) && BooleanWord.TryParse(help.Text, out var on) && on;
}

/// <summary>
/// Takes words apart with the rules of POSIX-style Go programs (facts/cli-surface.md section 4): flags and arguments in any order,
/// <c>--</c> ends the flags, a switch never takes the next word, a text flag always does, the last one wins, no abbreviations.
/// </summary>
public static class FlagParser
{
    /// <summary>Takes the words apart; throws <see cref="UsageException"/> at the first that is wrong.</summary>
    public static ParsedWords Parse(Command command, IReadOnlyList<string> words)
    {
        var given = new Dictionary<string, GivenValue>();
        var arguments = new List<string>();
        var after = new List<WordAfterSwitch>();
        var ended = false;
        Flag? lastSwitch = null;
        for (var at = 0; at < words.Count; at++)
        {
            var word = words[at];
            if (word == "--")
            {
                ended = true;
                for (at++; at < words.Count; at++)
                    arguments.Add(words[at]);
                break;
            }
            var switchBefore = lastSwitch;
            lastSwitch = null;
            if (word.Length < 2 || word[0] != '-')
            {
                if (switchBefore is not null && BooleanWord.TryParse(word, out _))
                    after.Add(new WordAfterSwitch(switchBefore, word));
                arguments.Add(word);
            }
            else if (word[1] == '-')
            {
                lastSwitch = ParseLong(command, words, ref at, given);
            }
            else
            {
                ParseShort(command, words, ref at, given);
            }
        }
        return new ParsedWords(given, arguments, after, ended);
    }

    /// <summary>Says what a user who typed an unknown flag may have meant, or null.</summary>
    public static string? AdviseUnknown(Command command, string name)
    {
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot > 0 && command.FindFlag(name[(dot + 1)..]) is { Hidden: false } bare && command.Parent?.Parent is not null)
            return $"Under \"{command.Path}\" flags have no prefix: write --{bare.Name}.";
        var prefixed = new List<string>();
        Flag? nearest = null;
        var distance = 3;
        foreach (var flag in command.LocalFlags.Concat(command.InheritedFlags))
        {
            if (flag.Hidden)
                continue;
            if (flag.Name.EndsWith("." + name, StringComparison.Ordinal))
                prefixed.Add("--" + flag.Name);
            if (EditDistance.Between(flag.Name, name) is var far && far < distance)
                (nearest, distance) = (flag, far);
        }
        if (prefixed.Count > 0)
            return $"With --source, flags have the prefix of the source: {string.Join(", ", prefixed)}.";
        return nearest is null ? null : $"Did you mean --{nearest.Name}?";
    }

    private static Flag? ParseLong(Command command, IReadOnlyList<string> words, ref int at, Dictionary<string, GivenValue> given)
    {
        var word = words[at];
        if (word[2] is '-' or '=')
            throw new UsageException($"bad flag syntax: {word}");
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        var name = equals < 0 ? word[2..] : word[2..equals];
        var flag = command.FindFlag(name) ?? throw new UsageException($"unknown flag: --{name}", AdviseUnknown(command, name));
        if (equals >= 0)
        {
            Set(flag, word[(equals + 1)..], given);
            return null;
        }
        if (flag.Kind == FlagKind.Switch)
        {
            Set(flag, "true", given);
            return flag;
        }
        if (++at >= words.Count)
            throw new UsageException($"flag needs an argument: --{name}");
        Set(flag, words[at], given);
        return null;
    }

    private static void ParseShort(Command command, IReadOnlyList<string> words, ref int at, Dictionary<string, GivenValue> given)
    {
        var word = words[at];
        var letters = word[1..];
        while (letters.Length > 0)
        {
            var letter = letters[0];
            if (command.FindShorthand(letter) is not { } flag)
            {
                // A letter outside ASCII is named by its first byte, as Go does.
                var shown = letter < 0x80 ? letter : (char)Encoding.UTF8.GetBytes(letters)[0];
                throw new UsageException(
                    $"unknown shorthand flag: '{shown}' in -{letters}",
                    command.FindFlag(word[1..].Split('=')[0]) is { Hidden: false } long_ ? $"Flags of several letters have two dashes: --{long_.Name}." : null);
            }
            if (letters.Length > 2 && letters[1] == '=')
            {
                Set(flag, letters[2..], given);
                return;
            }
            if (flag.Kind == FlagKind.Switch)
            {
                Set(flag, "true", given);
                letters = letters[1..];
                continue;
            }
            if (letters.Length > 1)
            {
                Set(flag, letters[1..], given);
                return;
            }
            if (++at >= words.Count)
                throw new UsageException($"flag needs an argument: '{letter}' in -{letters}");
            Set(flag, words[at], given);
            return;
        }
    }

    private static void Set(Flag flag, string value, Dictionary<string, GivenValue> given)
    {
        if (flag.Kind == FlagKind.Switch && !BooleanWord.TryParse(value, out _))
        {
            throw new UsageException(
                $"invalid argument {Quote.Double(value)} for \"{flag.Display}\" flag: strconv.ParseBool: parsing {Quote.Double(value)}: invalid syntax",
                $"Write --{flag.Name}=true or --{flag.Name}=false.");
        }
        given[flag.Target] = new GivenValue(value, flag.Name);
    }
}
