using System.Diagnostics;
using System.Globalization;
using Sandbox.Commands;
using Sandbox.TtnV2;

namespace Benchmarks;

/// <summary>
/// A dry run of a V2 application without sessions: the tool as a process of its own, the cluster here. Devices per second from start to
/// exit, and the peak of the process's memory (VmHWM, Linux). Arguments: <c>export</c>, then pairs of a number of devices and
/// <c>limited</c> (5 calls/s) or <c>free</c>; without any, those of docs/performance.md.
/// </summary>
internal static class ExportBenchmarks
{
    private const string Key = "ttn-account-v2.benchmark";

    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Length == 0)
            args = ["10000", "limited", "10000", "free", "100000", "free"];
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            if (!await MeasureAsync(int.Parse(args[i], CultureInfo.InvariantCulture), args[i + 1] == "limited"))
                return 1;
        }
        return 0;
    }

    private static async Task<bool> MeasureAsync(int devices, bool limited)
    {
        await using var cluster = await TtnV2Cluster.StartAsync(
            new TtnV2ClusterOptions { RateLimits = limited ? RateLimitProfile.PerSecond : RateLimitProfile.Off });
        cluster.AddApplication("big-app", Key);
        SampleDevices.AddMany(cluster, "big-app", devices);
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in new[] { ToolRun.Program, "ttnv2", "application", "big-app", "--dry-run", "--with-session=false", "--discovery-server-insecure" })
            start.ArgumentList.Add(argument);
        start.Environment["TTNV2_APP_ID"] = "big-app";
        start.Environment["TTNV2_APP_ACCESS_KEY"] = Key;
        start.Environment["FREQUENCY_PLAN_ID"] = "EU_863_870_TTN";
        start.Environment["TTNV2_DISCOVERY_SERVER_ADDRESS"] = cluster.DiscoveryAddress;

        var watch = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var lines = CountLinesAsync(process.StandardOutput.BaseStream);
        long peak = 0;
        while (!process.HasExited)
        {
            peak = Math.Max(peak, PeakBytes(process.Id));
            await Task.Delay(20);
        }
        watch.Stop();
        var written = await lines;
        if (process.ExitCode != 0 || written < devices - (devices / 10))
        {
            Console.WriteLine(await errors);
            return false;
        }
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{devices,7} devices, limit {(limited ? "on " : "off")}: {watch.Elapsed.TotalSeconds,6:F2} s, {written / watch.Elapsed.TotalSeconds,6:F0} devices/s, peak {peak / 1048576.0,5:F0} MiB, {written} lines, {cluster.Requests.Count} calls"));
        return true;
    }

    private static async Task<int> CountLinesAsync(Stream output)
    {
        var buffer = new byte[1 << 16];
        var lines = 0;
        while (await output.ReadAsync(buffer) is var read and > 0)
            lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }

    private static long PeakBytes(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process.ToString(CultureInfo.InvariantCulture)}/status").FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan(6).TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
