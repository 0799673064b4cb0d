using System.Diagnostics;
using System.Globalization;
using Sandbox.Commands;
using Sandbox.TtnV2;

namespace Benchmarks;

/// <summary>
/// What safety costs: real runs of the built program with its journal, against the limit of V2 and against none.
/// <c>dotnet run -c Release --project benchmarks -- safety [limited DEVICES | free DEVICES]</c>.
/// </summary>
internal static class SafetyBenchmark
{
    private const string App = "many";
    private const string Key = "ttn-account-v2.benchmark";

    public static async Task<int> RunAsync(string[] words)
    {
        Console.WriteLine("| run | devices | s | devices/s | calls/s | peak MB |\n|---|---|---|---|---|---|");
        if (words is [] or ["limited", ..])
        {
            var devices = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : 300;
            await MeasureAsync($"limit of 5 calls/s, real run, journal on disk", devices, limited: true, [], "false");
            await MeasureAsync($"the same with sessions", devices, limited: true, [], "true");
        }
        if (words is [] or ["free", ..])
        {
            var devices = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : 10_000;
            await MeasureAsync("no limit, dry run", devices, limited: false, ["--dry-run"], "false");
            await MeasureAsync("no limit, real run, journal on disk", devices, limited: false, [], "false");
            if (Directory.Exists("/dev/shm"))
                await MeasureAsync("no limit, real run, journal in memory", devices, limited: false, ["--journal", "/dev/shm/ttn-lw-migrate-benchmark.journal"], "false");
        }
        return 0;
    }

    private static async Task MeasureAsync(string name, int devices, bool limited, string[] more, string withSession)
    {
        foreach (var left in Directory.Exists("/dev/shm") ? Directory.GetFiles("/dev/shm", "ttn-lw-migrate-benchmark.journal*") : [])
            File.Delete(left);
        await using var cluster = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { RateLimits = limited ? RateLimitProfile.PerSecond : RateLimitProfile.Off });
        cluster.AddApplication(App, Key);
        SampleDevices.AddMany(cluster, App, devices);
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-benchmark-");
        var start = ToolRun.StartInfo(["ttnv2", "application", App, "--with-session=" + withSession, .. more]);
        start.UseShellExecute = false;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        foreach (var (variable, value) in new Dictionary<string, string>(cluster.Variables(App, Key))
        {
            ["TTNV2_REQUESTS_PER_SECOND"] = limited ? "5" : "0",
            ["XDG_STATE_HOME"] = folder.FullName,
        })
            start.Environment[variable] = value;
        var time = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var lines = CountLinesAsync(process.StandardOutput.BaseStream);
        var peak = 0L;
        while (!process.WaitForExit(100))
        {
            process.Refresh();
            if (!process.HasExited)
                peak = Math.Max(peak, process.PeakWorkingSet64);
        }
        var seconds = time.Elapsed.TotalSeconds;
        if (process.ExitCode != 0 || await lines != devices)
            throw new InvalidOperationException($"{name}: exit code {process.ExitCode}, {await lines} lines\n{await errors}");
        var calls = cluster.Requests.All.Count(r => r.Server == "handler");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {devices} | {seconds:0.0} | {devices / seconds:0.00} | {calls / seconds:0.00} | {peak / 1e6:0} |"));
        folder.Delete(recursive: true);
    }

    private static async Task<int> CountLinesAsync(Stream stream)
    {
        var buffer = new byte[65536];
        var lines = 0;
        while (await stream.ReadAsync(buffer) is > 0 and var count)
            lines += buffer.AsSpan(0, count).Count((byte)'\n');
        return lines;
    }
}
