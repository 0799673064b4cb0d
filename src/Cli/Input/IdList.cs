using System.Text;
using Cli.CommandLine;
using TheThingsStack.Errors;

namespace Cli.Input;

/// <summary>IDs, one per line: LF or CRLF, surrounding white space and a byte order mark dropped, blank lines skipped (facts/cli-surface.md section 5).</summary>
internal static class IdList
{
    /// <summary>Longest line, in characters; no network has IDs anywhere near.</summary>
    public const int LongestLine = 1024;

    /// <summary>
    /// Reads to the end. UTF-8, or UTF-16 with a byte order mark as Windows PowerShell writes it. Throws <see cref="FailureException"/> with
    /// the line number when the input cannot be a list of IDs.
    /// </summary>
    /// <param name="stream">The list.</param>
    /// <param name="where">What to call it in messages, e.g. <c>standard input</c>.</param>
    /// <param name="note">Gets a sentence about a line that looks wrong but is passed on.</param>
    /// <param name="cancellation">Stops waiting for input.</param>
    public static async Task<IReadOnlyList<string>> ReadAsync(Stream stream, string where, Action<string> note, CancellationToken cancellation)
    {
        var ids = new List<string>();
        using var reader = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: false), detectEncodingFromByteOrderMarks: true, 4096, leaveOpen: true);
        var buffer = new char[4096];
        var line = new StringBuilder();
        var number = 1;
        var noted = 0;
        try
        {
            while (await reader.ReadAsync(buffer, cancellation) is > 0 and var count)
            {
                foreach (var c in buffer.AsSpan(0, count))
                {
                    if (c == '\n')
                    {
                        Take();
                        number++;
                    }
                    else if (line.Length < LongestLine)
                    {
                        line.Append(c);
                    }
                    else
                    {
                        throw Bad($"is longer than {LongestLine} characters", "Is this really a list of IDs, one per line?");
                    }
                }
            }
        }
        catch (IOException e)
        {
            throw new FailureException(new Failure($"read {where}: {SystemReason.Of(e)}"), e);
        }
        Take();
        return ids;

        void Take()
        {
            var id = line.ToString().Trim().Trim('\uFEFF').Trim();
            line.Clear();
            if (id.Length == 0)
                return;
            foreach (var c in id)
            {
                if (c == '\uFFFD')
                    throw Bad("is not UTF-8 text", "Save the list as UTF-8, one ID per line.");
                if (char.IsControl(c) && c != '\t')
                    throw Bad($"holds the control character U+{(int)c:X4}", "Save the list as plain text, one ID per line.");
            }
            if (id.AsSpan().IndexOfAny(" ,;\t") >= 0 && noted++ < 3)
                note($"line {number} of {where}, {Quote.Double(id)}, is taken as one ID; write one ID per line");
            ids.Add(id);
        }

        FailureException Bad(string what, string advice) => new(new Failure($"line {number} of {where} {what}") { Advice = advice });
    }
}
