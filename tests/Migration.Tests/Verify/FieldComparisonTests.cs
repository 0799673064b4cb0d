using System.Text;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Migration.Import;
using Migration.Verify;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Json;
using Xunit.Abstractions;

namespace Migration.Tests.Verify;

/// <summary>What counts as a difference between a device as sent and as the servers have it, and what does not.</summary>
public sealed class FieldComparisonTests(ITestOutputHelper output)
{
    public static TheoryData<string> Kinds => ["otaa", "session", "abp"];

    public static TheoryData<string, Action<EndDevice, TargetRecords>> OfTheServers => new()
    {
        { "times", (_, found) => found.Identity!.UpdatedAt = found.Network!.UpdatedAt = Timestamp.FromDateTimeOffset(SampleDevices.Imported.AddDays(1)) },
        { "seen and activated", (_, found) => found.Identity!.LastSeenAt = found.Identity.ActivatedAt = Timestamp.FromDateTimeOffset(SampleDevices.Imported.AddDays(1)) },
        { "addresses", (sent, _) => sent.NetworkServerAddress = sent.ApplicationServerAddress = sent.JoinServerAddress = "old.example" },
        { "key labels of the old cluster", (sent, _) => sent.RootKeys.AppKey.KekLabel = sent.NetworkServerKekLabel = sent.ApplicationServerKekLabel = "old" },
        { "battery", (sent, found) => (sent.BatteryPercentage, found.Network!.BatteryPercentage) = (0.5f, 0.4f) },
        { "start of the session", (_, found) => found.Network!.Session.StartedAt = Timestamp.FromDateTimeOffset(SampleDevices.Imported.AddHours(1)) },
        { "counters that moved on", (_, found) => (found.Network!.Session.LastFCntUp, found.Network.Session.LastNFCntDown, found.Application!.Session.LastAFCntDown) = (1300, 41, 13) },
        { "nonces that moved on", (_, found) => { found.Join!.LastDevNonce = 9; found.Join.UsedDevNonces.Add(9); found.Join.LastJoinNonce = 3; } },
        { "an uplink changes the MAC state", (_, found) => SampleDevices.Uplink(found, SampleDevices.Imported.AddHours(1)) },
        { "a join replaces the session", (_, found) => SampleDevices.Join(found, SampleDevices.Imported.AddHours(1)) },
        { "a join request that is under way", (_, found) => found.Network!.PendingSession = new Session { DevAddr = SampleDevices.Hex("260B0001") } },
        { "what somebody added", (_, found) => (found.Identity!.Description, found.Network!.MacSettings.Supports32BitFCnt) = ("on the roof", new TheThingsStack.Api.BoolValue { Value = true }) },
        { "a NwkKey of a 1.0.x device", (sent, _) => sent.RootKeys.NwkKey = SampleDevices.Key("000102030405060708090A0B0C0D0E0F") },
        { "keys of zeros", (sent, found) => { sent.RootKeys.AppKey = SampleDevices.Key("00000000000000000000000000000000"); found.Join!.RootKeys = null; } },
        { "desired parameters that the network completes", (sent, _) => sent.MacState.DesiredParameters.Rx1Delay = RxDelay._0 },
    };

    public static TheoryData<string, string, Action<EndDevice, TargetRecords>> Differences => new()
    {
        { "IdentityServer name", "Water meter → Meter", (_, found) => found.Identity!.Name = "Meter" },
        { "IdentityServer attributes", "1 entry → 2 entries", (_, found) => found.Identity!.Attributes["x-y-z"] = "" },
        { "IdentityServer ids.dev_eui", "0004A30B001C0001 → 0004A30B001C0002", (_, found) => found.Identity!.Ids.DevEui = SampleDevices.Hex("0004A30B001C0002") },
        { "NetworkServer frequency_plan_id", "EU_863_870_TTN → EU_863_870", (_, found) => found.Network!.FrequencyPlanId = "EU_863_870" },
        { "NetworkServer supports_class_c", "false → true", (_, found) => found.Network!.SupportsClassC = true },
        { "NetworkServer mac_settings.rx1_delay", "RX_DELAY_5 → RX_DELAY_1", (_, found) => found.Network!.MacSettings.Rx1Delay.Value = RxDelay._1 },
        { "NetworkServer session.dev_addr", "26011F01 → 26011F02", (_, found) => found.Network!.Session.DevAddr = SampleDevices.Hex("26011F02") },
        { "NetworkServer session.keys.f_nwk_s_int_key.key", "*** → ***", (_, found) => found.Network!.Session.Keys.FNwkSIntKey = SampleDevices.Key("101112131415161718191A1B1C1D1E1E") },
        { "NetworkServer session.last_f_cnt_up", "1200 → 1199", (_, found) => found.Network!.Session.LastFCntUp = 1199 },
        { "NetworkServer mac_state.current_parameters.rx2_data_rate_index", "DATA_RATE_0 → DATA_RATE_3", (_, found) => found.Network!.MacState.CurrentParameters.Rx2DataRateIndex = DataRateIndex.DataRate3 },
        { "ApplicationServer session.keys.app_s_key.key", "*** → not set", (_, found) => found.Application!.Session.Keys.AppSKey = null },
        { "ApplicationServer formatters.up_formatter_parameter", "*** → ***", (_, found) => found.Application!.Formatters.UpFormatterParameter = "other" },
        { "JoinServer root_keys.app_key.key", "*** → ***", (_, found) => found.Join!.RootKeys.AppKey = SampleDevices.Key("00112233445566778899AABBCCDDEE00") },
        { "JoinServer last_dev_nonce", "7 → 6", (_, found) => found.Join!.LastDevNonce = 6 },
        { "JoinServer used_dev_nonces", "2 entries → 1 entry", (_, found) => found.Join!.UsedDevNonces.RemoveAt(0) },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_device_right_after_its_import_does_not_differ(string kind)
    {
        var sent = kind switch { "otaa" => SampleDevices.Otaa(), "session" => SampleDevices.OtaaWithSession(), _ => SampleDevices.Abp() };

        Assert.Empty(FieldComparison.Compare(SentRecords.Plain(sent), SampleDevices.Import(sent)));
    }

    [Theory]
    [MemberData(nameof(OfTheServers), DisableDiscoveryEnumeration = true)]
    public void What_servers_change_by_themselves_does_not_count(string what, Action<EndDevice, TargetRecords> change)
    {
        var sent = SampleDevices.OtaaWithSession();
        var found = SampleDevices.Import(sent);

        change(sent, found);

        Assert.True(FieldComparison.Compare(SentRecords.Plain(sent), found) is [], what);
    }

    [Theory]
    [MemberData(nameof(Differences), DisableDiscoveryEnumeration = true)]
    public void A_field_that_is_not_as_sent_is_named_with_server_and_values(string field, string values, Action<EndDevice, TargetRecords> change)
    {
        var sent = SampleDevices.OtaaWithSession();
        var found = SampleDevices.Import(sent);

        change(sent, found);

        var difference = Assert.Single(FieldComparison.Compare(SentRecords.Plain(sent), found));
        Assert.Equal((field, values), ($"{difference.Server} {difference.Path}", $"{difference.Sent} → {difference.Found}"));
    }

    [Fact]
    public void A_counter_of_an_ABP_device_that_starts_again_counts_only_when_it_must_not()
    {
        var sent = SampleDevices.Abp();
        var found = SampleDevices.Import(sent);
        found.Network!.Session.LastFCntUp = 2;

        Assert.Equal("session.last_f_cnt_up", Assert.Single(FieldComparison.Compare(SentRecords.Plain(sent), found)).Path);
        sent.MacSettings.ResetsFCnt = found.Network.MacSettings.ResetsFCnt = new TheThingsStack.Api.BoolValue { Value = true };
        Assert.Empty(FieldComparison.Compare(SentRecords.Plain(sent), found));
    }

    [Fact]
    public void Every_path_asked_of_a_server_is_one_it_takes()
    {
        foreach (var server in CutOver.Each(DeviceServers.IdentityServer | DeviceServers.JoinServer | DeviceServers.NetworkServer | DeviceServers.ApplicationServer))
            Assert.NotEmpty(FieldComparison.PathsOf(server));
    }

    [Fact]
    public void A_device_that_was_just_imported_into_a_real_cluster_does_not_differ()
    {
        var compared = 0;
        Golden.Check(
            "tts-import.jsonl.gz",
            output.WriteLine,
            row =>
            {
                if (!row.Json.TryGetProperty("stored", out var stored))
                    return null;
                compared++;
                var line = Read(row.Json.GetProperty("device"))!;
                var found = new TargetRecords(Part("is"), Part("ns"), Part("as"), Part("js"));
                var sent = SentRecords.PrepareAsync(line, new AbpAdjustments(), EmbeddedFrequencyPlanStore.Instance, CancellationToken.None).AsTask().GetAwaiter().GetResult();
                var differences = FieldComparison.Compare(sent, found).Select(d => $"{d.Server} {d.Path}: {d.Sent} → {d.Found}").ToList();
                var missing = sent.Servers & ~found.Servers;
                return differences.Count == 0 && missing == DeviceServers.None ? null : $"{row.Text("id")}: missing {missing}; {string.Join("; ", differences)}";

                EndDevice? Part(string server) => stored.TryGetProperty(server, out var part) ? Read(part) : null;
            },
            "verify");
        Assert.True(compared > 0 || Golden.PathOf("tts-import.jsonl.gz") is null, $"{compared} rows with a stored result");
    }

    private static EndDevice? Read(JsonElement json) =>
        json.ValueKind == JsonValueKind.Object ? TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(json.GetRawText())) : null;

    [Fact]
    public void No_key_of_any_recorded_device_is_shown()
    {
        var rows = 0;
        foreach (var row in Golden.Rows("tts-import.jsonl.gz"))
        {
            if (!row.Json.TryGetProperty("device", out var json))
                continue;
            EndDevice sent;
            try
            {
                sent = TtsJson.Read<EndDevice>(System.Text.Encoding.UTF8.GetBytes(json.GetRawText()));
            }
            catch (TtsJsonException)
            {
                continue;
            }
            rows++;
            var empty = new EndDevice { Ids = sent.Ids };
            var shown = string.Concat(FieldComparison.Compare(SentRecords.Plain(sent), new TargetRecords(empty, empty, empty, empty)).Select(difference => difference.Sent));
            foreach (var key in Keys(sent))
                Assert.DoesNotContain(key, shown, StringComparison.OrdinalIgnoreCase);
        }
        Assert.True(rows > 0 || Environment.GetEnvironmentVariable("CI") != "true", $"{rows} rows");
    }

    private static IEnumerable<string> Keys(EndDevice device) =>
        new[] { device.RootKeys?.AppKey, device.RootKeys?.NwkKey, device.Session?.Keys?.AppSKey, device.Session?.Keys?.FNwkSIntKey, device.Session?.Keys?.SNwkSIntKey, device.Session?.Keys?.NwkSEncKey }
            .Where(key => key is { Key.Length: 16 } && key.Key.Span.ContainsAnyExcept((byte)0))
            .Select(key => Convert.ToHexString(key!.Key.Span));
}
