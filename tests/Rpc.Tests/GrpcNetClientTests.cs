using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Net.Client;
using Rpc.Tests.Servers;
using Core = Grpc.Core;

namespace Rpc.Tests;

/// <summary>
/// The client of the gRPC project against the same bad servers: our status is its status, except where we say more. It is a second opinion, and
/// shows that it could take our place.
/// </summary>
public class GrpcNetClientTests
{
    private static readonly Core.Method<StringValue, StringValue> Say = new(
        Core.MethodType.Unary,
        "test.Echo",
        "Say",
        Core.Marshallers.Create(message => message.ToByteArray(), StringValue.Parser.ParseFrom),
        Core.Marshallers.Create(message => message.ToByteArray(), StringValue.Parser.ParseFrom));

    private const string NobodyCancelled = "nobody cancelled anything; the specification has Unknown for an answer without status";
    private const string RepeatDoesNotHelp = "Unavailable says that a repeat may help";

    /// <summary>Rows of <see cref="BadAnswerTests"/> in which we differ, with its status and our reason.</summary>
    private static readonly Dictionary<string, (StatusCode Theirs, string Why)> Differences = new(StringComparer.Ordinal)
    {
        ["status after a truncated message"] = (StatusCode.Internal, "the server's own status says more"),
        ["a status gRPC does not have"] = ((StatusCode)99, "callers switch over the known ones"),
        ["a negative status"] = ((StatusCode)(-1), "callers switch over the known ones"),
        ["a status that is not a number"] = (StatusCode.Cancelled, NobodyCancelled),
        ["no status"] = (StatusCode.Cancelled, NobodyCancelled),
        ["nothing at all"] = (StatusCode.Cancelled, NobodyCancelled),
        ["no content type"] = (StatusCode.Cancelled, NobodyCancelled),
        ["a web page"] = (StatusCode.Cancelled, NobodyCancelled),
        ["a web page without end"] = (StatusCode.Cancelled, NobodyCancelled),
        ["gRPC for browsers"] = (StatusCode.Cancelled, NobodyCancelled),
        ["an answer in bytes"] = (StatusCode.Cancelled, NobodyCancelled),
        ["a redirect"] = (StatusCode.Internal, "the table of the specification"),
        ["compressed in a way that was not offered"] = (StatusCode.Unimplemented, "the server breaks the rules, not the client"),
        ["truncated gzip"] = (StatusCode.Unavailable, RepeatDoesNotHelp),
        ["a message that is not protobuf"] = (StatusCode.Unavailable, RepeatDoesNotHelp),
        ["a text that is not UTF-8"] = (StatusCode.Unavailable, RepeatDoesNotHelp),
        ["metadata without end"] = (StatusCode.Unavailable, RepeatDoesNotHelp),
        ["too much metadata"] = (StatusCode.Unavailable, RepeatDoesNotHelp),
        ["a length of four gigabytes"] = (StatusCode.Internal, "it is too large like any other"),
        ["empty gzip"] = (StatusCode.OK, "nothing is not a gzip file: part of the answer is missing"),
    };

    public static TheoryData<string> Names => BadAnswerTests.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Our_status_is_that_of_the_client_of_the_gRPC_project(string name)
    {
        await using var server = await WebServer.StartAsync(BadAnswerTests.ServerOf(name));
        var ours = (await Client.FailAsync(Client.To(server.Address))).StatusCode;
        using var channel = GrpcChannel.ForAddress($"http://{server.Address}");
        var theirs = StatusCode.OK;
        try
        {
            await channel.CreateCallInvoker().AsyncUnaryCall(Say, null, default, Client.Hello);
        }
        catch (Core.RpcException failure)
        {
            theirs = (StatusCode)failure.StatusCode;
        }
        if (Differences.TryGetValue(name, out var difference))
            Assert.True(theirs == difference.Theirs && theirs != ours, $"ours {ours}, theirs {theirs}, noted {difference}");
        else
            Assert.Equal(ours, theirs);
    }
}
