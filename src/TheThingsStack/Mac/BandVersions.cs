using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using LoRaWan;
using LoRaWan.Regional;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace TheThingsStack.Mac;

/// <summary>Finds the band of a plan in the version that a device follows.</summary>
public static class BandVersions
{
    /// <summary>Gives the band, or <c>pkg/networkserver/internal:no_band_version</c> when the band has no such version.</summary>
    public static bool TryGet(
        FrequencyPlan plan,
        PHYVersion version,
        [NotNullWhen(true)] out Band? band,
        [NotNullWhen(false)] out Failure? failure)
    {
        ArgumentNullException.ThrowIfNull(plan);
        failure = null;
        band = null;
        if (PhyVersion.TryFromNumber((int)version, out var phy) && plan.TryGetBand(phy, out band))
            return true;
        var name = (int)version == phy.Number ? phy.Name : ((int)version).ToString(CultureInfo.InvariantCulture);
        failure = new Failure($"specified version `{name}` of band `{plan.BandId}` does not exist")
        {
            Namespace = "pkg/networkserver/internal",
            Name = "no_band_version",
            Attributes = new Dictionary<string, string> { ["id"] = plan.BandId, ["ver"] = name },
        };
        return false;
    }
}
