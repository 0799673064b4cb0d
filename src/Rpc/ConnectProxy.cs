using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;

namespace Rpc;

/// <summary>
/// An HTTP proxy that tunnels with CONNECT. It is chosen as Go's gRPC chooses it: HTTPS_PROXY and NO_PROXY decide for TLS and plaintext alike,
/// and this computer itself is never reached through one (facts/ttnv2.md 1.2).
/// </summary>
public sealed class ConnectProxy
{
    private readonly string? credentials;

    private ConnectProxy(HostPort address, string? credentials)
    {
        Address = address;
        this.credentials = credentials;
    }

    /// <summary>The proxy.</summary>
    public HostPort Address { get; }

    /// <summary>The address only; a password stays inside.</summary>
    public override string ToString() => Address.ToString();

    /// <summary>The proxy that the environment names for a server, or null for a direct connection.</summary>
    /// <param name="variable">Gives the value of an environment variable, or null.</param>
    /// <param name="target">The server to reach.</param>
    /// <exception cref="FormatException">HTTPS_PROXY is set but not usable; the message says why, without the value: it may hold a password.</exception>
    public static ConnectProxy? FromEnvironment(Func<string, string?> variable, HostPort target)
    {
        ArgumentNullException.ThrowIfNull(variable);
        string? Value(string upper, string lower) => variable(upper) is { Length: > 0 } value ? value : variable(lower);
        if (Value("HTTPS_PROXY", "https_proxy") is not { Length: > 0 } proxy || IsExcepted(target, Value("NO_PROXY", "no_proxy") ?? ""))
            return null;
        if (!proxy.Contains("://", StringComparison.Ordinal))
            proxy = "http://" + proxy;
        if (!Uri.TryCreate(proxy, UriKind.Absolute, out var uri) || uri.Host.Length == 0)
            throw new FormatException("HTTPS_PROXY is not the address of a proxy; the form is http://host:port");
        if (uri.Scheme != Uri.UriSchemeHttp)
            throw new FormatException($"HTTPS_PROXY names a proxy of the kind {uri.Scheme}; only http:// proxies can be used");
        var basic = uri.UserInfo.Length == 0
            ? null
            : Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(uri.UserInfo)));
        return new ConnectProxy(new HostPort(uri.Host.Trim('[', ']'), uri.Port), basic);
    }

    /// <summary>Asks the proxy for a tunnel to the server.</summary>
    /// <exception cref="ConnectFailure">The proxy refuses, or is not one.</exception>
    internal async Task TunnelAsync(Stream stream, HostPort target, CancellationToken cancellation)
    {
        var request = $"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
            + (credentials is null ? "" : $"Proxy-Authorization: Basic {credentials}\r\n") + "\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), cancellation);
        const int most = 16 * 1024;
        var buffer = ArrayPool<byte>.Shared.Rent(most);
        try
        {
            // Byte by byte: what follows the head belongs to the server, and this is a few hundred bytes once per connection.
            var length = 0;
            while (!buffer.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
            {
                if (length == most || await stream.ReadAsync(buffer.AsMemory(length, 1), cancellation) == 0)
                    throw NotAProxy();
                length++;
            }
            var head = Encoding.Latin1.GetString(buffer, 0, length);
            var line = head[..head.IndexOf('\r', StringComparison.Ordinal)];
            if (!line.StartsWith("HTTP/1.", StringComparison.Ordinal) || line.Length < 12
                || !int.TryParse(line.AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var status))
            {
                throw NotAProxy();
            }
            if (status is < 200 or > 299)
            {
                throw new ConnectFailure(
                    RpcFailureOrigin.Connect,
                    $"cannot connect: the proxy {Address} refuses the tunnel (HTTP {Printable.OneLine(line[9..], 80)})",
                    status == 407
                        ? "Put the user and password for the proxy into HTTPS_PROXY."
                        : "Ask whoever runs the proxy to allow it, or name the server in NO_PROXY.");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private ConnectFailure NotAProxy() => new(
        RpcFailureOrigin.Connect, $"cannot connect: {Address} does not answer as a proxy", "Correct HTTPS_PROXY, or name the server in NO_PROXY.");

    private static bool IsExcepted(HostPort target, string exceptions)
    {
        var host = target.Host.TrimEnd('.');
        var isAddress = IPAddress.TryParse(host, out var address);
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (isAddress && IPAddress.IsLoopback(address!)))
            return true;
        foreach (var exception in exceptions.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (exception == "*" || Covers(exception, host, target.Port, isAddress ? address : null))
                return true;
        }
        return false;
    }

    private static bool Covers(string exception, string host, int port, IPAddress? address)
    {
        if (IPNetwork.TryParse(exception, out var network))
            return address is not null && network.Contains(address);
        if (IPAddress.TryParse(exception.Trim('[', ']'), out var one))
            return one.Equals(address);
        if (HostPort.TryParse(exception, out var withPort, out _))
        {
            if (withPort.Port != port)
                return false;
            exception = withPort.Host;
            if (IPAddress.TryParse(exception, out one))
                return one.Equals(address);
        }
        if (exception.StartsWith("*.", StringComparison.Ordinal))
            exception = exception[1..];
        return exception[0] == '.'
            ? host.EndsWith(exception, StringComparison.OrdinalIgnoreCase)
            : host.Equals(exception, StringComparison.OrdinalIgnoreCase) || host.EndsWith("." + exception, StringComparison.OrdinalIgnoreCase);
    }
}
