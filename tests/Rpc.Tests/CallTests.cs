using Google.Protobuf.WellKnownTypes;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

public class CallTests
{
    private static readonly Method<StringValue, StringValue> Echo = new("/test.Echo/Say");

    [Fact]
    public async Task A_call_carries_its_message_there_and_the_answer_back()
    {
        await using var server = await KestrelServer.StartAsync(async context =>
            await KestrelServer.AnswerAsync(context, KestrelServer.Frame(await KestrelServer.ReadMessageAsync(context))));
        await using var channel = new RpcChannel(new RpcChannelOptions { Address = server.Address, Time = TimeProvider.System });
        var result = await channel.CallAsync(Echo, new StringValue { Value = "hello" });
        Assert.Equal("hello", result.Response.Value);
    }

    [Fact]
    public async Task A_port_where_nobody_listens_is_named()
    {
        await using var channel = new RpcChannel(new RpcChannelOptions { Address = new HostPort("127.0.0.1", 1), Time = TimeProvider.System });
        var e = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(Echo, new StringValue { Value = "hello" }));
        Assert.Equal("127.0.0.1:1: Unavailable: cannot connect: connection refused", e.Message);
    }
}
