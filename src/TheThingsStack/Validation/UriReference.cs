using System.Globalization;
using System.Text;

namespace TheThingsStack.Validation;

/// <summary>
/// Whether a text is a URI reference for The Things Stack (facts/tts-json.md section 11): lenient about paths, strict about percent
/// escapes, hosts and ports.
/// </summary>
internal static class UriReference
{
    private const string MarksOfUser = "-._:~!$&'()*+,;=%@";
    private const string MarksOfHost = "!$&'()*+,;=:[]<>\"-_.~";

    /// <summary>Gives what is wrong, or null.</summary>
    public static string? Problem(string text)
    {
        var hash = text.IndexOf('#', StringComparison.Ordinal);
        var reference = hash < 0 ? text : text[..hash];
        if (Reference(reference) is { } problem)
            return $"parse {Quoted.Text(reference)}: {problem}";
        if (hash >= 0 && Escapes(text[(hash + 1)..], Part.Path) is { } fragment)
            return $"parse {Quoted.Text(text)}: {fragment}";
        return null;
    }

    private enum Part
    {
        Path,
        Host,
        Zone,
    }

    private static string? Reference(string text)
    {
        foreach (var c in text)
        {
            if (c < ' ' || c == '\x7f')
                return "net/url: invalid control character in URL";
        }
        var colon = SchemeEnd(text);
        if (colon == 0)
            return "missing protocol scheme";
        var rest = colon > 0 ? text[(colon + 1)..] : text;
        var query = rest.IndexOf('?', StringComparison.Ordinal);
        if (query >= 0)
            rest = rest[..query];
        if (!rest.StartsWith('/'))
        {
            if (colon > 0)
                return null;
            var slash = rest.IndexOf('/', StringComparison.Ordinal);
            return (slash < 0 ? rest : rest[..slash]).Contains(':', StringComparison.Ordinal)
                ? "first path segment in URL cannot contain colon"
                : Escapes(rest, Part.Path);
        }
        if (rest.StartsWith("//", StringComparison.Ordinal) && (colon > 0 || !rest.StartsWith("///", StringComparison.Ordinal)))
        {
            var authority = rest[2..];
            var slash = authority.IndexOf('/', StringComparison.Ordinal);
            rest = slash < 0 ? "" : authority[slash..];
            if (Authority(slash < 0 ? authority : authority[..slash]) is { } problem)
                return problem;
        }
        return Escapes(rest, Part.Path);
    }

    // Place of the colon after a scheme; -1 when there is none; 0 when the text starts with a colon.
    private static int SchemeEnd(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.IsAsciiLetter(c))
                continue;
            if (c == ':')
                return i;
            if (i == 0 || !(char.IsAsciiDigit(c) || c is '+' or '-' or '.'))
                return -1;
        }
        return -1;
    }

    private static string? Authority(string text)
    {
        var at = text.LastIndexOf('@');
        if (HostAndPort(text[(at + 1)..]) is { } problem)
            return problem;
        if (at < 0)
            return null;
        var user = text[..at];
        foreach (var c in user)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !MarksOfUser.Contains(c, StringComparison.Ordinal))
                return "net/url: invalid userinfo";
        }
        return Escapes(user, Part.Path);
    }

    private static string? HostAndPort(string host)
    {
        var portAt = host.LastIndexOf(':');
        var zone = -1;
        var bracket = 0;
        if (host.StartsWith('['))
        {
            bracket = host.LastIndexOf(']');
            if (bracket < 0)
                return "missing ']' in host";
            portAt = bracket + 1;
            zone = host[..bracket].IndexOf("%25", StringComparison.Ordinal);
        }
        if (portAt >= 0 && portAt < host.Length)
        {
            var port = host[portAt..];
            if (port[0] != ':' || !port[1..].All(char.IsAsciiDigit))
                return $"invalid port {Quoted.Text(port)} after host";
        }
        return zone < 0
            ? Escapes(host, Part.Host)
            : Escapes(host[..zone], Part.Host) ?? Escapes(host[zone..bracket], Part.Zone) ?? Escapes(host[bracket..], Part.Host);
    }

    private static string? Escapes(string text, Part part)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '%')
            {
                var escape = text.Substring(i, Math.Min(3, text.Length - i));
                if (escape.Length < 3 || !char.IsAsciiHexDigit(escape[1]) || !char.IsAsciiHexDigit(escape[2]) || !IsEscapeAllowed(escape, part))
                    return $"invalid URL escape {Quoted.Text(escape)}";
                i += 2;
            }
            else if (part != Part.Path && c < 0x80 && !IsHostCharacter(c))
            {
                return $"invalid character {Quoted.Text(c.ToString())} in host name";
            }
        }
        return null;
    }

    // A host holds escapes of non-ASCII bytes only; a zone holds escapes of what a host may hold, and a space.
    private static bool IsEscapeAllowed(string escape, Part part)
    {
        if (part == Part.Path || escape == "%25")
            return true;
        var value = (char)int.Parse(escape.AsSpan(1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return part == Part.Host ? value >= 0x80 : value == ' ' || IsHostCharacter(value);
    }

    private static bool IsHostCharacter(char c) => char.IsAsciiLetterOrDigit(c) || MarksOfHost.Contains(c, StringComparison.Ordinal);
}

/// <summary>A text in quotes, as The Things Stack prints it in reasons.</summary>
internal static class Quoted
{
    public static string Text(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                < ' ' or 0x7f => quoted.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}"),
                _ => quoted.Append(rune.ToString()),
            };
        }
        return quoted.Append('"').ToString();
    }
}
