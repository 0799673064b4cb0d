using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Migration;
using Migration.Journal;
using Sandbox.Grpc;
using Sandbox.TtnV2;
using Sources.TtnV2;
using Testing;
using TheThingsStack.Errors;
using Xunit.Abstractions;
using LoRaWanDevice = Sources.TtnV2.Api.LoRaWan.Device;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.Tests.TtnV2;

/// <summary>The V2 source and the path of a device against the emulated cluster.</summary>
public sealed class TtnV2SourceTests(ITestOutputHelper log) : IAsyncLifetime, IDisposable
{
    private const string Key = "ttn-account-v2.secret";

    private readonly EventList events = new();
    private readonly MemoryStream output = new();
    private readonly HurriedClock clock = new();
    private TtnV2Cluster cluster = null!;

    public async Task InitializeAsync()
    {
        cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication("my-app", Key);
    }

    public async Task DisposeAsync() => await cluster.DisposeAsync();

    public void Dispose() => output.Dispose();

    [Fact]
    public async Task A_dry_run_of_joining_devices_without_session_asks_once_for_the_handler_and_once_for_the_list()
    {
        AddOtaa(10);
        var summary = await RunAsync(Options(withSession: false), new ExportOptions { DryRun = true }, application: "my-app");
        Assert.Equal((10, 0, NextStep.RunForReal), (summary.Exported, summary.Rejected, summary.Next));
        Assert.Equal(["GetByAppID", "GetDevicesForApplication"], Calls());
    }

    [Theory]
    [InlineData("5", 4)]
    [InlineData("0", 0)]
    public async Task A_dry_run_tells_the_time_of_the_real_run_with_two_calls_for_a_device_that_will_be_retired(string rate, int seconds)
    {
        AddOtaa(10);
        AddAbp("stays");
        var summary = await RunAsync(Options(withSession: false) with { RequestsPerSecond = new(rate) }, new ExportOptions { DryRun = true }, application: "my-app");
        Assert.Equal(TimeSpan.FromSeconds(seconds), summary.TimeOfRealRun);
    }

    [Fact]
    public async Task A_dry_run_with_sessions_gets_only_the_devices_that_have_one()
    {
        AddOtaa(3);
        AddOtaa(2, "joined", joined: true);
        AddAbp("abp");
        var summary = await RunAsync(Options(withSession: true), new ExportOptions { DryRun = true }, application: "my-app");
        Assert.Equal(6, summary.Exported);
        Assert.Equal(3, Calls().Count(c => c == "GetDevice"));
        Assert.DoesNotContain("SetDevice", Calls());
        Assert.Equal(3, Lines().Count(l => l.Contains("\"last_f_cnt_up\":42", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_real_run_without_session_clears_the_app_key_and_nothing_else()
    {
        AddOtaa(1, "joined", joined: true);
        var before = cluster.Device("my-app", "joined-000")!;
        var summary = await RunAsync(Options(withSession: false), application: "my-app");
        Assert.Equal((1, 1), (summary.Exported, summary.Retired));
        Assert.Equal(["GetByAppID", "GetDevicesForApplication", "GetDevice", "SetDevice", "GetDevice"], Calls());
        var after = cluster.Device("my-app", "joined-000")!;
        before.LorawanDevice.AppKey = ByteString.CopyFrom(new byte[16]);
        Assert.Equal(before, after);
    }

    [Fact]
    public async Task A_real_run_with_session_clears_exactly_what_was_exported()
    {
        AddOtaa(1, "joined", joined: true);
        AddOtaa(1, "part", joined: true, change: d => d.AppSKey = ByteString.CopyFrom(new byte[16]));
        AddOtaa(1, "fresh");
        AddAbp("abp");
        var summary = await RunAsync(Options(withSession: true), application: "my-app");
        Assert.Equal((4, 4), (summary.Exported, summary.Retired));
        Assert.Equal(("", "", "", ""), Keys("joined-000"));
        Assert.Equal(("", "", "", ""), Keys("abp"));
        Assert.Equal(("", "", "", ""), Keys("fresh-000"));
        var part = Keys("part-000");
        Assert.Equal("", part.AppKey);
        Assert.NotEqual("", part.DevAddr);
        Assert.NotEqual("", part.NwkSKey);
        Assert.Contains(summary.Notes, n => n.Code == "partial_session");
    }

    [Fact]
    public async Task An_abp_device_without_session_flag_is_exported_with_its_session_and_left_running()
    {
        AddAbp("abp");
        var before = cluster.Device("my-app", "abp")!;
        var summary = await RunAsync(Options(withSession: false), application: "my-app");
        Assert.Equal((1, 0, true), (summary.Exported, summary.Retired, summary.Succeeded));
        Assert.Equal(before, cluster.Device("my-app", "abp"));
        var note = summary.Notes.Single(n => n.NeedsPerson);
        Assert.Equal(("abp_left_running", "abp"), (note.Code, note.Devices.Single()));
        Assert.Contains("delete these devices from V2", note.Guide!, StringComparison.Ordinal);
        Assert.Contains("\"rx1_delay\":1", Lines().Single(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_device_with_a_session_and_no_app_key_is_listed_when_it_has_the_app_eui_of_one_that_joins(bool hasAppEui)
    {
        AddAbp("abp");
        var device = cluster.Device("my-app", "abp")!;
        device.LorawanDevice.AppEui = hasAppEui ? device.LorawanDevice.DevEui : ByteString.CopyFrom(new byte[8]);
        cluster.Add(device);

        var summary = await RunAsync(Options(withSession: true), application: "my-app");

        Assert.Equal(hasAppEui ? ["abp_by_record"] : [], summary.Notes.Where(n => n.NeedsPerson).Select(n => n.Code));
    }

    [Fact]
    public async Task A_run_repeated_after_a_real_run_refuses_devices_whose_keys_are_gone()
    {
        AddOtaa(2);
        await RunAsync(Options(withSession: true), application: "my-app");
        output.SetLength(0);
        var summary = await RunAsync(Options(withSession: true), application: "my-app");
        Assert.Equal((0, 2, "no_keys"), (summary.Exported, summary.Rejected, summary.Problems.Single().Code));
        Assert.Empty(Lines());
    }

    [Fact]
    public async Task The_access_key_goes_to_the_handler_and_not_to_discovery()
    {
        AddOtaa(1);
        await RunAsync(Options(withSession: false), application: "my-app");
        Assert.All(cluster.Requests.All, r => Assert.Equal(r.ShortMethod != "GetByAppID", r.Metadata.Any(m => m.Key == "key")));
    }

    [Fact]
    public async Task A_handler_given_by_address_is_used_without_discovery()
    {
        AddOtaa(1);
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, cluster.HandlerCertificatePem);
            var options = Options(withSession: false) with { HandlerAddress = new(cluster.HandlerAddress, "--handler-address"), CaCert = new(file, "--ca-cert") };
            var summary = await RunAsync(options, new ExportOptions { DryRun = true }, application: "my-app");
            Assert.Equal(1, summary.Exported);
            Assert.Equal(["GetDevicesForApplication"], Calls());
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Discovery_over_tls_works_with_the_ca_file_and_says_why_not_without()
    {
        AddOtaa(1);
        var tls = Options(withSession: false) with
        {
            DiscoveryServerAddress = new(cluster.DiscoveryTlsAddress, "--discovery-server-address"),
            DiscoveryServerInsecure = new(false),
        };
        var refused = await RunAsync(tls, new ExportOptions { DryRun = true }, application: "my-app");
        Assert.Contains(cluster.DiscoveryTlsAddress, refused.Stopped!.Message, StringComparison.Ordinal);
        Assert.Equal("if the cluster is yours, give the certificate of its authority with --ca-cert, or name the file in TTNV2_CA_CERT", refused.Stopped.Advice);
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, cluster.CaCertificatePem);
            var summary = await RunAsync(tls with { CaCert = new(file, "--ca-cert") }, new ExportOptions { DryRun = true }, application: "my-app");
            Assert.Equal(1, summary.Exported);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(true, "if this is the port with TLS, leave out --discovery-server-insecure and TTNV2_DISCOVERY_SERVER_INSECURE; else check host and port")]
    [InlineData(false, "use the port with TLS; or, if the network in between is safe, --discovery-server-insecure")]
    public async Task Tls_and_the_port_of_discovery_that_do_not_go_together_are_told_by_the_names_of_the_flags(bool insecure, string advice)
    {
        var options = Options(withSession: false) with
        {
            DiscoveryServerAddress = new(insecure ? cluster.DiscoveryTlsAddress : cluster.DiscoveryAddress, "--discovery-server-address"),
            DiscoveryServerInsecure = new(insecure, "--discovery-server-insecure"),
        };
        var refused = await RunAsync(options, new ExportOptions { DryRun = true }, application: "my-app");
        Assert.Equal(advice, refused.Stopped!.Advice);
    }

    [Fact]
    public void A_file_without_a_certificate_is_told_with_where_its_path_comes_from()
    {
        var file = Path.GetTempFileName();
        try
        {
            var failure = Assert.Throws<FailureException>(() => TtnV2Source.Open(Options(withSession: false) with { CaCert = new(file, "--ca-cert") }, new SourceContext(clock, bytes => bytes.Fill(7), NullLogger.Instance))).Failure;
            Assert.Equal("the path comes from --ca-cert or TTNV2_CA_CERT", failure.Advice);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(HandlerCertificate.WrongName)]
    [InlineData(HandlerCertificate.Expired)]
    public async Task A_handler_with_a_bad_certificate_stops_the_run_with_its_address(HandlerCertificate certificate)
    {
        await using var bad = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { HandlerCertificate = certificate });
        bad.AddApplication("my-app", Key);
        var options = Options(withSession: false) with { DiscoveryServerAddress = new(bad.DiscoveryAddress, "--discovery-server-address") };
        var summary = await RunAsync(options, application: "my-app");
        Assert.StartsWith($"handler {bad.HandlerAddress}: ", summary.Stopped!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_application_is_asked_for_by_its_own_name()
    {
        cluster.AddApplication("other-app", Key);
        AddOtaa(1);
        AddOtaa(1, "other", application: "other-app");
        var summary = await RunAsync(Options(withSession: false), new ExportOptions { DryRun = true }, application: "other-app");
        Assert.Equal(1, summary.Exported);
        Assert.Contains("\"device_id\":\"other-000\",\"application_ids\":{\"application_id\":\"other-app\"}", Lines().Single(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(GrpcCode.ResourceExhausted, "Rate limit for client \"x\" reached")]
    [InlineData(GrpcCode.Unavailable, "unavailable: broker is restarting")]
    [InlineData(GrpcCode.DeadlineExceeded, "context deadline exceeded")]
    [InlineData(GrpcCode.Internal, "Broker did not return device: Internal error: [ResourceExhausted] Rate limit for client \"x\" reached")]
    public async Task Passing_errors_are_retried_and_the_device_goes(GrpcCode code, string message)
    {
        AddOtaa(2, "joined", joined: true);
        cluster.Faults.Add("GetDevice", new Fault.Fail(code, message), "joined-001", to: 4);
        cluster.Faults.Add("SetDevice", new Fault.Fail(code, message), "joined-001", to: 3);
        var summary = await RunAsync(Options(withSession: true), application: "my-app");
        Assert.Equal((2, 2, true), (summary.Exported, summary.Retired, summary.Succeeded));
        Assert.Equal(("", "", "", ""), Keys("joined-001"));
    }

    [Fact]
    public async Task A_handler_that_does_not_answer_is_asked_again_and_then_given_up_by_name()
    {
        AddOtaa(1);
        cluster.Faults.Add("GetDevicesForApplication", new Fault.Fail(GrpcCode.DeadlineExceeded, "context deadline exceeded"));
        var summary = await RunAsync(Options(withSession: false), application: "my-app");
        Assert.Equal("error:unknown:unknown (context deadline exceeded)", summary.Stopped!.ToString());
        Assert.Equal(cluster.HandlerAddress, summary.Stopped.Attributes["server"]);
        Assert.Equal(10, Calls().Count(c => c == "GetDevicesForApplication"));
    }

    [Fact]
    public async Task A_device_that_fails_after_all_retries_is_left_and_three_in_a_row_end_the_run()
    {
        AddOtaa(6, "joined", joined: true);
        cluster.Faults.Add("GetDevice", new Fault.Fail(GrpcCode.Unavailable, "Broker did not return device: unavailable: gone"), "joined-001");
        var one = await RunAsync(Options(withSession: true), new ExportOptions { DryRun = true, Concurrency = 1 }, application: "my-app");
        Assert.Equal((5, 1), (one.Exported, one.Rejected));
        cluster.Faults.Add("GetDevice", new Fault.Fail(GrpcCode.Unavailable, "Broker did not return device: unavailable: gone"));
        var all = await RunAsync(Options(withSession: true), new ExportOptions { DryRun = true, Concurrency = 1 }, application: "my-app");
        Assert.Equal((0, 2, "export device `joined-002`"), (all.Exported, all.Rejected, all.Stopped!.Message));
    }

    [Fact]
    public async Task A_set_that_was_applied_without_an_answer_is_seen_and_not_sent_again()
    {
        AddOtaa(1);
        cluster.Faults.Add("SetDevice", new Fault.Fail(GrpcCode.Unavailable, "lost", Apply: true), to: 1);
        var summary = await RunAsync(Options(withSession: false), application: "my-app");
        Assert.Equal((1, 1), (summary.Exported, summary.Retired));
        Assert.Equal(["GetByAppID", "GetDevicesForApplication", "GetDevice", "SetDevice", "GetDevice"], Calls());
    }

    [Fact]
    public async Task A_device_that_changed_after_it_was_read_is_not_cleared()
    {
        AddOtaa(1);
        events.Reported = e =>
        {
            if (e is ExportEvent.Exported)
                AddOtaa(1, change: d => d.AppKey = Bytes(16, 99));
        };
        var summary = await RunAsync(Options(withSession: false), application: "my-app");
        Assert.Equal((1, 0, 1), (summary.Exported, summary.Retired, summary.RetireFailed));
        Assert.Equal("changed_at_source", events.Of<ExportEvent.RetireFailed>().Single().Failure.Cause!.Name);
        Assert.Equal(Bytes(16, 99), cluster.Device("my-app", "dev-000")!.LorawanDevice.AppKey);
    }

    [Fact]
    public async Task Pages_give_every_device_once_and_in_order()
    {
        AddOtaa(4500);
        var summary = await RunAsync(Options(withSession: false), new ExportOptions { DryRun = true }, application: "my-app");
        Assert.Equal((4500, 4500), (summary.Exported, summary.Total));
        Assert.Equal(10, Calls().Count(c => c == "GetDevicesForApplication"));
        Assert.Equal(Lines().Order(StringComparer.Ordinal), Lines());
    }

    [Fact]
    public async Task A_list_that_changes_between_two_pages_is_not_taken_for_complete()
    {
        AddOtaa(3000);
        cluster.Faults.Add("GetDevicesForApplication", new Fault.Run(_ => { AddOtaa(1, "aaa"); return Task.CompletedTask; }), from: 2, to: 2);
        var summary = await RunAsync(Options(withSession: false), application: "my-app");
        Assert.Equal("list_changed", summary.Stopped!.Name);
        Assert.Empty(Lines());
        Assert.DoesNotContain("SetDevice", Calls());
    }

    [Fact]
    public async Task A_wrong_key_stops_the_run_with_the_servers_words_and_advice()
    {
        AddOtaa(3);
        var options = Options(withSession: false) with { AppAccessKey = new("ttn-account-v2.wrong", "TTNV2_APP_ACCESS_KEY") };
        var summary = await RunAsync(options, devices: ["dev-000", "dev-001", "dev-002"]);
        Assert.Equal("export device `dev-000`", summary.Stopped!.Message);
        Assert.Equal("error:unknown:unknown (Unauthorized)", summary.Stopped.Cause!.ToString());
        Assert.Contains("belong together", summary.Stopped.Advice!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_application_is_said_in_the_words_of_discovery()
    {
        var summary = await RunAsync(Options(withSession: false), application: "nowhere-app");
        Assert.Equal("rpc error: code = NotFound desc = discovery:app_id:nowhere-app not found", summary.Stopped!.ToString());
    }

    [Fact]
    public async Task Unknown_and_impossible_devices_are_reported_and_the_others_go()
    {
        AddOtaa(2);
        var summary = await RunAsync(Options(withSession: false), devices: ["dev-000", "nope", "\"dev-001\"", "v2-end-device-ID", "UPPER", "dev-001"]);
        Assert.Equal((2, 4, 2), (summary.Exported, summary.Rejected, summary.Retired));
        Assert.Equal(
            ["handler:device:my-app:nope not found", "device ID has quotes in it", "device ID is the placeholder of the guide", "Invalid Device Identifier: DevID not valid: has wrong format. IDs can contain lowercase letters, numbers, dashes and underscores and should have a maximum length of 36"],
            events.Of<ExportEvent.Rejected>().Select(e => e.Failure.Cause!.Message));
    }

    [Fact]
    public async Task Templates_records_without_lorawan_and_empty_keys_are_left_alone()
    {
        AddOtaa(1, "template", change: d => d.DevEui = ByteString.CopyFrom(new byte[8]));
        AddOtaa(1, "strange");
        AddOtaa(1, "empty");
        cluster.Faults.Add("GetDevice", TtnV2Faults.NoLoRaWanDevice, "strange-000");
        cluster.Faults.Add("GetDevice", TtnV2Faults.ZeroLengthKeys, "empty-000");
        var summary = await RunAsync(Options(withSession: false), devices: ["template-000", "strange-000", "empty-000"]);
        Assert.Equal((0, 3), (summary.Exported, summary.Rejected));
        Assert.Equal(["register_on_join_template", "no_lorawan_device", "invalid_record"], events.Of<ExportEvent.Rejected>().Select(e => e.Failure.Cause!.Name));
        Assert.DoesNotContain("SetDevice", Calls());
    }

    [Fact]
    public async Task The_pace_of_five_calls_a_second_is_never_refused()
    {
        await using var limited = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { RateLimits = RateLimitProfile.PerSecond });
        limited.AddApplication("my-app", Key);
        AddOtaa(12, "joined", joined: true, to: limited);
        var options = Options(withSession: true) with { DiscoveryServerAddress = new(limited.DiscoveryAddress, "--discovery-server-address") };
        var summary = await RunAsync(options, new ExportOptions { DryRun = true }, application: "my-app", time: TimeProvider.System);
        Assert.Equal(12, summary.Exported);
        Assert.Equal(13, limited.Requests.All.Count(r => r.Server == "handler"));
    }

    private TtnV2Options Options(bool withSession) => new()
    {
        AppId = new("my-app", "TTNV2_APP_ID"),
        AppAccessKey = new(Key, "TTNV2_APP_ACCESS_KEY"),
        FrequencyPlanId = new("EU_863_870_TTN", "FREQUENCY_PLAN_ID"),
        DiscoveryServerAddress = new(cluster.DiscoveryAddress, "TTNV2_DISCOVERY_SERVER_ADDRESS"),
        DiscoveryServerInsecure = new(true, "--discovery-server-insecure"),
        WithSession = new(withSession, "--with-session"),
    };

    private async Task<ExportSummary> RunAsync(
        TtnV2Options options, ExportOptions? export = null, string? application = null, string[]? devices = null, TimeProvider? time = null)
    {
        await using var source = TtnV2Source.Open(options, new SourceContext(time ?? clock, bytes => bytes.Fill(7), NullLogger.Instance));
        var request = application is not null
            ? new ExportRequest(ExportedItems.Applications, [application])
            : new ExportRequest(ExportedItems.Devices, devices!);
        using var folder = new TemporaryFolder();
        await using var journal = export is { DryRun: true } ? null : DeviceJournal.Open(new JournalOptions(folder.File("test.journal"), new JournalScope("ttnv2", ""), "1.2.3", TimeProvider.System));
        var summary = await new Exporter(source, export ?? new ExportOptions(), journal).RunAsync(request, output, events);
        log.WriteLine(summary.Stopped?.ToString() ?? "ran to the end");
        return summary;
    }

    private string[] Calls() => [.. cluster.Requests.All.Select(r => r.ShortMethod)];

    private string[] Lines() => System.Text.Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private (string AppKey, string DevAddr, string NwkSKey, string AppSKey) Keys(string id)
    {
        var lorawan = cluster.Device("my-app", id)!.LorawanDevice;
        static string Text(ByteString value) => value.Span.ContainsAnyExcept((byte)0) ? Convert.ToHexString(value.Span) : "";
        return (Text(lorawan.AppKey), Text(lorawan.DevAddr), Text(lorawan.NwkSKey), Text(lorawan.AppSKey));
    }

    private void AddAbp(string id) => AddOtaa(1, id, joined: true, exactId: true, change: d => d.AppKey = ByteString.CopyFrom(new byte[16]));

    private void AddOtaa(
        int count, string prefix = "dev", bool joined = false, string application = "my-app", bool exactId = false, Action<LoRaWanDevice>? change = null, TtnV2Cluster? to = null)
    {
        for (var i = 0; i < count; i++)
        {
            var id = exactId ? prefix : $"{prefix}-{i:d3}";
            var seed = (byte)(i + 1);
            var lorawan = new LoRaWanDevice
            {
                AppEui = Bytes(8, 0x70),
                DevEui = ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(application + id)).AsSpan(0, 8)),
                AppKey = Bytes(16, seed),
                DevAddr = ByteString.CopyFrom(new byte[4]),
                NwkSKey = ByteString.CopyFrom(new byte[16]),
                AppSKey = ByteString.CopyFrom(new byte[16]),
                Uses32BitFCnt = true,
                ActivationConstraints = "local",
            };
            if (joined)
            {
                lorawan.DevAddr = Bytes(4, 0x26);
                lorawan.NwkSKey = Bytes(16, 0x40);
                lorawan.AppSKey = Bytes(16, 0x50);
                lorawan.FCntUp = 42;
                lorawan.FCntDown = 7;
            }
            change?.Invoke(lorawan);
            lorawan.AppId = application;
            lorawan.DevId = id;
            (to ?? cluster).Add(new V2Device { AppId = application, DevId = id, LorawanDevice = lorawan });
        }
    }

    private static ByteString Bytes(int length, byte seed) => ByteString.CopyFrom([.. Enumerable.Range(0, length).Select(i => (byte)(seed + i))]);
}
