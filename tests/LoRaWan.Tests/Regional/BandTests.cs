using LoRaWan.Regional;

namespace LoRaWan.Tests.Regional;

public sealed class BandTests
{
    private static readonly IReadOnlyList<RegionalRow> Rows = RegionalTable.Rows("bands.tsv");
    private static readonly ILookup<string, RegionalRow> ChannelRows = RegionalTable.Rows("band-channels.tsv").ToLookup(r => r["channel_set"]);
    private static readonly ILookup<string, RegionalRow> DataRateRows = RegionalTable.Rows("band-datarates.tsv").ToLookup(r => r["data_rate_set"]);

    [Fact]
    public void Every_row_of_the_table_is_a_band_that_says_the_same()
    {
        Assert.Equal(155, Rows.Count);
        Assert.Equal(155, Band.All.Length);
        foreach (var (row, listed) in Rows.Zip(Band.All))
        {
            Assert.True(Band.TryGet(row["band_id"], PhyVersion.Parse(row["phy_version"]), out var band), row.ToString());
            Assert.Same(listed, band);
            RegionalTable.AssertCells(row, new Dictionary<string, object?>
            {
                ["band_id"] = band.Id,
                ["phy_version"] = band.PhyVersion.Name,
                ["phy_alias"] = band.PhyVersion.Alias,
                ["phy_number"] = band.PhyVersion.Number,
                ["latest"] = band.IsLatest,
                ["cf_list_type"] = band.CFListType == CFListType.ChannelMasks ? "CHANNEL_MASKS" : "FREQUENCIES",
                ["max_uplink_channels"] = band.MaxUplinkChannels,
                ["max_downlink_channels"] = band.MaxDownlinkChannels,
                ["rx1_delay_s"] = band.Rx1Delay.TotalSeconds,
                ["rx2_data_rate_index"] = band.Rx2DataRate.Value,
                ["rx2_frequency_hz"] = band.Rx2Frequency.Hertz,
                ["default_max_eirp_dbm"] = band.MaxEirpDbm,
                ["tx_param_setup_req"] = band.SupportsTxParamSetup,
                ["max_adr_data_rate_index"] = band.MaxAdrDataRate.Value,
                ["adr_ack_limit_exponent"] = $"ADR_ACK_LIMIT_{1 << band.AdrAckLimitExponent}",
                ["adr_ack_delay_exponent"] = $"ADR_ACK_DELAY_{1 << band.AdrAckDelayExponent}",
                ["beacon_data_rate_index"] = band.BeaconDataRate.Value,
                ["beacon_frequencies_hz"] = band.BeaconFrequencies.Select(f => (object)f.Hertz),
                ["ping_slot_frequencies_hz"] = band.PingSlotFrequencies.Select(f => (object)f.Hertz),
                ["served_relay_backoff"] = band.ServedRelayBackoff,
                ["boot_dwell_uplinks"] = band.BootUplinkDwellTime,
                ["boot_dwell_downlinks"] = band.BootDownlinkDwellTime,
                ["implements_cf_list"] = band.ImplementsCFList,
                ["tx_power_offsets_db"] = band.TxPowerOffsetsDb.Select(offset => (object)offset),
            }, "source", "uplink_channel_set", "downlink_channel_set", "data_rate_set");
        }
    }

    [Fact]
    public void Every_row_of_the_channel_table_is_a_channel_of_the_bands_that_name_its_set()
    {
        var seen = new HashSet<RegionalRow>();
        foreach (var row in Rows)
        {
            var band = BandOf(row);
            AssertChannels(ChannelRows[row["uplink_channel_set"]], band.UplinkChannels);
            AssertChannels(ChannelRows[row["downlink_channel_set"]], band.DownlinkChannels);
        }
        Assert.Equal(1388, seen.Count);

        void AssertChannels(IEnumerable<RegionalRow> rows, IReadOnlyList<Channel> channels)
        {
            var i = 0;
            foreach (var row in rows)
            {
                seen.Add(row);
                RegionalTable.AssertCells(row, new Dictionary<string, object?>
                {
                    ["index"] = i,
                    ["frequency_hz"] = channels[i].Frequency.Hertz,
                    ["min_data_rate_index"] = channels[i].MinDataRate.Value,
                    ["max_data_rate_index"] = channels[i].MaxDataRate.Value,
                }, "channel_set");
                i++;
            }
            Assert.Equal(i, channels.Count);
            Assert.All(channels, channel => Assert.Null(channel.DwellTime));
        }
    }

    [Fact]
    public void Every_row_of_the_data_rate_table_is_a_data_rate_of_the_bands_that_name_its_set()
    {
        var seen = new HashSet<RegionalRow>();
        foreach (var bandRow in Rows)
        {
            var band = BandOf(bandRow);
            var rows = DataRateRows[bandRow["data_rate_set"]].ToList();
            Assert.Equal(rows.Count, band.DataRates.Length);
            foreach (var (row, dataRate) in rows.Zip(band.DataRates))
            {
                seen.Add(row);
                RegionalTable.AssertCells(row, new Dictionary<string, object?>
                {
                    ["index"] = dataRate.Index.Value,
                    ["modulation"] = dataRate.Modulation.ToString().ToUpperInvariant(),
                    ["spreading_factor"] = dataRate.SpreadingFactor,
                    ["bandwidth_hz"] = dataRate.BandwidthHz,
                    ["fsk_bit_rate_bps"] = dataRate.BitRate,
                    ["lrfhss_channel_width_hz"] = dataRate.OperatingChannelWidthHz,
                    ["coding_rate"] = dataRate.CodingRate,
                    ["max_mac_payload_bytes"] = dataRate.MaxMacPayloadBytes,
                    ["max_mac_payload_dwell_bytes"] = dataRate.MaxMacPayloadUnderDwellTimeBytes ?? 0,
                }, "data_rate_set");
            }
        }
        Assert.Equal(139, seen.Count);
    }

    [Fact]
    public void Pairs_that_are_not_in_the_table_do_not_exist()
    {
        var existing = Rows.Select(row => (row["band_id"], row["phy_version"])).ToHashSet();
        PhyVersion[] versions = [PhyVersion.Unknown, .. PhyVersion.All];
        var missing = Band.Ids.SelectMany(id => versions.Select(version => (id, version))).Where(p => !existing.Contains((p.id, p.version.Name))).ToList();
        Assert.Equal(19, Band.Ids.Length);
        Assert.Equal(Band.Ids.Order(StringComparer.Ordinal), Band.Ids.AsEnumerable());
        Assert.Equal(73 + 19, missing.Count);
        Assert.All(missing, pair => Assert.False(Band.TryGet(pair.id, pair.version, out _)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("eu_863_870")]
    [InlineData("IN_865_870")]
    [InlineData("UZ_923_DRAFT")]
    public void An_unknown_band_exists_in_no_version(string id)
    {
        Assert.False(Band.Exists(id));
        Assert.Empty(Band.VersionsOf(id));
        Assert.Null(Band.Nearest(id, PhyVersion.RP002V1_0_3));
        Assert.False(Band.TryGet(id, PhyVersion.RP002V1_0_3, out var band));
        Assert.Null(band);
    }

    [Fact]
    public void Every_band_has_one_latest_version_and_lists_its_versions_in_the_order_of_the_specifications()
    {
        foreach (var id in Band.Ids)
        {
            var versions = Band.VersionsOf(id);
            Assert.True(Band.Exists(id));
            Assert.Single(versions, band => band.IsLatest);
            Assert.Equal(versions.OrderBy(band => band.PhyVersion), versions);
            Assert.All(versions, band => Assert.Equal(id, band.Id));
        }
    }

    [Fact]
    public void Channels_and_windows_use_data_rates_that_the_band_has()
    {
        foreach (var band in Band.All)
        {
            var indexes = band.DataRates.Select(rate => rate.Index).ToHashSet();
            Assert.Equal(indexes.Count, band.DataRates.Length);
            // The Things Stack keeps DR0 for the RX2 window of the newer CN470 bands although RP002-1.0.1 took DR0 away.
            Assert.True(indexes.Contains(band.Rx2DataRate) || (band.Id.StartsWith("CN_470_510_2", StringComparison.Ordinal) && band.PhyVersion >= PhyVersion.RP002V1_0_1));
            Assert.Contains(band.MaxAdrDataRate, indexes);
            Assert.All(band.UplinkChannels, channel =>
            {
                Assert.True(channel.MinDataRate <= channel.MaxDataRate);
                Assert.Contains(channel.MinDataRate, indexes);
                Assert.Contains(channel.MaxDataRate, indexes);
            });
        }
    }

    [Fact]
    public void Default_channels_fit_the_limits_and_have_their_own_frequencies()
    {
        foreach (var band in Band.All)
        {
            Assert.InRange(band.UplinkChannels.Length, 1, band.MaxUplinkChannels);
            Assert.InRange(band.DownlinkChannels.Length, 1, band.MaxDownlinkChannels);
            Assert.True(band.DownlinkChannels.Length <= band.UplinkChannels.Length);
            Assert.Equal(band.UplinkChannels.Length, band.UplinkChannels.Select(c => c.Frequency).Distinct().Count());
            Assert.Equal(band.UplinkChannels.Length == band.MaxUplinkChannels, band.CFListType == CFListType.ChannelMasks);
        }
    }

    [Fact]
    public void Power_goes_down_from_the_maximum_with_the_power_index()
    {
        foreach (var band in Band.All)
        {
            Assert.Equal(0, band.TxPowerOffsetsDb[0]);
            Assert.All(band.TxPowerOffsetsDb.Zip(band.TxPowerOffsetsDb.Skip(1)), pair => Assert.True(pair.Second < pair.First));
        }
    }

    [Fact]
    public void Every_data_rate_has_what_its_modulation_needs_and_nothing_else()
    {
        foreach (var rate in Band.All.SelectMany(band => band.DataRates))
        {
            var set = (rate.SpreadingFactor.HasValue, rate.BandwidthHz.HasValue, rate.BitRate.HasValue, rate.OperatingChannelWidthHz.HasValue, rate.CodingRate is not null);
            Assert.Equal(rate.Modulation switch
            {
                Modulation.LoRa => (true, true, false, false, true),
                Modulation.Fsk => (false, false, true, false, false),
                _ => (false, false, false, true, true),
            }, set);
            Assert.True(rate.MaxMacPayloadUnderDwellTimeBytes is null || rate.MaxMacPayloadUnderDwellTimeBytes <= rate.MaxMacPayloadBytes);
        }
    }

    [Theory]
    [InlineData("EU_863_870", "869525000", "869525000")]
    [InlineData("RU_864_870", "869100000", "868900000")]
    [InlineData("US_902_928", null, null)]
    [InlineData("CN_470_510_20_A", null, null)]
    public void Only_a_single_frequency_counts_as_the_one_of_beacons_and_ping_slots(string id, string? beacon, string? pingSlot)
    {
        var band = Band.VersionsOf(id)[^1];
        Assert.Equal(beacon, band.OnlyBeaconFrequency?.Hertz.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(pingSlot, band.OnlyPingSlotFrequency?.Hertz.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("EU_863_870", "1.0.3-a", "PHY_V1_0_3_REV_A")]
    [InlineData("AS_923_2", "1.0.3-a", "RP002_V1_0_1")]
    [InlineData("AS_923_4", "RP002_V1_0_4", "RP002_V1_0_4")]
    [InlineData("CN_470_510", "RP002_V1_0_3", "PHY_V1_1_REV_B")]
    [InlineData("CN_470_510", "1.0", "PHY_V1_0_1")]
    [InlineData("CN_779_787", "RP002_V1_0_4", "RP002_V1_0_3")]
    [InlineData("RU_864_870", "unknown", "PHY_V1_0_3_REV_A")]
    public void The_nearest_version_is_the_same_or_the_next_newer_or_the_newest(string id, string wanted, string nearest) =>
        Assert.Equal(nearest, Band.Nearest(id, PhyVersion.Parse(wanted))?.PhyVersion.Name);

    [Theory]
    [InlineData("EU868", "EU_863_870")]
    [InlineData("eu868", "EU_863_870")]
    [InlineData("AS923", "AS_923")]
    [InlineData("AS923-1", "AS_923")]
    [InlineData("AS923-2", "AS_923_2")]
    [InlineData("AS923_2", "AS_923_2")]
    [InlineData("CN779", "CN_779_787")]
    [InlineData("ISM2400", "ISM_2400")]
    [InlineData("EU867", null)]
    [InlineData("", null)]
    public void A_region_name_of_other_networks_leads_to_its_band(string region, string? id)
    {
        Assert.Equal(id is not null, Band.TryGetIdOfRegion(region, out var found));
        Assert.Equal(id, found);
    }

    [Fact]
    public void Every_region_name_leads_to_a_band_that_exists()
    {
        var rows = RegionalTable.Rows("region-names.tsv");
        Assert.Equal(15, rows.Count);
        Assert.All(rows, row => Assert.True(Band.TryGetIdOfRegion(row["region"], out var id) && id == row["band_id"] && Band.Exists(id), row.ToString()));
    }

    [Fact]
    public void Channels_and_data_rates_print_as_engineers_write_them()
    {
        Assert.True(Band.TryGet("EU_863_870", PhyVersion.RP002V1_0_4, out var band));
        Assert.Equal("868.1 MHz DR0-DR5", band.UplinkChannels[0].ToString());
        Assert.Equal(["SF12BW125", "SF7BW250", "FSK 50 kbit/s", "LR-FHSS 137 kHz 1/3"], new[] { 0, 6, 7, 8 }.Select(i => band.DataRates[i].ToString()));
    }

    private static Band BandOf(RegionalRow row) => Band.TryGet(row["band_id"], PhyVersion.Parse(row["phy_version"]), out var band) ? band : throw new KeyNotFoundException(row.ToString());
}
