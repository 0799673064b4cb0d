using System.Text;
using FsCheck.Xunit;

namespace LoRaWan.Tests;

/// <summary>What holds for every value that people write as hex digits.</summary>
public abstract class HexValueTests<T> where T : struct, IHexValue<T>
{
    private static readonly int Size = T.SizeInBytes;

    /// <summary>The digits 01 02 03 ... in upper case.</summary>
    protected static string Sample { get; } = Convert.ToHexString([.. Enumerable.Range(1, Size).Select(i => (byte)(i * 0x1B))]);

    [Property]
    public bool Bytes_come_back(byte[] seed)
    {
        var bytes = Fill(seed);
        var value = T.FromBytes(bytes);
        Span<byte> copy = stackalloc byte[Size];
        value.CopyTo(copy);
        return value.ToByteArray().SequenceEqual(bytes) && copy.SequenceEqual(bytes);
    }

    [Property]
    public bool Every_accepted_text_form_reads_back_as_the_same_bytes(byte[] seed)
    {
        var bytes = Fill(seed);
        var value = T.FromBytes(bytes);
        var plain = Convert.ToHexString(bytes);
        var dashes = BitConverter.ToString(bytes);
        return new[] { plain, dashes, dashes.Replace('-', ':') }
            .SelectMany(text => new[] { text, text.ToLowerInvariant() })
            .All(text => Reads(text, value));
    }

    [Property]
    public bool Equal_bytes_are_equal_values_and_others_are_not(byte[] seed, byte position)
    {
        var bytes = Fill(seed);
        var value = T.FromBytes(bytes);
        var same = T.FromBytes(bytes);
        bytes[position % Size] ^= 0x10;
        var other = T.FromBytes(bytes);
        return value.Equals(same) && value.GetHashCode() == same.GetHashCode() && !value.Equals(other);
    }

    [Property]
    public bool Any_text_is_read_or_refused_with_a_reason_and_never_thrown_at(string? text)
    {
        var read = HexText.TryParse(text, out T value, out string? reason);
        var utf8 = HexText.TryParse(Encoding.UTF8.GetBytes(text ?? ""), out T utf8Value, out string? utf8Reason);
        return read == utf8 && value.Equals(utf8Value) && read == (reason is null) && utf8 == (utf8Reason is null);
    }

    [Property]
    public bool One_changed_character_is_refused_unless_it_is_a_hex_digit(char character, byte position)
    {
        var text = Sample.ToCharArray();
        text[position % text.Length] = character;
        var read = HexText.TryParse(text, out T _, out string? reason);
        return char.IsAsciiHexDigit(character) ? read : !read && reason!.Length > 0;
    }

    [Fact]
    public void All_zero_is_zero_and_one_bit_is_not()
    {
        var bytes = new byte[Size];
        Assert.True(T.FromBytes(bytes).IsZero);
        Assert.True(T.Zero.IsZero);
        Assert.Equal(T.Zero, T.FromBytes(bytes));
        foreach (var i in Enumerable.Range(0, Size))
        {
            bytes.AsSpan().Clear();
            bytes[i] = 1;
            Assert.False(T.FromBytes(bytes).IsZero);
        }
    }

    [Fact]
    public void Bytes_of_another_number_are_refused()
    {
        foreach (var size in new[] { 0, Size - 1, Size + 1 })
        {
            var e = Assert.Throws<ArgumentException>(() => T.FromBytes(new byte[size]));
            Assert.Contains($"has {Size} bytes, not {size}", e.Message, StringComparison.Ordinal);
        }
        Assert.ThrowsAny<ArgumentException>(() => T.Zero.CopyTo(new byte[Size - 1]));
    }

    [Fact]
    public void The_reason_says_what_is_wrong()
    {
        Assert.Equal("is empty", Reason(""));
        Assert.Equal("is empty", Reason(null));
        Assert.Equal($"has {Size * 2 - 1} hex digits, not {Size * 2}", Reason(Sample[1..]));
        Assert.Equal($"has {Size * 2 + 2} hex digits, not {Size * 2}", Reason(Sample + "00"));
        Assert.Equal("has something other than a hex digit (0-9, A-F) at position 1", Reason("0x"[1..] + Sample[1..]));
        Assert.Equal("has something other than a hex digit (0-9, A-F) at position 1", Reason(" " + Sample));
        Assert.Equal($"has something other than a hex digit (0-9, A-F) at position {Size * 2}", Reason(Sample[..^1] + "G"));
        var separators = "has its separators in the wrong places: none at all, or the same one (- or :) between all bytes";
        Assert.Equal(separators, Reason(Sample + "-"));
        Assert.Equal(separators, Reason("-" + Sample));
        Assert.Equal(separators, Reason(Sample.Insert(2, "-")));
        Assert.Equal(separators, Reason(Separated('-')[..^3] + ":" + Sample[^2..]));
        Assert.Equal(separators, Reason(Separated('-').Remove(2, 1).Insert(1, "-")));
    }

    [Fact]
    public void The_exception_names_the_term_and_does_not_repeat_the_text()
    {
        var text = Sample[..^1] + "?";
        var messages = new[]
        {
            Assert.Throws<FormatException>(() => HexText.Parse<T>(text)).Message,
            Assert.Throws<FormatException>(() => T.Parse(text, null)).Message,
            Assert.Throws<FormatException>(() => T.Parse(text.AsSpan(), null)).Message,
            Assert.Throws<FormatException>(() => HexText.Parse<T>(Encoding.UTF8.GetBytes(text))).Message,
            Assert.Throws<FormatException>(() => T.Parse(Encoding.UTF8.GetBytes(text), null)).Message,
        };
        Assert.All(messages, message => Assert.StartsWith(T.TermName + " has something other", message, StringComparison.Ordinal));
        Assert.All(messages, message => Assert.DoesNotContain(Sample[..4], message, StringComparison.Ordinal));
    }

    /// <summary>The sample with a separator between its bytes.</summary>
    protected static string Separated(char separator) => string.Join(separator, Sample.Chunk(2).Select(pair => new string(pair)));

    /// <summary>As many bytes as the value has, from random ones.</summary>
    protected static byte[] Fill(byte[] seed) =>
        [.. Enumerable.Range(0, Size).Select(i => seed.Length == 0 ? (byte)0 : (byte)(seed[i % seed.Length] + i / seed.Length * 37))];

    private static string? Reason(string? text)
    {
        Assert.False(HexText.TryParse(text, out T value, out string? reason));
        Assert.Equal(default, value);
        return reason;
    }

    private static bool Reads(string text, T expected)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        T[] read =
        [
            HexText.Parse<T>(text), HexText.Parse<T>(utf8), T.Parse(text, null), T.Parse(text.AsSpan(), null), T.Parse(utf8, null),
            HexText.TryParse(text, out T a) ? a : default,
            HexText.TryParse(utf8, out T b) ? b : default,
            T.TryParse(text, null, out var c) ? c : default,
            T.TryParse(text.AsSpan(), null, out var d) ? d : default,
            T.TryParse(utf8, null, out var e) ? e : default,
        ];
        return read.All(value => value.Equals(expected));
    }
}

/// <summary>What holds for every hex value that may be shown.</summary>
public abstract class HexIdentifierTests<T> : HexValueTests<T> where T : struct, IHexIdentifier<T>
{
    [Property]
    public bool Text_reads_back(byte[] seed)
    {
        var value = T.FromBytes(Fill(seed));
        return HexText.Parse<T>(value.ToString()!).Equals(value) && HexText.Parse<T>(Utf8(value, "-")).Equals(value) && HexText.Parse<T>($"{value::}").Equals(value);
    }

    [Fact]
    public void Formats_are_upper_lower_dashes_and_colons()
    {
        var value = HexText.Parse<T>(Sample);
        var expected = new Dictionary<string, string>
        {
            [""] = Sample,
            ["G"] = Sample,
            ["X"] = Sample,
            ["x"] = Sample.ToLowerInvariant(),
            ["-"] = Separated('-'),
            [":"] = Separated(':'),
        };
        Assert.Equal(Sample, value.ToString());
        Assert.Equal(Sample, value.ToString(null, null));
        Assert.Equal(Sample, $"{value}");
        foreach (var (format, text) in expected)
        {
            Assert.Equal(text, value.ToString(format, null));
            Assert.Equal(text, Encoding.UTF8.GetString(Utf8(value, format)));
        }
        Assert.Throws<FormatException>(() => value.ToString("D", null));
        Assert.Throws<FormatException>(() => value.ToString("XX", null));
    }

    [Fact]
    public void A_destination_too_short_is_said_not_thrown()
    {
        var value = HexText.Parse<T>(Sample);
        foreach (var format in new[] { "X", "-" })
        {
            var length = value.ToString(format, null).Length;
            Assert.False(value.TryFormat(new char[length - 1], out var chars, format, null));
            Assert.False(value.TryFormat(new byte[length - 1], out var bytes, format, null));
            Assert.Equal((0, 0), (chars, bytes));
            Assert.True(value.TryFormat(new char[length], out chars, format, null));
            Assert.Equal(length, chars);
        }
    }

    private static byte[] Utf8(T value, string format)
    {
        var destination = new byte[64];
        Assert.True(value.TryFormat(destination, out var written, format, null));
        return destination[..written];
    }
}

public sealed class DevEuiTests : HexIdentifierTests<DevEui>
{
    [Fact]
    public void The_number_is_read_most_significant_byte_first()
    {
        Assert.Equal(0x70B3D57ED0000001uL, DevEui.Parse("70-b3-d5-7e-d0-00-00-01").Value);
        Assert.Equal("70B3D57ED0000001", new DevEui(0x70B3D57ED0000001).ToString());
    }
}

public sealed class JoinEuiTests : HexIdentifierTests<JoinEui>;

public sealed class DevAddrTests : HexIdentifierTests<DevAddr>
{
    [Theory]
    [InlineData("26011ADA", 0, 0x13, 0x0011ADA)]
    [InlineData("00000000", 0, 0, 0)]
    [InlineData("7FFFFFFF", 0, 0x3F, 0x1FFFFFF)]
    [InlineData("80000001", 1, 0, 1)]
    [InlineData("BFFFFFFF", 1, 0x3F, 0xFFFFFF)]
    [InlineData("DFFFFFFF", 2, 0x1FF, 0xFFFFF)]
    [InlineData("EFFFFFFF", 3, 0x7FF, 0x1FFFF)]
    [InlineData("F7FFFFFF", 4, 0xFFF, 0x7FFF)]
    [InlineData("FBFFFFFF", 5, 0x1FFF, 0x1FFF)]
    [InlineData("FDFFFFFF", 6, 0x7FFF, 0x3FF)]
    [InlineData("FC000400", 6, 1, 0)]
    [InlineData("FEFFFFFF", 7, 0x1FFFF, 0x7F)]
    [InlineData("FE000080", 7, 1, 0)]
    public void An_address_names_its_network(string address, int type, int nwkId, int nwkAddr)
    {
        var devAddr = DevAddr.Parse(address);
        Assert.Equal((type, (uint)nwkId, (uint)nwkAddr), (devAddr.NetIdType, devAddr.NwkId, devAddr.NwkAddr));
    }

    [Theory]
    [InlineData("FF000000")]
    [InlineData("FFFFFFFF")]
    public void An_address_that_starts_with_eight_ones_belongs_to_no_network(string address)
    {
        var devAddr = DevAddr.Parse(address);
        Assert.Equal((null, null, null), (devAddr.NetIdType, devAddr.NwkId, devAddr.NwkAddr));
    }

    [Property]
    public bool An_address_lies_in_the_block_of_every_NetID_with_its_type_and_NwkID(uint number)
    {
        var address = new DevAddr(number);
        return address.NetIdType is not { } type
            || new NetId(((uint)type << 21) | address.NwkId!.Value).DevAddrPrefix.Contains(address);
    }
}

public sealed class NetIdTests : HexIdentifierTests<NetId>
{
    [Theory]
    [InlineData("000013", 0, 0x13, "26000000/7")]
    [InlineData("000000", 0, 0, "00000000/7")]
    [InlineData("00003F", 0, 0x3F, "7E000000/7")]
    [InlineData("1FFFC0", 0, 0, "00000000/7")]
    [InlineData("20002D", 1, 0x2D, "AD000000/8")]
    [InlineData("4001FF", 2, 0x1FF, "DFF00000/12")]
    [InlineData("600001", 3, 1, "E0020000/15")]
    [InlineData("6007FF", 3, 0x7FF, "EFFE0000/15")]
    [InlineData("800FFF", 4, 0xFFF, "F7FF8000/17")]
    [InlineData("A01FFF", 5, 0x1FFF, "FBFFE000/19")]
    [InlineData("C00053", 6, 0x53, "FC014C00/22")]
    [InlineData("C07FFF", 6, 0x7FFF, "FDFFFC00/22")]
    [InlineData("E00001", 7, 1, "FE000080/25")]
    [InlineData("FFFFFF", 7, 0x1FFFF, "FEFFFF80/25")]
    public void A_NetID_gives_its_block_of_addresses(string text, int type, int nwkId, string prefix)
    {
        var netId = NetId.Parse(text);
        Assert.Equal((type, (uint)nwkId, prefix), (netId.Type, netId.NwkId, netId.DevAddrPrefix.ToString()));
    }

    [Fact]
    public void A_number_of_more_than_24_bits_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new NetId(0x1_000000));

    [Property]
    public bool Both_ends_of_the_block_lead_back_to_the_NetID(uint number)
    {
        var netId = new NetId(number & 0xFFFFFF);
        DevAddr[] ends = [netId.DevAddrPrefix.First, netId.DevAddrPrefix.Last];
        return ends.All(end => end.NetIdType == netId.Type && end.NwkId == netId.NwkId);
    }
}

public sealed class AesKeyTests : HexValueTests<AesKey>
{
    [Property]
    public bool A_key_shows_only_stars(byte[] seed)
    {
        var key = AesKey.FromBytes(Fill(seed));
        return key.ToString() == "***" && $"{key}" == "***" && string.Format(null, "{0:X}", key) == "***";
    }

    [Property]
    public bool A_key_reveals_itself_when_asked(byte[] seed)
    {
        var key = AesKey.FromBytes(Fill(seed));
        return AesKey.Parse(key.Reveal()) == key && key.Reveal() == Convert.ToHexString(Fill(seed));
    }

    [Fact]
    public void A_record_that_holds_a_key_shows_only_stars() =>
        Assert.Equal("Holder { Key = *** }", new Holder(AesKey.Parse(Sample)).ToString());

    private sealed record Holder(AesKey Key);
}
