using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Time.Testing;
using Sandbox.Grpc;

namespace Sandbox.Tests.Grpc;

public sealed class GrpcServerTests : IAsyncLifetime
{
    private readonly FakeTimeProvider clock = new();
    private readonly FaultPlan faults = new();
    private readonly RequestLog requests = new();
    private GrpcServer server = null!;
    private RawGrpcClient client = null!;

    public async Task InitializeAsync()
    {
        var services = new GrpcServices()
            .Unary<StringValue, StringValue>("/test.Echo/Say", StringValue.Parser, (call, request) =>
            {
                call.ResponseHeaders["said"] = "yes";
                return Task.FromResult(request);
            })
            .Unary<StringValue, StringValue>("/test.Echo/Refuse", StringValue.Parser, (_, request) =>
                throw new GrpcStatusException(GrpcCode.FailedPrecondition, request.Value, [1, 2, 3, 4]));
        server = await GrpcServer.StartAsync(new GrpcServerOptions { Name = "test", Services = services, Clock = clock, Faults = faults, Requests = requests });
        client = new RawGrpcClient($"localhost:{server.Port}", trust: null);
    }

    public async Task DisposeAsync()
    {
        client.Dispose();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_call_is_answered_with_headers_message_and_status_in_the_trailers()
    {
        var answer = await client.CallAsync("/test.Echo/Say", Text("hello"));
        Assert.Equal((200, 0, "", false, "yes"), (answer.HttpStatus, answer.Status, answer.Message, answer.TrailersOnly, answer.Headers["said"]));
        Assert.Equal("hello", StringValue.Parser.ParseFrom(answer.Response).Value);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("100 % of a\nline with ünicode 🌍")]
    public async Task A_refusal_carries_its_text_and_details_in_the_headers(string text)
    {
        var answer = await client.CallAsync("/test.Echo/Refuse", Text(text));
        Assert.Equal((9, text, true, "AQIDBA"), (answer.Status, answer.Message, answer.TrailersOnly, answer.Headers["grpc-status-details-bin"]));
        Assert.Null(answer.Response);
    }

    [Theory]
    [InlineData("/test.Echo/Nope", "unknown method Nope for service test.Echo")]
    [InlineData("/test.Nope/Nope", "unknown service test.Nope")]
    public async Task What_is_not_there_is_unimplemented(string method, string text)
    {
        var answer = await client.CallAsync(method, []);
        Assert.Equal((12, text), (answer.Status, answer.Message));
    }

    [Fact]
    public async Task A_request_may_be_compressed()
    {
        using var zipped = new MemoryStream();
        using (var zip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
            zip.Write(Text("hello"));
        var body = new byte[zipped.Length + 5];
        body[0] = 1;
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(1), (uint)zipped.Length);
        zipped.ToArray().CopyTo(body, 5);
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://localhost:{server.Port}/test.Echo/Say")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body) { Headers = { { "content-type", "application/grpc" } } },
            Headers = { { "grpc-encoding", "gzip" } },
        };
        using var response = await http.SendAsync(request);
        Assert.Equal("hello", StringValue.Parser.ParseFrom((await response.Content.ReadAsByteArrayAsync())[5..]).Value);
    }

    [Fact]
    public async Task A_call_that_outlives_its_deadline_ends_with_that_status()
    {
        faults.Add("Say", new Fault.Delay(TimeSpan.FromMinutes(1)));
        var call = client.CallAsync("/test.Echo/Say", Text("hello"), ("grpc-timeout", "10S"));
        while (requests.Count == 0)
            await Task.Yield();
        while (!call.IsCompleted)
        {
            // The timer may not be set yet when the request has just been recorded.
            clock.Advance(TimeSpan.FromSeconds(5));
            await Task.WhenAny(call, Task.Delay(5));
        }
        Assert.Equal((4, "context deadline exceeded"), ((await call).Status, (await call).Message));
    }

    [Fact]
    public async Task A_request_that_is_not_grpc_gets_415()
    {
        using var http = new HttpClient { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await http.GetAsync(new Uri($"http://localhost:{server.Port}/test.Echo/Say"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Theory]
    [InlineData("10S", 10_000d)]
    [InlineData("9999980u", 9_999.98)]
    [InlineData("1H", 3_600_000d)]
    [InlineData("500m", 500d)]
    [InlineData("99999999H", null)]
    [InlineData("-1S", null)]
    [InlineData("1s", null)]
    [InlineData("S", null)]
    [InlineData("123456789S", null)]
    public void A_timeout_has_up_to_eight_digits_and_a_unit(string text, double? milliseconds) =>
        Assert.Equal(milliseconds, GrpcTimeout.TryParse(text, out var time) ? time.TotalMilliseconds : null);

    private static byte[] Text(string text) => new StringValue { Value = text }.ToByteArray();
}
