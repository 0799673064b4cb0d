using System.Collections.Frozen;
using System.Collections.Immutable;
using LoRaWan;
using LoRaWan.Regional;

namespace TheThingsStack.Import;

/// <summary>What the Network Server asks of a band beyond its channels (facts/tts-api.md section 5, "Band facts").</summary>
internal static class BandLimits
{
    /// <summary>Regulatory ranges by band, in Hz, ends included.</summary>
    private static readonly FrozenDictionary<string, (ulong Min, ulong Max)[]> Ranges = new Dictionary<string, (ulong Min, ulong Max)[]>
    {
        ["AS_923"] = [(923_000_000, 923_500_000)],
        ["AS_923_2"] = [(921_400_000, 922_000_000)],
        ["AS_923_3"] = [(916_500_000, 917_000_000)],
        ["AS_923_4"] = [(917_300_000, 917_500_000)],
        ["AU_915_928"] = [(915_000_000, 928_000_000)],
        ["CN_470_510"] = [(470_000_000, 510_000_000)],
        ["CN_470_510_20_A"] = [(470_000_000, 510_000_000)],
        ["CN_470_510_20_B"] = [(470_000_000, 510_000_000)],
        ["CN_470_510_26_A"] = [(470_000_000, 510_000_000)],
        ["CN_470_510_26_B"] = [(470_000_000, 510_000_000)],
        ["CN_779_787"] = [(779_000_000, 787_000_000)],
        ["EU_433"] = [(433_175_000, 434_665_000)],
        ["EU_863_870"] =
        [
            (863_000_000, 865_000_000), (865_000_000, 868_000_000), (868_000_000, 868_600_000),
            (868_700_000, 869_200_000), (869_400_000, 869_650_000), (869_700_000, 870_000_000),
        ],
        ["IN_865_867"] = [(865_000_000, 867_000_000)],
        ["ISM_2400"] = [(2_400_000_000, 2_500_000_000)],
        ["KR_920_923"] = [(920_000_000, 923_000_000)],
        ["MA_869_870_DRAFT"] = [(869_000_000, 869_400_000), (869_400_000, 869_650_000), (869_650_000, 870_000_000)],
        ["RU_864_870"] = [(864_000_000, 870_000_000)],
        ["US_902_928"] = [(902_300_000, 914_900_000), (923_300_000, 927_500_000)],
    }.ToFrozenDictionary();

    /// <summary>Wake-on-radio channels of relays: RP002-1.0.4 defines them, one in AS923, two in the others.</summary>
    public static int WakeOnRadioChannels(Band band) =>
        band.PhyVersion != PhyVersion.RP002V1_0_4 || band.Id is "EU_433" or "ISM_2400" or "MA_869_870_DRAFT" ? 0
        : band.Id.StartsWith("AS_923", StringComparison.Ordinal) ? 1
        : 2;

    /// <summary>Whether the network may run ADR itself; not at 2.4 GHz.</summary>
    public static bool SupportsDynamicAdr(Band band) => band.Id != "ISM_2400";

    /// <summary>Highest TX power index.</summary>
    public static int MaxTxPowerIndex(Band band) => band.TxPowerOffsetsDb.Length - 1;

    /// <summary>Whether the band defines a data rate.</summary>
    public static bool HasDataRate(Band band, int index)
    {
        foreach (var rate in band.DataRates)
        {
            if (rate.Index.Value == index)
                return true;
        }
        return false;
    }

    /// <summary>Whether a channel may lie there: in a range of the band or of the plan, or in a band of fixed channels on one of them.</summary>
    public static bool Allows(Band band, FrequencyPlan plan, ulong frequency)
    {
        if (band.CFListType == CFListType.ChannelMasks)
            return Has(band.UplinkChannels, frequency);
        foreach (var (min, max) in Ranges[band.Id])
        {
            if (min <= frequency && frequency <= max)
                return true;
        }
        foreach (var range in plan.SubBands)
        {
            if (range.MinFrequency.Hertz <= frequency && frequency <= range.MaxFrequency.Hertz)
                return true;
        }
        return false;
    }

    /// <summary>Whether one of the channels lies there.</summary>
    public static bool Has(ImmutableArray<Channel> channels, ulong frequency)
    {
        foreach (var channel in channels)
        {
            if (channel.Frequency.Hertz == frequency)
                return true;
        }
        return false;
    }
}
