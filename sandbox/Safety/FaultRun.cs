using System.Globalization;
using System.Text.Json;
using Sandbox.Commands;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace Sandbox.Safety;

/// <summary>How the fault run goes.</summary>
public sealed record FaultRunOptions
{
    /// <summary>Devices; a twentieth each is a duplicate, invalid, refused, timed out, or several of these.</summary>
    public int Devices { get; init; } = 10_000;

    /// <summary>Decides the order of the devices.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Devices whose calls time out until the tool gives up: each costs seconds.</summary>
    public int NeverAnswered { get; init; } = 8;

    /// <summary>Devices whose creation is carried out but never answered, so that the tool's own deadline ends it: 20 s.</summary>
    public int Hangs { get; init; } = 4;
}

/// <summary>What the fault run found.</summary>
/// <param name="Devices">Lines of the file.</param>
/// <param name="Outcomes">Devices by what was to come of them, e.g. <c>timed out: imported</c>.</param>
/// <param name="Problems">What went wrong; empty when every device is accounted for and the target holds exactly the good ones.</param>
public sealed record FaultRunResult(int Devices, IReadOnlyDictionary<string, int> Outcomes, IReadOnlyList<string> Problems);

/// <summary>
/// Imports devices with the built program while a part of them cannot be imported, and compares: each line has its outcome with the right reason,
/// in the results, in the summary and in the rejects file; the target has the good ones on all servers and nothing of the others. Then the causes
/// are removed and the rejects are fed back: all are there.
/// </summary>
public sealed class FaultRun(FaultRunOptions options, TextWriter output)
{
    private const string App = "target";
    private const string OtherApp = "other";
    private const string Secret = "A1A2A3A4A5A6A7A8A9AAABACADAE";

    private readonly List<string> problems = [];
    private readonly List<Device> devices = [];

    /// <summary>Runs to the end.</summary>
    public async Task<FaultRunResult> RunAsync(CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-faults-");
        await using var cluster = await TtsCluster.StartAsync();
        cluster.Requests.Keep = false;
        var key = cluster.AddApplication(App);
        cluster.AddApplication(OtherApp);
        Plan(cluster);
        var tool = new ToolRun(folder.FullName, new Dictionary<string, string> { ["TTS_APP_API_KEY"] = key });
        string[] import = ["import", "devices.json", "--application-id", App, "--default-grpc-address", cluster.Address, "--insecure", "--output", "json"];

        await WriteAsync(folder, devices.Select(device => device.Line), cancellation);
        var first = await tool.RunAsync([.. import, "--rejects", "rejects.json"], null, "results.json", cancellation);
        output.WriteLine(first.Stderr.Contains("Summary", StringComparison.Ordinal) ? first.Stderr[first.Stderr.IndexOf("Summary", StringComparison.Ordinal)..] : first.Stderr);
        Expect("exit code", 3, first.ExitCode);
        CheckResults(first);
        CheckRejects(await File.ReadAllLinesAsync(Path.Combine(folder.FullName, "rejects.json"), cancellation));
        CheckTarget(cluster, "after the first run", device => device.IsThere);
        if (first.Stderr.Contains(Secret, StringComparison.OrdinalIgnoreCase))
            problems.Add("a key is shown");

        RemoveCauses(cluster);
        await WriteAsync(folder, devices.Select(device => device.Mended ?? device.Line), cancellation);
        var second = await tool.RunAsync([.. import, "--ids-from", "rejects.json", "--rejects", "rejects-2.json", "--prune-leftovers"], null, "results-2.json", cancellation);
        Expect("exit code of the rejects", 0, second.ExitCode);
        Expect("rejects fed back", devices.Count(device => device.Result == "failed"), second.Lines.Count(line => Text(line, "result") is "imported" or "updated"));
        Expect("rejects of the rejects", 0, (await File.ReadAllLinesAsync(Path.Combine(folder.FullName, "rejects-2.json"), cancellation)).Length);
        CheckTarget(cluster, "after feeding back the rejects", _ => true);

        var third = await tool.RunAsync(import, null, "results-3.json", cancellation);
        Expect("exit code of the last run", 0, third.ExitCode);
        Expect("devices that the last run leaves alone", devices.Count, third.Lines.Count(line => Text(line, "result") == "skipped"));
        if (problems.Count == 0)
            folder.Delete(recursive: true);
        else
            output.WriteLine("kept for a look: " + folder.FullName);
        var outcomes = devices.GroupBy(device => device.Code.Length > 0 ? $"{device.Kind}: {device.Result}, {device.Code}" : $"{device.Kind}: {device.Result}", StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);
        return new FaultRunResult(devices.Count, outcomes, problems);
    }

    private static Task WriteAsync(DirectoryInfo folder, IEnumerable<string> lines, CancellationToken cancellation) =>
        File.WriteAllLinesAsync(Path.Combine(folder.FullName, "devices.json"), lines, cancellation);

    /// <summary>Makes the devices and what goes wrong with them.</summary>
    private void Plan(TtsCluster cluster)
    {
        var order = Enumerable.Range(0, options.Devices).ToArray();
        new Random(options.Seed).Shuffle(order);
        var (unanswered, hanging, limited) = (options.NeverAnswered, options.Hangs, 5);
        Device? good = null;
        foreach (var number in order)
        {
            var id = string.Create(CultureInfo.InvariantCulture, $"meter-{number:D6}");
            var variant = number / 20 % 5;
            var plain = number % 2 == 0 ? Otaa(id, number) : Abp(id, number);
            var otaa = Otaa(id, number);
            // The first one is good: what repeats an earlier device needs one.
            var device = (good is null ? 5 : number % 20) switch
            {
                0 => Duplicate(cluster, id, number, variant, good!),
                1 => Invalid(id, number, variant),
                2 => Refused(cluster, id, otaa, variant),
                3 => TimedOut(cluster, id, otaa, variant, ref unanswered, ref hanging),
                4 => Mixed(cluster, id, otaa, number, variant, ref limited),
                _ => new Device(id, "good", plain, "imported", ""),
            };
            if (device.Kind == "good")
                good = device;
            devices.Add(device);
        }
    }

    private static Device Duplicate(TtsCluster cluster, string id, int number, int variant, Device good)
    {
        const string kind = "duplicate";
        switch (variant)
        {
            case 0:
                cluster.Put(Read(Otaa(id, number + 5_000_000), App));
                return new Device(id, kind, Otaa(id, number), "failed", "id_taken") { IsThere = true };
            case 1:
                cluster.Put(Read(Otaa("foreign-" + id, number), OtherApp));
                return new Device(id, kind, Otaa(id, number), "failed", "euis_taken");
            case 2 when Read(good.Line, App).SupportsJoin:
                return new Device(id, kind, Otaa(id, int.Parse(good.Id.AsSpan("meter-".Length), CultureInfo.InvariantCulture)), "failed", "euis_taken") { Mended = Otaa(id, number) };
            case 3:
                return new Device(good.Id, kind, good.Line, "skipped", "already_there") { IsThere = true };
            default:
                var former = Read(Otaa(id, number + 5_000_000), App);
                cluster.Put(App, id, new TtsDevice(null, former, null, null));
                return new Device(id, kind, Otaa(id, number), "failed", "leftover") { LeftOn = TtsServers.Network };
        }
    }

    private static Device Invalid(string id, int number, int variant)
    {
        var (line, code) = variant switch
        {
            0 => (Abp(id, number).Replace("\"session\"", "\"no_session\"", StringComparison.Ordinal), "field_value"),
            1 => (Otaa(id, number).Replace("EU_863_870_TTN", "XX_1", StringComparison.Ordinal), "not_found"),
            2 => (Otaa(id, number).Replace("{\"ids\"", $"{{\"name\":\"{new string('n', 51)}\",\"ids\"", StringComparison.Ordinal), "validation"),
            3 => (Otaa(id, number).Replace(Secret, "A1", StringComparison.Ordinal), "format"),
            _ => (Otaa(id, number).Replace("PHY_V1_0_3_REV_A", "PHY_V9", StringComparison.Ordinal), "format"),
        };
        return new Device(id, "invalid", line, "failed", code) { Mended = variant == 0 ? Abp(id, number) : Otaa(id, number) };
    }

    private static Device Refused(TtsCluster cluster, string id, string line, int variant)
    {
        var method = Methods[variant % Methods.Length];
        cluster.Faults.Add(method, new Fault.Fail(GrpcCode.FailedPrecondition, "the sandbox does not want it"), id);
        return new Device(id, "refused", line, "failed", "call_failed");
    }

    private static readonly string[] Methods = ["EndDeviceRegistry/Create", "JsEndDeviceRegistry/Set", "NsEndDeviceRegistry/Set", "AsEndDeviceRegistry/Set"];

    private static Device TimedOut(TtsCluster cluster, string id, string line, int variant, ref int unanswered, ref int hanging)
    {
        const string kind = "timed out";
        if (variant == 4 && unanswered-- > 0)
        {
            cluster.Faults.Add(Methods[2], new Fault.Fail(GrpcCode.DeadlineExceeded, "too late"), id);
            return new Device(id, kind, line, "failed", "no_answer");
        }
        if (variant == 3 && hanging-- > 0)
            cluster.Faults.Add(Methods[0], new Fault.Hang(Apply: true), id, to: 1);
        else if (variant is 0 or 3)
            cluster.Faults.Add(Methods[0], new Fault.Fail(GrpcCode.Unavailable, "gone", Apply: true), id, to: 1);
        else if (variant == 1)
            cluster.Faults.Add(Methods[0], new Fault.Fail(GrpcCode.DeadlineExceeded, "too late", Apply: true), id, to: 1);
        else if (variant == 2)
            cluster.Faults.Add(Methods[2], new Fault.Fail(GrpcCode.DeadlineExceeded, "too late"), id, to: 2);
        else
            cluster.Faults.Add(Methods[3], new Fault.DropConnection(Apply: true), id, to: 1);
        return new Device(id, kind, line, "imported", "");
    }

    private static Device Mixed(TtsCluster cluster, string id, string line, int number, int variant, ref int limited)
    {
        const string kind = "several at once";
        switch (variant)
        {
            case 0:
                cluster.Faults.Add(Methods[0], new Fault.Fail(GrpcCode.Unavailable, "gone", Apply: true), id, to: 1);
                cluster.Faults.Add(Methods[3], new Fault.Fail(GrpcCode.FailedPrecondition, "the sandbox does not want it"), id);
                return new Device(id, kind, line, "failed", "call_failed");
            case 1:
                cluster.Faults.Add(Methods[3], new Fault.Fail(GrpcCode.FailedPrecondition, "the sandbox does not want it", Apply: true), id);
                cluster.Faults.Add("NsEndDeviceRegistry/Delete", new Fault.Fail(GrpcCode.Unavailable, "gone"), id, to: 1);
                return new Device(id, kind, line, "failed", "call_failed");
            case 2:
                cluster.Put(Read(Otaa("foreign-" + id, number), OtherApp));
                cluster.Faults.Add(Methods[0], new Fault.Fail(GrpcCode.Unavailable, "gone"), id, to: 1);
                return new Device(id, kind, line, "failed", "euis_taken");
            default:
                if (limited-- > 0)
                    cluster.Faults.Add(Methods[0], new Fault.Fail(GrpcCode.ResourceExhausted, "too many"), id, to: 1);
                cluster.Faults.Add(Methods[1], new Fault.Fail(GrpcCode.Unavailable, "gone"), id, to: 1);
                cluster.Faults.Add(Methods[2], new Fault.Fail(GrpcCode.DeadlineExceeded, "too late", Apply: true), id, to: 1);
                return new Device(id, kind, line, "imported", "");
        }
    }

    private void RemoveCauses(TtsCluster cluster)
    {
        cluster.Faults.Clear();
        foreach (var id in cluster.DeviceIds(OtherApp))
            cluster.Put(OtherApp, id, new TtsDevice(null, null, null, null));
        foreach (var device in devices.Where(device => device is { Code: "id_taken" }))
            cluster.Put(App, device.Id, new TtsDevice(null, null, null, null));
    }

    private void CheckResults(ToolResult run)
    {
        Expect("results", devices.Count, run.Lines.Count);
        foreach (var (number, line) in run.Lines.Index())
        {
            if (number >= devices.Count)
                break;
            var device = devices[number];
            Expect($"line {number + 1}, {device.Id} ({device.Kind})", $"{device.Id} {device.Result} {device.Code}", $"{Text(line, "device_id")} {Text(line, "result")} {Text(line, "code")}");
        }
        foreach (var (name, result) in (ReadOnlySpan<(string, string)>)[("imported", "imported"), ("updated", "updated"), ("skipped", "skipped"), ("failed", "failed")])
        {
            var count = devices.Count(device => device.Result == result);
            if (!run.Stderr.Contains(string.Create(CultureInfo.InvariantCulture, $"  {name,-12}{count,7}"), StringComparison.Ordinal))
                problems.Add($"the summary does not say that {count} are {name}");
        }
    }

    private void CheckRejects(string[] rejects)
    {
        var failed = devices.Where(device => device.Result == "failed").Select(device => device.Id).ToList();
        if (!failed.SequenceEqual(rejects.Select(line => Text(line, "device_id"))))
            problems.Add("the rejects file does not list the devices that failed, in the order of the file");
        foreach (var line in rejects)
        {
            if (Text(line, "code").Length == 0 || Text(line, "reason").Length == 0 || Text(line, "what_to_do").Length == 0 || line.Contains(Secret, StringComparison.OrdinalIgnoreCase))
                problems.Add($"not what a reject should be: {line}");
        }
    }

    /// <summary>Every device is on all servers or, where it should not be there, on none but what was there before.</summary>
    private void CheckTarget(TtsCluster cluster, string when, Func<Device, bool> isThere)
    {
        foreach (var group in devices.GroupBy(device => device.Id, StringComparer.Ordinal))
        {
            var device = group.First();
            var servers = cluster.Device(App, device.Id).Servers;
            var complete = Read(device.Mended ?? device.Line, App).SupportsJoin ? TtsServers.All : TtsServers.All & ~TtsServers.Join;
            Expect($"{when}, {device.Id} ({device.Kind}) is on", group.Any(isThere) ? complete : device.LeftOn, servers);
        }
        var known = devices.Select(device => device.Id).ToHashSet(StringComparer.Ordinal);
        Expect($"{when}, other devices", 0, cluster.DeviceIds(App).Count(id => !known.Contains(id)));
    }

    private void Expect<T>(string what, T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
            problems.Add($"{what}: {actual}, not {expected}");
    }

    private static string Text(string line, string member)
    {
        using var json = JsonDocument.Parse(line);
        return json.RootElement.TryGetProperty(member, out var value) ? value.ToString() : "";
    }

    private static EndDevice Read(string line, string application)
    {
        var device = TtsJson.Read<EndDevice>(System.Text.Encoding.UTF8.GetBytes(line));
        device.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = application };
        return device;
    }

    private static string Otaa(string id, int number) => string.Create(CultureInfo.InvariantCulture,
        $$$$"""{"ids":{"device_id":"{{{{id}}}}","dev_eui":"70B3D57E{{{{number:X8}}}}","join_eui":"70B3D57ED0000000"},"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"EU_863_870_TTN","supports_join":true,"root_keys":{"app_key":{"key":"{{{{Secret}}}}{{{{number & 0xFFFF:X4}}}}"}}}""");

    private static string Abp(string id, int number) => string.Create(CultureInfo.InvariantCulture,
        $$$$"""{"ids":{"device_id":"{{{{id}}}}","dev_eui":"70B3D57F{{{{number:X8}}}}"},"lorawan_version":"MAC_V1_0_2","lorawan_phy_version":"PHY_V1_0_2_REV_B","frequency_plan_id":"EU_863_870_TTN","session":{"dev_addr":"26{{{{number & 0xFFFFFF:X6}}}}","keys":{"f_nwk_s_int_key":{"key":"{{{{Secret}}}}{{{{number & 0xFFFF:X4}}}}"},"app_s_key":{"key":"{{{{Secret}}}}{{{{number & 0xFFFF:X4}}}}"}},"last_f_cnt_up":42},"mac_settings":{"rx1_delay":5}}""");

    /// <summary>One line of the file.</summary>
    /// <param name="Id">Device ID.</param>
    /// <param name="Kind">What is wrong with it.</param>
    /// <param name="Line">Its line.</param>
    /// <param name="Result">What has to come of it.</param>
    /// <param name="Code">Why, as the results name it; empty when it is imported.</param>
    private sealed record Device(string Id, string Kind, string Line, string Result, string Code)
    {
        /// <summary>The line with its fault mended; null when the line is not at fault.</summary>
        public string? Mended { get; init; }

        /// <summary>Whether the target has a device of this ID after the first run.</summary>
        public bool IsThere { get; init; } = Result == "imported";

        /// <summary>Where it leaves something, or something was before, although it is not there.</summary>
        public TtsServers LeftOn { get; init; }
    }
}
