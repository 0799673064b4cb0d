using System.IO.Compression;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

/// <summary>Servers that can be reached and answer badly: what the user reads.</summary>
public class BadAnswerTests
{
    private static readonly byte[] Good = WebServer.Frame(new StringValue { Value = "good" });

    private static readonly List<(string Name, RequestDelegate Server, string Message, RpcFailureOrigin Origin)> Table =
    [
        // The server says no.
        ("status in the trailers", c => WebServer.AnswerAsync(c, [], 5, "handler:device:app:dev not found"),
            "SERVER: NotFound: handler:device:app:dev not found", RpcFailureOrigin.Server),
        ("status and no text", c => WebServer.AnswerAsync(c, [], 16),
            "SERVER: Unauthenticated: ", RpcFailureOrigin.Server),
        ("percent-encoded text", c => WebServer.AnswerAsync(c, [], 7, "No %22devices%22 rights, M%C3%BCnchen 100%"),
            "SERVER: PermissionDenied: No \"devices\" rights, München 100%", RpcFailureOrigin.Server),
        ("status beside a message", c => WebServer.AnswerAsync(c, Good, 13, "after all"),
            "SERVER: Internal: after all", RpcFailureOrigin.Server),
        ("status after a truncated message", c => WebServer.AnswerAsync(c, Good[..6], 14, "going down"),
            "SERVER: Unavailable: going down", RpcFailureOrigin.Server),
        ("trailers only", c => Headers(c, ("content-type", "application/grpc"), ("grpc-status", "8"), ("grpc-message", "Rate limit for client %22x%22 reached")),
            "SERVER: ResourceExhausted: Rate limit for client \"x\" reached", RpcFailureOrigin.Server),
        ("trailers only beside an HTTP error", c => Status(c, 503, ("content-type", "application/grpc"), ("grpc-status", "14"), ("grpc-message", "no healthy upstream")),
            "SERVER: Unavailable: no healthy upstream", RpcFailureOrigin.Server),
        ("a status gRPC does not have", c => WebServer.AnswerAsync(c, [], 99, "odd"),
            "SERVER: Unknown: status 99, which gRPC does not have: odd", RpcFailureOrigin.Server),

        // The status is missing or broken.
        ("no status", c => Body(c, "application/grpc", Good),
            "SERVER: Unknown: the answer ends without a gRPC status", RpcFailureOrigin.Protocol),
        ("a status that is not a number", c => Trailer(c, Good, ("grpc-status", "OK")),
            "SERVER: Unknown: the gRPC status of the answer is \"OK\", not a number", RpcFailureOrigin.Protocol),
        ("a negative status", c => Trailer(c, Good, ("grpc-status", "-1")),
            "SERVER: Unknown: the gRPC status of the answer is \"-1\", not a number", RpcFailureOrigin.Protocol),
        ("nothing at all", c => Headers(c, ("content-type", "application/grpc")),
            "SERVER: Internal: the server answered without a message", RpcFailureOrigin.Protocol),

        // The message is missing, broken or too large.
        ("OK without a message", c => WebServer.AnswerAsync(c, []),
            "SERVER: Internal: the server answered without a message", RpcFailureOrigin.Protocol),
        ("trailers only that say OK", c => Headers(c, ("content-type", "application/grpc"), ("grpc-status", "0")),
            "SERVER: Internal: the server answered without a message", RpcFailureOrigin.Protocol),
        ("two messages", c => WebServer.AnswerAsync(c, [.. Good, .. Good]),
            "SERVER: Internal: the server answered with more than one message", RpcFailureOrigin.Protocol),
        ("a byte after the message", c => WebServer.AnswerAsync(c, [.. Good, 0]),
            "SERVER: Internal: the server answered with more than one message", RpcFailureOrigin.Protocol),
        ("a truncated prefix", c => WebServer.AnswerAsync(c, Good[..3]),
            "SERVER: Internal: the answer ends within the prefix of the message, after 3 of 5 bytes", RpcFailureOrigin.Protocol),
        ("a truncated message", c => WebServer.AnswerAsync(c, Good[..8]),
            "SERVER: Internal: the answer ends within the message, after 3 of 6 bytes", RpcFailureOrigin.Protocol),
        ("an unknown frame flag", c => WebServer.AnswerAsync(c, WebServer.Frame([1], flag: 0x80)),
            "SERVER: Internal: the answer is not framed as gRPC: its first byte is 0x80", RpcFailureOrigin.Protocol),
        ("a message one byte over the limit", c => WebServer.AnswerAsync(c, [0, 0, 0x40, 0, 1]),
            "SERVER: ResourceExhausted: received message larger than max (4194305 vs. 4194304)", RpcFailureOrigin.Local),
        ("a length of four gigabytes", c => WebServer.AnswerAsync(c, [0, 255, 255, 255, 255]),
            "SERVER: ResourceExhausted: received message larger than max (4294967295 vs. 4194304)", RpcFailureOrigin.Local),
        ("a message that is not protobuf", c => WebServer.AnswerAsync(c, WebServer.Frame([0x0A, 0x7F, 0x01])),
            "SERVER: Internal: the message of the answer is not a StringValue: While parsing a protocol message, the input ended unexpectedly in the middle of a field. "
            + "This could mean either that the input has been truncated or that an embedded message misreported its own length.", RpcFailureOrigin.Protocol),
        ("a text that is not UTF-8", c => WebServer.AnswerAsync(c, WebServer.Frame([0x0A, 0x01, 0xFF])),
            "SERVER: Internal: the message of the answer is not a StringValue: String is invalid UTF-8.", RpcFailureOrigin.Protocol),

        // Compression.
        ("compressed without saying how", c => WebServer.AnswerAsync(c, WebServer.Frame([1, 2, 3], flag: 1)),
            "SERVER: Internal: the message is marked as compressed, but the answer has no grpc-encoding", RpcFailureOrigin.Protocol),
        ("compressed in a way that was not offered", c => Encoded(c, "zstd", [1, 2, 3]),
            "SERVER: Internal: the message is compressed with zstd, which was not offered to the server", RpcFailureOrigin.Protocol),
        ("broken gzip", c => Encoded(c, "gzip", [1, 2, 3]),
            "SERVER: Internal: the message cannot be decompressed", RpcFailureOrigin.Protocol),
        ("truncated gzip", c => Encoded(c, "gzip", Gzip(new byte[100_000])[..30]),
            "SERVER: Internal: the message cannot be decompressed", RpcFailureOrigin.Protocol),
        ("empty gzip", c => Encoded(c, "gzip", []),
            "SERVER: Internal: the message cannot be decompressed", RpcFailureOrigin.Protocol),
        ("a gzip bomb", c => Encoded(c, "gzip", Gzip(new byte[4 * 1024 * 1024 + 1])),
            "SERVER: ResourceExhausted: received message after decompression larger than max 4194304", RpcFailureOrigin.Local),

        // Not a gRPC server.
        ("a proxy's page", c => Body(c, "text/html; charset=utf-8", "<html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>", 502),
            "SERVER: Unavailable: the answer is not gRPC but HTTP 502 with text/html; charset=utf-8: 502 Bad Gateway", RpcFailureOrigin.Protocol),
        ("an overloaded proxy", c => Body(c, "text/plain", "upstream connect error", 503),
            "SERVER: Unavailable: the answer is not gRPC but HTTP 503 with text/plain: upstream connect error", RpcFailureOrigin.Protocol),
        ("a proxy that waited", c => Status(c, 504),
            "SERVER: Unavailable: the answer is not gRPC but HTTP 504 without content type", RpcFailureOrigin.Protocol),
        ("a rate limit of a proxy", c => Body(c, "application/json", "{\"error\":\"slow down\"}", 429),
            "SERVER: Unavailable: the answer is not gRPC but HTTP 429 with application/json: {\"error\":\"slow down\"}", RpcFailureOrigin.Protocol),
        ("not found", c => Body(c, "text/plain; charset=utf-8", "404 page not found\n", 404),
            "SERVER: Unimplemented: the answer is not gRPC but HTTP 404 with text/plain; charset=utf-8: 404 page not found", RpcFailureOrigin.Protocol),
        ("unauthorized", c => Status(c, 401),
            "SERVER: Unauthenticated: the answer is not gRPC but HTTP 401 without content type", RpcFailureOrigin.Protocol),
        ("forbidden", c => Status(c, 403),
            "SERVER: PermissionDenied: the answer is not gRPC but HTTP 403 without content type", RpcFailureOrigin.Protocol),
        ("bad request", c => Status(c, 400),
            "SERVER: Internal: the answer is not gRPC but HTTP 400 without content type", RpcFailureOrigin.Protocol),
        ("unsupported media type", c => Status(c, 415),
            "SERVER: Unknown: the answer is not gRPC but HTTP 415 without content type", RpcFailureOrigin.Protocol),
        ("server error", c => Body(c, "text/html", "<h1>Oops</h1>", 500),
            "SERVER: Unknown: the answer is not gRPC but HTTP 500 with text/html", RpcFailureOrigin.Protocol),
        ("a redirect", c => Status(c, 302, ("location", "https://login.example.org/?back=1")),
            "SERVER: Unknown: the answer is not gRPC but HTTP 302 that sends to https://login.example.org/?back=1", RpcFailureOrigin.Protocol),
        ("a web page", c => Body(c, "text/html", "<!doctype html><TITLE>The Things Stack\u0007</TITLE>"),
            "SERVER: Unknown: the answer is not gRPC but HTTP 200 with text/html: The Things Stack", RpcFailureOrigin.Protocol),
        ("a web page without end", c => Body(c, "text/plain", new string('a', 100_000)),
            $"SERVER: Unknown: the answer is not gRPC but HTTP 200 with text/plain: {new string('a', 100)}…", RpcFailureOrigin.Protocol),
        ("no content type", c => Body(c, null, Good),
            "SERVER: Unknown: the answer is not gRPC but HTTP 200 without content type", RpcFailureOrigin.Protocol),
        ("gRPC for browsers", c => Body(c, "application/grpc-web", Good),
            "SERVER: Unknown: the answer is not gRPC but HTTP 200 with application/grpc-web", RpcFailureOrigin.Protocol),
        ("an answer in bytes", c => Body(c, "application/octet-stream", Good),
            "SERVER: Unknown: the answer is not gRPC but HTTP 200 with application/octet-stream", RpcFailureOrigin.Protocol),

        // The server breaks off.
        ("broken off before the answer", c => Reset(c, 2),
            "SERVER: Internal: the server broke the call off with HTTP/2 error 2 (INTERNAL_ERROR)", RpcFailureOrigin.Transport),
        ("cancelled", c => Reset(c, 8),
            "SERVER: Cancelled: the server broke the call off (CANCEL)", RpcFailureOrigin.Transport),
        ("calmed down", c => Reset(c, 11),
            "SERVER: ResourceExhausted: the server wants fewer calls (ENHANCE_YOUR_CALM)", RpcFailureOrigin.Transport),
        ("inadequate security", c => Reset(c, 12),
            "SERVER: PermissionDenied: the server wants stronger TLS (INADEQUATE_SECURITY)", RpcFailureOrigin.Transport),
        ("broken off within the message", async c =>
            {
                c.Response.ContentType = "application/grpc";
                await c.Response.Body.WriteAsync(Good.AsMemory(0, 6));
                await c.Response.Body.FlushAsync();
                await Reset(c, 2);
            },
            "SERVER: Internal: the server broke the call off with HTTP/2 error 2 (INTERNAL_ERROR)", RpcFailureOrigin.Transport),
        ("metadata without end", c => Status(c, 200, ("content-type", "application/grpc"), ("x-long", new string('x', 70_000))),
            "SERVER: Internal: the answer breaks the rules of HTTP/2: The HTTP headers length exceeded the set limit of 65536 bytes.", RpcFailureOrigin.Protocol),
        ("too much metadata", c => Status(c, 200, [("content-type", "application/grpc"), .. Enumerable.Range(0, 100).Select(n => ($"x-{n}", new string('x', 1000)))]),
            "SERVER: ResourceExhausted: the metadata of the answer is larger than 64 KiB", RpcFailureOrigin.Local),
    ];

    public static TheoryData<string> Names => [.. Table.Select(row => row.Name)];

    public static RequestDelegate ServerOf(string name) => Table.Single(row => row.Name == name).Server;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_bad_answer_gives_an_error_that_says_what_came(string name)
    {
        var (_, answer, message, origin) = Table.Single(row => row.Name == name);
        await using var server = await WebServer.StartAsync(answer);
        var failure = await Client.FailAsync(Client.To(server.Address));
        Assert.Equal(message, failure.Text());
        Assert.Equal(origin, failure.Origin);
        Assert.Equal("/test.Echo/Say", failure.Method);
        Assert.Equal(server.Address, failure.Target);
        Assert.True(failure.ServerMayHaveActed);
    }

    [Fact]
    public async Task A_message_of_exactly_the_limit_is_taken()
    {
        var message = new StringValue { Value = new string('x', 1000) };
        var size = message.CalculateSize();
        await using var server = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, WebServer.Frame(message)));
        await using var fits = new RpcChannel(Client.To(server.Address) with { MaxReceiveMessageSize = size });
        Assert.Equal(message, (await fits.SayAsync()).Response);
        var failure = await Client.FailAsync(Client.To(server.Address) with { MaxReceiveMessageSize = size - 1 });
        Assert.Equal($"received message larger than max ({size} vs. {size - 1})", failure.Detail);
    }

    [Fact]
    public async Task A_message_over_the_sending_limit_is_not_sent()
    {
        var asked = 0;
        await using var server = await WebServer.StartAsync(c =>
        {
            asked++;
            return WebServer.AnswerAsync(c, Good);
        });
        var failure = await Client.FailAsync(Client.To(server.Address) with { MaxSendMessageSize = 6 });
        Assert.Equal("SERVER: ResourceExhausted: trying to send message larger than max (7 vs. 6)", failure.Text());
        Assert.Equal(RpcFailureOrigin.Local, failure.Origin);
        Assert.False(failure.ServerMayHaveActed);
        Assert.Equal(0, asked);
    }

    [Fact]
    public async Task The_details_of_a_status_come_as_they_were_sent()
    {
        byte[] details = [8, 5, 0xFF, 0xFE, 0];
        await using var server = await WebServer.StartAsync(async c =>
        {
            c.Response.Headers["x-rate-limit-reset"] = "3";
            await WebServer.AnswerAsync(c, [], 5, "gone");
            c.Response.AppendTrailer("grpc-status-details-bin", Convert.ToBase64String(details));
            c.Response.AppendTrailer("x-request-id", "abc");
        });
        var failure = await Client.FailAsync(Client.To(server.Address));
        Assert.Equal(details, failure.StatusDetails.ToArray());
        Assert.Equal("abc", failure.Trailers.Get("x-request-id"));
        Assert.Equal("3", failure.Headers.Get("X-Rate-Limit-Reset"));
    }

    [Fact]
    public async Task A_compressed_message_is_read()
    {
        await using var server = await WebServer.StartAsync(c => c.Request.Headers["grpc-accept-encoding"] == "gzip"
            ? Encoded(c, "gzip", Gzip([0x0A, 2, (byte)'o', (byte)'k']))
            : WebServer.AnswerAsync(c, [], 2, "gzip was not offered"));
        await using var channel = new RpcChannel(Client.To(server.Address));
        Assert.Equal("ok", (await channel.SayAsync()).Response.Value);
    }

    [Fact]
    public async Task A_compressed_empty_message_is_read()
    {
        await using var server = await WebServer.StartAsync(c => Encoded(c, "gzip", Gzip([])));
        await using var channel = new RpcChannel(Client.To(server.Address));
        Assert.Equal("", (await channel.SayAsync()).Response.Value);
    }

    [Theory]
    [InlineData("application/grpc")]
    [InlineData("application/grpc+proto")]
    [InlineData("application/grpc; charset=utf-8")]
    [InlineData("Application/GRPC")]
    public async Task Every_form_of_the_content_type_is_taken(string type)
    {
        await using var server = await WebServer.StartAsync(async c =>
        {
            c.Response.ContentType = type;
            await c.Response.Body.WriteAsync(Good);
            c.Response.AppendTrailer("grpc-status", "0");
        });
        await using var channel = new RpcChannel(Client.To(server.Address));
        Assert.Equal("good", (await channel.SayAsync()).Response.Value);
    }

    internal static byte[] Gzip(byte[] plain)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            gzip.Write(plain);
        // .NET writes nothing at all for nothing; others write an empty file.
        return packed.Length > 0 ? packed.ToArray() : [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    }

    private static Task Headers(HttpContext context, params (string Name, string Value)[] headers) => Status(context, 200, headers);

    private static Task Status(HttpContext context, int status, params (string Name, string Value)[] headers)
    {
        context.Response.StatusCode = status;
        foreach (var (name, value) in headers)
            context.Response.Headers[name] = value;
        return Task.CompletedTask;
    }

    private static Task Body(HttpContext context, string? type, string body, int status = 200) => Body(context, type, Encoding.UTF8.GetBytes(body), status);

    private static async Task Body(HttpContext context, string? type, byte[] body, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        await context.Response.Body.WriteAsync(body);
    }

    private static async Task Trailer(HttpContext context, byte[] body, (string Name, string Value) trailer)
    {
        await Body(context, "application/grpc", body);
        context.Response.AppendTrailer(trailer.Name, trailer.Value);
    }

    private static Task Encoded(HttpContext context, string encoding, byte[] packed)
    {
        context.Response.Headers["grpc-encoding"] = encoding;
        return WebServer.AnswerAsync(context, WebServer.Frame(packed, flag: 1));
    }

    private static Task Reset(HttpContext context, int error)
    {
        context.Features.GetRequiredFeature<IHttpResetFeature>().Reset(error);
        return Task.CompletedTask;
    }
}
