using Migration.Import;
using Migration.Verify;
using Rpc;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;
using TheThingsStack.Registries;
using static Migration.Tests.Import.ImportRun;

namespace Migration.Tests.Import;

/// <summary>Import and verification at servers of other versions, and at servers whose answers are of no use.</summary>
public sealed class OtherServersTests
{
    /// <summary>At least one that each server is asked for.</summary>
    private static readonly string[] UnknownThere =
        ["serial_number", "service_profile_id", "lora_alliance_profile_ids", "resets_join_nonces", "mac_state.rejected_data_rate_ranges", "skip_payload_crypto_override"];

    [Theory]
    [InlineData(ConflictWay.Fail)]
    [InlineData(ConflictWay.Update)]
    [InlineData(ConflictWay.Replace)]
    public async Task An_older_server_that_does_not_tell_some_fields_takes_devices_and_shows_those_it_has(ConflictWay way)
    {
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RefusedPaths = UnknownThere });
        var key = cluster.AddApplication(App);

        var first = await cluster.ImportAsync(key, Otaa(1), Abp(2));
        var again = await cluster.ImportAsync(key, Options with { OnConflict = way }, Otaa(1), Abp(2), Otaa(3));
        var changed = await cluster.ImportAsync(key, Options with { OnConflict = way }, Otaa(1, key: "C1C2C3C4C5C6C7C8C9CACBCCCDCECFC0"));

        Assert.Null(again.Summary.Stopped);
        Assert.Equal(((2, 0, 0, 0), (1, 0, 2, 0)), (first.Counts, again.Counts));
        Assert.Equal(way == ConflictWay.Fail ? (0, 0, 0, 1) : (0, 1, 0, 0), changed.Counts);
    }

    [Fact]
    public async Task A_field_that_an_older_server_does_not_take_fails_its_device_alone_and_is_named_with_the_server()
    {
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RefusedPaths = ["mac_settings.class_c_timeout"] });
        var key = cluster.AddApplication(App);

        var run = await cluster.ImportAsync(key, Otaa(1, more: ""","mac_settings":{"class_c_timeout":"30s"}"""), Otaa(2));

        Assert.Equal((1, 0, 0, 1), run.Counts);
        Assert.Equal(("[mac_settings.class_c_timeout]", cluster.Address), (run.Failure!.Attributes["forbidden_paths"], run.Failure.Attributes["server"]));
        Assert.Contains("is of a version that does not know the fields", run.Failure.Advice, StringComparison.Ordinal);
        Assert.Equal(["dev-2"], cluster.DeviceIds(App));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Verification_at_an_older_server_compares_what_it_tells(bool givesBatches)
    {
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RefusedPaths = UnknownThere });
        var key = cluster.AddApplication(App);
        if (!givesBatches)
            cluster.Faults.Add("EndDeviceBatchRegistry/Get", new Fault.Fail(GrpcCode.Unimplemented, "unknown service ttn.lorawan.v3.EndDeviceBatchRegistry"));
        cluster.Put(Device(Otaa(1)));
        cluster.Put(Device(Otaa(2, more: ""","name":"other" """)));
        cluster.Put(Device(Otaa(3)));

        // The Identity Server keeps no serial number here: that is not told, so it is no difference.
        var found = await VerifyAsync(cluster, key, Otaa(1), Otaa(2, more: ""","name":"meter" """), Otaa(3, more: ""","serial_number":"s-1" """), Otaa(4));

        Assert.Equal([CutOverState.NeedsPowerCycle, CutOverState.Differs, CutOverState.NeedsPowerCycle, CutOverState.Missing], found.Select(device => device.State));
    }

    /// <summary>Calls whose answers are empty, in an import of a new device, of one that is there, and in a verification.</summary>
    [Theory]
    [InlineData("EndDeviceRegistry/Create")]
    [InlineData("EndDeviceRegistry/Get")]
    [InlineData("EndDeviceRegistry/GetIdentifiersForEUIs")]
    [InlineData("JsEndDeviceRegistry/Set")]
    [InlineData("NsEndDeviceRegistry/Set")]
    [InlineData("AsEndDeviceRegistry/Set")]
    [InlineData("NsEndDeviceRegistry/Get")]
    [InlineData("EndDeviceRegistry/Update")]
    public async Task An_empty_answer_fails_its_device_with_the_server_named_and_the_run_goes_on(string method)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Put(Device(Otaa(1, key: "C1C2C3C4C5C6C7C8C9CACBCCCDCECFC0")));
        cluster.Put(Device(Otaa(2, id: "taken")));
        cluster.Faults.Add(method, new Fault.Rewrite(_ => []), item: method.EndsWith("EUIs", StringComparison.Ordinal) ? null : method.Contains("Create", StringComparison.Ordinal) || method.EndsWith("Set", StringComparison.Ordinal) ? "dev-4" : "dev-1");

        foreach (var dryRun in (bool[])[true, false])
        {
            var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Update, DryRun = dryRun }, Otaa(1), Otaa(2), Otaa(3), Otaa(4));

            Assert.Null(run.Summary.Stopped);
            Assert.Equal(4, run.Summary.Total);
            foreach (var failed in run.Devices.Where(device => device.Failure is not null && device.DeviceId != "dev-2"))
                Assert.Contains($"{cluster.Address}: the answer names no device ({"/ttn.lorawan.v3." + method})", failed.Failure!.Message, StringComparison.Ordinal);
        }
        // Whatever was said, a device is there as a whole or not at all.
        Assert.Contains(cluster.Device(App, "dev-4").Servers, (TtsServers[])[TtsServers.All, TtsServers.None]);
    }

    private static EndDevice Device(string line)
    {
        var device = global::TheThingsStack.Json.TtsJson.Read<EndDevice>(System.Text.Encoding.UTF8.GetBytes(line));
        device.Ids.ApplicationIds.ApplicationId = App;
        return device;
    }

    private static async Task<List<VerifiedDevice>> VerifyAsync(TtsCluster cluster, string key, params string[] lines)
    {
        Assert.True(ApiKey.TryParse(key, out var parsed, out _));
        await using var client = new ClusterClient(new ClusterOptions
        {
            Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)),
            Key = parsed,
            Tls = null,
            Clock = TimeProvider.System,
        });
        var found = new List<VerifiedDevice>();
        var verifier = new Verifier(new ClusterDevices(client, AdaptiveConcurrency.Fixed(TimeProvider.System, 4)), new VerifyOptions { Clock = TimeProvider.System });
        await verifier.RunAsync(
            lines.Select((line, i) => new SentDevice(i, i + 1, Device(line), null)).ToAsyncEnumerable(),
            device =>
            {
                found.Add(device.Device);
                return ValueTask.CompletedTask;
            },
            _ => { },
            CancellationToken.None);
        return found;
    }
}
