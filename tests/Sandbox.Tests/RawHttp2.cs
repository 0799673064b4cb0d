using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Sandbox.Tests;

/// <summary>One gRPC call in hand-made HTTP/2 frames, for what HttpClient cannot send: the same metadata key twice (it joins the values).</summary>
public static class RawHttp2
{
    private const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, GoAway = 7;
    private const byte EndStream = 1, Ack = 1, EndHeaders = 4;

    public static async Task<RawAnswer> CallAsync(string address, string trust, string method, byte[] message, IEnumerable<(string Key, string Value)> metadata)
    {
        var (host, port) = (address[..address.LastIndexOf(':')], int.Parse(address[(address.LastIndexOf(':') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(host, port);
        await using var stream = new SslStream(tcp.GetStream());
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = host,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                CustomTrustStore = { X509Certificate2.CreateFromPem(trust) },
            },
        });

        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray());
        // A header table of size 0: the answer then refers to the static table only.
        await stream.WriteAsync(Frame(Settings, 0, 0, [0, 1, 0, 0, 0, 0]));
        using var block = new MemoryStream();
        (string Key, string Value)[] head =
        [
            (":method", "POST"), (":scheme", "https"), (":path", method), (":authority", address), ("content-type", "application/grpc"), ("te", "trailers"),
        ];
        foreach (var (key, value) in head.Concat(metadata))
        {
            block.WriteByte(0);
            WriteText(block, key);
            WriteText(block, value);
        }
        await stream.WriteAsync(Frame(Headers, EndHeaders, 1, block.ToArray()));
        var body = new byte[message.Length + 5];
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(1), (uint)message.Length);
        message.CopyTo(body, 5);
        await stream.WriteAsync(Frame(Data, EndStream, 1, body));
        return await ReadAnswerAsync(stream);
    }

    private static async Task<RawAnswer> ReadAnswerAsync(SslStream stream)
    {
        Dictionary<string, string>? headers = null;
        Dictionary<string, string>? trailers = null;
        using var received = new MemoryStream();
        while (true)
        {
            var head = new byte[9];
            await stream.ReadExactlyAsync(head);
            var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
            await stream.ReadExactlyAsync(payload);
            var (type, flags) = (head[3], head[4]);
            switch (type)
            {
                case Settings when (flags & Ack) == 0:
                    await stream.WriteAsync(Frame(Settings, Ack, 0, []));
                    break;
                case Headers when headers is null:
                    headers = Decode(payload);
                    break;
                case Headers:
                    trailers = Decode(payload);
                    break;
                case Data:
                    received.Write(payload);
                    break;
                case Reset or GoAway:
                    throw new IOException($"frame of type {type}");
            }
            if (type is Headers or Data && (flags & EndStream) != 0)
                break;
        }
        var trailersOnly = headers!.ContainsKey("grpc-status");
        var end = trailersOnly ? headers : trailers!;
        return new RawAnswer(
            200,
            int.Parse(end["grpc-status"], System.Globalization.CultureInfo.InvariantCulture),
            Uri.UnescapeDataString(end["grpc-message"]),
            received.Length >= 5 ? received.ToArray()[5..] : null,
            headers,
            trailersOnly);
    }

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        frame[3] = type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }

    private static void WriteText(MemoryStream block, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var rest = bytes.Length - 127;
        block.WriteByte((byte)Math.Min(bytes.Length, 127));
        if (rest >= 0)
        {
            for (; rest >= 128; rest >>= 7)
                block.WriteByte((byte)((rest & 127) | 128));
            block.WriteByte((byte)rest);
        }
        block.Write(bytes);
    }

    /// <summary>Decodes a header block of static and literal fields without Huffman coding, which is what Kestrel sends.</summary>
    private static Dictionary<string, string> Decode(byte[] block)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        var at = 0;
        while (at < block.Length)
        {
            var first = block[at];
            if ((first & 0x80) != 0)
            {
                var index = Number(7);
                headers[$"static-{index}"] = "";
            }
            else if ((first & 0xE0) == 0x20)
            {
                Number(5);
            }
            else
            {
                var index = Number((first & 0x40) != 0 ? 6 : 4);
                var name = index switch { 0 => Text(), 31 => "content-type", _ => $"static-{index}" };
                headers[name] = Text();
            }
        }
        return headers;

        int Number(int bits)
        {
            var most = (1 << bits) - 1;
            var value = block[at++] & most;
            if (value < most)
                return value;
            for (var shift = 0; ; shift += 7)
            {
                var next = block[at++];
                value += (next & 127) << shift;
                if ((next & 128) == 0)
                    return value;
            }
        }

        string Text()
        {
            if ((block[at] & 0x80) != 0)
                throw new NotSupportedException("Huffman coded header");
            var length = Number(7);
            at += length;
            return Encoding.UTF8.GetString(block, at - length, length);
        }
    }
}
