using LoRaWan;
using TheThingsStack.FrequencyPlans;

namespace TheThingsStack.Tests.FrequencyPlans;

/// <summary>Where a plan does not fit devices of The Things Network V2, a note says so.</summary>
public sealed class TtnV2PlanFitTests
{
    [Theory]
    [InlineData("EU_863_870_TTN")]
    [InlineData("US_902_928_FSB_2")]
    [InlineData("AU_915_928_FSB_2")]
    [InlineData("AS_923_925")]
    [InlineData("KR_920_923_TTN")]
    [InlineData("IN_865_867")]
    [InlineData("EU_433")]
    [InlineData("CN_470_510_FSB_11")]
    public void A_plan_with_the_RX2_window_of_V2_gives_no_note(string id) => Assert.Null(Note(id));

    [Theory]
    [InlineData("EU_863_870", "RX2 was DR3 at 869.525 MHz on The Things Network V2 and is DR0 at 869.525 MHz in frequency plan EU_863_870: downlinks in RX2 may be lost until the device has rejoined; EU_863_870_TTN has the same window")]
    [InlineData("UZ_923_1", "RX2 was DR2 at 923.2 MHz on The Things Network V2 and is DR2 at 926.2 MHz in frequency plan UZ_923_1: downlinks in RX2 may be lost until the device has rejoined")]
    [InlineData("ISM_2400_3CH_DRAFT2", "The Things Network V2 had no region in band ISM_2400 of frequency plan ISM_2400_3CH_DRAFT2: the device is in another band")]
    public void A_plan_with_another_window_or_band_gives_a_note(string id, string note) => Assert.Equal(note, Note(id));

    private static string? Note(string id)
    {
        var plan = EmbeddedFrequencyPlanStore.Find(id).Plan!;
        Assert.True(plan.TryGetBand(PhyVersion.V1_0_2RevB, out var band));
        return TtnV2PlanFit.NoteForJoinedDevice(plan, band);
    }
}
