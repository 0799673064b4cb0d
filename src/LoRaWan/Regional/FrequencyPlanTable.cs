using System.Collections.Immutable;

namespace LoRaWan.Regional;

/// <summary>The embedded plans. Apart from <see cref="FrequencyPlans"/>, so that only asking for them reads them.</summary>
internal static class FrequencyPlanTable
{
    public static readonly FrequencyPlans Plans = new(ReadPlans(), ReadAliases());

    private static List<FrequencyPlan> ReadPlans()
    {
        var (uplinks, downlinks) = ReadChannels();
        var subBands = ReadSubBands();
        var plans = new List<FrequencyPlan>();
        var table = TsvReader.Open("frequency-plans.tsv");
        while (table.Read())
        {
            var id = table.Text("id");
            plans.Add(new FrequencyPlan
            {
                Id = id,
                Name = table.Text("name"),
                Description = Unescape(table.TextOrNull("description") ?? ""),
                BaseId = table.TextOrNull("base_id"),
                BandId = table.Text("band_id"),
                File = table.Text("file"),
                BaseFrequencyMegahertz = table.Number<int>("base_frequency_mhz"),
                Gateways = table.FlagOrNull("gateways"),
                UplinkChannels = uplinks.GetValueOrDefault(id, []),
                DownlinkChannels = downlinks.GetValueOrDefault(id, []),
                LoRaStandardChannel = table.FixedRateChannelOrNull("lora_standard_frequency_hz", "lora_standard_data_rate_index"),
                FskChannel = table.FixedRateChannelOrNull("fsk_frequency_hz", "fsk_data_rate_index"),
                Rx2Frequency = table.FrequencyOrNull("rx2_frequency_hz"),
                Rx2DataRate = table.DataRateOrNull("rx2_default_data_rate_index"),
                PingSlotFrequency = table.FrequencyOrNull("ping_slot_frequency_hz"),
                PingSlotDataRate = table.DataRateOrNull("ping_slot_default_data_rate_index"),
                MaxEirpDbm = table.NumberOrNull<float>("max_eirp_dbm"),
                DwellTime = new DwellTime(
                    table.FlagOrNull("dwell_time_uplinks"),
                    table.FlagOrNull("dwell_time_downlinks"),
                    table.NanosecondsOrNull("dwell_time_duration_ns")),
                TimeOffAir = new TimeOffAir(
                    table.NumberOrNull<float>("time_off_air_fraction") ?? 0,
                    table.NanosecondsOrNull("time_off_air_duration_ns") ?? TimeSpan.Zero),
                ListenBeforeTalk = table.NumberOrNull<float>("lbt_rssi_target_dbm") is { } target
                    ? new ListenBeforeTalk(
                        target, table.NumberOrNull<float>("lbt_rssi_offset_db") ?? 0, table.NanosecondsOrNull("lbt_scan_time_ns") ?? TimeSpan.Zero)
                    : null,
                SubBands = subBands.GetValueOrDefault(id, []),
                CountryCodes = [.. table.List("country_codes", ',')],
            });
        }
        return plans;
    }

    private static (Dictionary<string, ImmutableArray<Channel>> Uplinks, Dictionary<string, ImmutableArray<Channel>> Downlinks) ReadChannels()
    {
        var uplinks = new Dictionary<string, List<Channel>>();
        var downlinks = new Dictionary<string, List<Channel>>();
        var table = TsvReader.Open("frequency-plan-channels.tsv");
        while (table.Read())
            BandTable.Add(table.Cell("direction") is "uplink" ? uplinks : downlinks, table.Text("plan_id"), table.Channel());
        return (BandTable.Freeze(uplinks), BandTable.Freeze(downlinks));
    }

    private static Dictionary<string, ImmutableArray<SubBand>> ReadSubBands()
    {
        var subBands = new Dictionary<string, List<SubBand>>();
        var table = TsvReader.Open("frequency-plan-subbands.tsv");
        while (table.Read())
        {
            BandTable.Add(subBands, table.Text("plan_id"), new SubBand(
                table.Frequency("min_frequency_hz"),
                table.Frequency("max_frequency_hz"),
                table.NumberOrNull<float>("duty_cycle"),
                table.NumberOrNull<float>("max_eirp_dbm")));
        }
        return BandTable.Freeze(subBands);
    }

    private static List<(string Alias, string PlanId)> ReadAliases()
    {
        var aliases = new List<(string, string)>();
        var table = TsvReader.Open("frequency-plan-aliases.tsv");
        while (table.Read())
            aliases.Add((table.Text("alias"), table.Text("plan_id")));
        return aliases;
    }

    /// <summary>A line break is written \n and a backslash \\.</summary>
    private static string Unescape(string text) =>
        string.Join('\\', text.Split(@"\\").Select(part => part.Replace(@"\n", "\n", StringComparison.Ordinal)));
}
