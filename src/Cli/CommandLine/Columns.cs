using System.Text;

namespace Cli.CommandLine;

/// <summary>
/// Columns of help. Does in plain loops what the library does with vectors: code with vectors is not precompiled, and compiling it
/// at each start takes longer than all of the help.
/// </summary>
internal static class Columns
{
    private const string Blanks = "                                                                                ";

    /// <summary>Appends text and blanks up to a width in characters.</summary>
    public static StringBuilder AppendColumn(this StringBuilder builder, string text, int width)
    {
        builder.Append(text);
        for (var left = width - text.Length; left > 0; left -= Blanks.Length)
            builder.Append(Blanks, 0, Math.Min(left, Blanks.Length));
        return builder;
    }

    /// <summary>Compares two names by their characters.</summary>
    public static int Compare(string left, string right)
    {
        var shared = Math.Min(left.Length, right.Length);
        for (var at = 0; at < shared; at++)
        {
            if (left[at] != right[at])
                return left[at] - right[at];
        }
        return left.Length - right.Length;
    }
}
