using System.Text;
using Migration.Import;
using Migration.Verify;
using Rpc;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;
using TheThingsStack.Registries;
using Xunit.Abstractions;

namespace Migration.Tests.Verify;

/// <summary>Import and verification agree about what was sent.</summary>
public sealed class ImportedDevicesTests(ITestOutputHelper output) : IAsyncLifetime, IAsyncDisposable
{
    private TtsCluster cluster = null!;
    private ClusterClient client = null!;

    public async Task InitializeAsync()
    {
        cluster = await TtsCluster.StartAsync();
        cluster.Requests.Keep = false;
        Assert.True(ApiKey.TryParse(cluster.AddApplication("target-app"), out var key, out _));
        client = new ClusterClient(new ClusterOptions { Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)), Key = key, Tls = null, Clock = TimeProvider.System });
    }

    public async ValueTask DisposeAsync()
    {
        await client.DisposeAsync();
        await cluster.DisposeAsync();
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    [Fact]
    public void Every_recorded_device_that_this_tool_imports_is_as_it_was_sent()
    {
        var imported = 0;
        Golden.Check(
            "tts-import.jsonl.gz",
            output.WriteLine,
            row => CheckAsync(Encoding.UTF8.GetBytes(row.Json.GetProperty("device").GetRawText()), new AbpAdjustments(), () => imported++).GetAwaiter().GetResult(),
            "import and verify");
        Assert.True(imported > 0 || Golden.PathOf("tts-import.jsonl.gz") is null, $"{imported} devices imported");
    }

    public static TheoryData<string, AbpAdjustments> Options => new()
    {
        { "none", new AbpAdjustments() },
        { "RX1 delay", new AbpAdjustments { Rx1Delay = 3 } },
        { "counters that start again", new AbpAdjustments { ResetsFCnt = true } },
        { "16 bits", new AbpAdjustments { Supports32BitFCnt = false } },
        { "channels of the plan", new AbpAdjustments { FactoryPresetsFromPlan = true } },
    };

    [Theory]
    [MemberData(nameof(Options), DisableDiscoveryEnumeration = true)]
    public async Task An_ABP_device_that_the_import_changed_as_its_options_say_is_as_it_was_sent(string what, AbpAdjustments options)
    {
        var abp = SampleDevices.Abp();
        abp.MacState = null;
        abp.MacSettings.ResetsFCnt = new global::TheThingsStack.Api.BoolValue { Value = false };
        abp.MacSettings.Supports32BitFCnt = new global::TheThingsStack.Api.BoolValue { Value = true };
        abp.MacSettings.FactoryPresetFrequencies.Add(868_100_000);
        Assert.True(await ImportAsync(TtsJson.WriteBytes(abp), options), what);

        var asImported = await VerifyAsync(abp, options);
        var asInFile = await VerifyAsync(abp, new AbpAdjustments());

        Assert.True(asImported.IsAsSent, what);
        Assert.True(asInFile.IsAsSent == (options == new AbpAdjustments()), what);
    }

    private async Task<string?> CheckAsync(byte[] line, AbpAdjustments abp, Action imported)
    {
        if (!await ImportAsync(line, abp))
            return null;
        imported();
        var device = TtsJson.Read<EndDevice>(line);
        var verified = await VerifyAsync(device, abp);
        cluster.Put("target-app", device.Ids.DeviceId, new TtsDevice(null, null, null, null));
        return verified.IsAsSent ? null : $"{device.Ids.DeviceId}: {verified.Failure} missing {verified.Missing}; {string.Join("; ", verified.Differences.Select(d => $"{d.Server} {d.Path}: {d.Sent} → {d.Found}"))}";
    }

    private async Task<bool> ImportAsync(byte[] line, AbpAdjustments abp)
    {
        var options = new ImportOptions { Application = "target-app", Abp = abp };
        using var file = new MemoryStream(line);
        return (await new Importer(client, options, EmbeddedFrequencyPlanStore.Instance, AdaptiveConcurrency.Fixed(TimeProvider.System, 1), TimeProvider.System).RunAsync(file)).Imported > 0;
    }

    private async Task<VerifiedDevice> VerifyAsync(EndDevice line, AbpAdjustments abp)
    {
        var device = line.Clone();
        device.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = "target-app" };
        VerifiedDevice? verified = null;
        await new Verifier(new ClusterDevices(client, AdaptiveConcurrency.Fixed(TimeProvider.System, 4)), new VerifyOptions { Clock = TimeProvider.System, Abp = abp }).RunAsync(
            new[] { new SentDevice(0, 1, device, null) }.ToAsyncEnumerable(),
            settled =>
            {
                verified = settled.Device;
                return ValueTask.CompletedTask;
            },
            _ => { },
            CancellationToken.None);
        return verified!;
    }
}
