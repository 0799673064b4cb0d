using System.Text;
using System.Text.Json.Nodes;
using Cli;
using Sandbox.Grpc;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;
using Testing;
using Xunit.Abstractions;

namespace Sources.Tests.TtnV2;

/// <summary>
/// Every recorded run of the Go tool against the real V2 servers, run by ours against the emulated cluster that knows what the recorded
/// answers of that run show: the same exit code, lines and error, save where facts/ttnv2.md says that the Go tool is wrong.
/// </summary>
public sealed class TtnV2WireRunTests(ITestOutputHelper output)
{
    private const string File = "ttnv2-wire.jsonl.gz";
    private const string EnvKey = "TTNV2_APP_ACCESS_KEY";

    private readonly SortedDictionary<string, int> excused = new(StringComparer.Ordinal);

    [Fact]
    public void Every_recorded_run_ends_as_the_go_tools_did_or_better()
    {
        var scenarios = Golden.Rows(File).ToLookup(r => r.Text("scenario")!);
        Golden.Check(
            File,
            output.WriteLine,
            row => row.Text("server") == "client" && row.Json.TryGetProperty("args", out _) ? CheckAsync(row, [.. scenarios[row.Text("scenario")!]]).GetAwaiter().GetResult() : null,
            "runs");
        foreach (var (why, count) in excused)
            output.WriteLine($"{count,4} runs excused: {why}");
    }

    private async Task<string?> CheckAsync(GoldenRow row, List<GoldenRow> scenario)
    {
        var rc = row.Json.GetProperty("rc").ToString();
        if (rc == "2")
            return Excuse("the Go tool panicked");
        if (scenario.Exists(r => r.Json.TryGetProperty("response_bytes", out _)))
            return Excuse("its answer was too large to be recorded");
        await using var cluster = await TtnV2Cluster.StartAsync();
        var records = Seed(cluster, row, scenario);
        var (exitCode, lines, errors) = await RunAsync(cluster, row);
        if (rc.StartsWith("killed", StringComparison.Ordinal))
        {
            // The Go tool hangs for ever; ours works when it can, else it says why.
            Excuse("the Go tool hung");
            return exitCode == 0 || errors.Contains("server", StringComparison.Ordinal) || errors.Contains("address", StringComparison.Ordinal) ? null : errors;
        }
        var want = Lines(row.Text("stdout")!);
        var better = want.Where(line => CannotGo(line, want)).ToList();
        if (better.Count > 0)
            Excuse("a device without keys or DevEUI, or with the ID of another, is refused");
        foreach (var line in want.Except(better))
        {
            Mend(line, records);
            if (!lines.Exists(l => JsonNode.DeepEquals(l, line)))
                return $"{row.Text("scenario")}: missing line\n{line.ToJsonString()}\nin\n{string.Join('\n', lines.Select(l => l.ToJsonString()))}\n{errors}";
        }
        if (rc == "0")
            return exitCode == (better.Count > 0 ? 1 : 0) && lines.Count == want.Count - better.Count ? null : $"{row.Text("scenario")}: exit {exitCode}: {errors}";
        if (row.Text("stderr")!.Contains("(context deadline exceeded)", StringComparison.Ordinal))
            return Excuse("the recorder had stopped the handler: see TtnV2SourceTests for handlers that do not answer");
        if (exitCode != 1)
            return $"{row.Text("scenario")}: exit {exitCode}, the Go tool's is {rc}: {row.Text("stderr")}";
        var reason = Reason(row.Text("stderr")!);
        if (reason.Contains("dns resolver", StringComparison.Ordinal) || reason.Contains("too many colons", StringComparison.Ordinal))
            return Excuse("the address is explained");
        if (errors.Contains(":no_keys (", StringComparison.Ordinal) && records.Values.Any(d => !d.LorawanDevice.AppKey.Span.ContainsAnyExcept((byte)0)))
            return Excuse("a device that an earlier recorded run cleared is refused for that first");
        return errors.Contains(reason, StringComparison.Ordinal) || TwoFaults(errors, reason) ? null : $"{row.Text("scenario")}: `{reason}` is not in\n{errors}";
    }

    /// <summary>Puts into the cluster what the answers of the run show; a recorded refusal is answered as often as it was.</summary>
    private static Dictionary<string, Device> Seed(TtnV2Cluster cluster, GoldenRow run, List<GoldenRow> scenario)
    {
        var records = new Dictionary<string, Device>(StringComparer.Ordinal);
        var listed = new List<Device>();
        foreach (var call in scenario.Where(r => r.Text("server") == "handler" && r.Json.TryGetProperty("status", out _)))
        {
            var method = call.Text("method")![(call.Text("method")!.LastIndexOf('/') + 1)..];
            if (call.Json.GetProperty("status").GetInt32() != 0 || call.Text("response") is not { } response)
                continue;
            if (method == "GetDevice" && Device.Parser.ParseFrom(Convert.FromBase64String(response)) is { } got)
                records.TryAdd(got.DevId, got);
            else if (method == "GetDevicesForApplication")
                listed.AddRange(DeviceList.Parser.ParseFrom(Convert.FromBase64String(response)).Devices);
        }
        foreach (var device in listed)
            records.TryAdd(device.DevId, device);
        var known = scenario.Where(r => r.Text("server") == "discovery" && r.Json.TryGetProperty("status", out var s) && s.GetInt32() == 0).Any();
        var app = run.Json.GetProperty("env").TryGetProperty("TTNV2_APP_ID", out var id) ? id.GetString()! : "";
        var args = run.Json.GetProperty("args").EnumerateArray().Select(a => a.GetString()!).ToList();
        var key = run.Json.GetProperty("env").TryGetProperty(EnvKey, out var k) ? k.GetString()! : "";
        foreach (var name in records.Values.Select(d => d.AppId).Append(args.Contains("application") ? args[args.IndexOf("application") + 1] : app).Append(app).Distinct().Where(n => known && n.Length > 0))
        {
            cluster.AddApplication(name, key);
            foreach (var device in records.Values)
            {
                var copy = device.Clone();
                copy.AppId = name;
                copy.LorawanDevice?.AppId = name;
                cluster.Add(copy);
            }
        }
        foreach (var refusal in scenario.Where(r => r.Text("server") == "handler" && r.Json.TryGetProperty("status", out var s) && s.GetInt32() != 0))
        {
            var method = refusal.Text("method")![(refusal.Text("method")!.LastIndexOf('/') + 1)..];
            var item = method == "GetDevicesForApplication" ? null : DeviceIdentifier.Parser.ParseFrom(Convert.FromBase64String(refusal.Text("request")!)).DevId;
            // All refusals of the method: a key that does not fit one device fits none.
            var lasting = item is null || !records.ContainsKey(item);
            if (lasting)
                cluster.Faults.Add(method, new Fault.Fail((GrpcCode)refusal.Json.GetProperty("status").GetInt32(), refusal.Text("message")!), item);
            else
                cluster.Faults.Add(method, new Fault.Fail((GrpcCode)refusal.Json.GetProperty("status").GetInt32(), refusal.Text("message")!), item, to: 1);
        }
        return records;
    }

    private static async Task<(int ExitCode, List<JsonObject> Lines, string Errors)> RunAsync(TtnV2Cluster cluster, GoldenRow row)
    {
        var args = row.Json.GetProperty("args").EnumerateArray().Select(a => a.GetString()!).ToList();
        var plans = args.IndexOf("--frequency-plans-url");
        if (plans >= 0)
            args.RemoveRange(plans, 2);
        var variables = row.Json.GetProperty("env").EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString()!
            .Replace("localhost:21900", cluster.DiscoveryTlsAddress, StringComparison.Ordinal)
            .Replace("localhost:21910", cluster.DiscoveryAddress, StringComparison.Ordinal)
            .Replace(":21910", cluster.DiscoveryAddress[cluster.DiscoveryAddress.IndexOf(':', StringComparison.Ordinal)..], StringComparison.Ordinal));
        var folder = Directory.CreateTempSubdirectory().FullName;
        var authority = Path.Combine(folder, "authority.pem");
        // The journal of a real run goes there too.
        variables["XDG_STATE_HOME"] = variables["LOCALAPPDATA"] = folder;
        try
        {
            await System.IO.File.WriteAllTextAsync(authority, cluster.CaCertificatePem);
            // The recorded tool had the authority in the system's store, and no sessions by default.
            if (args.IndexOf("--ca-cert") is >= 0 and var given)
                args[given + 1] = authority;
            else if (row.Text("scenario") != "discovery TLS, certificate not trusted")
                variables["TTNV2_CA_CERT"] = authority;
            if (args[0] == "ttnv2" && !args.Exists(a => a.StartsWith("--with-session", StringComparison.Ordinal)))
                args.Add("--with-session=false");
            // The address of the community is our default; nothing in a test may ask it.
            variables.TryAdd("TTNV2_DISCOVERY_SERVER_ADDRESS", "localhost");
            using var lines = new MemoryStream();
            await using var errors = new StringWriter();
            var exitCode = await CliApplication.RunAsync(new CliEnvironment
            {
                Arguments = args,
                Variable = name => variables.GetValueOrDefault(name),
                OpenStandardInput = () => new MemoryStream(Encoding.UTF8.GetBytes(row.Text("stdin") ?? "")),
                StandardInputIsTerminal = () => false,
                StandardOutput = lines,
                StandardError = TextWriter.Synchronized(errors),
                StandardErrorIsTerminal = () => false,
                StandardErrorWidth = () => 80,
                OpenFile = System.IO.File.OpenRead,
                CreateFile = path => throw new InvalidOperationException($"no recorded run creates {path}"),
                Clock = new HurriedClock(),
                Entropy = bytes => bytes.Fill(7),
                OnInterrupt = _ => new MemoryStream(),
            });
            return (exitCode, Lines(Encoding.UTF8.GetString(lines.ToArray())), errors.ToString());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static List<JsonObject> Lines(string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!.AsObject()).ToList();
        foreach (var line in lines)
        {
            if (line["session"] is not JsonObject session)
                continue;
            session.Remove("started_at");
            (session["keys"] as JsonObject)?.Remove("session_key_id");
        }
        return lines;
    }

    /// <summary>D9, D12, D13: lines that ours must not write.</summary>
    private static bool CannotGo(JsonObject line, List<JsonObject> all) =>
        (line["root_keys"] is null && (line["session"]?["dev_addr"] is null || line["session"]!["keys"]?["app_s_key"]?["key"]?.GetValue<string>().Trim('0').Length is null or 0))
        || line["ids"]!["dev_eui"]?.GetValue<string>() is null or "0000000000000000"
        || all.Count(l => l["ids"]!["device_id"]!.GetValue<string>() == line["ids"]!["device_id"]!.GetValue<string>()) > 1;

    /// <summary>D10, D20; the application is the one that was asked for (D3).</summary>
    private static void Mend(JsonObject line, Dictionary<string, Device> records)
    {
        line["mac_settings"]!["supports_32_bit_f_cnt"] ??= false;
        if (!records.TryGetValue(line["name"]!.GetValue<string>(), out var record))
            return;
        if (line["locations"]?["user"] is JsonObject user)
        {
            if (user.ContainsKey("latitude"))
                user["latitude"] = Number(record.Latitude);
            if (user.ContainsKey("longitude"))
                user["longitude"] = Number(record.Longitude);
        }
        else if (record.Altitude != 0)
        {
            line["locations"] = new JsonObject { ["user"] = new JsonObject { ["altitude"] = record.Altitude, ["source"] = "SOURCE_REGISTRY" } };
        }
    }

    private static JsonNode Number(float value) => JsonNode.Parse(value.ToString("R", System.Globalization.CultureInfo.InvariantCulture))!;

    /// <summary>The last error of the Go tool's stack, without its attributes.</summary>
    private static string Reason(string stderr)
    {
        var line = stderr.Split('\n').Last(l => l.Length > 0 && l[0] != ' ' && !l.StartsWith("Error: ", StringComparison.Ordinal));
        return line.StartsWith("--- ", StringComparison.Ordinal) ? line[4..] : line;
    }

    /// <summary>The Go tool names any one of several attributes that are wrong.</summary>
    private static bool TwoFaults(string errors, string reason) =>
        reason.Contains("invalid `attributes[", StringComparison.Ordinal) && errors.Contains("invalid `attributes[", StringComparison.Ordinal);

    private string? Excuse(string why)
    {
        excused[why] = excused.GetValueOrDefault(why) + 1;
        return null;
    }
}
