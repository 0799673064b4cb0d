using LoRaWan.Regional;

namespace LoRaWan.Tests.Regional;

public sealed class FrequencyPlanTests
{
    private static readonly IReadOnlyList<RegionalRow> Rows = RegionalTable.Rows("frequency-plans.tsv");
    private static readonly FrequencyPlans Plans = FrequencyPlans.Embedded;

    [Fact]
    public void Every_row_of_the_table_is_a_plan_that_says_the_same()
    {
        Assert.Equal(71, Rows.Count);
        Assert.Equal(71, Plans.All.Length);
        foreach (var (row, listed) in Rows.Zip(Plans.All))
        {
            Assert.True(Plans.TryGet(row["id"], out var plan), row.ToString());
            Assert.Same(listed, plan);
            RegionalTable.AssertCells(row, new Dictionary<string, object?>
            {
                ["id"] = plan.Id,
                ["name"] = plan.Name,
                ["base_id"] = plan.BaseId,
                ["band_id"] = plan.BandId,
                ["index_band_id"] = plan.BandId,
                ["file"] = plan.File,
                ["base_frequency_mhz"] = plan.BaseFrequencyMegahertz,
                ["gateways"] = plan.Gateways,
                ["uplink_channel_count"] = plan.UplinkChannels.Length,
                ["downlink_channel_count"] = plan.DownlinkChannels.Length,
                ["lora_standard_frequency_hz"] = plan.LoRaStandardChannel?.Frequency.Hertz,
                ["lora_standard_data_rate_index"] = plan.LoRaStandardChannel?.DataRate.Value,
                ["rx2_frequency_hz"] = plan.Rx2Frequency?.Hertz,
                ["rx2_default_data_rate_index"] = plan.Rx2DataRate?.Value,
                ["ping_slot_frequency_hz"] = plan.PingSlotFrequency?.Hertz,
                ["ping_slot_default_data_rate_index"] = plan.PingSlotDataRate?.Value,
                ["max_eirp_dbm"] = plan.MaxEirpDbm,
                ["dwell_time_uplinks"] = plan.DwellTime.Uplinks,
                ["dwell_time_downlinks"] = plan.DwellTime.Downlinks,
                ["dwell_time_duration_ns"] = plan.DwellTime.Duration?.TotalNanoseconds,
                ["fsk_frequency_hz"] = plan.FskChannel?.Frequency.Hertz,
                ["fsk_data_rate_index"] = plan.FskChannel?.DataRate.Value,
                ["time_off_air_fraction"] = plan.TimeOffAir.Fraction is 0 ? null : plan.TimeOffAir.Fraction,
                ["time_off_air_duration_ns"] = plan.TimeOffAir.Duration == TimeSpan.Zero ? null : plan.TimeOffAir.Duration.TotalNanoseconds,
                ["lbt_rssi_target_dbm"] = plan.ListenBeforeTalk?.RssiTargetDbm,
                ["lbt_rssi_offset_db"] = plan.ListenBeforeTalk?.RssiOffsetDb,
                ["lbt_scan_time_ns"] = plan.ListenBeforeTalk?.ScanTime.TotalNanoseconds,
                ["country_codes"] = string.Join(',', plan.CountryCodes),
                ["description"] = plan.Description.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal),
            });
        }
    }

    [Fact]
    public void Every_row_of_the_channel_table_is_a_channel_of_its_plan()
    {
        var rows = RegionalTable.Rows("frequency-plan-channels.tsv");
        Assert.Equal(622, rows.Count);
        Assert.Equal(622, Plans.All.Sum(plan => plan.UplinkChannels.Length + plan.DownlinkChannels.Length));
        foreach (var row in rows)
        {
            Assert.True(Plans.TryGet(row["plan_id"], out var plan), row.ToString());
            var index = (int)row.Number64("index")!;
            var channel = (row["direction"] == "uplink" ? plan.UplinkChannels : plan.DownlinkChannels)[index];
            RegionalTable.AssertCells(row, new Dictionary<string, object?>
            {
                ["frequency_hz"] = channel.Frequency.Hertz,
                ["min_data_rate_index"] = channel.MinDataRate.Value,
                ["max_data_rate_index"] = channel.MaxDataRate.Value,
            }, "plan_id", "direction", "index");
        }
    }

    [Fact]
    public void Every_row_of_the_sub_band_table_is_a_sub_band_of_its_plan()
    {
        var rows = RegionalTable.Rows("frequency-plan-subbands.tsv");
        Assert.Equal(16, rows.Count);
        Assert.Equal(16, Plans.All.Sum(plan => plan.SubBands.Length));
        foreach (var row in rows)
        {
            Assert.True(Plans.TryGet(row["plan_id"], out var plan), row.ToString());
            var subBand = plan.SubBands[(int)row.Number64("index")!];
            RegionalTable.AssertCells(row, new Dictionary<string, object?>
            {
                ["min_frequency_hz"] = subBand.MinFrequency.Hertz,
                ["max_frequency_hz"] = subBand.MaxFrequency.Hertz,
                ["duty_cycle"] = subBand.DutyCycle,
                ["max_eirp_dbm"] = subBand.MaxEirpDbm,
            }, "plan_id", "index");
        }
    }

    [Fact]
    public void Every_alias_of_the_table_leads_to_its_plan()
    {
        var rows = RegionalTable.Rows("frequency-plan-aliases.tsv");
        Assert.Equal(33, rows.Count);
        Assert.Equal(33, Plans.All.Sum(plan => Plans.AliasesOf(plan.Id).Count()));
        Assert.All(rows, row => Assert.Contains(row["plan_id"], Plans.FindByAlias(row["alias"]).Select(plan => plan.Id)));
        Assert.All(rows, row => Assert.Contains(row["alias"], Plans.AliasesOf(row["plan_id"])));
    }

    [Fact]
    public void Every_plan_is_usable_in_some_version_of_its_band()
    {
        Assert.All(Plans.All, plan => Assert.Null(plan.FindFault()));
        var pairs = Plans.All.SelectMany(plan => PhyVersion.All.Where(version => plan.TryGetBand(version, out _)).Select(_ => plan.Id)).ToList();
        Assert.Equal(685, pairs.Count);
        Assert.Equal(71, pairs.Distinct().Count());
    }

    [Fact]
    public void Channels_lie_in_the_first_sub_band_that_the_plan_says_it_uses()
    {
        var outside = Plans.All.Where(plan => !plan.SubBands.IsEmpty)
            .Where(plan => !plan.UplinkChannels.All(channel => plan.SubBands.Any(s => s.MinFrequency <= channel.Frequency && channel.Frequency <= s.MaxFrequency)))
            .Select(plan => plan.Id);
        Assert.Equal([], outside);
    }

    [Fact]
    public void Plans_with_as_many_channels_as_the_band_can_hold_fit_every_version()
    {
        foreach (var plan in Plans.All)
        {
            Assert.True(plan.DownlinkChannels.IsEmpty || plan.DownlinkChannels.Length == plan.UplinkChannels.Length, plan.Id);
            Assert.All(Band.VersionsOf(plan.BandId), band => Assert.True(
                plan.UplinkChannels.Length <= band.MaxUplinkChannels && plan.DownlinkChannels.Length <= band.MaxDownlinkChannels));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("XX")]
    [InlineData("eu_863_870")]
    [InlineData("KR_920_923")]
    public void An_ID_that_is_not_in_the_index_is_no_plan(string id)
    {
        Assert.False(Plans.TryGet(id, out var plan));
        Assert.Null(plan);
    }

    [Theory]
    [InlineData("KR_920_923", "KR_920_923_TTN")]
    [InlineData("RU_864_870", "RU_864_870_TTN")]
    [InlineData("ISM_2400", "ISM_2400_3CH_DRAFT2")]
    [InlineData("EU868", "EU_863_870_TTN EU_863_870 EU_868_1")]
    [InlineData("EU_863-870", "EU_863_870 EU_863_870_TTN EU_863_870_ROAMING_DRAFT")]
    [InlineData("eu_863_870_ttn", "EU_863_870_TTN")]
    [InlineData("EU_836_870", "EU_863_870")]
    [InlineData("us915_1", "US_902_928_FSB_2")]
    [InlineData("US_902_928_FSB2", "US_902_928_FSB_2 US_902_928_FSB_1 US_902_928_FSB_3")]
    [InlineData("US_902_928", "US_902_928_FSB_1 US_902_928_FSB_2 US_902_928_FSB_3")]
    [InlineData("cn470_10", "CN_470_510_FSB_11")]
    [InlineData("AS923-1", "AS_923 AS_923_2 AS_923_3")]
    [InlineData("something else", "")]
    [InlineData("", "")]
    public void An_unknown_ID_leads_to_the_plans_that_were_meant(string id, string nearest) =>
        Assert.Equal(nearest, string.Join(' ', Plans.NearestIds(id).Take(Math.Max(1, nearest.Split(' ').Length))));

    [Fact]
    public void No_more_nearest_IDs_are_given_than_asked_for()
    {
        Assert.Equal(3, Plans.NearestIds("US_902_928").Count);
        Assert.Equal(["EU_863_870_TTN"], Plans.NearestIds("EU868", 1));
        Assert.Empty(Plans.NearestIds("EU868", 0));
    }

    [Fact]
    public void Of_two_plans_with_one_ID_the_first_counts()
    {
        var plans = new FrequencyPlans([new FrequencyPlan { Id = "A", Name = "first" }, new FrequencyPlan { Id = "A", Name = "second" }]);
        Assert.Equal("first", Assert.Single(plans.All).Name);
        Assert.True(plans.TryGet("A", out var plan));
        Assert.Equal("first", plan.Name);
    }

    [Fact]
    public void A_plan_that_sets_nothing_takes_everything_from_its_base()
    {
        var over = new FrequencyPlan { Id = "OVER", BaseId = "BASE", Name = "over" }.Over(Full);
        Assert.Equal(Full with { Id = "OVER", BaseId = "BASE", Name = "over", File = null, Gateways = null, Description = "", CountryCodes = over.CountryCodes }, over);
        Assert.Empty(over.CountryCodes);
    }

    [Fact]
    public void A_plan_that_sets_everything_takes_nothing_from_its_base()
    {
        var other = new FrequencyPlan
        {
            Id = "BASE",
            BandId = "US_902_928",
            BaseFrequencyMegahertz = 915,
            UplinkChannels = [Wide],
            DownlinkChannels = [Wide],
            LoRaStandardChannel = new(Wide.Frequency, Wide.MaxDataRate),
            FskChannel = new(Wide.Frequency, Wide.MaxDataRate),
            Rx2Frequency = Wide.Frequency,
            Rx2DataRate = Wide.MaxDataRate,
            PingSlotFrequency = Wide.Frequency,
            PingSlotDataRate = Wide.MaxDataRate,
            MaxEirpDbm = 30,
            DwellTime = new(true, true, TimeSpan.FromSeconds(3)),
            TimeOffAir = new(0.9f, TimeSpan.FromSeconds(9)),
            ListenBeforeTalk = new(-70, 4, TimeSpan.FromSeconds(5)),
            SubBands = [new(Wide.Frequency, Wide.Frequency, null, null)],
        };
        Assert.Equal(Full, Full.Over(other));
    }

    [Fact]
    public void Zero_is_set_and_dwell_time_is_replaced_as_a_whole()
    {
        var over = new FrequencyPlan
        {
            Id = "OVER",
            BaseFrequencyMegahertz = 0,
            MaxEirpDbm = 0,
            Rx2Frequency = new Frequency(0),
            Rx2DataRate = new DataRateIndex(0),
            PingSlotDataRate = new DataRateIndex(0),
            DwellTime = new DwellTime(false, null, null),
            TimeOffAir = new TimeOffAir(0.5f, TimeSpan.Zero),
        }.Over(Full);
        Assert.Equal((0f, new Frequency(0), new DataRateIndex(0), new DataRateIndex(0)), (over.MaxEirpDbm, over.Rx2Frequency, over.Rx2DataRate, over.PingSlotDataRate));
        Assert.Equal(new DwellTime(false, null, null), over.DwellTime);
        Assert.Equal(new TimeOffAir(0.5f, TimeSpan.Zero), over.TimeOffAir);
        Assert.Equal(868, over.BaseFrequencyMegahertz);
    }

    [Fact]
    public void Plans_with_a_base_differ_from_it_only_where_they_say_so()
    {
        var (ttn, plain) = (Plan("EU_863_870_TTN"), Plan("EU_863_870"));
        Assert.Equal(plain.UplinkChannels.AsEnumerable(), ttn.UplinkChannels.AsEnumerable());
        Assert.Equal((new DataRateIndex(3), (DataRateIndex?)null), (ttn.Rx2DataRate, plain.Rx2DataRate));
        Assert.Equal(26, Plans.All.Count(plan => plan.BaseId is not null));
        Assert.All(Plans.All.Where(plan => plan.BaseId is not null), plan =>
        {
            var baseline = Plan(plan.BaseId!);
            Assert.Null(baseline.BaseId);
            Assert.Equal(baseline.BandId, plan.BandId);
            Assert.Equivalent(plan.Over(baseline), plan);
        });
    }

    [Fact]
    public void Faults_are_found_in_the_order_of_the_checks()
    {
        var channel = Wide with { DwellTime = new ChannelDwellTime(true, null) };
        var plan = new FrequencyPlan { Id = "X", DwellTime = new(null, true, null), UplinkChannels = [Wide, channel], DownlinkChannels = [channel] };
        Assert.Equal(new(FrequencyPlanFaultKind.UnknownBand, null), plan.FindFault());
        plan = plan with { BandId = "EU_863_870" };
        Assert.Equal(new(FrequencyPlanFaultKind.NoDwellTimeDuration, null), plan.FindFault());
        Assert.Equal(new(FrequencyPlanFaultKind.NoDwellTimeDuration, null), (plan with { DwellTime = new(true, null, null) }).FindFault());
        plan = plan with { DwellTime = new(false, false, null) };
        Assert.Equal(new(FrequencyPlanFaultKind.NoDwellTimeDuration, 1), plan.FindFault());
        plan = plan with { UplinkChannels = [Wide with { DwellTime = new ChannelDwellTime(true, TimeSpan.FromSeconds(1)) }] };
        Assert.Equal(new(FrequencyPlanFaultKind.NoDwellTimeDuration, 0), plan.FindFault());
        Assert.Null((plan with { DwellTime = new(true, true, TimeSpan.FromSeconds(1)) }).FindFault());
        Assert.Null((plan with { DownlinkChannels = [Wide with { DwellTime = new ChannelDwellTime(false, null) }] }).FindFault());
    }

    [Fact]
    public void A_plan_of_which_only_the_ID_is_known_has_empty_texts_and_lists()
    {
        var plan = new FrequencyPlan { Id = "X" };
        Assert.Equal(("", "", ""), (plan.Name, plan.Description, plan.BandId));
        Assert.True(plan.UplinkChannels.IsEmpty && plan.DownlinkChannels.IsEmpty && plan.SubBands.IsEmpty && plan.CountryCodes.IsEmpty);
        Assert.Empty(new FrequencyPlans([plan]).AliasesOf("X"));
    }

    private static Channel Wide => new(new Frequency(903_000_000), new DataRateIndex(4), new DataRateIndex(4));

    private static FrequencyPlan Full { get; } = new()
    {
        Id = "FULL",
        Name = "full",
        Description = "all set",
        BaseId = "BASE",
        BandId = "EU_863_870",
        File = "full.yml",
        BaseFrequencyMegahertz = 868,
        Gateways = true,
        UplinkChannels = [new(new Frequency(868_100_000), new DataRateIndex(0), new DataRateIndex(5))],
        DownlinkChannels = [new(new Frequency(868_300_000), new DataRateIndex(1), new DataRateIndex(4))],
        LoRaStandardChannel = new(new Frequency(868_300_000), new DataRateIndex(6)),
        FskChannel = new(new Frequency(868_800_000), new DataRateIndex(7)),
        Rx2Frequency = new Frequency(869_525_000),
        Rx2DataRate = new DataRateIndex(3),
        PingSlotFrequency = new Frequency(869_525_000),
        PingSlotDataRate = new DataRateIndex(3),
        MaxEirpDbm = 16.15f,
        DwellTime = new(false, true, TimeSpan.FromMilliseconds(400)),
        TimeOffAir = new(0.1f, TimeSpan.FromSeconds(1)),
        ListenBeforeTalk = new(-80, -4, TimeSpan.FromMicroseconds(128)),
        SubBands = [new(new Frequency(868_000_000), new Frequency(868_600_000), 0.01f, 14)],
        CountryCodes = ["nl"],
    };

    private static FrequencyPlan Plan(string id) => Plans.TryGet(id, out var plan) ? plan : throw new KeyNotFoundException(id);
}
