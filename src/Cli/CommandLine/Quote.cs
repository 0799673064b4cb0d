using System.Globalization;
using System.Text;

namespace Cli.CommandLine;

/// <summary>Puts text between quotes for messages, so that no control character reaches the terminal.</summary>
public static class Quote
{
    /// <summary>Between double quotes; control characters, quotes and backslashes escaped.</summary>
    public static string Double(string text)
    {
        var quoted = new StringBuilder(text.Length + 2).Append('"');
        foreach (var rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\a' => quoted.Append("\\a"),
                '\b' => quoted.Append("\\b"),
                '\f' => quoted.Append("\\f"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                '\v' => quoted.Append("\\v"),
                < 0x20 or 0x7F => quoted.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}"),
                _ when IsPrintable(rune) => quoted.Append(rune.ToString()),
                <= 0xFFFF => quoted.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
                _ => quoted.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
            };
        }
        return quoted.Append('"').ToString();
    }

    /// <summary>Between backticks when that is possible on one line, else between double quotes.</summary>
    public static string Back(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value is '`' or 0xFEFF or 0xFFFD or 0x7F || (rune.Value < 0x20 && rune.Value != '\t'))
                return Double(text);
        }
        return $"`{text}`";
    }

    private static bool IsPrintable(Rune rune) => rune.Value == ' '
        || Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.SpaceSeparator
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
