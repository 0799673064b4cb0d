using System.Text;
using Migration.Import;
using Rpc;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Registries;

namespace Migration.Tests.Import;

/// <summary>Imports into the emulated The Things Stack.</summary>
public sealed class ImporterTests
{
    private const string Application = "target-app";

    [Fact]
    public async Task Devices_are_on_all_four_servers_and_a_second_run_changes_nothing()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(Application);

        var first = await RunAsync(cluster, key, Otaa(1), Otaa(2), Abp(3));
        var second = await RunAsync(cluster, key, Otaa(1), Otaa(2), Abp(3));

        Assert.Equal((3, 0), (first.Imported, first.Failed));
        Assert.Equal((0, 3, 0), (second.Imported, second.Skipped, second.Failed));
        Assert.Equal(TtsServers.All, cluster.Device(Application, "dev-1").Servers);
        Assert.Equal(TtsServers.All & ~TtsServers.Join, cluster.Device(Application, "dev-3").Servers);
    }

    [Fact]
    public async Task A_device_that_fails_halfway_is_taken_back_and_the_others_go_on()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(Application);
        cluster.Faults.Add("/ttn.lorawan.v3.AsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Internal, "broken"), item: "dev-2");

        var summary = await RunAsync(cluster, key, Otaa(1), Otaa(2), Otaa(3));

        Assert.Equal((2, 1), (summary.Imported, summary.Failed));
        Assert.Equal(TtsServers.None, cluster.Device(Application, "dev-2").Servers);
    }

    [Fact]
    public async Task A_dry_run_says_what_would_happen_and_changes_nothing()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(Application);
        await RunAsync(cluster, key, Otaa(1));

        var summary = await RunAsync(cluster, key, new ImportOptions { Application = Application, DryRun = true }, Otaa(1), Otaa(2), Otaa(1, id: "other-id"));

        Assert.Equal((1, 1, 1), (summary.Imported, summary.Skipped, summary.Failed));
        Assert.Equal("euis_taken", Assert.Single(summary.Problems).Code);
        Assert.Equal(["dev-1"], cluster.DeviceIds(Application));
    }

    [Fact]
    public async Task A_create_without_an_answer_that_took_effect_is_recognised()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(Application);
        cluster.Faults.Add("/ttn.lorawan.v3.EndDeviceRegistry/Create", new Fault.Fail(GrpcCode.Unavailable, "gone", Apply: true), to: 1);

        var summary = await RunAsync(cluster, key, Otaa(1));

        Assert.Equal((1, 0), (summary.Imported, summary.Failed));
        Assert.Equal(2, cluster.Requests.All.Count(call => call.Method.EndsWith(".EndDeviceRegistry/Create", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_key_without_rights_is_named_before_a_device_is_touched()
    {
        await using var cluster = await TtsCluster.StartAsync();
        cluster.AddApplication(Application);
        var key = cluster.AddApiKey(Application, global::TheThingsStack.Api.Right.ApplicationDevicesRead);

        var summary = await RunAsync(cluster, key, Otaa(1));

        Assert.Contains("RIGHT_APPLICATION_DEVICES_WRITE", summary.Stopped!.Message, StringComparison.Ordinal);
        Assert.True(summary.Stopped.NotAuthorised);
        Assert.Empty(cluster.DeviceIds(Application));
    }

    private static Task<ImportSummary> RunAsync(TtsCluster cluster, string key, params string[] lines) =>
        RunAsync(cluster, key, new ImportOptions { Application = Application }, lines);

    private static async Task<ImportSummary> RunAsync(TtsCluster cluster, string key, ImportOptions options, params string[] lines)
    {
        Assert.True(ApiKey.TryParse(key, out var parsed, out _));
        var concurrency = AdaptiveConcurrency.Adaptive(TimeProvider.System);
        await using var client = new ClusterClient(new ClusterOptions
        {
            Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)),
            Key = parsed,
            Tls = null,
            Clock = TimeProvider.System,
            Concurrency = concurrency,
        });
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines)));
        return await new Importer(client, options, EmbeddedFrequencyPlanStore.Instance, concurrency, TimeProvider.System).RunAsync(file);
    }

    private static string Otaa(int number, string? id = null) =>
        $$$$"""{"ids":{"device_id":"{{{{id ?? $"dev-{number}"}}}}","dev_eui":"70B3D57ED00000{{{{number:X2}}}}","join_eui":"70B3D57ED0000000"},"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"EU_863_870_TTN","supports_join":true,"root_keys":{"app_key":{"key":"A1A2A3A4A5A6A7A8A9AAABACADAEAFA0"}}}""";

    private static string Abp(int number) =>
        $$$$"""{"ids":{"device_id":"dev-{{{{number}}}}","dev_eui":"70B3D57ED00000{{{{number:X2}}}}"},"lorawan_version":"MAC_V1_0_2","lorawan_phy_version":"PHY_V1_0_2_REV_B","frequency_plan_id":"EU_863_870_TTN","session":{"dev_addr":"26011F01","keys":{"f_nwk_s_int_key":{"key":"101112131415161718191A1B1C1D1E1F"},"app_s_key":{"key":"707172737475767778797A7B7C7D7E7F"}},"last_f_cnt_up":42}}""";
}
