using System.Diagnostics.CodeAnalysis;
using Rpc;

namespace Sources.TtnV2;

/// <summary>
/// Addresses in the forms the Go tool takes: <c>host:port</c>, <c>:port</c> for this machine, and both after the name of a gRPC resolver
/// (<c>dns:///</c>, <c>passthrough:///</c>).
/// </summary>
internal static class TtnV2Address
{
    /// <summary>Reads an address, or says what is wrong with it and what the form is.</summary>
    public static bool TryParse(string text, out HostPort address, [NotNullWhen(false)] out string? reason)
    {
        foreach (var resolver in (ReadOnlySpan<string>)["dns:///", "passthrough:///"])
        {
            if (text.StartsWith(resolver, StringComparison.Ordinal))
                text = text[resolver.Length..];
        }
        return HostPort.TryParse(text.StartsWith(':') ? "localhost" + text : text, out address, out reason);
    }
}
