using System.Globalization;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Migration.Journal;
using Sandbox.Commands;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;

namespace Sandbox.Safety;

/// <summary>
/// Exports devices of The Things Stack with <c>--delete-source-device</c>, kills the program while calls fail, runs it again until it is done,
/// and rolls everything back. After every kill the keys of each device are complete at the source or in the journal; at the end each device is
/// once in the output with its keys and on no server, and after the rollback all four servers hold what they held.
/// </summary>
public sealed class TtsKillTest(KillTestOptions options, TextWriter output)
{
    private const string App = "my-app";
    private const string Key = "NNSXS.KILLTESTONLY.AKEYTHATMUSTNEVERSHOW";
    private const string Journal = "run.journal";

    /// <summary>
    /// Of some twelve: four reads, four more before the deletion, up to four deletions. A kill comes in the first part of a run, so that the
    /// next one has something left to do.
    /// </summary>
    private const int CallsPerDevice = 4;

    private readonly Random random = new(options.Seed);
    private readonly Random chance = new(options.Seed + 1);
    private readonly List<string> problems = [];
    private int failedCalls;
    private int onTheWay;

    /// <summary>Runs to the end.</summary>
    public async Task<KillTestResult> RunAsync(CancellationToken cancellation)
    {
        var (kills, runs, migrations) = (0, 0, 0);
        while (kills < options.Kills && problems.Count == 0)
        {
            var (killsHere, runsHere) = await MigrateAsync(Math.Min(options.KillsPerMigration, options.Kills - kills), cancellation);
            (kills, runs) = (kills + killsHere, runs + runsHere);
            migrations++;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{migrations} migrations, {kills} kills ({onTheWay} with some devices deleted and some not), {runs} runs, {failedCalls} failed calls, {problems.Count} problems"));
        }
        return new KillTestResult(kills, migrations, runs, failedCalls, problems);
    }

    private async Task<(int Kills, int Runs)> MigrateAsync(int killsHere, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-kill-");
        await using var cluster = await TtsCluster.StartAsync();
        cluster.AddApplication(App);
        cluster.AddApiKey(App, Key, "kill test", []);
        TtsSampleDevices.AddMany(cluster, App, options.Devices);
        var before = cluster.DeviceIds(App).ToDictionary(id => id, id => cluster.Device(App, id), StringComparer.Ordinal);
        cluster.Requests.Keep = false;
        cluster.Faults.ByChance = ByChance;
        var tool = new ToolRun(folder.FullName, new Dictionary<string, string>
        {
            ["TTS_APP_API_KEY"] = Key,
            ["TTS_DEFAULT_GRPC_ADDRESS"] = cluster.Address,
            ["TTS_INSECURE"] = "true",
        });
        var runs = new KilledRuns(tool, cluster.Requests, random, [Key, .. before.Values.SelectMany(KeysOf).Distinct(StringComparer.Ordinal)]);
        string[] export = ["tts", "application", App, "--delete-source-device", "--journal", Journal];
        var calls = options.Devices * CallsPerDevice;
        void NoKeyIsLost() => CheckKeys(before, cluster, Path.Combine(folder.FullName, Journal));

        var exported = await runs.UntilDoneAsync(export, "devices.json", killsHere - (killsHere / 3), calls, NoKeyIsLost, cancellation);
        CheckLines("after the export", before, exported);
        problems.AddRange(cluster.DeviceIds(App).Select(id => $"after the export: {id} is still on {cluster.Device(App, id).Servers}"));
        CheckLines("typed again", before, await runs.UntilDoneAsync(export, "again.json", 0, 1, NoKeyIsLost, cancellation));
        await runs.UntilDoneAsync(["rollback", "--journal", Journal], "rollback.txt", killsHere / 3, calls, NoKeyIsLost, cancellation);
        CheckRestored(before, cluster);
        problems.AddRange(runs.Problems);
        if (problems.Count == 0)
            folder.Delete(recursive: true);
        else
            output.WriteLine("kept for a look: " + folder.FullName);
        return (runs.Kills, runs.Runs);
    }

    private Fault? ByChance(string method)
    {
        if (chance.NextDouble() >= options.Failures)
            return null;
        failedCalls++;
        var apply = chance.Next(2) == 0;
        // A cut connection fails every call on it: few of them.
        return chance.Next(20) == 0 ? new Fault.DropConnection(apply) : new Fault.Fail(GrpcCode.Unavailable, "the server is restarting", apply);
    }

    /// <summary>What is no longer complete at the source is in the journal, with every key.</summary>
    private void CheckKeys(Dictionary<string, TtsDevice> before, TtsCluster cluster, string journal)
    {
        var gone = before.Where(device => cluster.Device(App, device.Key).Servers != device.Value.Servers).ToList();
        if (gone.Count == 0)
            return;
        onTheWay += gone.Count < before.Count ? 1 : 0;
        using var reader = JournalReader.Open(journal);
        foreach (var (id, was) in gone)
        {
            var line = reader.Find(new JournalDeviceId("tts", App, id))?.Line is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : "";
            problems.AddRange(KeysOf(was).Where(key => !line.Contains(key, StringComparison.Ordinal)).Select(_ => $"after a kill: {id} has a key that is neither on all its servers nor in the journal"));
        }
    }

    private void CheckLines(string when, Dictionary<string, TtsDevice> before, ToolResult result)
    {
        var left = before.Keys.ToHashSet(StringComparer.Ordinal);
        foreach (var line in result.Lines)
        {
            using var document = JsonDocument.Parse(line);
            var id = document.RootElement.GetProperty("ids").GetProperty("device_id").GetString()!;
            if (!left.Remove(id))
                problems.Add($"{when}: {id} is twice in the output, or was never at the source");
            else if (KeysOf(before[id]).Any(key => !line.Contains(key, StringComparison.Ordinal)))
                problems.Add($"{when}: the line of {id} lacks a key");
        }
        problems.AddRange(left.Select(id => $"{when}: {id} is not in the output"));
    }

    private void CheckRestored(Dictionary<string, TtsDevice> before, TtsCluster cluster)
    {
        foreach (var (id, was) in before)
        {
            var now = cluster.Device(App, id);
            if (now.Servers != was.Servers)
                problems.Add($"after the rollback: {id} is on {now.Servers} instead of {was.Servers}");
            else if (!Records(was).Zip(Records(now)).All(pair => Comparable(pair.First).Equals(Comparable(pair.Second))))
                problems.Add($"after the rollback: {id} is not as it was");
        }
        problems.AddRange(cluster.DeviceIds(App).Except(before.Keys, StringComparer.Ordinal).Select(id => $"after the rollback: {id} was made up"));
    }

    private static IEnumerable<EndDevice> Records(TtsDevice device) =>
        new[] { device.Identity, device.Network, device.Application, device.Join }.OfType<EndDevice>();

    /// <summary>The servers set these times themselves.</summary>
    private static EndDevice Comparable(EndDevice record)
    {
        var copy = record.Clone();
        (copy.CreatedAt, copy.UpdatedAt) = (null, null);
        if (copy.Session is { } session)
            session.StartedAt = null;
        return copy;
    }

    private static IEnumerable<string> KeysOf(TtsDevice device) =>
        new[]
        {
            device.Join?.RootKeys?.AppKey?.Key, device.Network?.Session?.Keys?.FNwkSIntKey?.Key, device.Application?.Session?.Keys?.AppSKey?.Key,
        }.OfType<ByteString>().Where(key => key.Span.ContainsAnyExcept((byte)0)).Select(key => Convert.ToHexString(key.Span));
}
