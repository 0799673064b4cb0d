using System.Text;
using FsCheck.Xunit;

namespace LoRaWan.Tests;

public sealed class DevAddrPrefixTests
{
    [Theory]
    [InlineData("26000000/7", "26000000", "27FFFFFF")]
    [InlineData("26012345/7", "26000000", "27FFFFFF")]
    [InlineData("00000000/0", "00000000", "FFFFFFFF")]
    [InlineData("26011ADA/32", "26011ADA", "26011ADA")]
    [InlineData("26-01-1a-da", "26011ADA", "26011ADA")]
    [InlineData("260B0000/16", "260B0000", "260BFFFF")]
    public void A_prefix_is_the_block_from_its_first_to_its_last_address(string text, string first, string last)
    {
        var prefix = DevAddrPrefix.Parse(text);
        Assert.Equal((first, last), (prefix.First.ToString(), prefix.Last.ToString()));
        Assert.True(prefix.Contains(prefix.First) && prefix.Contains(prefix.Last));
        Assert.Equal(prefix.First.IsZero, prefix.Contains(new DevAddr(prefix.First.Value - 1)));
        Assert.Equal(prefix.Last.Value == uint.MaxValue, prefix.Contains(new DevAddr(prefix.Last.Value + 1)));
    }

    [Property]
    public bool Text_reads_back_and_membership_is_agreement_in_the_first_bits(uint address, uint other, byte length)
    {
        var bits = length % 33;
        var prefix = new DevAddrPrefix(new DevAddr(address), bits);
        var agree = bits == 0 || address >> (32 - bits) == other >> (32 - bits);
        return DevAddrPrefix.Parse(prefix.ToString()) == prefix && prefix.Contains(new DevAddr(other)) == agree;
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("/7", "is empty")]
    [InlineData("260000/7", "has 6 hex digits, not 8")]
    [InlineData("26000000/", "needs a number of bits from 0 to 32 behind the slash")]
    [InlineData("26000000/33", "needs a number of bits from 0 to 32 behind the slash")]
    [InlineData("26000000/-1", "needs a number of bits from 0 to 32 behind the slash")]
    [InlineData("26000000/7/1", "needs a number of bits from 0 to 32 behind the slash")]
    public void Other_text_is_refused_with_a_reason(string text, string reason)
    {
        Assert.False(DevAddrPrefix.TryParse(text, out _, out string? why));
        Assert.Equal(reason, why);
        Assert.False(DevAddrPrefix.TryParse(text, null, out _));
        Assert.False(DevAddrPrefix.TryParse(text.AsSpan(), null, out _));
        Assert.Equal("DevAddr prefix " + reason, Assert.Throws<FormatException>(() => DevAddrPrefix.Parse(text)).Message);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(33)]
    public void A_length_of_no_bits_in_32_is_refused(int length) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new DevAddrPrefix(DevAddr.Zero, length));

    [Fact]
    public void It_formats_into_spans()
    {
        var prefix = DevAddrPrefix.Parse("26000000/7");
        Assert.Equal("26000000/7", $"{prefix}");
        Assert.Equal("26000000/7", ((IFormattable)prefix).ToString(null, null));
        var utf8 = new byte[10];
        Assert.True(prefix.TryFormat(utf8, out var written));
        Assert.Equal("26000000/7", Encoding.UTF8.GetString(utf8[..written]));
        Assert.False(prefix.TryFormat(new byte[9], out _));
        Assert.False(prefix.TryFormat(new char[9], out _));
    }
}
