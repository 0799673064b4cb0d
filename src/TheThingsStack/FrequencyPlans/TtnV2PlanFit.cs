using LoRaWan.Regional;

namespace TheThingsStack.FrequencyPlans;

/// <summary>
/// Does a plan fit devices that were activated by The Things Network V2? Their session holds the RX2 window of V2's region; a plan that wants
/// another one sends downlinks where nobody listens until the device has taken the new setting (facts/ttnv2.md, D11).
/// </summary>
public static class TtnV2PlanFit
{
    /// <summary>V2 used the band's own RX2 window everywhere but in Europe, where it used SF9 (DR3).</summary>
    private static readonly DataRateIndex EuropeRx2DataRate = new(3);

    /// <summary>Bands of the regions that V2 had.</summary>
    private static readonly string[] Bands =
    [
        "EU_863_870", "US_902_928", "CN_779_787", "EU_433", "AU_915_928", "CN_470_510", "AS_923", "KR_920_923", "IN_865_867", "RU_864_870",
    ];

    /// <summary>Gives a note for a device that joined over the air, or null when the plan fits.</summary>
    /// <param name="plan">The plan chosen for the device.</param>
    /// <param name="band">The band of the plan in the device's PHY version.</param>
    public static string? NoteForJoinedDevice(FrequencyPlan plan, Band band)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(band);
        if (!Bands.Contains(band.Id))
            return $"The Things Network V2 had no region in band {band.Id} of frequency plan {plan.Id}: the device is in another band";
        var usedRate = band.Id == "EU_863_870" ? EuropeRx2DataRate : band.Rx2DataRate;
        var plannedRate = plan.Rx2DataRate ?? band.Rx2DataRate;
        var plannedFrequency = plan.Rx2Frequency ?? band.Rx2Frequency;
        if (usedRate == plannedRate && band.Rx2Frequency == plannedFrequency)
            return null;
        var advice = band.Id == "EU_863_870" && plan.Id != "EU_863_870_TTN" ? "; EU_863_870_TTN has the same window" : "";
        return $"RX2 was {usedRate} at {band.Rx2Frequency} on The Things Network V2 and is {plannedRate} at {plannedFrequency} in frequency plan {plan.Id}: downlinks in RX2 may be lost until the device has rejoined{advice}";
    }
}
