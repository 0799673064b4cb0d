namespace LoRaWan.Tests;

/// <summary>Names and numbers as in facts/tts-enums.tsv; orders as in facts/mac-state.md R6 and facts/bands.md section 2.</summary>
public sealed class VersionTests
{
    [Theory]
    [InlineData(0, "MAC_UNKNOWN", "unknown", "UNKNOWN unknown 0")]
    [InlineData(1, "MAC_V1_0", "1.0", "V1_0 1.0 1.0.0 1")]
    [InlineData(2, "MAC_V1_0_1", "1.0.1", "V1_0_1 1.0.1 2")]
    [InlineData(3, "MAC_V1_0_2", "1.0.2", "V1_0_2 1.0.2 3 mac_v1_0_2")]
    [InlineData(4, "MAC_V1_1", "1.1", "V1_1 1.1 1.1.0 4")]
    [InlineData(5, "MAC_V1_0_3", "1.0.3", "V1_0_3 1.0.3 5")]
    [InlineData(6, "MAC_V1_0_4", "1.0.4", "V1_0_4 1.0.4 6")]
    public void A_MAC_version_has_the_number_and_names_of_The_Things_Stack(int number, string name, string specification, string accepted)
    {
        Assert.True(MacVersion.TryFromNumber(number, out var version));
        Assert.Equal((number, name, name, specification), (version.Number, version.Name, version.ToString(), version.Specification));
        Assert.All(accepted.Split(' ').Append(name), text => Assert.Equal(version, MacVersion.Parse(text)));
    }

    [Theory]
    [InlineData(0, "PHY_UNKNOWN", "PHY_UNKNOWN", "unknown 0")]
    [InlineData(1, "PHY_V1_0", "TS001_V1_0", "1.0 1.0.0 V1_0 1")]
    [InlineData(2, "PHY_V1_0_1", "TS001_V1_0_1", "1.0.1 V1_0_1 2")]
    [InlineData(3, "PHY_V1_0_2_REV_A", "RP001_V1_0_2", "1.0.2 1.0.2-a V1_0_2 V1_0_2_REV_A 3")]
    [InlineData(4, "PHY_V1_0_2_REV_B", "RP001_V1_0_2_REV_B", "1.0.2-b V1_0_2_REV_B 4 rp001_v1_0_2_rev_b")]
    [InlineData(5, "PHY_V1_1_REV_A", "RP001_V1_1_REV_A", "1.1-a 1.1.0-a V1_1_REV_A 5")]
    [InlineData(6, "PHY_V1_1_REV_B", "RP001_V1_1_REV_B", "1.1-b 1.1.0-b V1_1_REV_B 6")]
    [InlineData(7, "PHY_V1_0_3_REV_A", "RP001_V1_0_3_REV_A", "1.0.3-a V1_0_3_REV_A 7")]
    [InlineData(8, "RP002_V1_0_0", "RP002_V1_0_0", "8")]
    [InlineData(9, "RP002_V1_0_1", "RP002_V1_0_1", "9")]
    [InlineData(10, "RP002_V1_0_2", "RP002_V1_0_2", "10")]
    [InlineData(11, "RP002_V1_0_3", "RP002_V1_0_3", "11")]
    [InlineData(12, "RP002_V1_0_4", "RP002_V1_0_4", "12")]
    public void A_PHY_version_has_the_number_and_names_of_The_Things_Stack(int number, string name, string alias, string accepted)
    {
        Assert.True(PhyVersion.TryFromNumber(number, out var version));
        Assert.Equal((number, name, name, alias), (version.Number, version.Name, version.ToString(), version.Alias));
        Assert.All(accepted.Split(' ').Append(name).Append(alias), text => Assert.Equal(version, PhyVersion.Parse(text)));
    }

    [Fact]
    public void MAC_versions_compare_in_the_order_of_the_specifications()
    {
        MacVersion[] order =
        [
            MacVersion.Unknown, MacVersion.V1_0, MacVersion.V1_0_1, MacVersion.V1_0_2, MacVersion.V1_0_3, MacVersion.V1_0_4, MacVersion.V1_1,
        ];
        Assert.Equal([0, 1, 2, 3, 5, 6, 4], order.Select(v => v.Number));
        Assert.Equal(order[1..], MacVersion.All);
        AssertOrder(order, (a, b) => (a < b, a <= b, a > b, a >= b));
    }

    [Fact]
    public void PHY_versions_compare_in_the_order_of_the_specifications()
    {
        PhyVersion[] order = [PhyVersion.Unknown, .. PhyVersion.All];
        Assert.Equal([0, 1, 2, 3, 4, 7, 5, 6, 8, 9, 10, 11, 12], order.Select(v => v.Number));
        AssertOrder(order, (a, b) => (a < b, a <= b, a > b, a >= b));
    }

    [Fact]
    public void Specifications_are_named_as_their_titles_are()
    {
        Assert.Equal("RP001-1.0.2 revision B", PhyVersion.V1_0_2RevB.Specification);
        Assert.Equal("RP002-1.0.4", PhyVersion.RP002V1_0_4.Specification);
        Assert.Equal("unknown", PhyVersion.Unknown.Specification);
    }

    [Theory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("-1")]
    [InlineData("1.0.5")]
    [InlineData(" 1.0")]
    public void An_unknown_MAC_version_is_refused_with_the_known_names(string text)
    {
        Assert.False(MacVersion.TryParse(text, out var version, out string? reason));
        Assert.Equal(MacVersion.Unknown, version);
        Assert.Equal("is none of MAC_V1_0, MAC_V1_0_1, MAC_V1_0_2, MAC_V1_0_3, MAC_V1_0_4, MAC_V1_1", reason);
        Assert.Equal("LoRaWAN version " + reason, Assert.Throws<FormatException>(() => MacVersion.Parse(text)).Message);
        Assert.False(MacVersion.TryParse(text, null, out _));
    }

    [Theory]
    [InlineData("13")]
    [InlineData("1.1")]
    public void An_unknown_PHY_version_is_refused_with_the_known_names(string text)
    {
        Assert.False(PhyVersion.TryParse(text, out _, out string? reason));
        Assert.StartsWith("is none of PHY_V1_0, PHY_V1_0_1, PHY_V1_0_2_REV_A, ", reason, StringComparison.Ordinal);
        Assert.EndsWith(", RP002_V1_0_4", reason, StringComparison.Ordinal);
        Assert.StartsWith("LoRaWAN PHY version is none of", Assert.Throws<FormatException>(() => PhyVersion.Parse(text)).Message, StringComparison.Ordinal);
        Assert.False(PhyVersion.TryParse(text, null, out _));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(7)]
    public void A_number_without_a_MAC_version_is_refused(int number) => Assert.False(MacVersion.TryFromNumber(number, out _));

    [Theory]
    [InlineData(-1)]
    [InlineData(13)]
    public void A_number_without_a_PHY_version_is_refused(int number) => Assert.False(PhyVersion.TryFromNumber(number, out _));

    private static void AssertOrder<T>(T[] order, Func<T, T, (bool Less, bool LessOrEqual, bool Greater, bool GreaterOrEqual)> compare)
        where T : IComparable<T>
    {
        for (var i = 0; i < order.Length; i++)
        {
            for (var j = 0; j < order.Length; j++)
            {
                Assert.Equal(i.CompareTo(j), Math.Sign(order[i].CompareTo(order[j])));
                Assert.Equal((i < j, i <= j, i > j, i >= j), compare(order[i], order[j]));
            }
        }
    }
}
