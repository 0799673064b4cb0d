using System.Text.Json;
using System.Text.Json.Nodes;
using Migration;
using Sources.Tts;
using Testing;
using Xunit.Abstractions;

namespace Sources.Tests.Tts;

/// <summary>Every recorded device gives the Go tool's line, or what facts/tts-source.md section 9 says instead: see <see cref="TtsDifferences"/>.</summary>
public sealed class TtsExportGoldenTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_recorded_device_gives_its_line_or_its_reason() =>
        Golden.Check("tts-source-export.jsonl.gz", output.WriteLine, row => CheckAsync(row).GetAwaiter().GetResult());

    private static async Task<string?> CheckAsync(GoldenRow row)
    {
        var args = row.Json.GetProperty("args").EnumerateArray().Select(a => a.GetString()!).ToList();
        if (row.Text("kind") == "device")
            return await CheckDeviceAsync(row, args);
        return row.Json.TryGetProperty("before", out var before) ? await CheckRunAsync(row, args, before) : null;
    }

    private static async Task<string?> CheckDeviceAsync(GoldenRow row, List<string> args)
    {
        var id = args[^1];
        var records = new TtsDifferences.Records(row.Json.GetProperty("records"), args);
        var servers = new RecordedServers();
        servers.Add(id, row.Json.GetProperty("records"));
        var run = await ExportAsync(servers, args, new ExportRequest(ExportedItems.Devices, [id]));
        if (row.Json.GetProperty("rc").GetInt32() != 0)
            return CompareError(row, run);
        return TtsDifferences.Compare(records, row.Text("stdout")!.TrimEnd('\n'), run.Lines.SingleOrDefault(), run, id);
    }

    /// <summary>Whole runs: lines of all devices, and what the source holds afterwards.</summary>
    private static async Task<string?> CheckRunAsync(GoldenRow row, List<string> args, JsonElement before)
    {
        var servers = new RecordedServers();
        var records = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var device in before.EnumerateArray())
        {
            var id = device.GetProperty("device_id").GetString()!;
            records[id] = device.GetProperty("records");
            servers.Add(id, records[id]);
        }
        var named = row.Text("stdin")!.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Concat(args.Skip(1).Where((arg, i) => !arg.StartsWith('-') && args[i] is not ("--dev-id-prefix" or "--app-id"))).ToList();
        var devices = !args[0].StartsWith("app", StringComparison.Ordinal);
        var run = await ExportAsync(servers, args, devices ? new ExportRequest(ExportedItems.Devices, named) : new ExportRequest(ExportedItems.Applications, ["source-app"]));

        var recorded = row.Text("stdout")!.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToDictionary(IdOf, StringComparer.Ordinal);
        var ours = run.Lines.ToDictionary(IdOf, StringComparer.Ordinal);
        var wanted = devices ? named : [.. records.Keys.Order(StringComparer.Ordinal)];
        foreach (var id in wanted)
        {
            if (!records.TryGetValue(id, out var held))
            {
                if (run.Rejected.GetValueOrDefault(id) is not { Cause.Name: "end_device_not_found" })
                    return $"{id}: should not be found";
                continue;
            }
            var of = new TtsDifferences.Records(held, args);
            var newId = of.Prefix.Length > 0 ? $"{of.Prefix}-{id}" : id;
            if (!ours.TryGetValue(newId, out var line))
                return $"{id}: no line; {run.Rejected.GetValueOrDefault(id)}";
            // Defects D1, D2, D5, D6: the Go tool stops at the first failure, and has deleted by then what it does not write.
            if (recorded.TryGetValue(newId, out var want) && TtsDifferences.Compare(of, want, line, run, id) is { } difference)
                return $"{id}: {difference}";
        }
        if (ours.Count != wanted.Count(records.ContainsKey))
            return $"{ours.Count} lines of {wanted.Count} devices";
        return CompareSource(servers, records, wanted, deleted: args.Contains("--delete-source-device") && !args.Contains("--dry-run"));
    }

    /// <summary>A source stays as it was, downlinks included (defect D7), or loses exactly the devices whose lines are written, on all servers.</summary>
    private static string? CompareSource(RecordedServers servers, Dictionary<string, JsonElement> records, List<string> exported, bool deleted)
    {
        var before = new RecordedServers();
        foreach (var (id, held) in records)
        {
            if (!deleted || !exported.Contains(id))
                before.Add(id, held);
        }
        foreach (var id in records.Keys)
        {
            if (servers.Devices.ContainsKey(id) != before.Devices.ContainsKey(id))
                return $"{id}: {(servers.Devices.ContainsKey(id) ? "still there" : "gone")} afterwards";
            if (servers.Devices.TryGetValue(id, out var now) && !before.Devices[id].All(record => record.Value.Equals(now.GetValueOrDefault(record.Key))))
                return $"{id}: changed at the source";
        }
        return null;
    }

    /// <summary>The same cause as the Go tool; the run goes on to other devices (defects D5, D6).</summary>
    private static string? CompareError(GoldenRow row, Run run)
    {
        var cause = row.Json.GetProperty("stderr").EnumerateArray().Select(l => l.GetString()!).First(l => l.StartsWith("--- ", StringComparison.Ordinal))["--- ".Length..];
        var rejected = run.Rejected.Values.SingleOrDefault();
        return rejected?.Cause?.ToString() == cause ? null : $"should be rejected for {cause}, is {rejected?.Cause?.ToString() ?? "exported"}";
    }

    private static async Task<Run> ExportAsync(RecordedServers servers, List<string> args, ExportRequest request)
    {
        var options = new TtsOptions
        {
            AppId = new Setting<string>("source-app", "--app-id"),
            NoSession = new Setting<bool>(args.Contains("--no-session")),
            DeleteSourceDevice = new Setting<bool>(args.Contains("--delete-source-device")),
        };
        var export = new ExportOptions
        {
            DryRun = args.Contains("--dry-run"),
            DeviceIdPrefix = args.IndexOf("--dev-id-prefix") is >= 0 and var at ? args[at + 1] : "",
        };
        return await TtsRun.ExportAsync(servers, options, export, request);
    }

    private static string IdOf(string line) => JsonNode.Parse(line)!["ids"]!["device_id"]!.GetValue<string>();
}
