using System.Text;

namespace Cli.Tests;

/// <summary>One command of a document and what it came to; <paramref name="Result"/> is null for a command of another program.</summary>
public sealed record DocumentedResult(string Line, IReadOnlyList<string> Words, CliResult? Result);

/// <summary>A block of code of a document.</summary>
/// <param name="Language">First word after the fence.</param>
/// <param name="Remark">What follows it; <c>not run here: REASON</c> marks a block that no test can run.</param>
/// <param name="Text">The lines.</param>
public sealed record DocumentedBlock(string Language, string Remark, string Text)
{
    /// <summary>Whether the document says that the block is not run, and why.</summary>
    public bool IsMarkedAsNotRun => Remark.StartsWith("not run here: ", StringComparison.Ordinal);
}

/// <summary>
/// Runs the commands of a document as its reader would type them: <c>export</c> and <c>ttn-lw-migrate</c> with redirections, in this
/// process, at a terminal. Files are kept in memory, journals in a folder of the test.
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

    /// <summary>Addresses of real networks and of the emulated ones that stand for them, without TLS.</summary>
    public IDictionary<string, string> Addresses { get; } = new Dictionary<string, string>();

    /// <summary>Called before each command of the program.</summary>
    public Action<IReadOnlyList<string>> Before { get; init; } = static _ => { };

    /// <summary>All code blocks of a Markdown text, of whatever language.</summary>
    public static IReadOnlyList<DocumentedBlock> AllBlocks(string markdown)
    {
        var blocks = new List<DocumentedBlock>();
        StringBuilder? block = null;
        var (language, remark) = ("", "");
        foreach (var line in markdown.ReplaceLineEndings("\n").Split('\n'))
        {
            var text = line.Trim();
            if (block is null && text.StartsWith("```", StringComparison.Ordinal))
            {
                block = new StringBuilder();
                (language, remark) = text[3..].Trim().Split(' ', 2) is [var first, var rest] ? (first, rest) : (text[3..].Trim(), "");
            }
            else if (block is not null && text == "```")
            {
                blocks.Add(new DocumentedBlock(language, remark, block.ToString()));
                block = null;
            }
            else
                block?.Append(line).Append('\n');
        }
        return blocks;
    }

    /// <summary>The code blocks of a Markdown text that are marked as of one language and are to be run.</summary>
    public static IReadOnlyList<string> Blocks(string markdown, string language = "bash") =>
        [.. AllBlocks(markdown).Where(block => block.Language == language && !block.IsMarkedAsNotRun).Select(block => block.Text)];

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
                    Variables[assignment.Split('=', 2)[0]] = Addresses.TryGetValue(assignment.Split('=', 2)[1], out var emulated) ? emulated : assignment.Split('=', 2)[1];
                return new DocumentedResult(line, arguments, new CliResult(0, "", ""));
            case "ttn-lw-migrate":
                Before(arguments);
                var result = await new CliRun(Emulated(arguments.Skip(1)))
                {
                    Variables = new Dictionary<string, string>(Variables),
                    Files = new Dictionary<string, byte[]>(Files),
                    Input = input is null ? Answer : Files[input],
                    InputIsTerminal = input is null,
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

    /// <summary>What is typed when the program asks before a deletion.</summary>
    private static readonly byte[] Answer = "delete\n"u8.ToArray();

    /// <summary>The words with emulated networks in the place of the real ones, and journals in the folder of the test.</summary>
    private List<string> Emulated(IEnumerable<string> words)
    {
        var result = new List<string>();
        var insecure = "";
        foreach (var word in words)
        {
            var flag = result.Count > 0 ? result[^1] : "";
            if (Addresses.TryGetValue(word, out var address) || Addresses.Values.Contains(word))
            {
                result.Add(address ?? word);
                insecure = flag.StartsWith("--import-", StringComparison.Ordinal) ? "--import-insecure" : "--insecure";
            }
            else
                result.Add(flag == "--journal" && StateFolder is not null ? Path.Combine(StateFolder, "named", word) : word);
        }
        if (insecure.Length > 0)
            result.Add(insecure);
        return result;
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
