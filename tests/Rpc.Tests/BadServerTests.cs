using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

/// <summary>Servers that no connection comes about with: what the user reads.</summary>
public class BadServerTests
{
    private static readonly TlsTrust Trust = TlsTrust.System.WithCertificateAuthorities(Certificates.Public(Certificates.Authority));

    private static readonly List<(string Name, string FirstBytes, bool Tls, string Message, RpcFailureOrigin Origin)> FirstWords =
    [
        ("HTTP/1.1 server", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false,
            "SERVER: Unavailable: the server speaks HTTP/1.1, not HTTP/2 on this port", RpcFailureOrigin.Handshake),
        ("SSH server", "SSH-2.0-OpenSSH_9.6\r\n", false,
            "SERVER: Unavailable: the server speaks neither HTTP/2 nor TLS on this port", RpcFailureOrigin.Handshake),
        ("short words", "\0\0\0\x04", false,
            "SERVER: Unavailable: the server speaks neither HTTP/2 nor TLS on this port", RpcFailureOrigin.Handshake),
        ("TLS alert", "\x15\x03\x01\0\x02\x02\x46", false,
            "SERVER: Unavailable: the server speaks TLS on this port, and a connection without TLS was asked for", RpcFailureOrigin.Handshake),
        ("HTTP/2 server that wants HTTP/1.1", "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d", false,
            "SERVER: Unavailable: the server speaks HTTP/1.1, not HTTP/2 on this port", RpcFailureOrigin.Handshake),
        ("HTTP/2 server that goes away at once", "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02", false,
            "SERVER: Unavailable: the server refuses HTTP/2 on this port", RpcFailureOrigin.Handshake),
        ("HTTP/2 frames without a greeting", "\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0", false,
            "SERVER: Unavailable: the server speaks neither HTTP/2 nor TLS on this port", RpcFailureOrigin.Handshake),
        ("closed at once", "", false,
            "SERVER: Unavailable: cannot connect: the server closed the connection before it said anything, as servers that want TLS do", RpcFailureOrigin.Connect),
        ("TLS: plain HTTP/1.1", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n", true,
            "SERVER: Unavailable: TLS failed: the server does not speak TLS but plain HTTP/1.1 on this port", RpcFailureOrigin.Handshake),
        ("TLS: plain HTTP/2", "\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0", true,
            "SERVER: Unavailable: TLS failed: the server does not speak TLS but plain HTTP/2 on this port", RpcFailureOrigin.Handshake),
        ("TLS: SSH", "SSH-2.0-OpenSSH_9.6\r\n", true,
            "SERVER: Unavailable: TLS failed: the server does not speak TLS but something else on this port", RpcFailureOrigin.Handshake),
        ("TLS: closed at once", "", true,
            "SERVER: Unavailable: TLS failed: the server closed the connection", RpcFailureOrigin.Connect),
        ("TLS: closed within the handshake", "\x16\x03\x03\0\x40", true,
            "SERVER: Unavailable: TLS failed: the server closed the connection", RpcFailureOrigin.Connect),
        ("TLS: alert about the protocol version", "\x15\x03\x01\0\x02\x02\x46", true,
            "SERVER: Unavailable: TLS failed: the server ends the handshake with alert 70 (protocol version)", RpcFailureOrigin.Handshake),
        ("TLS: alert about the name", "\x15\x03\x03\0\x02\x02\x70", true,
            "SERVER: Unavailable: TLS failed: the server ends the handshake with alert 112 (unrecognized name)", RpcFailureOrigin.Handshake),
        ("TLS: alert about HTTP/2", "\x15\x03\x03\0\x02\x02\x78", true,
            "SERVER: Unavailable: TLS works, but the server does not offer HTTP/2 on this port", RpcFailureOrigin.Handshake),
    ];

    private static readonly List<(string Name, X509Certificate2 Certificate, TlsTrust Trust, string At, string? Message)> TrustTable =
    [
        ("authority added", Certificates.Leaf, Trust, "2026-06-01", null),
        ("authority pinned", Certificates.Leaf, TlsTrust.Pinned(Certificates.Public(Certificates.Authority), "localhost"), "2026-06-01", null),
        ("self-signed pinned, name checked", Certificates.SelfSigned, TlsTrust.Pinned(Certificates.Public(Certificates.SelfSigned), "handler"), "2026-06-01", null),
        ("self-signed pinned, address checked", Certificates.SelfSigned, TlsTrust.Pinned(Certificates.Public(Certificates.SelfSigned), "127.0.0.1"), "2026-06-01", null),
        ("self-signed pinned, no name", Certificates.SelfSigned, TlsTrust.Pinned(Certificates.Public(Certificates.SelfSigned), null), "2026-06-01", null),
        ("self-signed that is no authority pinned", Certificates.SelfSignedLeaf, TlsTrust.Pinned(Certificates.Public(Certificates.SelfSignedLeaf), "handler"), "2026-06-01", null),
        ("self-signed added to the system's", Certificates.SelfSigned, TlsTrust.System.WithCertificateAuthorities(Certificates.Public(Certificates.SelfSigned)), "2026-06-01", null),
        ("a leaf of an authority nobody gave, pinned itself", Certificates.Leaf, TlsTrust.Pinned(Certificates.Public(Certificates.Leaf), null), "2026-06-01", null),
        ("one of several pinned", Certificates.SelfSigned, TlsTrust.Pinned(Certificates.Public(Certificates.OtherAuthority, Certificates.SelfSigned), "handler"), "2026-06-01", null),
        ("another name, pinned without name", Certificates.WrongName, TlsTrust.Pinned(Certificates.Public(Certificates.Authority), null), "2026-06-01", null),
        ("another name, given", Certificates.WrongName, Trust with { TargetHost = "us.example.org" }, "2026-06-01", null),

        ("unknown authority", Certificates.Leaf, TlsTrust.System, "2026-06-01",
            "SERVER: Unavailable: TLS failed: the certificate of the server was issued by Test Authority, which is not trusted"),
        ("another authority added", Certificates.Leaf, TlsTrust.System.WithCertificateAuthorities(Certificates.Public(Certificates.OtherAuthority)), "2026-06-01",
            "SERVER: Unavailable: TLS failed: the certificate of the server was issued by Test Authority, which is not trusted"),
        ("self-signed and unknown", Certificates.SelfSigned, TlsTrust.System, "2026-06-01",
            "SERVER: Unavailable: TLS failed: the certificate of the server (ttn-handler-eu) is self-signed and not trusted"),
        ("another certificate pinned", Certificates.Leaf, TlsTrust.Pinned(Certificates.Public(Certificates.SelfSigned), null), "2026-06-01",
            "SERVER: Unavailable: TLS failed: the server has another certificate than the one expected (its SHA-256 is "
            + Certificates.Leaf.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256).ToLowerInvariant() + ")"),
        ("pinned by an authority that did not issue it", Certificates.Leaf, TlsTrust.Pinned(Certificates.Public(Certificates.OtherAuthority), null), "2026-06-01",
            "SERVER: Unavailable: TLS failed: the server has another certificate than the one expected (its SHA-256 is "
            + Certificates.Leaf.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256).ToLowerInvariant() + ")"),
        ("another name", Certificates.WrongName, Trust, "2026-06-01",
            "SERVER: Unavailable: TLS failed: the certificate of the server is for eu.example.org, us.example.org, not for 127.0.0.1"),
        ("another name than the pinned one", Certificates.SelfSigned, TlsTrust.Pinned(Certificates.Public(Certificates.SelfSigned), "broker"), "2026-06-01",
            "SERVER: Unavailable: TLS failed: the certificate of the server is for handler, localhost, 127.0.0.1, not for broker"),
        ("expired", Certificates.Leaf, Trust, "2034-12-31T12:00:00Z",
            "SERVER: Unavailable: TLS failed: the certificate of the server expired on 2034-12-31 00:00 UTC"),
        ("expired, though pinned", Certificates.SelfSigned, TlsTrust.Pinned(Certificates.Public(Certificates.SelfSigned), null), "2035-02-01",
            "SERVER: Unavailable: TLS failed: the certificate of the server expired on 2035-01-01 00:00 UTC"),
        ("not yet valid", Certificates.Leaf, Trust, "2025-01-01T12:00:00Z",
            "SERVER: Unavailable: TLS failed: the certificate of the server is not valid before 2025-01-02 00:00 UTC"),
    ];

    public static TheoryData<string> FirstWordNames => [.. FirstWords.Select(row => row.Name)];

    public static TheoryData<string> TrustNames => [.. TrustTable.Select(row => row.Name)];

    [Theory]
    [MemberData(nameof(FirstWordNames))]
    public async Task A_server_of_another_kind_is_recognised_by_its_first_words(string name)
    {
        var (_, bytes, tls, message, origin) = FirstWords.Single(row => row.Name == name);
        await using var server = TcpServer.Saying(Encoding.Latin1.GetBytes(bytes));
        var failure = await Client.FailAsync(Client.To(server.Address, tls ? Trust : null));
        Assert.Equal(message, failure.Text());
        Assert.Equal(origin, failure.Origin);
        Assert.False(failure.ServerMayHaveActed);
        Assert.NotNull(failure.Advice);
    }

    [Theory]
    [MemberData(nameof(TrustNames))]
    public async Task A_certificate_is_believed_or_the_error_says_why_not(string name)
    {
        var (_, certificate, trust, at, message) = TrustTable.Single(row => row.Name == name);
        await using var server = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, WebServer.Frame(Client.Hello)), certificate);
        var now = new FakeTimeProvider(DateTimeOffset.Parse(at, null, System.Globalization.DateTimeStyles.AssumeUniversal));
        var options = Client.To(server.Address, trust) with { Time = now };
        if (message is null)
        {
            await using var channel = new RpcChannel(options);
            Assert.Equal(Client.Hello, (await channel.SayAsync()).Response);
            return;
        }
        var failure = await Client.FailAsync(options);
        Assert.Equal(message, failure.Text());
        Assert.Equal(RpcFailureOrigin.Handshake, failure.Origin);
        Assert.False(failure.ServerMayHaveActed);
        Assert.NotNull(failure.Advice);
    }

    [Fact]
    public async Task A_certificate_for_clients_is_not_believed()
    {
        await using var server = new TcpServer(async (stream, cancellation) =>
        {
            await using var secured = new SslStream(stream);
            await secured.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions { ServerCertificate = Certificates.ForClients, ApplicationProtocols = [SslApplicationProtocol.Http2] },
                cancellation);
        });
        var failure = await Client.FailAsync(Client.To(server.Address, Trust));
        Assert.Equal("SERVER: Unavailable: TLS failed: the certificate of the server is not for TLS servers", failure.Text());
    }

    [Fact]
    public async Task An_expired_certificate_brings_the_clock_into_view()
    {
        await using var server = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, []), Certificates.Leaf);
        var failure = await Client.FailAsync(Client.To(server.Address, Trust) with { Time = new FakeTimeProvider(new DateTimeOffset(2040, 1, 2, 3, 4, 0, TimeSpan.Zero)) });
        Assert.Equal("Have the certificate renewed, or set the clock of this computer right: it says 2040-01-02 03:04 UTC.", failure.Advice);
    }

    [Fact]
    public async Task A_TLS_server_is_recognised_when_plaintext_was_asked_for()
    {
        await using var server = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, []), Certificates.Leaf);
        var failure = await Client.FailAsync(Client.To(server.Address));
        Assert.Equal("SERVER: Unavailable: cannot connect: the server closed the connection before it said anything, as servers that want TLS do", failure.Text());
        Assert.Equal("If this is the port for TLS, leave out the choice of a connection without TLS; else check the port and the server.", failure.Advice);
    }

    [Fact]
    public async Task A_plaintext_server_is_recognised_when_TLS_was_asked_for()
    {
        await using var server = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, []), protocols: HttpProtocols.Http1);
        var failure = await Client.FailAsync(Client.To(server.Address, Trust));
        Assert.Equal("SERVER: Unavailable: TLS failed: the server does not speak TLS but plain HTTP/1.1 on this port", failure.Text());
    }

    [Fact]
    public async Task A_web_server_without_HTTP2_is_recognised()
    {
        await using var plain = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, []), protocols: HttpProtocols.Http1);
        Assert.Equal("SERVER: Unavailable: the server speaks HTTP/1.1, not HTTP/2 on this port", (await Client.FailAsync(Client.To(plain.Address))).Text());
        await using var secure = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, []), Certificates.Leaf, HttpProtocols.Http1);
        Assert.Equal(
            "SERVER: Unavailable: TLS works, but the server does not offer HTTP/2 on this port",
            (await Client.FailAsync(Client.To(secure.Address, Trust))).Text());
    }

    [Theory]
    [InlineData(SocketError.ConnectionRefused, "connection refused")]
    [InlineData(SocketError.ConnectionReset, "the connection was reset")]
    [InlineData(SocketError.HostNotFound, "no such host")]
    [InlineData(SocketError.NoData, "no such host")]
    [InlineData(SocketError.TryAgain, "the host name cannot be resolved now")]
    [InlineData(SocketError.HostUnreachable, "no route to the host")]
    [InlineData(SocketError.NetworkUnreachable, "the network cannot be reached")]
    [InlineData(SocketError.TimedOut, "the host does not answer")]
    [InlineData(SocketError.AccessDenied, "the system or a firewall forbids it")]
    public async Task What_the_network_says_is_said_in_the_same_words_everywhere(SocketError error, string text)
    {
        var failure = await Client.FailAsync(Client.To(new HostPort("eu.example.org", 1900)) with
        {
            Dial = (_, _, _) => Task.FromException<Stream>(new SocketException((int)error)),
        });
        Assert.Equal($"eu.example.org:1900: Unavailable: cannot connect: {text}", failure.Message);
        Assert.Equal(RpcFailureOrigin.Connect, failure.Origin);
        Assert.False(failure.ServerMayHaveActed);
    }

    [Fact]
    public async Task A_closed_port_refuses()
    {
        HostPort address;
        await using (var server = TcpServer.Silent(new()))
            address = server.Address;
        var failure = await Client.FailAsync(Client.To(address));
        Assert.Equal("SERVER: Unavailable: cannot connect: connection refused", failure.Text());
        Assert.Equal("Check that the server runs and that the port is right.", failure.Advice);
    }

    [Fact]
    public async Task A_host_that_swallows_packets_fails_all_waiting_calls_after_one_connect_timeout()
    {
        var clock = Client.Clock();
        var dialling = new TaskCompletionSource();
        await using var channel = new RpcChannel(Client.To(new HostPort("eu.example.org", 1900)) with
        {
            Time = clock,
            Dial = async (_, _, cancellation) =>
            {
                dialling.TrySetResult();
                await Task.Delay(Timeout.Infinite, cancellation);
                throw new InvalidOperationException();
            },
        });
        var calls = Enumerable.Range(0, 20).Select(_ => channel.SayAsync()).ToArray();
        await dialling.Task;
        clock.Advance(TimeSpan.FromSeconds(10));
        foreach (var call in calls)
        {
            var failure = await Assert.ThrowsAsync<RpcException>(() => call);
            Assert.Equal("eu.example.org:1900: Unavailable: cannot connect: no answer within 10 s (opening the connection)", failure.Message);
            Assert.Equal(RpcFailureOrigin.Connect, failure.Origin);
        }
    }

    [Fact]
    public async Task A_server_that_takes_the_connection_and_says_nothing_is_given_up_after_the_connect_timeout()
    {
        var clock = Client.Clock();
        var heard = new TaskCompletionSource();
        await using var server = TcpServer.Silent(heard);
        await using var channel = new RpcChannel(Client.To(server.Address) with { Time = clock });
        var call = channel.SayAsync();
        await heard.Task;
        clock.Advance(TimeSpan.FromSeconds(10));
        var failure = await Assert.ThrowsAsync<RpcException>(() => call);
        Assert.Equal("SERVER: Unavailable: cannot connect: the server accepts the connection but says nothing within 10 s", failure.Text());
    }

    [Fact]
    public async Task A_server_that_says_nothing_in_the_TLS_handshake_is_given_up_after_the_connect_timeout()
    {
        var clock = Client.Clock();
        var heard = new TaskCompletionSource();
        await using var server = TcpServer.Silent(heard);
        await using var channel = new RpcChannel(Client.To(server.Address, Trust) with { Time = clock, ConnectTimeout = TimeSpan.FromSeconds(2.5) });
        var call = channel.SayAsync();
        await heard.Task;
        clock.Advance(TimeSpan.FromSeconds(2.5));
        var failure = await Assert.ThrowsAsync<RpcException>(() => call);
        Assert.Equal("SERVER: Unavailable: cannot connect: no answer within 2.5 s (in the TLS handshake)", failure.Text());
    }
}
