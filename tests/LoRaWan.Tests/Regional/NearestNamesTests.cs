using FsCheck.Xunit;
using LoRaWan.Regional;

namespace LoRaWan.Tests.Regional;

public sealed class NearestNamesTests
{
    [Theory]
    [InlineData("ABCDEF", "ABCDEF", true)]
    [InlineData("abc-def", "ABC_DEF", true)]
    [InlineData("abc.de f", "ABC_DEF", true)]
    [InlineData("ABDCEF", "ABCDEF", true)]
    [InlineData("ABCDE", "ABCDEF", true)]
    [InlineData("ABCDEFG", "ABCDEF", true)]
    [InlineData("AXYDEF", "ABCDEF", true)]
    [InlineData("BADCEF", "ABCDEF", true)]
    [InlineData("AXYZEF", "ABCDEF", false)]
    [InlineData("BADCFE", "ABCDEF", false)]
    [InlineData("ABC", "ABCDEFGHIJ", true)]
    [InlineData("AB", "ABCDEFGHIJ", false)]
    [InlineData("ABX", "ABCDEFGHIJ", false)]
    [InlineData("ABCDEFGHIJKL", "ABCDEFGH", true)]
    [InlineData("ABCDEFGHIJKL", "ABCDEFG", false)]
    [InlineData("-_. ", "A", false)]
    [InlineData("", "A", false)]
    public void A_name_is_near_when_no_more_than_two_steps_or_a_third_of_it_differ(string unknown, string name, bool near) =>
        Assert.Equal(near ? [name] : [], NearestNames.Of(unknown, [name]));

    [Fact]
    public void Nearer_names_come_first_and_equally_near_ones_keep_their_order()
    {
        string[] known = ["PLAN_3", "PLAN_12", "PLAN_2", "PLAN_1", "OTHER"];
        Assert.Equal(["PLAN_1", "PLAN_3", "PLAN_12", "PLAN_2"], NearestNames.Of("plan1", known, 9));
        Assert.Equal(["PLAN_1", "PLAN_3"], NearestNames.Of("plan1", known, 2));
    }

    [Property]
    public bool A_known_name_is_its_own_nearest(int pick, bool lower)
    {
        var ids = FrequencyPlans.Embedded.All.Select(plan => plan.Id).ToList();
        var id = ids[(int)((uint)pick % (uint)ids.Count)];
        return NearestNames.Of(lower ? id.ToLowerInvariant() : id, ids)[0] == id;
    }

    [Property]
    public bool Any_text_gives_at_most_the_number_asked_for(string? text, byte count) =>
        NearestNames.Of(text ?? "", FrequencyPlans.Embedded.All.Select(plan => plan.Id), count % 5).Count <= count % 5;

    [Fact]
    public void A_very_long_text_is_near_to_nothing() => Assert.Empty(NearestNames.Of(new string('A', 100_000), ["EU_863_870"]));
}
