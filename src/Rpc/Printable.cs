using System.Text;

namespace Rpc;

/// <summary>Text from strangers, made fit for one line of an error.</summary>
internal static class Printable
{
    /// <summary>Control characters and runs of white space become one space; longer texts are cut.</summary>
    public static string OneLine(string text, int most)
    {
        var line = new StringBuilder(Math.Min(text.Length, most));
        var gap = false;
        foreach (var c in text)
        {
            if (char.IsWhiteSpace(c) || char.IsControl(c))
            {
                gap = line.Length > 0;
                continue;
            }
            if (line.Length + (gap ? 1 : 0) >= most)
                return line.Append('…').ToString();
            if (gap)
                line.Append(' ');
            gap = false;
            line.Append(c);
        }
        return line.ToString();
    }
}
