using System.Net.Sockets;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

/// <summary>Connections end while the channel lives: idle servers, restarts, maximum ages (facts/ttnv2.md 1.5, facts/tts-api.md 1).</summary>
public class ReconnectTests
{
    private static readonly byte[] Answer = new StringValue { Value = "good" }.ToByteArray();

    [Fact]
    public async Task A_channel_outlives_a_restart_of_the_server()
    {
        HostPort address;
        RpcChannel channel;
        await using (var first = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, WebServer.Frame(Answer))))
        {
            address = first.Address;
            channel = new RpcChannel(Client.To(address));
            await channel.SayAsync();
            await first.StopAsync();
        }
        await using (channel)
        {
            var between = await Assert.ThrowsAsync<RpcException>(() => channel.SayAsync());
            // Refused, or the last sign of the old connection, whichever is seen first.
            Assert.Equal(StatusCode.Unavailable, between.StatusCode);
            await using var second = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, WebServer.Frame(Answer)), port: address.Port);
            Assert.Equal("good", (await channel.SayAsync()).Response.Value);
        }
    }

    [Fact]
    public async Task A_server_that_goes_away_after_an_answer_gets_the_next_call_on_a_new_connection()
    {
        await using var server = Http2Connection.Serve(async connection =>
        {
            var stream = await connection.ReadRequestAsync();
            await connection.SendGoAwayAsync(stream, 0);
            await connection.AnswerAsync(stream, Answer);
            await connection.DrainAsync();
        });
        await using var channel = new RpcChannel(Client.To(server.Address));
        for (var i = 0; i < 5; i++)
            Assert.Equal("good", (await channel.SayAsync()).Response.Value);
        Assert.Equal(5, server.Accepted);
    }

    [Fact]
    public async Task A_call_that_a_server_going_away_did_not_take_is_sent_again()
    {
        var connections = 0;
        await using var server = Http2Connection.Serve(async connection =>
        {
            var stream = await connection.ReadRequestAsync();
            if (Interlocked.Increment(ref connections) == 1)
                await connection.SendGoAwayAsync(0, 0);
            else
                await connection.AnswerAsync(stream, Answer);
            await connection.DrainAsync();
        });
        await using var channel = new RpcChannel(Client.To(server.Address));
        Assert.Equal("good", (await channel.SayAsync()).Response.Value);
        Assert.Equal(2, connections);
    }

    [Fact]
    public async Task A_refused_call_is_sent_again()
    {
        await using var server = Http2Connection.Serve(async connection =>
        {
            await connection.SendResetAsync(await connection.ReadRequestAsync(), 7);
            await connection.AnswerAsync(await connection.ReadRequestAsync(), Answer);
            await connection.DrainAsync();
        });
        await using var channel = new RpcChannel(Client.To(server.Address));
        Assert.Equal("good", (await channel.SayAsync()).Response.Value);
    }

    [Fact]
    public async Task A_connection_that_closes_under_a_call_fails_it_and_not_the_next()
    {
        var connections = 0;
        await using var server = Http2Connection.Serve(async connection =>
        {
            var stream = await connection.ReadRequestAsync();
            if (Interlocked.Increment(ref connections) == 1)
                return;
            await connection.AnswerAsync(stream, Answer);
            await connection.DrainAsync();
        });
        await using var channel = new RpcChannel(Client.To(server.Address));
        var failure = await Assert.ThrowsAsync<RpcException>(() => channel.SayAsync());
        Assert.Equal("SERVER: Unavailable: the server closed the connection during the call", failure.Text());
        Assert.Equal(RpcFailureOrigin.Transport, failure.Origin);
        Assert.True(failure.ServerMayHaveActed);
        Assert.Equal("good", (await channel.SayAsync()).Response.Value);
    }

    [Fact]
    public async Task A_connection_that_is_reset_under_a_call_says_so()
    {
        await using var server = new TcpServer(async (stream, cancellation) =>
        {
            var connection = new Http2Connection(stream, cancellation);
            await connection.GreetAsync();
            await connection.ReadRequestAsync();
            stream.Socket.LingerState = new LingerOption(true, 0);
            stream.Socket.Dispose();
        });
        var failure = await Client.FailAsync(Client.To(server.Address));
        Assert.Equal("SERVER: Unavailable: the connection broke during the call: the connection was reset", failure.Text());
        Assert.Equal(RpcFailureOrigin.Transport, failure.Origin);
    }

    [Fact]
    public async Task A_connection_that_closes_within_a_message_fails_the_call()
    {
        await using var server = Http2Connection.Serve(async connection =>
        {
            var stream = await connection.ReadRequestAsync();
            await connection.SendHeadersAsync(stream, end: false, (":status", "200"), ("content-type", "application/grpc"));
            await connection.SendDataAsync(stream, WebServer.Frame(Answer)[..7]);
        });
        var failure = await Client.FailAsync(Client.To(server.Address));
        Assert.Equal("SERVER: Unavailable: the server closed the connection during the call", failure.Text());
    }

    [Theory]
    [InlineData(0, "SERVER: Unavailable: the server ended the connection during the call")]
    [InlineData(2, "SERVER: Internal: the server broke the call off with HTTP/2 error 2 (INTERNAL_ERROR)")]
    [InlineData(11, "SERVER: ResourceExhausted: the server wants fewer calls (ENHANCE_YOUR_CALM)")]
    public async Task A_server_that_goes_away_with_a_call_in_hand_and_closes_fails_it(uint error, string message)
    {
        await using var server = Http2Connection.Serve(async connection =>
        {
            var stream = await connection.ReadRequestAsync();
            await connection.SendHeadersAsync(stream, end: false, (":status", "200"), ("content-type", "application/grpc"));
            await connection.SendGoAwayAsync(stream, error);
        });
        Assert.Equal(message, (await Client.FailAsync(Client.To(server.Address))).Text());
    }

    [Fact]
    public async Task The_client_sends_no_pings()
    {
        const int calls = 20;
        var seen = new TaskCompletionSource<List<Frame>>();
        await using var server = Http2Connection.Serve(async connection =>
        {
            for (var i = 0; i < calls; i++)
                await connection.AnswerAsync(await connection.ReadRequestAsync(), Answer);
            await connection.DrainAsync();
            seen.SetResult(connection.Seen);
        });
        await using (var channel = new RpcChannel(Client.To(server.Address)))
        {
            for (var i = 0; i < calls; i++)
                await channel.SayAsync();
        }
        var frames = await seen.Task.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(calls, frames.Count(frame => frame.Type == FrameType.Headers));
        Assert.DoesNotContain(frames, frame => frame.Type == FrameType.Ping);
    }

    [Fact]
    public async Task A_ping_of_the_server_is_answered()
    {
        var answered = false;
        await using var server = Http2Connection.Serve(async connection =>
        {
            var stream = await connection.ReadRequestAsync();
            await connection.SendAsync(FrameType.Ping, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]);
            while (await connection.ReadAsync() is { } frame)
            {
                if (frame is { Type: FrameType.Ping, Flags: 1 })
                {
                    answered = true;
                    await connection.AnswerAsync(stream, Answer);
                }
            }
        });
        await using var channel = new RpcChannel(Client.To(server.Address));
        await channel.SayAsync();
        Assert.True(answered);
    }
}
