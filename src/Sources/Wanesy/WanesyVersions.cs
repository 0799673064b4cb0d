using LoRaWan;
using Migration;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Sources.Wanesy;

/// <summary>LoRaWAN and regional parameters versions of the file (facts/wanesy.md section 4).</summary>
internal static class WanesyVersions
{
    private const string Package = "source/wanesy";

    /// <summary>Gives both versions; null after <see cref="WanesyFields.Refuse(Failure)"/>.</summary>
    public static (MACVersion Mac, PHYVersion Phy)? Read(WanesyDevice row, WanesyFields fields)
    {
        var mac = row[WanesyColumn.MacVersion];
        var revision = row[WanesyColumn.RegParamsRevision];
        switch (mac)
        {
            case "1.0.0":
                return (MACVersion.MacV10, PHYVersion.PhyV10);
            case "1.0.1":
                return (MACVersion.MacV101, PHYVersion.PhyV101);
            case "1.0.2" when revision == "A":
                return (MACVersion.MacV102, PHYVersion.PhyV102RevA);
            case "1.0.2" when revision == "B":
                return (MACVersion.MacV102, PHYVersion.PhyV102RevB);
            case "1.0.3":
                return (MACVersion.MacV103, Rp002(revision) ?? PHYVersion.PhyV103RevA);
            case "1.0.4" when Rp002(revision) is { } phy:
                return (MACVersion.MacV104, phy);
            case "1.0.4":
                fields.Notes.Add(new Note(
                    "regional_parameters_assumed",
                    "LoRaWAN 1.0.4 with regional parameters RP002-1.0.4, because Wanesy does not name the version; write e.g. RP002-1.0.1 into the column `regParamsRevision` for another"));
                return (MACVersion.MacV104, PHYVersion.Rp002V104);
            case "1.1.0" when revision == "A":
                return (MACVersion.MacV11, PHYVersion.PhyV11RevA);
            case "1.1.0" when revision == "B":
                return (MACVersion.MacV11, PHYVersion.PhyV11RevB);
            case "1.0.2" or "1.1.0":
                fields.Refuse(Failure.Named(Package, "invalid_phy_for_mac_version", $"invalid PHY version `{revision}` for MAC version `{mac}`") with
                {
                    Attributes = new Dictionary<string, string> { ["mac_version"] = mac, ["phy_version"] = revision },
                    Advice = $"{row.Where(WanesyColumn.RegParamsRevision)}: write A or B",
                });
                return null;
            default:
                fields.Refuse(Failure.Named(Package, "invalid_mac_version", $"invalid MAC version `{mac}`") with
                {
                    Attributes = new Dictionary<string, string> { ["mac_version"] = mac },
                    Advice = $"{row.Where(WanesyColumn.MacVersion)}: write 1.0.0, 1.0.1, 1.0.2, 1.0.3, 1.0.4 or 1.1.0",
                });
                return null;
        }
    }

    /// <summary>The version that a text such as <c>RP002-1.0.1</c> or <c>RP002_V1_0_1</c> names; null for another text.</summary>
    private static PHYVersion? Rp002(string text)
    {
        if (!text.StartsWith("RP002", StringComparison.OrdinalIgnoreCase))
            return null;
        foreach (var version in PhyVersion.All)
        {
            if (text.Equals(version.Specification, StringComparison.OrdinalIgnoreCase) || text.Equals(version.Name, StringComparison.OrdinalIgnoreCase))
                return (PHYVersion)version.Number;
        }
        return null;
    }
}
