using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Rpc;

/// <summary>The address of a gRPC server. There is no default port (facts/ttnv2.md 1.2, facts/tts-api.md 1).</summary>
/// <param name="Host">A host name or IP address; an IPv6 address without its brackets.</param>
/// <param name="Port">TCP port, 1 to 65535.</param>
public readonly record struct HostPort(string Host, int Port)
{
    private const string Form = "the form is host:port";

    private static readonly SearchValues<char> Quotes = SearchValues.Create("\"'`\u201C\u201D\u2018\u2019\u201E\u00AB\u00BB");
    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.");

    /// <summary>Reads <c>host:port</c> or <c>[IPv6]:port</c>.</summary>
    /// <exception cref="FormatException">It is not one; the message says why and what the form is.</exception>
    public static HostPort Parse(string text) => TryParse(text, out var value, out var reason) ? value : throw new FormatException(reason);

    /// <summary>Reads <c>host:port</c> or <c>[IPv6]:port</c>.</summary>
    /// <param name="text">What the user or a server gave.</param>
    /// <param name="value">The address.</param>
    /// <param name="reason">When it is not one: what is wrong with it, what the form is, and what was probably meant.</param>
    public static bool TryParse([NotNullWhen(true)] string? text, out HostPort value, [NotNullWhen(false)] out string? reason)
    {
        value = default;
        reason = Problem(text, ref value);
        return reason is null;
    }

    /// <summary><c>host:port</c>, an IPv6 address in brackets.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{UriHost}:{Port}");

    /// <summary>The host as it stands in a URL.</summary>
    internal string UriHost => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host;

    private static string? Problem(string? text, ref HostPort value)
    {
        if (string.IsNullOrWhiteSpace(text))
            return $"the address is empty; {Form}";
        if (text.AsSpan().IndexOfAny(Quotes) >= 0)
            return $"{text} has quotes in it; write it without them";
        if (text.AsSpan().ContainsAny(" \t\r\n\u00A0"))
            return $"\"{text}\" has a space in it; {Form}";
        if (text.Contains(',', StringComparison.Ordinal))
            return $"\"{text}\" is a list; give one address, {Form}";
        if (text.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme)
        {
            var rest = text[(scheme + 3)..].Trim('/');
            var end = rest.IndexOf('/', StringComparison.Ordinal);
            rest = end < 0 ? rest : rest[..end];
            return $"\"{text}\" is a URL; {Form}, without {text[..(scheme + 3)]}" + (TryParse(rest, out var meant, out _) ? $", here {meant}" : "");
        }
        if (text[0] == '[')
            return BracketedProblem(text, ref value);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
            return $"\"{text}\" has no port; {Form}";
        if (text.IndexOf(':', colon + 1) >= 0)
        {
            return IPAddress.TryParse(text, out _)
                ? $"\"{text}\" is an IPv6 address without a port; the form is [{text}]:port"
                : $"\"{text}\" has more than one colon; {Form}";
        }
        var host = text[..colon];
        if (host.Length == 0)
            return $"\"{text}\" has no host before the colon; {Form}";
        if (host.AsSpan().IndexOfAnyExcept(NameCharacters) is >= 0 and var odd)
            return $"\"{text}\" cannot be an address: '{host[odd]}' cannot stand in a host name; {Form}";
        if (Uri.CheckHostName(host) == UriHostNameType.Unknown)
            return $"\"{text}\" cannot be an address: {host} is not a host name; {Form}";
        return PortProblem(text, host, text[(colon + 1)..], ref value);
    }

    private static string? BracketedProblem(string text, ref HostPort value)
    {
        var close = text.IndexOf(']', StringComparison.Ordinal);
        if (close < 0)
            return $"\"{text}\" has no closing bracket; the form is [IPv6 address]:port";
        var host = text[1..close];
        if (!IPAddress.TryParse(host, out var address) || address.AddressFamily != AddressFamily.InterNetworkV6)
            return $"\"{text}\" has no IPv6 address in its brackets; the form is [IPv6 address]:port";
        if (close + 1 == text.Length || text[close + 1] != ':')
            return $"\"{text}\" has no port; the form is [IPv6 address]:port";
        return PortProblem(text, host, text[(close + 2)..], ref value);
    }

    private static string? PortProblem(string text, string host, string port, ref HostPort value)
    {
        if (port.Length == 0)
            return $"\"{text}\" has no port after the colon; {Form}";
        if (port.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash)
            return $"\"{text}\" has a path; {Form}, here {host}:{port[..slash]}";
        if (port.AsSpan().ContainsAnyExceptInRange('0', '9'))
            return $"\"{text}\" has a port that is not a number; {Form}";
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > 65535)
            return $"\"{text}\" has a port that is not from 1 to 65535";
        value = new HostPort(host, number);
        return null;
    }
}
