using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

public class WireFormatTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("plain", "plain")]
    [InlineData("50%25", "50%")]
    [InlineData("a%20b", "a b")]
    [InlineData("%C3%BC%c3%bc", "üü")]
    [InlineData("%F0%9F%8C%8A", "🌊")]
    [InlineData("100%", "100%")]
    [InlineData("100%2", "100%2")]
    [InlineData("%zz%4", "%zz%4")]
    [InlineData("%%41", "%A")]
    [InlineData("%FF", "\uFFFD")]
    [InlineData("ü%41", "üA")]
    [InlineData("line%0Abreak", "line\nbreak")]
    public void A_message_is_decoded_as_far_as_it_is_encoded(string encoded, string decoded) =>
        Assert.Equal(decoded, WireFormat.DecodeMessage(encoded));

    [Property(MaxTest = 1000)]
    public bool Any_text_comes_back_from_its_percent_encoding(NonNull<string> text)
    {
        var clean = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text.Get));
        return WireFormat.DecodeMessage(PercentEncode(clean)) == clean;
    }

    [Property(MaxTest = 1000)]
    public bool Any_text_can_be_decoded(NonNull<string> text) => WireFormat.DecodeMessage("%" + text.Get + "%4") is not null;

    [Property(MaxTest = 1000)]
    public bool Any_bytes_come_back_from_metadata(byte[] bytes)
    {
        var sent = new Metadata { { "x-bin", bytes } };
        var received = new Metadata();
        received.AddReceived("x-bin", sent[0].Value);
        var padded = new Metadata();
        padded.AddReceived("x-bin", Convert.ToBase64String(bytes));
        return received.GetBytes("x-bin")!.SequenceEqual(bytes) && padded.GetBytes("X-Bin")!.SequenceEqual(bytes);
    }

    [Property(MaxTest = 1000)]
    public bool Any_text_can_be_received_as_metadata(NonNull<string> text)
    {
        var received = new Metadata();
        received.AddReceived("x", text.Get);
        received.AddReceived("x-bin", text.Get);
        return received.Get("x") == text.Get && received.GetAll("x-bin").All(entry => entry.ValueBytes.Length <= text.Get.Length);
    }

    [Fact]
    public void Several_binary_values_may_come_in_one_header()
    {
        var received = new Metadata();
        received.AddReceived("x-bin", "AP8B,AA==, _-8");
        Assert.Equal([[0, 255, 1], [0], [255, 239]], received.GetAll("x-bin").Select(entry => entry.ValueBytes));
    }

    [Theory]
    [InlineData("k e y", "v", "\"k e y\" cannot be a metadata name: only letters, digits, '-', '_' and '.' can stand in one")]
    [InlineData(":path", "v", "\":path\" cannot be a metadata name: only letters, digits, '-', '_' and '.' can stand in one")]
    [InlineData("grpc-timeout", "1S", "metadata grpc-timeout is set by the call itself")]
    [InlineData("Content-Type", "v", "metadata content-type is set by the call itself")]
    [InlineData("key-bin", "v", "metadata key-bin has bytes as value, as its name ends in -bin")]
    [InlineData("key", "secret\r\nx: y", "the value of metadata key has a character that is not printable ASCII")]
    [InlineData("key", "sécret", "the value of metadata key has a character that is not printable ASCII")]
    public void Metadata_that_cannot_be_sent_is_refused_without_its_value(string key, string value, string message)
    {
        var refused = Assert.Throws<ArgumentException>(() => new Metadata().Add(key, value));
        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("cret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Metadata_prints_its_names_only()
    {
        var metadata = new Metadata { { "key", "secret" } };
        Assert.Equal("key", metadata[0].ToString());
        Assert.Throws<ArgumentException>(() => metadata.Add("key", [1]));
        Assert.Throws<InvalidOperationException>(() => metadata[0].ValueBytes);
    }

    [Theory]
    [InlineData("00:00:10", "10000000u")]
    [InlineData("00:00:00.0000001", "1u")]
    [InlineData("00:01:39.9999990", "99999999u")]
    [InlineData("00:01:40", "100000m")]
    [InlineData("1.03:46:39.9990000", "99999999m")]
    [InlineData("1.03:46:39.9990001", "100000S")]
    [InlineData("10675199.02:48:05.4775807", "99999999H")]
    public void A_timeout_has_at_most_eight_digits(string time, string text) =>
        Assert.Equal(text, WireFormat.Timeout(TimeSpan.Parse(time, CultureInfo.InvariantCulture)));

    [Property(MaxTest = 1000)]
    public bool A_timeout_is_never_shorter_on_the_wire(long ticks)
    {
        var time = TimeSpan.FromTicks(Math.Max(1, Math.Abs(ticks % TimeSpan.FromDays(3650).Ticks)));
        var text = WireFormat.Timeout(time);
        var unit = text[^1] switch
        {
            'u' => TimeSpan.TicksPerMicrosecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'S' => TimeSpan.TicksPerSecond,
            'M' => TimeSpan.TicksPerMinute,
            _ => TimeSpan.TicksPerHour,
        };
        var value = long.Parse(text.AsSpan(0, text.Length - 1), CultureInfo.InvariantCulture);
        return text.Length <= 9 && value * unit >= time.Ticks && (value - 1) * unit < time.Ticks;
    }

    [Property(MaxTest = 2000)]
    public bool Any_bytes_as_a_body_are_one_message_or_a_problem(byte[] bytes, bool framed, bool gzip)
    {
        var body = framed ? WebServer.Frame(bytes, gzip ? (byte)1 : (byte)0) : bytes;
        using var answer = ReadAsync(body, gzip ? "gzip" : null).GetAwaiter().GetResult();
        return answer.Problem is null
            ? !framed || gzip || answer.Message.SequenceEqual(bytes)
            : answer.Problem.Detail.Length > 0 && (!framed || gzip);
    }

    [Fact]
    public async Task A_compressed_message_with_one_wrong_byte_is_a_problem_or_the_same_message()
    {
        byte[] plain = [1, 2, 3];
        var packed = BadAnswerTests.Gzip(plain);
        for (var place = 0; place < packed.Length; place++)
        {
            for (var change = 1; change <= byte.MaxValue; change++)
            {
                packed[place] ^= (byte)change;
                using var answer = await ReadAsync(WebServer.Frame(packed, 1), "gzip");
                Assert.True(answer.Problem is not null || answer.Message.SequenceEqual(plain), $"byte {place} changed by 0x{change:x2}");
                packed[place] ^= (byte)change;
            }
        }
    }

    [Property(MaxTest = 500)]
    public bool A_compressed_message_that_is_cut_is_a_problem(NonEmptyArray<byte> plain, PositiveInt cut)
    {
        var packed = BadAnswerTests.Gzip(plain.Get);
        using var answer = ReadAsync(WebServer.Frame(packed[..^Math.Min(cut.Get, packed.Length)], 1), "gzip").GetAwaiter().GetResult();
        return answer.Problem is { Detail: "the message cannot be decompressed" };
    }

    /// <summary>Reads a body that arrives byte by byte.</summary>
    private static async Task<Answer> ReadAsync(byte[] body, string? encoding)
    {
        await using var stream = new DripStream(body);
        return await AnswerReader.ReadAsync(stream, encoding, 1024 * 1024, CancellationToken.None);
    }

    private static string PercentEncode(string text)
    {
        var encoded = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= 0x20 and <= 0x7E and not (byte)'%')
                encoded.Append((char)b);
            else
                encoded.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }
        return encoded.ToString();
    }

    private sealed class DripStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(1, buffer.Length)], cancellationToken);
    }
}
