using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Rpc.Tests.Servers;

/// <summary>The frame types of RFC 9113 that the tests name.</summary>
internal enum FrameType : byte
{
    Data = 0,
    Headers = 1,
    RstStream = 3,
    Settings = 4,
    Ping = 6,
    GoAway = 7,
}

internal readonly record struct Frame(FrameType Type, byte Flags, int Stream, byte[] Payload);

/// <summary>One HTTP/2 connection seen from the server, frame by frame, for servers that break rules no framework would break.</summary>
internal sealed class Http2Connection(NetworkStream stream, CancellationToken cancellation)
{
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;
    private const byte Ack = 1;
    private static readonly byte[] Preface = Encoding.ASCII.GetBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

    /// <summary>Frames that came, in order.</summary>
    public List<Frame> Seen { get; } = [];

    /// <summary>A server whose connections are treated frame by frame, after the greeting.</summary>
    public static TcpServer Serve(Func<Http2Connection, Task> treat) => new(async (stream, cancellation) =>
    {
        var connection = new Http2Connection(stream, cancellation);
        await connection.GreetAsync();
        await treat(connection);
    });

    public async Task GreetAsync()
    {
        await stream.ReadExactlyAsync(new byte[Preface.Length], cancellation);
        await SendAsync(FrameType.Settings, 0, 0, []);
    }

    /// <summary>Reads the next frame; null when the client has closed.</summary>
    public async Task<Frame?> ReadAsync()
    {
        var head = new byte[9];
        if (await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellation) < head.Length)
            return null;
        var payload = new byte[head[0] << 16 | head[1] << 8 | head[2]];
        await stream.ReadExactlyAsync(payload, cancellation);
        var frame = new Frame((FrameType)head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue, payload);
        Seen.Add(frame);
        if (frame.Type == FrameType.Settings && (frame.Flags & Ack) == 0)
            await SendAsync(FrameType.Settings, Ack, 0, []);
        return frame;
    }

    /// <summary>Reads to the end of the next request; gives its stream, or 0 when the client has closed.</summary>
    public async Task<int> ReadRequestAsync()
    {
        while (await ReadAsync() is { } frame)
        {
            if (frame.Type is FrameType.Data or FrameType.Headers && (frame.Flags & EndStream) != 0)
                return frame.Stream;
        }
        return 0;
    }

    /// <summary>Reads until the client closes.</summary>
    public async Task DrainAsync()
    {
        while (await ReadAsync() is not null)
        {
        }
    }

    public async Task SendAsync(FrameType type, byte flags, int streamId, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        frame[0] = (byte)(payload.Length >> 16);
        frame[1] = (byte)(payload.Length >> 8);
        frame[2] = (byte)payload.Length;
        frame[3] = (byte)type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), streamId);
        payload.CopyTo(frame, 9);
        await stream.WriteAsync(frame, cancellation);
    }

    public Task SendRawAsync(byte[] bytes) => stream.WriteAsync(bytes, cancellation).AsTask();

    public Task SendHeadersAsync(int streamId, bool end, params (string Name, string Value)[] headers) =>
        SendAsync(FrameType.Headers, (byte)(EndHeaders | (end ? EndStream : 0)), streamId, Encode(headers));

    public Task SendDataAsync(int streamId, byte[] data, bool end = false) => SendAsync(FrameType.Data, end ? EndStream : (byte)0, streamId, data);

    public Task SendGoAwayAsync(int lastStream, uint error)
    {
        var payload = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(payload, lastStream);
        BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan(4), error);
        return SendAsync(FrameType.GoAway, 0, 0, payload);
    }

    public Task SendResetAsync(int streamId, uint error)
    {
        var payload = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(payload, error);
        return SendAsync(FrameType.RstStream, 0, streamId, payload);
    }

    /// <summary>A whole good answer with this message.</summary>
    public async Task AnswerAsync(int streamId, byte[] message)
    {
        await SendHeadersAsync(streamId, end: false, (":status", "200"), ("content-type", "application/grpc"));
        await SendDataAsync(streamId, WebServer.Frame(message));
        await SendHeadersAsync(streamId, end: true, ("grpc-status", "0"));
    }

    /// <summary>HPACK in its plainest form: literals, not indexed, not compressed.</summary>
    private static byte[] Encode((string Name, string Value)[] headers)
    {
        using var block = new MemoryStream();
        foreach (var (name, value) in headers)
        {
            block.WriteByte(0);
            Text(block, name);
            Text(block, value);
        }
        return block.ToArray();
    }

    private static void Text(MemoryStream block, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        const int most = 127;
        if (bytes.Length < most)
        {
            block.WriteByte((byte)bytes.Length);
        }
        else
        {
            block.WriteByte(most);
            var rest = bytes.Length - most;
            for (; rest >= 128; rest >>= 7)
                block.WriteByte((byte)(rest & 127 | 128));
            block.WriteByte((byte)rest);
        }
        block.Write(bytes);
    }
}
