using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;

namespace LoRaWan.Regional;

/// <summary>The embedded bands. Apart from <see cref="Band"/>, so that only asking for a band reads them.</summary>
internal static class BandTable
{
    public static readonly ImmutableArray<Band> All = ReadBands();

    public static readonly Dictionary<string, ImmutableArray<Band>> ById = GroupById();

    public static readonly ImmutableArray<string> Ids = [.. ById.Keys.Order(StringComparer.Ordinal)];

    public static readonly Dictionary<string, string> IdByRegion = ReadRegions();

    private static Dictionary<string, ImmutableArray<Band>> GroupById()
    {
        var versions = new Dictionary<string, List<Band>>();
        foreach (var band in All)
            Add(versions, band.Id, band);
        return Freeze(versions);
    }

    private static ImmutableArray<Band> ReadBands()
    {
        var channels = ReadChannels();
        var dataRates = ReadDataRates();
        var bands = ImmutableArray.CreateBuilder<Band>();
        var table = TsvReader.Open("bands.tsv");
        while (table.Read())
        {
            bands.Add(new Band
            {
                Id = table.Text("band_id"),
                PhyVersion = table.Number<PhyVersion>("phy_version"),
                IsLatest = table.Flag("latest"),
                CFListType = table.Cell("cf_list_type") is "CHANNEL_MASKS" ? CFListType.ChannelMasks : CFListType.Frequencies,
                ImplementsCFList = table.Flag("implements_cf_list"),
                MaxUplinkChannels = table.Number<int>("max_uplink_channels"),
                MaxDownlinkChannels = table.Number<int>("max_downlink_channels"),
                UplinkChannels = channels[table.Text("uplink_channel_set")],
                DownlinkChannels = channels[table.Text("downlink_channel_set")],
                Rx1Delay = TimeSpan.FromSeconds(table.Number<int>("rx1_delay_s")),
                Rx2DataRate = table.DataRate("rx2_data_rate_index"),
                Rx2Frequency = table.Frequency("rx2_frequency_hz"),
                MaxEirpDbm = table.Number<float>("default_max_eirp_dbm"),
                SupportsTxParamSetup = table.Flag("tx_param_setup_req"),
                MaxAdrDataRate = table.DataRate("max_adr_data_rate_index"),
                AdrAckLimitExponent = Exponent(table.Cell("adr_ack_limit_exponent")),
                AdrAckDelayExponent = Exponent(table.Cell("adr_ack_delay_exponent")),
                BeaconDataRate = table.DataRate("beacon_data_rate_index"),
                BeaconFrequencies = Frequencies(table.List("beacon_frequencies_hz")),
                PingSlotFrequencies = Frequencies(table.List("ping_slot_frequencies_hz")),
                ServedRelayBackoff = table.Number<int>("served_relay_backoff"),
                BootUplinkDwellTime = table.FlagOrNull("boot_dwell_uplinks"),
                BootDownlinkDwellTime = table.FlagOrNull("boot_dwell_downlinks"),
                TxPowerOffsetsDb = [.. table.List("tx_power_offsets_db").Select(offset => int.Parse(offset, CultureInfo.InvariantCulture))],
                DataRates = dataRates[table.Text("data_rate_set")],
            });
        }
        return bands.ToImmutable();
    }

    private static Dictionary<string, ImmutableArray<Channel>> ReadChannels()
    {
        var sets = new Dictionary<string, List<Channel>>();
        var table = TsvReader.Open("band-channels.tsv");
        while (table.Read())
            Add(sets, table.Text("channel_set"), table.Channel());
        return Freeze(sets);
    }

    private static Dictionary<string, ImmutableArray<DataRate>> ReadDataRates()
    {
        var sets = new Dictionary<string, List<DataRate>>();
        var table = TsvReader.Open("band-datarates.tsv");
        while (table.Read())
        {
            Add(sets, table.Text("data_rate_set"), new DataRate
            {
                Index = table.DataRate("index"),
                Modulation = table.Cell("modulation") switch { "LORA" => Modulation.LoRa, "FSK" => Modulation.Fsk, _ => Modulation.LrFhss },
                SpreadingFactor = table.NumberOrNull<int>("spreading_factor"),
                BandwidthHz = table.NumberOrNull<int>("bandwidth_hz"),
                BitRate = table.NumberOrNull<int>("fsk_bit_rate_bps"),
                OperatingChannelWidthHz = table.NumberOrNull<int>("lrfhss_channel_width_hz"),
                CodingRate = table.TextOrNull("coding_rate"),
                MaxMacPayloadBytes = table.Number<int>("max_mac_payload_bytes"),
                MaxMacPayloadUnderDwellTimeBytes = table.Number<int>("max_mac_payload_dwell_bytes") is > 0 and var bytes ? bytes : null,
            });
        }
        return Freeze(sets);
    }

    private static Dictionary<string, string> ReadRegions()
    {
        var regions = new Dictionary<string, string>();
        var table = TsvReader.Open("region-names.tsv");
        while (table.Read())
            regions.Add(NearestNames.Letters(table.Cell("region")), table.Text("band_id"));
        return regions;
    }

    internal static void Add<T>(Dictionary<string, List<T>> sets, string key, T item) =>
        (CollectionsMarshal.GetValueRefOrAddDefault(sets, key, out _) ??= []).Add(item);

    internal static Dictionary<string, ImmutableArray<T>> Freeze<T>(Dictionary<string, List<T>> sets) =>
        sets.ToDictionary(set => set.Key, set => set.Value.ToImmutableArray());

    private static ImmutableArray<Frequency> Frequencies(string[] hertz) =>
        [.. hertz.Select(frequency => new Frequency(ulong.Parse(frequency, CultureInfo.InvariantCulture)))];

    /// <summary>ADR_ACK_LIMIT_64 is 2 to the 6.</summary>
    private static int Exponent(ReadOnlySpan<char> name) =>
        int.Log2(int.Parse(name[(name.LastIndexOf('_') + 1)..], CultureInfo.InvariantCulture));
}
