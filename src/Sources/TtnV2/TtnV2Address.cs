using System.Globalization;

namespace Sources.TtnV2;

/// <summary>Addresses in the forms the Go tool takes: <c>host:port</c>, <c>:port</c> for this machine, <c>dns:///host:port</c>, <c>passthrough:///host:port</c>.</summary>
internal static class TtnV2Address
{
    /// <summary>Removes the name of a gRPC resolver.</summary>
    public static string WithoutResolver(string value)
    {
        foreach (var prefix in (ReadOnlySpan<string>)["dns:///", "passthrough:///"])
        {
            if (value.StartsWith(prefix, StringComparison.Ordinal))
                return value[prefix.Length..];
        }
        return value;
    }

    /// <summary>Host part of something like a URL, for advice.</summary>
    public static string HostOf(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Host.Length > 0 ? uri.Host : "host";

    /// <summary>True when the text ends in a colon and something, brackets of an IPv6 address apart.</summary>
    public static bool HasPort(string value) => value.LastIndexOf(':') > value.LastIndexOf(']') && !IsBareIPv6(value);

    /// <summary>Splits host and port; an empty host is this machine.</summary>
    public static bool TryParse(string value, out string host, out int port)
    {
        value = WithoutResolver(value);
        host = "";
        port = 0;
        if (!HasPort(value))
            return false;
        var colon = value.LastIndexOf(':');
        host = value[..colon].Trim('[', ']');
        if (host.Length == 0)
            host = "localhost";
        return int.TryParse(value.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port)
            && port is > 0 and <= 65535
            && Uri.CheckHostName(host) != UriHostNameType.Unknown;
    }

    private static bool IsBareIPv6(string value) =>
        !value.StartsWith('[') && Uri.CheckHostName(value) == UriHostNameType.IPv6;
}
