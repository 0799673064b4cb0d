namespace TheThingsStack.Validation;

/// <summary>
/// Matchers for the patterns of the .proto files, written by hand because compiling expressions would cost start-up. The end of a pattern
/// is the very end of the text, so a trailing line end does not match.
/// </summary>
internal static class Patterns
{
    private const string Id = "^[a-z0-9](?:[-]?[a-z0-9]){2,}$";
    private const string Host = @"^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])\.)*(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9])(?::[0-9]{1,5})?$|^$";

    /// <summary>Gives the matcher of a pattern text.</summary>
    /// <exception cref="NotSupportedException">The pattern is new.</exception>
    public static Func<ReadOnlySpan<byte>, bool> Of(string pattern) => pattern switch
    {
        Id => static text => IsId(text, 3),
        Id + "|^$" => static text => text.IsEmpty || IsId(text, 3),
        "^[a-z0-9](?:[-]?[a-z0-9]){1,}$" => static text => IsId(text, 2),
        "^[a-zA-Z0-9]{1,32}$" => static text => text.Length is >= 1 and <= 32 && AreAll(text, char.IsAsciiLetterOrDigit),
        "^[A-Z0-9]{1,32}$" => static text => text.Length is >= 1 and <= 32 && AreAll(text, static c => char.IsAsciiLetterUpper(c) || char.IsAsciiDigit(c)),
        @"^(?:\.[a-z0-9]{1,16}){1,2}$" => IsFileExtension,
        Host => static text => text.IsEmpty || IsHost(text),
        _ => throw new NotSupportedException($"no matcher for the pattern {pattern}"),
    };

    // Lower-case letters and digits with single dashes between them.
    private static bool IsId(ReadOnlySpan<byte> text, int atLeast)
    {
        var count = 0;
        var dash = true;
        foreach (var b in text)
        {
            var c = (char)b;
            if (c == '-')
            {
                if (dash)
                    return false;
                dash = true;
                continue;
            }
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c))
                return false;
            dash = false;
            count++;
        }
        return count >= atLeast && !dash;
    }

    private static bool IsHost(ReadOnlySpan<byte> text)
    {
        var colon = text.IndexOf((byte)':');
        if (colon >= 0)
        {
            var port = text[(colon + 1)..];
            if (port.Length is < 1 or > 5 || !AreAll(port, char.IsAsciiDigit))
                return false;
            text = text[..colon];
        }
        foreach (var range in text.Split((byte)'.'))
        {
            var label = text[range];
            if (label.IsEmpty || label[0] == (byte)'-' || label[^1] == (byte)'-' || !AreAll(label, static c => char.IsAsciiLetterOrDigit(c) || c == '-'))
                return false;
        }
        return true;
    }

    private static bool IsFileExtension(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty || text[0] != (byte)'.')
            return false;
        text = text[1..];
        var parts = 0;
        foreach (var range in text.Split((byte)'.'))
        {
            var part = text[range];
            if (++parts > 2 || part.Length is < 1 or > 16 || !AreAll(part, static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c)))
                return false;
        }
        return true;
    }

    private static bool AreAll(ReadOnlySpan<byte> text, Func<char, bool> test)
    {
        foreach (var b in text)
        {
            if (!test((char)b))
                return false;
        }
        return true;
    }
}
