using System.Text;

namespace Cli.Input;

/// <summary>A line typed on a terminal that does not show it: a key.</summary>
internal static class HiddenLine
{
    private const char EndOfInput = '\u0004';

    /// <summary>Reads up to Enter; null at Ctrl-D (end of input) on an empty line. Backspace takes the last character back.</summary>
    /// <param name="readKey">Gives the next key pressed.</param>
    public static string? Read(Func<ConsoleKeyInfo> readKey)
    {
        var line = new StringBuilder();
        while (true)
        {
            var key = readKey();
            if (key.Key == ConsoleKey.Enter || key.KeyChar is '\r' or '\n')
                return line.ToString();
            if (key.KeyChar == EndOfInput && line.Length == 0)
                return null;
            if (key.Key == ConsoleKey.Backspace)
                line.Length = Math.Max(0, line.Length - 1);
            else if (!char.IsControl(key.KeyChar))
                line.Append(key.KeyChar);
        }
    }
}
