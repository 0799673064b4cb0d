using FsCheck.Xunit;

namespace LoRaWan.Tests;

public sealed class FCntTests
{
    [Fact]
    public void A_next_counter_of_0_means_that_no_frame_was_sent()
    {
        Assert.Null(FCnt.LastBefore(new FCnt(0)));
        Assert.Equal(new FCnt(0), FCnt.LastBefore(new FCnt(1)));
        Assert.Null(new FCnt(uint.MaxValue).Next);
    }

    [Property]
    public bool Last_and_next_are_opposites(uint value) => new FCnt(value).Next is not { } next || FCnt.LastBefore(next) == new FCnt(value);

    [Theory]
    [InlineData(5, null, 5u)]
    [InlineData(6, 5u, 6u)]
    [InlineData(5, 5u, 0x10005u)]
    [InlineData(1, 0xFFFFu, 0x10001u)]
    [InlineData(0, 0x1FFFFu, 0x20000u)]
    [InlineData(0xFFFF, 0xFFFFFFFEu, 0xFFFFFFFFu)]
    [InlineData(0, 0xFFFFFFFFu, null)]
    public void The_full_counter_of_a_frame_is_the_next_one_with_its_16_bits(int onAir, uint? last, uint? full) =>
        Assert.Equal(full, FCnt.FromOnAir((ushort)onAir, last is { } value ? new FCnt(value) : null)?.Value);

    [Property]
    public bool A_counter_found_again_carries_its_bits_and_is_less_than_a_round_ahead(ushort onAir, uint last) =>
        FCnt.FromOnAir(onAir, new FCnt(last)) is not { } full
        || (full.OnAir == onAir && full > new FCnt(last) && full.Value - last <= 0x10000);

    [Fact]
    public void Counters_compare_and_print_as_numbers()
    {
        var (low, high) = (new FCnt(9), new FCnt(10));
        Assert.True(low < high && high > low && low <= high && high >= low && low.CompareTo(high) < 0);
        Assert.False(low > high || high < low || low >= high || high <= low);
        Assert.Equal("10", high.ToString());
    }
}
