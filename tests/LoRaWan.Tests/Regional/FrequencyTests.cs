using FsCheck.Xunit;
using LoRaWan.Regional;

namespace LoRaWan.Tests.Regional;

public sealed class FrequencyTests
{
    [Theory]
    [InlineData(868100000, "868.1 MHz")]
    [InlineData(865062500, "865.0625 MHz")]
    [InlineData(2403000000, "2403 MHz")]
    [InlineData(0, "0 MHz")]
    [InlineData(1, "0.000001 MHz")]
    public void It_prints_in_MHz(long hertz, string text) => Assert.Equal(text, new Frequency((ulong)hertz).ToString());

    [Property]
    public bool MHz_come_back_to_the_Hz(uint hertz) => Frequency.FromMegahertz(new Frequency(hertz).Megahertz) == new Frequency(hertz);

    [Property]
    public bool Frequencies_and_data_rates_compare_as_their_numbers(byte left, byte right)
    {
        var (a, b) = (new Frequency(left), new Frequency(right));
        var (x, y) = (new DataRateIndex(left), new DataRateIndex(right));
        bool[] expected = [left < right, left > right, left <= right, left >= right, left.CompareTo(right) < 0];
        bool[] frequencies = [a < b, a > b, a <= b, a >= b, a.CompareTo(b) < 0];
        bool[] dataRates = [x < y, x > y, x <= y, x >= y, x.CompareTo(y) < 0];
        return expected.SequenceEqual(frequencies) && expected.SequenceEqual(dataRates);
    }

    [Fact]
    public void Equal_frequencies_are_neither_lower_nor_higher()
    {
        var (a, b) = (new Frequency(868_100_000), Frequency.FromMegahertz(868.1m));
        Assert.Equal([false, false, true, true], new[] { a < b, a > b, a <= b, a >= b });
        var (x, y) = (new DataRateIndex(5), new DataRateIndex(5));
        Assert.Equal([false, false, true, true], new[] { x < y, x > y, x <= y, x >= y });
    }
}
