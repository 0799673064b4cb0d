using System.Diagnostics.CodeAnalysis;
using Google.Protobuf.WellKnownTypes;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

/// <summary>Servers that answer with noise: every call ends, with an answer or with an RpcException, and the channel stays usable.</summary>
[SuppressMessage("Security", "CA5394", Justification = "seeded on purpose: the same noise in every run")]
public class FuzzTests
{
    private const int Calls = 300;

    private static readonly byte[] Good = WebServer.Frame(new StringValue { Value = "good" });

    [Fact]
    public Task Noise_instead_of_frames() => EveryCallEnds(async (connection, random) =>
    {
        await connection.ReadRequestAsync();
        await connection.SendRawAsync(Bytes(random, 200));
    });

    [Fact]
    public Task Frames_of_any_type_and_content() => EveryCallEnds(async (connection, random) =>
    {
        var stream = await connection.ReadRequestAsync();
        for (var i = random.Next(1, 6); i > 0; i--)
        {
            await connection.SendAsync(
                (FrameType)random.Next(0, 12), (byte)random.Next(256), random.Next(3) == 0 ? random.Next(6) : stream, Bytes(random, 40));
        }
    });

    [Fact]
    public Task Any_body_with_good_trailers() => EveryCallEnds(async (connection, random) =>
    {
        while (await connection.ReadRequestAsync() is not 0 and var stream)
        {
            await connection.SendHeadersAsync(stream, end: false, [(":status", "200"), ("content-type", "application/grpc"), .. Encoding(random)]);
            await connection.SendDataAsync(stream, random.Next(2) == 0 ? Bytes(random, 40) : Damaged(random, Good));
            await connection.SendHeadersAsync(stream, end: true, ("grpc-status", "0"));
        }
    });

    [Fact]
    public Task Any_trailers() => EveryCallEnds(async (connection, random) =>
    {
        while (await connection.ReadRequestAsync() is not 0 and var stream)
        {
            await connection.SendHeadersAsync(stream, end: false, (":status", "200"), ("content-type", "application/grpc"));
            await connection.SendDataAsync(stream, Good);
            await connection.SendHeadersAsync(
                stream,
                end: true,
                ("grpc-status", random.Next(3) == 0 ? "0" : Text(random)),
                ("grpc-message", Text(random)),
                ("grpc-status-details-bin", Text(random)),
                (random.Next(2) == 0 ? "x" : Text(random), Text(random)));
        }
    });

    [Fact]
    public Task Any_headers() => EveryCallEnds(async (connection, random) =>
    {
        while (await connection.ReadRequestAsync() is not 0 and var stream)
        {
            await connection.SendHeadersAsync(
                stream,
                end: random.Next(2) == 0,
                (":status", random.Next(2) == 0 ? "200" : random.Next(100, 1000).ToString(System.Globalization.CultureInfo.InvariantCulture)),
                ("content-type", random.Next(2) == 0 ? "application/grpc" : Text(random)),
                ("x", Text(random)));
            await connection.SendDataAsync(stream, Good, end: true);
        }
    });

    [Fact]
    public Task The_end_at_any_byte() => EveryCallEnds(async (connection, random) =>
    {
        var stream = await connection.ReadRequestAsync();
        await connection.SendHeadersAsync(stream, end: false, (":status", "200"), ("content-type", "application/grpc"));
        await connection.SendDataAsync(stream, Good[..random.Next(Good.Length + 1)], end: random.Next(2) == 0);
    });

    [Fact]
    public async Task Any_first_words()
    {
        var random = new Random(7);
        await using var server = new TcpServer(async (stream, cancellation) =>
        {
            byte[] words;
            lock (random)
                words = Bytes(random, 40);
            _ = await stream.ReadAsync(new byte[1024], cancellation);
            await stream.WriteAsync(words, cancellation);
        });
        for (var i = 0; i < Calls; i++)
        {
            var trust = i % 2 == 0 ? null : TlsTrust.System;
            var failure = await Client.FailAsync(Client.To(server.Address, trust));
            // Not whether it may have acted: a call that is told while it gets its connection says yes to be safe.
            Assert.Equal(server.Address, failure.Target);
            Assert.NotEmpty(failure.Detail);
        }
    }

    private static async Task EveryCallEnds(Func<Http2Connection, Random, Task> treat)
    {
        var seed = 0;
        await using var server = Http2Connection.Serve(connection => treat(connection, new Random(Interlocked.Increment(ref seed))));
        await using var channel = new RpcChannel(Client.To(server.Address) with { Time = TimeProvider.System });
        var ended = 0;
        for (var i = 0; i < Calls; i++)
        {
            try
            {
                // The time is for answers that never end, such as a body without its end.
                await channel.SayAsync(new CallOptions { Timeout = TimeSpan.FromSeconds(1) });
                ended++;
            }
            catch (RpcException failure)
            {
                Assert.Equal(server.Address, failure.Target);
                ended++;
            }
        }
        Assert.Equal(Calls, ended);
    }

    private static byte[] Bytes(Random random, int most)
    {
        var bytes = new byte[random.Next(most + 1)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Damaged(Random random, byte[] good)
    {
        var bytes = (byte[])good.Clone();
        bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }

    private static string Text(Random random)
    {
        const string letters = "0123456789%%%%=,/+-ABCDEFabcdef \"ü\u0001";
        return string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => letters[random.Next(letters.Length)]));
    }

    private static (string Name, string Value)[] Encoding(Random random) => random.Next(3) switch
    {
        0 => [],
        1 => [("grpc-encoding", "gzip")],
        _ => [("grpc-encoding", Text(random))],
    };
}
