using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Migration;
using Migration.Journal;
using Rpc;
using Sources.Tts;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FieldMasks;
using Enum = System.Enum;

namespace Sources.Tests.Tts;

/// <summary>The 26 defects of the Go tool's source (facts/tts-source.md section 9), as what ours does instead.</summary>
public sealed class TtsDefectTests : IDisposable
{
    private readonly RecordedServers servers = new();
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("tts");

    public void Dispose() => folder.Delete(recursive: true);

    private static TtsOptions Options => new() { AppId = new Setting<string>("source-app", "--app-id") };

    private static TtsOptions Deleting => Options with { DeleteSourceDevice = new Setting<bool>(true, "--delete-source-device") };

    private static TtsOptions Muting => Options with { DisableSourceDownlinks = new Setting<bool>(true, "--disable-source-downlinks") };

    private string Journal => Path.Combine(folder.FullName, "tts.journal");

    [Fact] // D1
    public async Task A_device_whose_line_cannot_be_written_stays_at_the_source()
    {
        AddOtaa("one");
        await using var full = new FullDisk();
        await using var source = TtsRun.Source(servers, Deleting);
        var run = await TtsRun.ExportAsync(source, new ExportOptions(), All, full);
        Assert.NotNull(run.Summary.Stopped);
        Assert.Equal(4, servers.Devices["one"].Count);
        Assert.DoesNotContain(servers.Calls, call => call.Contains("Delete", StringComparison.Ordinal));
    }

    [Fact] // D1
    public async Task A_device_that_breaks_a_field_rule_stays_at_the_source()
    {
        AddOtaa("one", identity: d => d.Name = new string('n', 51));
        var run = await ExportAsync(Deleting);
        Assert.Equal("invalid_fields", run.Rejected["one"].Name);
        Assert.Equal(4, servers.Devices["one"].Count);
    }

    [Fact] // D1
    public async Task A_device_without_a_journal_is_not_deleted()
    {
        AddOtaa("one");
        await using var source = TtsRun.Source(servers, Deleting);
        using var output = new MemoryStream();
        var summary = await new Exporter(source, new ExportOptions()).RunAsync(All, output);
        Assert.Equal(1, summary.Exported);
        Assert.Equal(4, servers.Devices["one"].Count);
    }

    [Fact] // D2
    public async Task An_ABP_device_is_deleted_on_its_three_servers_after_its_line()
    {
        AddAbp("meter");
        var run = await ExportAsync(Deleting);
        Assert.Single(run.Lines);
        Assert.Equal(1, run.Summary.Retired);
        Assert.Empty(servers.Devices);
        Assert.Equal(["AS Delete meter", "NS Delete meter", "IS Delete meter"], servers.Calls.Where(call => call.Contains("Delete", StringComparison.Ordinal)));
    }

    [Fact] // D2
    public async Task A_device_that_joins_is_deleted_at_AS_NS_JS_and_IS_in_this_order()
    {
        AddOtaa("one");
        await ExportAsync(Deleting);
        Assert.Equal(["AS Delete one", "NS Delete one", "JS Delete one", "IS Delete one"], servers.Calls.Where(call => call.Contains("Delete", StringComparison.Ordinal)));
    }

    [Theory] // D2
    [InlineData("AS Delete")]
    [InlineData("NS Delete")]
    [InlineData("JS Delete")]
    [InlineData("IS Delete")]
    public async Task A_deletion_that_breaks_off_is_finished_by_the_next_run_and_the_line_is_still_written(string step)
    {
        AddOtaa("one");
        servers.Before = call =>
        {
            if (call.StartsWith(step, StringComparison.Ordinal))
                throw RecordedServers.Error(StatusCode.Internal, "pkg/errors", "broken", "broken");
        };
        var first = await ExportAsync(Deleting);
        Assert.Equal((1, 1), (first.Lines.Count, first.Summary.RetireFailed));
        servers.Before = _ => { };
        var second = await ExportAsync(Deleting);
        Assert.Equal((1, 1, 0), (second.Lines.Count, second.Summary.Retired, second.Summary.RetireFailed));
        Assert.Equal(first.Lines, second.Lines);
        Assert.Empty(servers.Devices);
    }

    [Fact] // D3
    public async Task Pages_that_shift_under_a_deletion_lose_no_device()
    {
        var paged = new RecordedServers { PageSize = 10 };
        for (var i = 0; i < 25; i++)
            AddOtaa($"dev-{i:00}", number: i, to: paged);
        await using var source = TtsRun.Source(paged, Deleting);
        var run = await TtsRun.ExportAsync(source, new ExportOptions(), All);
        Assert.Equal((25, 25), (run.Lines.Count, run.Summary.Retired));
        Assert.Empty(paged.Devices);
        var lastList = paged.Calls.FindLastIndex(call => call.StartsWith("IS List", StringComparison.Ordinal));
        Assert.True(lastList < paged.Calls.FindIndex(call => call.Contains("Delete", StringComparison.Ordinal)));
    }

    [Fact] // D3
    public async Task A_list_that_shrinks_while_it_is_read_stops_the_run()
    {
        var paged = new RecordedServers { PageSize = 10 };
        for (var i = 0; i < 25; i++)
            AddOtaa($"dev-{i:00}", number: i, to: paged);
        paged.Before = call =>
        {
            if (call == "IS List 2")
                paged.Remove("dev-00");
        };
        await using var source = TtsRun.Source(paged, Options);
        var run = await TtsRun.ExportAsync(source, new ExportOptions { DryRun = true }, All);
        Assert.Equal("list_changed", run.Summary.Stopped?.Name);
    }

    [Fact]
    public async Task A_device_that_gets_another_ID_while_the_list_is_read_does_not_hide_one_at_the_turn_of_the_page()
    {
        var paged = new RecordedServers { PageSize = 10 };
        for (var i = 0; i < 25; i++)
            AddOtaa($"dev-{i:00}", number: i, to: paged);
        paged.Before = call =>
        {
            if (call != "IS List 2")
                return;
            paged.Remove("dev-00");
            AddOtaa("renamed-00", number: 0, to: paged);
        };
        await using var source = TtsRun.Source(paged, Options);
        var run = await TtsRun.ExportAsync(source, new ExportOptions { DryRun = true }, All);
        Assert.Equal("list_changed", run.Summary.Stopped?.Name);
        Assert.Contains("device `dev-09` was its number 10", run.Summary.Stopped?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_that_has_more_devices_than_it_counts_is_not_taken_for_whole()
    {
        var paged = new RecordedServers { PageSize = 10, Counts = _ => 5 };
        for (var i = 0; i < 25; i++)
            AddOtaa($"dev-{i:00}", number: i, to: paged);
        await using var source = TtsRun.Source(paged, Options);
        var run = await TtsRun.ExportAsync(source, new ExportOptions { DryRun = true }, All);
        Assert.Equal("list_changed", run.Summary.Stopped?.Name);
    }

    [Fact] // D4
    public async Task A_device_that_joins_is_not_exported_without_root_keys()
    {
        AddOtaa("one", without: TtsServer.Join);
        var run = await ExportAsync(Deleting);
        Assert.Equal("no_root_keys", run.Rejected["one"].Cause?.Name);
        Assert.Equal(3, servers.Devices["one"].Count);
    }

    [Theory] // D4
    [InlineData(StatusCode.PermissionDenied, "pkg/auth/rights", "insufficient_application_rights", true)]
    [InlineData(StatusCode.Unavailable, "pkg/util/store", "database_unavailable", false)]
    public async Task A_join_server_that_refuses_is_not_taken_for_a_device_without_keys(StatusCode code, string space, string name, bool stops)
    {
        AddOtaa("one");
        servers.Before = call =>
        {
            if (call == "JS Get one")
                throw RecordedServers.Error(code, space, name, "refused");
        };
        var run = await ExportAsync(Deleting);
        Assert.Empty(run.Lines);
        Assert.Equal(name, (stops ? run.Summary.Stopped : run.Rejected["one"])!.Cause?.Name);
        Assert.Equal(4, servers.Devices["one"].Count);
    }

    [Fact] // D5
    public async Task A_device_that_only_the_identity_server_knows_fails_alone()
    {
        AddOtaa("a-one", number: 1);
        AddOtaa("b-part", number: 2, only: TtsServer.Identity);
        AddOtaa("c-two", number: 3);
        var run = await ExportAsync(Options);
        Assert.Equal((2, 1), (run.Lines.Count, run.Rejected.Count));
        Assert.Equal("error:pkg/redis:not_found (entity not found)", run.Rejected["b-part"].Cause?.ToString());
        Assert.False(run.Summary.Succeeded);
    }

    [Fact] // D6
    public async Task A_run_goes_on_after_a_failure_and_a_second_run_has_the_rest()
    {
        AddOtaa("a-one", number: 1);
        AddOtaa("b-two", number: 2);
        servers.Before = call =>
        {
            if (call == "NS Get a-one")
                throw RecordedServers.Error(StatusCode.Internal, "pkg/errors", "broken", "broken");
        };
        var first = await ExportAsync(Deleting);
        Assert.Equal((1, 1), (first.Lines.Count, first.Rejected.Count));
        servers.Before = _ => { };
        var second = await ExportAsync(Deleting);
        Assert.Equal((2, 0), (second.Lines.Count, second.Rejected.Count));
        Assert.Empty(servers.Devices);
    }

    [Fact] // D7
    public async Task Downlinks_at_the_source_go_on_when_nobody_asked_to_stop_them()
    {
        AddOtaa("one");
        var run = await ExportAsync(Options);
        Assert.Single(run.Lines);
        Assert.DoesNotContain("NS Set one", servers.Calls);
        Assert.Contains(run.Summary.DecidedByDefault, sentence => sentence.Contains("disable-source-downlinks", StringComparison.Ordinal));
    }

    [Fact] // D7
    public async Task A_second_run_after_downlinks_were_stopped_gives_the_first_lines()
    {
        AddOtaa("one");
        var first = await ExportAsync(Muting);
        Assert.Equal(1, first.Summary.Retired);
        Assert.False(servers.Devices["one"][TtsServer.Network].MacSettings.ScheduleDownlinks.Value);
        var second = await ExportAsync(Muting);
        Assert.Equal(first.Lines, second.Lines);
        Assert.DoesNotContain("schedule_downlinks", second.Lines[0], StringComparison.Ordinal);
    }

    [Theory] // D7
    [InlineData(null)]
    [InlineData(true)]
    public async Task Stopped_downlinks_can_be_allowed_again_as_they_were(bool? before)
    {
        AddOtaa("one", network: d => d.MacSettings = new MACSettings { ScheduleDownlinks = before is { } value ? new TheThingsStack.Api.BoolValue { Value = value } : null, Rx1Delay = new RxDelayValue { Value = RxDelay._5 } });
        var original = servers.Devices["one"][TtsServer.Network].Clone();
        await ExportAsync(Muting);
        await RestoreAsync("one");
        Assert.Equal(original, servers.Devices["one"][TtsServer.Network]);
    }

    [Fact] // D7
    public async Task A_device_whose_downlinks_are_off_already_is_exported_so_and_told()
    {
        AddOtaa("one", network: d => d.MacSettings = new MACSettings { ScheduleDownlinks = new TheThingsStack.Api.BoolValue() });
        var run = await ExportAsync(Options);
        Assert.Contains("\"schedule_downlinks\":false", run.Lines[0], StringComparison.Ordinal);
        Assert.Contains("downlinks_disabled", run.Notes["one"]);
    }

    [Theory] // D8
    [InlineData("Identity")]
    [InlineData("Application")]
    [InlineData("Network")]
    public async Task What_only_one_server_knows_is_kept(string name)
    {
        var server = Enum.Parse<TtsServer>(name);
        AddOtaa("one");
        var record = servers.Devices["one"][server];
        record.VersionIds = new EndDeviceVersionIdentifiers { BrandId = "acme" };
        record.LoraAllianceProfileIds = new LoRaAllianceProfileIdentifiers { VendorId = 7 };
        // The Network Server does not tell its serial number.
        if (server != TtsServer.Network)
            record.SerialNumber = "sn-1";
        var line = (await ExportAsync(Options)).Lines[0];
        Assert.Contains("\"brand_id\":\"acme\"", line, StringComparison.Ordinal);
        Assert.Equal(server != TtsServer.Network, line.Contains("\"vendor_id\":7", StringComparison.Ordinal));
        Assert.Equal(server != TtsServer.Network, line.Contains("\"serial_number\":\"sn-1\"", StringComparison.Ordinal));
    }

    [Fact] // D8
    public async Task EUIs_that_only_the_identity_server_knows_are_kept()
    {
        AddAbp("one");
        foreach (var server in Enum.GetValues<TtsServer>().Where(s => s != TtsServer.Identity && servers.Devices["one"].ContainsKey(s)))
            servers.Devices["one"][server].Ids.DevEui = ByteString.Empty;
        Assert.Contains("\"dev_eui\":\"70B3D57ED0000000\"", (await ExportAsync(Options)).Lines[0], StringComparison.Ordinal);
    }

    [Fact] // D8
    public async Task Servers_that_agree_fill_each_other_up_and_the_network_server_wins_where_they_do_not()
    {
        AddOtaa("agree", number: 1);
        servers.Devices["agree"][TtsServer.Identity].VersionIds = new EndDeviceVersionIdentifiers { BrandId = "acme", ModelId = "m1-x" };
        servers.Devices["agree"][TtsServer.Network].VersionIds = new EndDeviceVersionIdentifiers { BrandId = "acme", BandId = "EU_863_870" };
        AddOtaa("differ", number: 2);
        servers.Devices["differ"][TtsServer.Identity].VersionIds = new EndDeviceVersionIdentifiers { BrandId = "other", ModelId = "m2-x" };
        servers.Devices["differ"][TtsServer.Network].VersionIds = new EndDeviceVersionIdentifiers { BrandId = "acme" };
        var run = await ExportAsync(Options);
        Assert.Contains("\"version_ids\":{\"brand_id\":\"acme\",\"model_id\":\"m1-x\",\"band_id\":\"EU_863_870\"}", run.Lines[0].Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("\"version_ids\":{\"brand_id\":\"acme\"}", run.Lines[1], StringComparison.Ordinal);
        Assert.DoesNotContain("servers_disagree", run.Notes["agree"]);
        Assert.Contains("servers_disagree", run.Notes["differ"]);
    }

    [Fact] // D9
    public async Task Times_are_the_first_and_the_last_of_all_four_servers()
    {
        AddOtaa("one");
        servers.Devices["one"][TtsServer.Identity].CreatedAt = new Timestamp { Seconds = 1 };
        servers.Devices["one"][TtsServer.Join].UpdatedAt = new Timestamp { Seconds = 4_000_000_000 };
        var line = (await ExportAsync(Options)).Lines[0];
        Assert.Contains("\"created_at\":\"1970-01-01T00:00:01Z\"", line, StringComparison.Ordinal);
        Assert.Contains("\"updated_at\":\"2096-10-02T07:06:40Z\"", line, StringComparison.Ordinal);
    }

    [Fact] // D10
    public async Task Paths_that_an_older_server_refuses_are_asked_for_once_and_then_left_out()
    {
        AddOtaa("a-one", number: 1);
        AddOtaa("b-two", number: 2);
        servers.Refused.UnionWith(["mac_state.recent_mac_command_identifiers", "mac_state.current_parameters.relay"]);
        var run = await ExportAsync(Options with { Concurrency = new Setting<string>("1") });
        Assert.Equal(2, run.Lines.Count);
        Assert.Equal(["NS Get a-one", "NS Get a-one", "NS Get b-two"], servers.Calls.Where(call => call.StartsWith("NS Get", StringComparison.Ordinal)));
    }

    [Fact] // D10
    public async Task A_server_that_refuses_keys_is_an_error_and_not_a_device_without_keys()
    {
        AddOtaa("one");
        servers.Refused.Add("root_keys.app_key.key");
        var run = await ExportAsync(Options);
        Assert.Equal("field_mask_paths", run.Rejected["one"].Cause?.Name);
    }

    [Fact] // D11
    public async Task Settings_of_a_profile_are_put_into_the_device()
    {
        AddOtaa("one", number: 1);
        AddOtaa("two", number: 2);
        servers.Profiles["meters"] = new MACSettings { Rx1Delay = new RxDelayValue { Value = RxDelay._5 } };
        servers.ProfileOf["one"] = servers.ProfileOf["two"] = "meters";
        var run = await ExportAsync(Options);
        Assert.All(run.Lines, line => Assert.Contains("\"mac_settings\":{\"rx1_delay\":5}", line, StringComparison.Ordinal));
        Assert.Contains("mac_settings_profile_inlined", run.Notes["one"]);
        Assert.Single(servers.Calls, call => call == "NS GetProfile meters");
    }

    [Fact] // D11
    public async Task A_device_whose_profile_cannot_be_read_is_not_exported_without_its_settings()
    {
        AddOtaa("one", number: 1);
        AddOtaa("two", number: 2);
        servers.Profiles["meters"] = new MACSettings();
        servers.ProfileOf["one"] = "gone";
        var run = await ExportAsync(Options);
        Assert.Single(run.Lines);
        Assert.Equal("mac_settings_profile", run.Rejected["one"].Cause?.Name);
    }

    [Fact] // D15
    public async Task A_join_server_that_the_user_declared_absent_is_not_asked_and_the_keys_are_missed_aloud()
    {
        AddOtaa("one");
        servers.Absent.Add(TtsServer.Join);
        var run = await ExportAsync(Options);
        Assert.Single(run.Lines);
        Assert.Contains("root_keys_missing", run.Notes["one"]);
        Assert.DoesNotContain(servers.Calls, call => call.StartsWith("JS", StringComparison.Ordinal));
    }

    [Theory] // D15
    [InlineData("", "eu1.example.com:8884", null)]
    [InlineData("none", "eu1.example.com:8884", null)]
    [InlineData("js.example.com:8884", "eu1.example.com:8884", null)]
    [InlineData("js.example.com", "eu1.example.com:8884", "invalid_join_server_grpc_address")]
    [InlineData("", "", "no_application_server_grpc_address")]
    public void One_address_stands_for_all_that_are_not_given(string join, string all, string? error)
    {
        var options = Options with
        {
            AppApiKey = new Setting<string>("NNSXS.ABC.DEF"),
            DefaultAddress = new Setting<string>(all),
            JoinServerAddress = new Setting<string>(join),
        };
        Assert.Equal(error, options.Validate()?.Name);
    }

    [Fact] // D15
    public void The_identity_server_cannot_be_absent() =>
        Assert.Equal("invalid_identity_server_grpc_address", (Options with
        {
            AppApiKey = new Setting<string>("NNSXS.ABC.DEF"),
            DefaultAddress = new Setting<string>("h:1"),
            IdentityServerAddress = new Setting<string>("none"),
        }).Validate()?.Name);

    [Fact] // D16, D24
    public async Task Devices_of_several_applications_go_in_one_run()
    {
        AddOtaa("one", number: 1);
        AddOtaa("two", number: 2, application: "other-app");
        await using var source = TtsRun.Source(servers, new TtsOptions());
        var run = await TtsRun.ExportAsync(source, new ExportOptions { DryRun = true }, new ExportRequest(ExportedItems.Applications, ["source-app", "other-app"]));
        Assert.Equal(2, run.Lines.Count);
        var named = await TtsRun.ExportAsync(source, new ExportOptions { DryRun = true }, new ExportRequest(ExportedItems.Devices, ["source-app/one", "other-app/two"]));
        Assert.Equal(run.Lines, named.Lines);
    }

    [Fact] // D16
    public async Task A_device_without_any_application_is_refused_with_what_to_give()
    {
        await using var source = TtsRun.Source(servers, new TtsOptions());
        var run = await TtsRun.ExportAsync(source, new ExportOptions { DryRun = true }, new ExportRequest(ExportedItems.Devices, ["one"]));
        Assert.Equal("no_app_id", run.Rejected["one"].Cause?.Name);
    }

    [Fact] // D17
    public async Task Without_session_nothing_of_it_stays_but_the_nonces_do()
    {
        AddOtaa("one", network: d =>
        {
            d.BatteryPercentage = 0.5f;
            d.DownlinkMargin = 3;
            d.PowerState = PowerState.PowerBattery;
        });
        servers.Devices["one"][TtsServer.Join].LastDevNonce = 7;
        var line = (await ExportAsync(Options with { NoSession = new Setting<bool>(true, "--no-session") })).Lines[0];
        foreach (var gone in new[] { "session", "mac_state", "battery", "margin", "power_state" })
            Assert.DoesNotContain(gone, line, StringComparison.Ordinal);
        Assert.Contains("\"last_dev_nonce\":7", line, StringComparison.Ordinal);
    }

    [Fact] // D17
    public async Task Without_session_an_ABP_device_keeps_the_one_it_cannot_live_without()
    {
        AddAbp("meter");
        var run = await ExportAsync(Options with { NoSession = new Setting<bool>(true, "--no-session") });
        Assert.Contains("\"dev_addr\":\"26000001\"", run.Lines[0], StringComparison.Ordinal);
        Assert.Contains("session_kept", run.Notes["meter"]);
    }

    [Theory] // D18
    [InlineData(false)]
    [InlineData(true)]
    public async Task Names_of_the_source_cluster_stay_behind_unless_asked_for(bool keep)
    {
        AddOtaa("one", join: d =>
        {
            d.NetworkServerKekLabel = "ns/kek";
            d.ApplicationServerKekLabel = "as/kek";
            d.ApplicationServerId = "as-1";
            d.NetId = ByteString.CopyFrom(0, 0, 0x13);
            d.ProvisionerId = "microchip";
            d.ProvisioningData = new Struct();
        });
        var run = await ExportAsync(Options with { KeepClusterFields = new Setting<bool>(keep) });
        foreach (var field in new[] { "network_server_kek_label", "application_server_kek_label", "application_server_id", "net_id", "provisioner_id", "provisioning_data" })
            Assert.Equal(keep, run.Lines[0].Contains($"\"{field}\"", StringComparison.Ordinal));
        Assert.Contains(keep ? "cluster_fields_kept" : "cluster_fields_dropped", run.Notes["one"]);
    }

    [Fact] // D19
    public async Task Warnings_of_servers_and_missing_application_keys_are_told()
    {
        AddOtaa("one");
        servers.Devices["one"][TtsServer.Application].Session.Keys.AppSKey = null;
        servers.Warnings.Add("failed to unwrap AppSKey");
        var run = await ExportAsync(Options);
        Assert.Superset(new HashSet<string> { "app_s_key_missing", "server_warning" }, run.Notes["one"]);
    }

    [Theory] // D21
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_claim_code_stays_behind_and_is_told_or_goes_along(bool export)
    {
        AddOtaa("one", identity: d => d.ClaimAuthenticationCode = new EndDeviceAuthenticationCode { Value = "AB12" });
        var run = await ExportAsync(Options with { ExportClaimCodes = new Setting<bool>(export) });
        Assert.Equal(export, run.Lines[0].Contains("AB12", StringComparison.Ordinal));
        Assert.Equal(!export, run.Notes["one"].Contains("claim_code_left_behind"));
    }

    [Fact] // D22
    public async Task A_device_that_joins_while_it_is_read_is_read_again()
    {
        AddOtaa("one");
        var gets = 0;
        servers.Before = call =>
        {
            // Between the answers of the two servers the device has joined anew.
            if (call == "NS Get one" && ++gets == 2)
                Rejoin("one", TtsServer.Network);
            if (call == "AS Get one" && gets >= 2)
                Rejoin("one", TtsServer.Application);
        };
        var run = await ExportAsync(Options);
        Assert.Contains("\"dev_addr\":\"26000099\"", run.Lines.Single(), StringComparison.Ordinal);
    }

    [Fact] // D22
    public async Task Two_sessions_that_stay_different_are_not_made_into_one()
    {
        AddOtaa("one");
        Rejoin("one", TtsServer.Network);
        var run = await ExportAsync(Deleting);
        Assert.Equal("session_differs", run.Rejected["one"].Cause?.Name);
        Assert.Equal(4, servers.Devices["one"].Count);
    }

    [Fact] // D22
    public async Task A_device_that_has_joined_between_line_and_deletion_is_not_deleted()
    {
        AddOtaa("one");
        var output = new Trigger(() =>
        {
            Rejoin("one", TtsServer.Network);
            Rejoin("one", TtsServer.Application);
        });
        await using var source = TtsRun.Source(servers, Deleting);
        var run = await TtsRun.ExportAsync(source, new ExportOptions(), All, output);
        var failed = run.Events.Of<ExportEvent.RetireFailed>().Single();
        Assert.Equal("changed_at_source", failed.Failure.Cause?.Name);
        Assert.Equal(4, servers.Devices["one"].Count);
    }

    [Fact] // D23
    public async Task IDs_that_do_not_match_are_shown_as_text()
    {
        AddOtaa("one");
        servers.Devices["one"][TtsServer.Network].Ids.DeviceId = "another";
        var failure = (await ExportAsync(Options)).Rejected["one"].Cause!;
        Assert.Equal("device_identifiers_mismatch", failure.Name);
        Assert.Equal(("device_id", "one", "another"), (failure.Attributes["field"], failure.Attributes["a"], failure.Attributes["b"]));
    }

    [Fact] // D24
    public async Task A_device_that_is_named_twice_is_exported_and_deleted_once()
    {
        AddOtaa("one");
        var run = await ExportAsync(Deleting, new ExportRequest(ExportedItems.Devices, ["one", "one"]));
        Assert.Equal((1, 1, 1, 0), (run.Lines.Count, run.Summary.Skipped, run.Summary.Retired, run.Summary.RetireFailed));
    }

    [Fact] // D25
    public async Task Nothing_but_the_line_shows_a_key()
    {
        AddOtaa("one");
        servers.Devices["one"][TtsServer.Network].Ids.DevEui = ByteString.CopyFrom(1, 2, 3, 4, 5, 6, 7, 8);
        var run = await ExportAsync(Options);
        Assert.DoesNotContain("A0A0", $"{run.Rejected["one"]}{run.Rejected["one"].Cause}{Options}", StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secret", (Options with { AppApiKey = new Setting<string>("NNSXS.ID.secret", "--app-api-key") }).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deleted_device_can_be_put_back_on_all_its_servers()
    {
        AddOtaa("one", number: 1);
        AddAbp("meter");
        var before = servers.Devices.ToDictionary(d => d.Key, d => d.Value.ToDictionary(r => r.Key, r => r.Value.Clone()));
        await ExportAsync(Deleting);
        Assert.Empty(servers.Devices);
        await RestoreAsync("one");
        await RestoreAsync("meter");
        foreach (var (id, records) in before)
        {
            foreach (var (server, record) in records)
                Assert.Equal(Comparable(record), Comparable(servers.Devices[id][server]));
        }
    }

    [Fact]
    public void Keys_cannot_be_cleared_and_the_failure_says_what_can_be_done()
    {
        AddOtaa("one");
        var source = TtsRun.Source(servers, Options);
        var device = TtsDevice.Create("source-app", "one", servers.Devices["one"], null, []);
        var failure = Assert.Throws<FailureException>(() => source.PlanRetirement(device, RetireScope.RootKeys, RetireWay.Clear)).Failure;
        Assert.Contains("--way delete", failure.Advice, StringComparison.Ordinal);
        Assert.Equal(RetireWay.Mute, source.PlanRetirement(device, RetireScope.RootKeys, RetireWay.Mute).Way);
    }

    [Fact]
    public void A_record_in_the_journal_is_the_device_again()
    {
        AddOtaa("one");
        var device = TtsDevice.Create("source-app", "one", servers.Devices["one"], new MACSettings { StatusCountPeriodicity = 3 }, ["a warning"]);
        var again = TtsDevice.Decode("source-app", "one", device.Record);
        Assert.Equal(device.Record, again.Record);
        foreach (var server in Enum.GetValues<TtsServer>())
            Assert.Equal(device.Of(server), again.Of(server));
        Assert.Equal((device.Profile, device.Warnings), (again.Profile, again.Warnings));
    }

    [Fact]
    public void The_network_server_is_asked_for_the_recorded_paths_and_the_profile()
    {
        var masks = new TtsMasks();
        Assert.Equal(167, masks.For(TtsServer.Network).Count);
        Assert.False(masks.Drop(TtsServer.Network, ["no.such.path"], masks.For(TtsServer.Network)));
        Assert.True(masks.Drop(TtsServer.Network, [TtsMasks.ProfilePath], masks.For(TtsServer.Network)));
        Assert.Equal(166, masks.For(TtsServer.Network).Count);
        foreach (var server in Enum.GetValues<TtsServer>())
            Assert.True(MessageMask.TryCreate(EndDevice.Descriptor, masks.For(server), out _, out var unknown), unknown);
    }

    private static ExportRequest All => new(ExportedItems.Applications, ["source-app"]);

    private static EndDevice Comparable(EndDevice record)
    {
        var copy = record.Clone();
        copy.CreatedAt = copy.UpdatedAt = null;
        copy.Ids.DevAddr = ByteString.Empty;
        return copy;
    }

    private async Task<Run> ExportAsync(TtsOptions options, ExportRequest? request = null) =>
        await TtsRun.ExportAsync(servers, options, new ExportOptions(), request ?? All, journalFile: Journal);

    private async Task RestoreAsync(string id)
    {
        await using var source = TtsRun.Source(servers, Options);
        using var journal = JournalReader.Open(Journal);
        var entry = journal.Find(new JournalDeviceId("tts", "source-app", id))!;
        var outcome = await source.RestoreAsync(source.FromRecord("source-app", id, entry.Record), new RetirePlan(entry.Way!.Value, entry.Replacement), dryRun: false, CancellationToken.None);
        Assert.Equal(ChangeResult.Done, outcome.Result);
    }

    private void Rejoin(string id, TtsServer server)
    {
        var session = servers.Devices[id][server].Session;
        session.DevAddr = ByteString.CopyFrom(0x26, 0, 0, 0x99);
        session.Keys.SessionKeyId = ByteString.CopyFromUtf8("another");
    }

    private void AddOtaa(
        string id, int number = 0, string application = "source-app", TtsServer? without = null, TtsServer? only = null, RecordedServers? to = null,
        Action<EndDevice>? identity = null, Action<EndDevice>? network = null, Action<EndDevice>? join = null)
    {
        var target = to ?? servers;
        EndDevice New() => new()
        {
            Ids = new EndDeviceIdentifiers
            {
                DeviceId = id,
                ApplicationIds = new ApplicationIdentifiers { ApplicationId = application },
                DevEui = ByteString.CopyFrom(0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, (byte)number),
                JoinEui = ByteString.CopyFrom(0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, 0),
            },
            CreatedAt = new Timestamp { Seconds = 1_700_000_000 },
            UpdatedAt = new Timestamp { Seconds = 1_700_000_001 },
        };
        Put(TtsServer.Identity, New(), identity);
        var atJoin = New();
        atJoin.RootKeys = new RootKeys { AppKey = Key(0xA0) };
        Put(TtsServer.Join, atJoin, join);
        Put(TtsServer.Application, WithApplicationSession(New()), null);
        var atNetwork = WithNetworkSession(New());
        atNetwork.SupportsJoin = true;
        Put(TtsServer.Network, atNetwork, network);

        void Put(TtsServer server, EndDevice record, Action<EndDevice>? change)
        {
            change?.Invoke(record);
            if (server != without && (only is null || server == only))
                target.Add(id, server, record);
        }
    }

    private void AddAbp(string id)
    {
        AddOtaa(id, without: TtsServer.Join);
        servers.Devices[id][TtsServer.Network].SupportsJoin = false;
        foreach (var record in servers.Devices[id].Values)
        {
            record.Ids.JoinEui = ByteString.Empty;
            if (record.Session is { } session)
                session.Keys.SessionKeyId = ByteString.Empty;
        }
    }

    private static EndDevice WithNetworkSession(EndDevice device)
    {
        device.FrequencyPlanId = "EU_863_870_TTN";
        device.LorawanVersion = MACVersion.MacV103;
        device.LorawanPhyVersion = PHYVersion.PhyV103RevA;
        device.Session = new Session
        {
            DevAddr = ByteString.CopyFrom(0x26, 0, 0, 1),
            Keys = new SessionKeys { SessionKeyId = ByteString.CopyFromUtf8("session"), FNwkSIntKey = Key(0xF0), SNwkSIntKey = Key(0xF0), NwkSEncKey = Key(0xF0) },
            LastFCntUp = 42,
            LastNFCntDown = 10,
        };
        MACParameters Parameters() => new()
        {
            Rx2Frequency = 869_525_000,
            Rx1Delay = RxDelay._1,
            AdrNbTrans = 1,
            Channels = { new MACParameters.Types.Channel { UplinkFrequency = 868_100_000, DownlinkFrequency = 868_100_000, EnableUplink = true } },
        };
        device.MacState = new MACState { CurrentParameters = Parameters(), DesiredParameters = Parameters(), LorawanVersion = MACVersion.MacV103 };
        return device;
    }

    private static EndDevice WithApplicationSession(EndDevice device)
    {
        device.Session = new Session
        {
            DevAddr = ByteString.CopyFrom(0x26, 0, 0, 1),
            Keys = new SessionKeys { SessionKeyId = ByteString.CopyFromUtf8("session"), AppSKey = Key(0xAF) },
            LastAFCntDown = 3,
        };
        return device;
    }

    private static KeyEnvelope Key(byte value) => new() { Key = ByteString.CopyFrom(Enumerable.Repeat(value, 16).ToArray()) };

    /// <summary>Takes nothing.</summary>
    private sealed class FullDisk : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            throw new IOException("No space left on device");
    }

    /// <summary>Something happens when the first line is out.</summary>
    private sealed class Trigger(Action happens) : MemoryStream
    {
        public override Task FlushAsync(CancellationToken cancellationToken)
        {
            happens();
            return Task.CompletedTask;
        }
    }
}
