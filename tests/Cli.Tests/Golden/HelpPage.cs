using System.Text.RegularExpressions;

namespace Cli.Tests.Golden;

/// <summary>A help text taken apart, so that two can be compared whatever the width of their columns.</summary>
internal sealed partial class HelpPage
{
    /// <summary>Text before "Usage:".</summary>
    public required string Description { get; init; }

    /// <summary>Lines of each section by title, in order.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Sections { get; init; }

    /// <summary>The line at the end, or "".</summary>
    public required string Footer { get; init; }

    public static bool IsHelp(string text) => UsageLine().IsMatch(text);

    public static HelpPage Parse(string text)
    {
        var usage = UsageLine().Match(text).Index;
        var sections = new Dictionary<string, IReadOnlyList<string>>();
        var footer = "";
        List<string>? current = null;
        foreach (var line in text[usage..].Split('\n'))
        {
            if (line.StartsWith("Use \"", StringComparison.Ordinal))
                footer = line;
            else if (line.Length > 1 && line[0] != ' ' && line[^1] == ':')
                sections[line[..^1]] = current = [];
            else if (line.Length > 0)
                current!.Add(line);
        }
        return new HelpPage { Description = text[..usage], Sections = sections, Footer = footer };
    }

    /// <summary>Flags of a section by name: type, description without default, default.</summary>
    public static Dictionary<string, (string Type, string Description, string Default)> Flags(IReadOnlyList<string> lines)
    {
        var entries = new List<string>();
        foreach (var line in lines)
        {
            if (FlagStart().IsMatch(line))
                entries.Add(line);
            else
                entries[^1] += "\n" + line.Trim();
        }
        return entries.Select(e => FlagStart().Match(e) is var m ? (m, Tail: e[m.Length..]) : default).ToDictionary(
            e => e.m.Groups["name"].Value,
            e =>
            {
                var (description, value) = Default().Match(e.Tail) is { Success: true } d ? (e.Tail[..d.Index], d.Groups["value"].Value) : (e.Tail, "");
                return (e.m.Groups["type"].Value, description.Trim(), value);
            });
    }

    /// <summary>Commands of a section by name.</summary>
    public static Dictionary<string, string> Commands(IReadOnlyList<string> lines) =>
        lines.Select(l => l.Trim().Split(' ', 2)).ToDictionary(w => w[0], w => w[1].Trim());

    [GeneratedRegex(@"^Usage:$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex UsageLine();

    [GeneratedRegex(@"^ +(-\w, )?--(?<name>[\w.-]+)( (?<type>string))?(  +|$)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FlagStart();

    [GeneratedRegex(@" \(default (?<value>.*)\)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Default();
}
