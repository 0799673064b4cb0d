using System.Text;
using Migration.Import;
using Rpc;
using Sandbox.TheThingsStack;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Registries;

namespace Migration.Tests.Import;

/// <summary>What an import came to: the sum, and each device.</summary>
internal sealed record ImportOutcome(ImportSummary Summary, IReadOnlyList<ImportedDevice> Devices)
{
    /// <summary>Imported, updated, skipped, failed.</summary>
    public (int Imported, int Updated, int Skipped, int Failed) Counts => (Summary.Imported, Summary.Updated, Summary.Skipped, Summary.Failed);

    /// <summary>The one device that failed, or null.</summary>
    public global::TheThingsStack.Errors.Failure? Failure => Devices.SingleOrDefault(device => device.Failure is not null)?.Failure;

    /// <summary>Codes of all notes.</summary>
    public IEnumerable<string> Notes => Devices.SelectMany(device => device.Notes).Select(note => note.Code);
}

/// <summary>Imports lines into the emulated The Things Stack.</summary>
internal static class ImportRun
{
    public const string App = "target-app";

    public static ImportOptions Options { get; } = new() { Application = App };

    public static Task<ImportOutcome> ImportAsync(this TtsCluster cluster, string key, params string[] lines) => ImportAsync(cluster, key, Options, lines);

    public static Task<ImportOutcome> ImportAsync(this TtsCluster cluster, string key, ImportOptions options, params string[] lines) =>
        ImportTextAsync(cluster, key, options, string.Join('\n', lines));

    public static async Task<ImportOutcome> ImportTextAsync(
        this TtsCluster cluster, string key, ImportOptions options, string text, ImportJournal? journal = null, FormerDevicesFile? former = null, CancellationToken interrupt = default)
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
            // Each costs a pause on the real clock.
            Attempts = 2,
        });
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(text));
        var devices = new List<ImportedDevice>();
        var importer = new Importer(client, options, EmbeddedFrequencyPlanStore.Instance, concurrency, TimeProvider.System) { Journal = journal, Former = former };
        var summary = await importer.RunAsync(file, new Listed(devices), interrupt);
        return new ImportOutcome(summary, devices);
    }

    public static string Otaa(int number, string? id = null, string key = "A1A2A3A4A5A6A7A8A9AAABACADAEAFA0", string more = "") =>
        $$$$"""{"ids":{"device_id":"{{{{id ?? $"dev-{number}"}}}}","application_ids":{"application_id":"source-app"},"dev_eui":"70B3D57ED00000{{{{number:X2}}}}","join_eui":"70B3D57ED0000000"},"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"EU_863_870_TTN","supports_join":true,"root_keys":{"app_key":{"key":"{{{{key}}}}"}}{{{{more}}}}}""";

    public static string Abp(int number, string address = "26011F01", string more = "") =>
        $$$$"""{"ids":{"device_id":"dev-{{{{number}}}}","application_ids":{"application_id":"source-app"},"dev_eui":"70B3D57ED00000{{{{number:X2}}}}"},"lorawan_version":"MAC_V1_0_2","lorawan_phy_version":"PHY_V1_0_2_REV_B","frequency_plan_id":"EU_863_870_TTN","session":{"dev_addr":"{{{{address}}}}","keys":{"f_nwk_s_int_key":{"key":"101112131415161718191A1B1C1D1E1F"},"app_s_key":{"key":"707172737475767778797A7B7C7D7E7F"}},"last_f_cnt_up":42}{{{{more}}}}}""";

    private sealed class Listed(List<ImportedDevice> devices) : IProgress<ImportedDevice>
    {
        public void Report(ImportedDevice value) => devices.Add(value);
    }
}
