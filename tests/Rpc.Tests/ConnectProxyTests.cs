using System.Net.Sockets;
using System.Text;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

public class ConnectProxyTests
{
    [Theory]
    [InlineData(false, "http://", null)]
    [InlineData(true, "", null)]
    [InlineData(true, "http://me:p%40ss@", "Proxy-Authorization: Basic bWU6cEBzcw==")]
    public async Task A_proxy_tunnels_to_servers_with_and_without_TLS(bool tls, string prefix, string? header)
    {
        await using var server = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, WebServer.Frame(Client.Hello)), tls ? Certificates.SelfSigned : null);
        var heads = new List<string>();
        await using var proxy = new TcpServer(async (client, cancellation) =>
        {
            var head = await ReadHeadAsync(client, cancellation);
            lock (heads)
                heads.Add(head);
            using var upstream = new TcpClient();
            await upstream.ConnectAsync(server.Address.Host, server.Address.Port, cancellation);
            await client.WriteAsync("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"u8.ToArray(), cancellation);
            var stream = upstream.GetStream();
            await Task.WhenAny(client.CopyToAsync(stream, cancellation), stream.CopyToAsync(client, cancellation));
        });
        var target = new HostPort("eu.example.org", 1904);
        var trust = tls ? TlsTrust.Pinned(Certificates.Public(Certificates.SelfSigned), "handler") : null;
        await using (var channel = new RpcChannel(Client.To(target, trust) with { Proxy = Choose($"{prefix}{proxy.Address}", "", target) }))
            Assert.Equal(Client.Hello, (await channel.SayAsync()).Response);
        var lines = Assert.Single(heads).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] expected = ["CONNECT eu.example.org:1904 HTTP/1.1", "Host: eu.example.org:1904"];
        Assert.Equal(header is null ? expected : [.. expected, header], lines);
    }

    [Theory]
    [InlineData("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "cannot connect: the proxy PROXY refuses the tunnel (HTTP 407 Proxy Authentication Required)", "Put the user and password for the proxy into HTTPS_PROXY.")]
    [InlineData("HTTP/1.1 403 Forbidden\r\nServer: squid\r\n\r\n", "cannot connect: the proxy PROXY refuses the tunnel (HTTP 403 Forbidden)", "Ask whoever runs the proxy to allow it, or name the server in NO_PROXY.")]
    [InlineData("SSH-2.0-OpenSSH\r\n\r\n", "cannot connect: PROXY does not answer as a proxy", "Correct HTTPS_PROXY, or name the server in NO_PROXY.")]
    [InlineData("HTTP/1.1\r\n\r\n", "cannot connect: PROXY does not answer as a proxy", "Correct HTTPS_PROXY, or name the server in NO_PROXY.")]
    [InlineData("", "cannot connect: PROXY does not answer as a proxy", "Correct HTTPS_PROXY, or name the server in NO_PROXY.")]
    public async Task A_proxy_that_gives_no_tunnel_is_named(string answer, string detail, string advice)
    {
        await using var proxy = TcpServer.Saying(Encoding.ASCII.GetBytes(answer));
        var target = new HostPort("eu.example.org", 1904);
        var failure = await Client.FailAsync(Client.To(target) with { Proxy = Choose(proxy.Address.ToString(), "", target) });
        Assert.Equal(detail, failure.Detail.Replace(proxy.Address.ToString(), "PROXY", StringComparison.Ordinal));
        Assert.Equal(advice, failure.Advice);
        Assert.Equal(target, failure.Target);
        Assert.Equal(RpcFailureOrigin.Connect, failure.Origin);
        Assert.False(failure.ServerMayHaveActed);
    }

    [Fact]
    public async Task A_proxy_that_cannot_be_reached_is_named()
    {
        var target = new HostPort("eu.example.org", 1904);
        var failure = await Client.FailAsync(Client.To(target) with
        {
            Proxy = Choose("proxy.example.org:3128", "", target),
            Dial = (address, _, _) => Task.FromException<Stream>(new SocketException((int)(address.Port == 3128 ? SocketError.ConnectionRefused : SocketError.AccessDenied))),
        });
        Assert.Equal("eu.example.org:1904: Unavailable: cannot connect to the proxy proxy.example.org:3128: connection refused", failure.Message);
    }

    [Theory]
    [InlineData("eu.example.org:1904", "", true)]
    [InlineData("localhost:1904", "", false)]
    [InlineData("127.0.0.1:1904", "", false)]
    [InlineData("127.9.9.9:1904", "", false)]
    [InlineData("[::1]:1904", "", false)]
    [InlineData("eu.example.org:1904", "*", false)]
    [InlineData("eu.example.org:1904", "example.org", false)]
    [InlineData("eu.example.org:1904", ".example.org", false)]
    [InlineData("eu.example.org:1904", "*.example.org", false)]
    [InlineData("example.org:1904", "example.org", false)]
    [InlineData("example.org:1904", ".example.org", true)]
    [InlineData("badexample.org:1904", "example.org", true)]
    [InlineData("eu.example.org:1904", "other.org, EU.Example.Org", false)]
    [InlineData("eu.example.org:1904", "example.org:1904", false)]
    [InlineData("eu.example.org:1904", "example.org:443", true)]
    [InlineData("10.1.2.3:1904", "10.0.0.0/8", false)]
    [InlineData("11.1.2.3:1904", "10.0.0.0/8", true)]
    [InlineData("10.1.2.3:1904", "10.1.2.3", false)]
    [InlineData("10.1.2.3:1904", "10.1.2.3:1904", false)]
    [InlineData("10.1.2.3:1904", "10.1.2.3:80", true)]
    [InlineData("[2001:db8::1]:1904", "2001:db8::1", false)]
    [InlineData("eu.example.org:1904", ",, ,", true)]
    public void Exceptions_are_those_of_NO_PROXY(string target, string exceptions, bool proxied) =>
        Assert.Equal(proxied, Choose("http://proxy.example.org:3128", exceptions, HostPort.Parse(target)) is not null);

    [Theory]
    [InlineData("http://proxy.example.org:3128", "proxy.example.org:3128")]
    [InlineData("http://proxy.example.org", "proxy.example.org:80")]
    [InlineData("proxy.example.org:3128", "proxy.example.org:3128")]
    [InlineData("http://me:secret@proxy.example.org:3128/", "proxy.example.org:3128")]
    [InlineData("http://[2001:db8::1]:3128", "[2001:db8::1]:3128")]
    public void A_proxy_is_its_address_and_shows_nothing_else(string value, string address) =>
        Assert.Equal(address, Choose(value, "", HostPort.Parse("eu.example.org:1904"))!.ToString());

    [Theory]
    [InlineData("socks5://me:secret@proxy:1080", "HTTPS_PROXY names a proxy of the kind socks5; only http:// proxies can be used")]
    [InlineData("https://me:secret@proxy", "HTTPS_PROXY names a proxy of the kind https; only http:// proxies can be used")]
    [InlineData("me:secret@:", "HTTPS_PROXY is not the address of a proxy; the form is http://host:port")]
    [InlineData("http://", "HTTPS_PROXY is not the address of a proxy; the form is http://host:port")]
    public void An_unusable_proxy_is_refused_without_its_password(string value, string reason)
    {
        var refused = Assert.Throws<FormatException>(() => Choose(value, "", HostPort.Parse("eu.example.org:1904")));
        Assert.Equal(reason, refused.Message);
    }

    [Fact]
    public void The_names_of_the_variables_may_be_lower_case_and_upper_case_wins()
    {
        var target = HostPort.Parse("eu.example.org:1904");
        Assert.Equal("low:1", ConnectProxy.FromEnvironment(name => name == "https_proxy" ? "low:1" : null, target)!.ToString());
        Assert.Equal("up:1", ConnectProxy.FromEnvironment(name => name == "HTTPS_PROXY" ? "up:1" : name == "https_proxy" ? "low:1" : null, target)!.ToString());
        Assert.Null(ConnectProxy.FromEnvironment(name => name == "https_proxy" ? "low:1" : name == "no_proxy" ? "*" : null, target));
        Assert.Null(ConnectProxy.FromEnvironment(_ => null, target));
        Assert.Null(ConnectProxy.FromEnvironment(_ => "", target));
    }

    private static ConnectProxy? Choose(string proxy, string exceptions, HostPort target) =>
        ConnectProxy.FromEnvironment(name => name switch { "HTTPS_PROXY" => proxy, "NO_PROXY" => exceptions, _ => null }, target);

    private static async Task<string> ReadHeadAsync(NetworkStream stream, CancellationToken cancellation)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, cancellation);
            head.Append((char)one[0]);
        }
        return head.ToString();
    }
}
