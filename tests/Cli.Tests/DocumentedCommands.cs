using System.Text;

namespace Cli.Tests;

/// <summary>One command of a document and what it came to; <paramref name="Result"/> is null for a command of another program.</summary>
public sealed record DocumentedResult(string Line, IReadOnlyList<string> Words, CliResult? Result);

/// <summary>
/// Runs the commands of a document as its reader would type them: <c>export</c> and <c>ttn-lw-migrate</c> with redirections, in this
/// process. Files are kept in memory.
/// </summary>
public sealed class DocumentedCommands
{
    /// <summary>Environment variables, changed by <c>export</c>.</summary>
    public IDictionary<string, string> Variables { get; } = new Dictionary<string, string>();

    /// <summary>Files by name, written by redirections.</summary>
    public IDictionary<string, byte[]> Files { get; } = new Dictionary<string, byte[]>();

    /// <summary>Folder for journals, so that one command finds what another did; by default each has its own.</summary>
    public string? StateFolder { get; init; }

    /// <summary>The clock of the runs.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The code blocks of a Markdown text that are marked as of one language.</summary>
    public static IReadOnlyList<string> Blocks(string markdown, string language = "bash")
    {
        var blocks = new List<string>();
        StringBuilder? block = null;
        foreach (var line in markdown.ReplaceLineEndings("\n").Split('\n'))
        {
            var text = line.Trim();
            if (block is null && text.StartsWith("```", StringComparison.Ordinal) && text[3..].Trim() == language)
                block = new StringBuilder();
            else if (block is not null && text == "```")
            {
                blocks.Add(block.ToString());
                block = null;
            }
            else
                block?.Append(line).Append('\n');
        }
        return blocks;
    }

    /// <summary>Runs each line of a block; a prompt (<c>$ </c>) and comments are dropped.</summary>
    public async Task<IReadOnlyList<DocumentedResult>> RunAsync(string block)
    {
        var results = new List<DocumentedResult>();
        foreach (var raw in block.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'))
        {
            var line = raw.Trim();
            if (line.StartsWith("$ ", StringComparison.Ordinal))
                line = line[2..];
            var words = Split(line);
            if (words.Count > 0)
                results.Add(await RunAsync(line, words));
        }
        return results;
    }

    private async Task<DocumentedResult> RunAsync(string line, List<(string Text, bool Quoted)> words)
    {
        var arguments = new List<string>();
        string? input = null, output = null;
        var append = false;
        for (var i = 0; i < words.Count; i++)
        {
            var (text, quoted) = words[i];
            if (!quoted && text is "<" or ">" or ">>")
            {
                var file = words[++i].Text;
                if (text == "<")
                    input = file;
                else
                    (output, append) = (file, text == ">>");
            }
            else
                arguments.Add(text);
        }
        switch (arguments[0])
        {
            case "export":
                foreach (var assignment in arguments.Skip(1))
                    Variables[assignment.Split('=', 2)[0]] = assignment.Split('=', 2)[1];
                return new DocumentedResult(line, arguments, new CliResult(0, "", ""));
            case "ttn-lw-migrate":
                var result = await new CliRun(arguments.Skip(1).ToArray())
                {
                    Variables = new Dictionary<string, string>(Variables),
                    Files = new Dictionary<string, byte[]>(Files),
                    Input = input is null ? [] : Files[input],
                    Clock = Clock,
                    StateFolder = StateFolder,
                    CreateFile = name => new KeptFile(bytes => Files[name] = bytes),
                    ReplaceFile = (from, to) => (Files[to], _) = (Files[from], Files.Remove(from)),
                }.RunAsync();
                if (output is not null)
                {
                    var before = append && Files.TryGetValue(output, out var bytes) ? bytes : [];
                    Files[output] = [.. before, .. Encoding.UTF8.GetBytes(result.Output)];
                }
                return new DocumentedResult(line, arguments, result);
            default:
                return new DocumentedResult(line, arguments, null);
        }
    }

    /// <summary>Words as a shell cuts them: quotes, <c>$NAME</c>, redirections, comments.</summary>
    private List<(string Text, bool Quoted)> Split(string line)
    {
        var words = new List<(string, bool)>();
        var word = new StringBuilder();
        var (inWord, wasQuoted, quote) = (false, false, '\0');
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (c == '$' && quote != '\'' && i + 1 < line.Length && (line[i + 1] == '{' || char.IsAsciiLetter(line[i + 1]) || line[i + 1] == '_'))
            {
                var braces = line[i + 1] == '{';
                var start = i + (braces ? 2 : 1);
                var end = start;
                while (end < line.Length && (char.IsAsciiLetterOrDigit(line[end]) || line[end] == '_'))
                    end++;
                word.Append(Variables.TryGetValue(line[start..end], out var value) ? value : "");
                inWord = true;
                i = braces ? end : end - 1;
            }
            else if (quote != '\0')
            {
                if (c == quote)
                    quote = '\0';
                else
                    word.Append(c);
            }
            else if (c is '"' or '\'')
                (quote, inWord, wasQuoted) = (c, true, true);
            else if (c == '#' && !inWord)
                break;
            else if (char.IsWhiteSpace(c))
                End();
            else if (c is '<' or '>')
            {
                End();
                var twice = c == '>' && i + 1 < line.Length && line[i + 1] == '>';
                words.Add((twice ? ">>" : c.ToString(), false));
                i += twice ? 1 : 0;
            }
            else
            {
                word.Append(c);
                inWord = true;
            }
        }
        End();
        return words;

        void End()
        {
            if (inWord)
                words.Add((word.ToString(), wasQuoted));
            word.Clear();
            (inWord, wasQuoted) = (false, false);
        }
    }

    /// <summary>A file that is kept in memory once it is closed.</summary>
    private sealed class KeptFile(Action<byte[]> keep) : MemoryStream
    {
        protected override void Dispose(bool disposing)
        {
            if (disposing)
                keep(ToArray());
            base.Dispose(disposing);
        }
    }
}
