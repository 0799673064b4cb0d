using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Migration;
using Sandbox.Tests.TheThingsStack;
using Sandbox.TheThingsStack;
using Sources.Tts;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;
using Xunit.Abstractions;
using Records = Sandbox.TheThingsStack.TtsDevice;

namespace Sources.Tests.Tts;

/// <summary>
/// Every recorded run of the Go tool against real servers, run by ours against the emulated cluster with the recorded devices: the same lines,
/// and the same requests byte for byte, but for named differences.
/// </summary>
public sealed class TtsWireTests(ITestOutputHelper output)
{
    private static readonly string[] Since334 =
    [
        "mac_state.pending_application_downlink.attributes", "mac_state.pending_application_downlink.locations",
        "mac_state.pending_application_downlink.network_ids", "mac_state.pending_application_downlink.version_ids",
    ];

    [Fact]
    public async Task Every_recorded_run_gives_its_lines_with_its_requests_but_for_named_differences()
    {
        var scenarios = Golden.Rows("tts-wire.jsonl.gz").Where(row => row.Text("scenario")?.StartsWith("tts-", StringComparison.Ordinal) == true)
            .GroupBy(row => row.Text("scenario")!, StringComparer.Ordinal).ToList();
        var failures = new List<string>();
        foreach (var scenario in scenarios)
        {
            if (await ReplayAsync([.. scenario]) is { } problem)
                failures.Add($"{scenario.Key}: {problem}");
        }
        Golden.Report("tts-wire.jsonl.gz", scenarios.Sum(s => s.Count()), failures.Count, output.WriteLine, "the tts source");
        Assert.True(failures.Count == 0, string.Join('\n', failures));
    }

    private static async Task<string?> ReplayAsync(IReadOnlyList<GoldenRow> rows)
    {
        var run = rows.SingleOrDefault(row => row.Text("kind") == "run");
        var args = run is null ? ["application"] : run.Json.GetProperty("args").EnumerateArray().Select(a => a.GetString()!).ToList();
        var calls = rows.Where(row => row.Text("kind") == "call").Select(row => new Call(row)).ToList();
        var application = calls[0].Application;
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(application);
        var records = Fill(cluster, application, calls);
        var refusal = calls.Where(call => call.Method == "EndDeviceRegistry/List").Select(call => call.Error).FirstOrDefault(error => error is not null);
        if (refusal is "api_key_not_found")
            cluster.RemoveApiKey(key);
        else if (refusal is not null)
            key = cluster.AddApplication("another-app");

        var options = new TtsOptions
        {
            AppId = new Setting<string>(application, "--app-id"),
            AppApiKey = new Setting<string>(key, "--app-api-key"),
            DefaultAddress = new Setting<string>(cluster.Address, "--default-grpc-address"),
            Insecure = new Setting<bool>(true, "--insecure"),
            NoSession = new Setting<bool>(args.Contains("--no-session")),
            DeleteSourceDevice = new Setting<bool>(args.Contains("--delete-source-device")),
            // What the Go tool always does, we do when asked (D7).
            DisableSourceDownlinks = new Setting<bool>(!args.Contains("--delete-source-device")),
        };
        var export = new ExportOptions
        {
            DryRun = args.Contains("--dry-run"),
            DeviceIdPrefix = args.IndexOf("--dev-id-prefix") is >= 0 and var at ? args[at + 1] : "",
        };
        var named = (run?.Text("stdin") ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Concat(args.Skip(1).Where((arg, i) => !arg.StartsWith('-') && args[i] != "--dev-id-prefix")).ToList();
        var request = args[0].StartsWith("app", StringComparison.Ordinal)
            ? new ExportRequest(ExportedItems.Applications, [application])
            : new ExportRequest(ExportedItems.Devices, named);
        await using var source = TtsSource.Open(options, new SourceContext(TimeProvider.System, bytes => bytes.Fill(7), NullLogger.Instance));
        var result = await TtsRun.ExportAsync(source, export, request);

        if (refusal is not null && (result.Summary.Stopped?.Name != refusal || result.Lines.Count > 0))
            return $"should stop with {refusal}, got {result.Summary.Stopped}";
        if (result.Events.Of<ExportEvent.RetireFailed>().FirstOrDefault() is { } failed)
            return $"{failed.Device.Id}: {failed.Failure} {failed.Failure.Cause}";
        return CompareRequests(cluster, calls, records, export.DryRun) ?? CompareLines(run, args, records, result);
    }

    /// <summary>Gives the emulated servers what the recorded ones answered with. Devices that were only listed are known to the Identity Server.</summary>
    private static Dictionary<string, JsonObject> Fill(TtsCluster cluster, string application, List<Call> calls)
    {
        var records = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var call in calls)
        {
            foreach (var id in call.Listed)
                cluster.Put(application, id, new Records(new EndDevice(), null, null, null));
            if (call.Server is { } server && call.Method.EndsWith("/Get", StringComparison.Ordinal))
            {
                if (!records.TryGetValue(call.Device, out var of))
                    records[call.Device] = of = [];
                if (call.Response is { } response && !of.ContainsKey(server))
                    of[server] = response;
            }
        }
        foreach (var (id, of) in records)
        {
            EndDevice? Record(string server) => of[server] is { } record ? TtsJson.Read<EndDevice>(System.Text.Encoding.UTF8.GetBytes(record.ToJsonString())) : null;
            if (of.Count > 0)
                cluster.Put(application, id, new Records(Record("is"), Record("ns"), Record("as"), Record("js")));
        }
        return records;
    }

    private static string? CompareRequests(TtsCluster cluster, List<Call> calls, Dictionary<string, JsonObject> records, bool dryRun)
    {
        var wanted = calls.Where(call => call.Method != "EndDeviceRegistry/List").Select(call => (call.Method, Bytes: Convert.ToBase64String(Ours(call)))).ToHashSet();
        // D2: a device that never joins is not deleted at the Join Server.
        wanted.RemoveWhere(w => w.Method == "JsEndDeviceRegistry/Delete" && records[EndDeviceIdentifiers.Parser.ParseFrom(ByteString.FromBase64(w.Bytes)).DeviceId]["js"] is null);
        // D7: what an earlier run did is not done again.
        wanted.RemoveWhere(w => w.Method == "NsEndDeviceRegistry/Set" && records[SetEndDeviceRequest.Parser.ParseFrom(ByteString.FromBase64(w.Bytes)).EndDevice.Ids.DeviceId]["ns"]?["mac_settings"]?["schedule_downlinks"] is not null);
        var lists = 0;
        var sent = new HashSet<(string Method, string Bytes)>();
        foreach (var request in cluster.Requests.All)
        {
            var method = request.Method[(request.Method.LastIndexOf('.') + 1)..];
            if (method == "EndDeviceRegistry/List")
            {
                lists++;
                var list = ListEndDevicesRequest.Parser.ParseFrom(request.Request);
                // D3 and speed: pages of 1,000 in a stated order.
                if (list is not { Limit: 1000, Order: "device_id" } || list.FieldMask.Paths is not ["ids.device_id"])
                    return $"list {list}";
                continue;
            }
            if (method.StartsWith("Ns", StringComparison.Ordinal) && method.EndsWith("/Get", StringComparison.Ordinal))
            {
                var get = GetEndDeviceRequest.Parser.ParseFrom(request.Request);
                // D11: the first of them ask for the profile too, which these servers refuse.
                if (get.FieldMask.Paths.Remove(TtsMasks.ProfilePath))
                {
                    sent.Add((method, Convert.ToBase64String(get.ToByteArray())));
                    continue;
                }
            }
            // D1, D4: whether the key may change the source is asked before anything is written or changed.
            if (method is "EntityAccess/AuthInfo" or "ApplicationAccess/ListRights")
                continue;
            sent.Add((method, Convert.ToBase64String(request.Request)));
        }
        if (calls.Exists(call => call.Method == "EndDeviceRegistry/List") && lists == 0)
            return "nothing listed";
        foreach (var (method, bytes) in wanted.Except(sent))
            return $"{method} {Readable(method, bytes)} was not sent; sent were {string.Join(", ", sent.Where(s => s.Method == method).Select(s => Readable(s.Method, s.Bytes)).Take(2))}";
        foreach (var (method, bytes) in sent.Except(wanted))
        {
            // The four servers are asked at once, also when one does not have the device; and devices after a failure have their turn (D5, D6).
            var get = method.EndsWith("/Get", StringComparison.Ordinal);
            if (!get && dryRun)
                return $"{method} in a dry run";
            var id = get ? GetEndDeviceRequest.Parser.ParseFrom(ByteString.FromBase64(bytes)).EndDeviceIds.DeviceId : "";
            if (get && calls.TrueForAll(call => call.Device != id || call.Method != method || call.Response is not null) && !calls.Exists(call => call.Device == id && call.Method == method))
                continue;
            // D1, D2, D7: what the Go tool never came to, after its failure.
            if (!get && calls.Exists(call => call.Error is not null))
                continue;
            return $"{method} {Readable(method, bytes)} was not recorded";
        }
        return null;
    }

    /// <summary>The recorded request as ours is.</summary>
    private static byte[] Ours(Call call)
    {
        if (!call.Method.EndsWith("/Get", StringComparison.Ordinal))
            return call.Request;
        var request = GetEndDeviceRequest.Parser.ParseFrom(call.Request);
        var paths = request.FieldMask.Paths.ToList();
        // D21: whether there is a claim authentication code is asked, to say that it stays behind.
        if (call.Method == "EndDeviceRegistry/Get")
            paths.Add("claim_authentication_code");
        // D10.
        paths.RemoveAll(Since334.Contains);
        request.FieldMask.Paths.Clear();
        request.FieldMask.Paths.AddRange(paths.Order(StringComparer.Ordinal));
        return request.ToByteArray();
    }

    private static string? CompareLines(GoldenRow? run, List<string> args, Dictionary<string, JsonObject> records, Run result)
    {
        var recorded = (run?.Text("stdout") ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries).ToDictionary(IdOf, StringComparer.Ordinal);
        var ours = result.Lines.ToDictionary(IdOf, StringComparer.Ordinal);
        foreach (var (id, of) in records.Where(r => r.Value.ContainsKey("is")))
        {
            var view = new TtsDifferences.Records(JsonSerializer.SerializeToElement(of), args);
            var name = view.Prefix.Length > 0 ? $"{view.Prefix}-{id}" : id;
            var line = ours.GetValueOrDefault(name);
            if (recorded.TryGetValue(name, out var want) && TtsDifferences.Compare(view, want, line, result, id) is { } difference)
                return $"{id}: {difference}";
            // The Go tool writes nothing of a device after a failure (D1, D2, D5, D6, D10).
            if (line is null && of.ContainsKey("ns") && of.ContainsKey("as"))
                return $"{id}: no line, {result.Rejected.GetValueOrDefault(id)}";
        }
        return null;
    }

    private static string IdOf(string line) => JsonNode.Parse(line)!["ids"]!["device_id"]!.GetValue<string>();

    private static string Readable(string method, string bytes) => method.Split('/')[1] switch
    {
        "Get" => GetEndDeviceRequest.Parser.ParseFrom(ByteString.FromBase64(bytes)).ToString(),
        "Set" => SetEndDeviceRequest.Parser.ParseFrom(ByteString.FromBase64(bytes)).ToString(),
        _ => EndDeviceIdentifiers.Parser.ParseFrom(ByteString.FromBase64(bytes)).ToString(),
    };

    /// <summary>One recorded call.</summary>
    private sealed class Call(GoldenRow golden)
    {
        private readonly WireRow row = new(golden);

        public string Method => row.Method;

        public byte[] Request => row.RequestBytes;

        /// <summary>The answer as JSON, new each time; null for none.</summary>
        public JsonObject? Response => row.ResponseJson is { } json ? JsonNode.Parse(json.GetRawText())!.AsObject() : null;

        public string? Error => row.Details?.Name;

        public string Application => row.ApplicationId ?? "";

        public string Device => row.Ids?.DeviceId ?? "";

        public IEnumerable<string> Listed => Method == "EndDeviceRegistry/List" && row.Response is EndDevices devices ? devices.EndDevices_.Select(device => device.Ids.DeviceId) : [];

        public string? Server => Method.Split('/')[0] switch
        {
            "EndDeviceRegistry" => "is",
            "NsEndDeviceRegistry" => "ns",
            "AsEndDeviceRegistry" => "as",
            "JsEndDeviceRegistry" => "js",
            _ => null,
        };

        public override string ToString() => $"{Method} {Device}";
    }
}
