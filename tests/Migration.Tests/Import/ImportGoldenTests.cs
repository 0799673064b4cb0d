using System.Text;
using System.Text.Json;
using Migration.Import;
using Rpc;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;
using TheThingsStack.Registries;
using Xunit.Abstractions;

namespace Migration.Tests.Import;

/// <summary>Every device that a real The Things Stack was asked to import: the dry run gives its verdict.</summary>
public sealed class ImportGoldenTests(ITestOutputHelper output)
{
    [Fact]
    public async Task The_dry_run_gives_the_verdict_of_The_Things_Stack()
    {
        await using var cluster = await TtsCluster.StartAsync();
        cluster.Requests.Keep = false;
        Assert.True(ApiKey.TryParse(cluster.AddApplication("target-app"), out var key, out _));
        cluster.AddApplication("source-app");
        await using var client = new ClusterClient(new ClusterOptions
        {
            Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)),
            Key = key,
            Tls = null,
            Clock = TimeProvider.System,
        });
        Golden.Check("tts-import.jsonl.gz", output.WriteLine, row => CheckAsync(cluster, client, row.Json).GetAwaiter().GetResult(), "dry run");
    }

    private static async Task<string?> CheckAsync(TtsCluster cluster, ClusterClient client, JsonElement row)
    {
        var application = row.TryGetProperty("setup_application", out var other) ? other.GetString()! : "target-app";
        if (row.TryGetProperty("setup", out var setup))
        {
            foreach (var there in setup.EnumerateArray())
            {
                var device = TtsJson.Read<global::TheThingsStack.Api.EndDevice>(Encoding.UTF8.GetBytes(there.GetRawText()));
                device.Ids.ApplicationIds = new() { ApplicationId = application };
                cluster.Put(device);
            }
        }
        var options = new ImportOptions { Application = "target-app", DryRun = true };
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(row.GetProperty("device").GetRawText()));
        var summary = await new Importer(client, options, EmbeddedFrequencyPlanStore.Instance, AdaptiveConcurrency.Fixed(TimeProvider.System, 1), TimeProvider.System).RunAsync(file);

        var accepted = row.GetProperty("accepted").GetBoolean()
            // Better than the official CLI: zeros arrive, and a claim code is not claimed.
            || (row.TryGetProperty("grpc_whole_parameters", out var whole) && whole.GetProperty("accepted").GetBoolean())
            || IsMended(row.GetProperty("device"));
        var id = row.GetProperty("id").GetString();
        // A device that is there exactly so is nothing to do for us, and an error for the official CLI.
        var got = summary.Stopped is null && summary.Failed == 0 && summary.Skipped == 0;
        return got == accepted ? null : $"{id}: {(accepted ? "accepted" : "refused")} by the server, {string.Join("; ", summary.Problems.Select(problem => $"{problem.Code} {problem.Text}"))} {summary.Stopped}";
    }

    /// <summary>What the official CLI stumbles over and our import leaves out with a note: a picture, and a DevAddr of an OTAA device without session.</summary>
    private static bool IsMended(JsonElement device) =>
        (device.TryGetProperty("picture", out var picture) && picture.TryGetProperty("embedded", out _))
        || (device.TryGetProperty("supports_join", out var joins) && joins.GetBoolean()
            && device.TryGetProperty("ids", out var ids) && ids.TryGetProperty("dev_addr", out _) && !device.TryGetProperty("session", out _));
}
