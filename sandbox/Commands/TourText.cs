using System.Globalization;
using System.Text.RegularExpressions;

namespace Sandbox.Commands;

/// <summary>Prints the tour: lines of at most <see cref="Width"/> characters, so that a terminal and a file show the same.</summary>
public sealed partial class TourText(TextWriter output)
{
    /// <summary>Most characters of a line, words that are longer apart.</summary>
    public const int Width = 100;

    private const string Margin = "  | ";
    private const int FewestLeftOut = 12;

    private readonly HashSet<string> shown = new(StringComparer.Ordinal);

    /// <summary>A title with a line under it.</summary>
    public void Title(string text)
    {
        output.WriteLine();
        output.WriteLine(text);
        output.WriteLine(new string('-', Math.Min(text.Length, Width)));
    }

    /// <summary>A sentence.</summary>
    public void Say(string text)
    {
        foreach (var line in Wrapped(text, "", ""))
            output.WriteLine(line);
    }

    /// <summary>An indented line of a list.</summary>
    public void Item(string text)
    {
        foreach (var line in Wrapped(text, "  ", "    "))
            output.WriteLine(line);
    }

    /// <summary>A command; a long one goes on in the next line as a shell reads it.</summary>
    public void Command(string command)
    {
        var lines = Wrapped(FlagWithValue().Matches(command), "$ ", "      ", reserve: 2).ToList();
        for (var i = 0; i < lines.Count; i++)
            output.WriteLine(i + 1 < lines.Count ? lines[i] + " \\" : lines[i]);
    }

    /// <summary>What a command printed. What an earlier one has printed word for word is left out, when it is long.</summary>
    public void Output(string text)
    {
        var lines = text.TrimEnd().ReplaceLineEndings("\n").Split('\n');
        for (var at = 0; at < lines.Length;)
        {
            var end = at;
            while (end < lines.Length && shown.Contains(lines[end]))
                end++;
            if (end - at >= FewestLeftOut)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Margin}... {end - at} lines as before ..."));
                at = end;
                continue;
            }
            var indent = lines[at].Length - lines[at].TrimStart().Length;
            foreach (var line in Wrapped(lines[at].TrimStart(), Margin + new string(' ', indent), Margin + new string(' ', indent + 4)))
                output.WriteLine(line);
            at++;
        }
        foreach (var line in lines)
            shown.Add(line);
    }

    /// <summary>The beginning of a line of device JSON, keys cut to their ends, as in <c>972F…BB6F</c>.</summary>
    public void Device(string json)
    {
        const string More = "...";
        var line = "  " + Key().Replace(json, match => $"{match.Value[..4]}…{match.Value[^4..]}");
        output.WriteLine(line.Length <= Width ? line : line[..(Width - More.Length)] + More);
    }

    private static IEnumerable<string> Wrapped(string text, string first, string next) => Wrapped(Words().Matches(text), first, next, reserve: 0);

    private static IEnumerable<string> Wrapped(MatchCollection words, string first, string next, int reserve)
    {
        var line = first;
        var isEmpty = true;
        foreach (var word in words.Select(match => match.Value))
        {
            if (!isEmpty && line.Length + word.TrimEnd().Length + reserve > Width)
            {
                yield return line.TrimEnd();
                (line, isEmpty) = (next, true);
            }
            line += word;
            isEmpty = false;
        }
        yield return line.TrimEnd();
    }

    /// <summary>A word with the blanks after it, which align columns.</summary>
    [GeneratedRegex(@"\S+\s*", RegexOptions.None, 1000)]
    private static partial Regex Words();

    /// <summary>A flag and its value stay in one line, and so do a redirection and its file.</summary>
    [GeneratedRegex(@"(?:--\S+|>) [^-\s]\S*\s*|\S+\s*", RegexOptions.None, 1000)]
    private static partial Regex FlagWithValue();

    [GeneratedRegex("[0-9A-F]{32}", RegexOptions.None, 1000)]
    private static partial Regex Key();
}
