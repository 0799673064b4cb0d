using System.Globalization;
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
        var run = await ToolProcess.RunAsync(
            ["ttnv2", "application", "big-app", "--dry-run", "--with-session=false", "--discovery-server-insecure"],
            [
                new("TTNV2_APP_ID", "big-app"),
                new("TTNV2_APP_ACCESS_KEY", Key),
                new("FREQUENCY_PLAN_ID", "EU_863_870_TTN"),
                new("TTNV2_DISCOVERY_SERVER_ADDRESS", cluster.DiscoveryAddress),
            ]);
        if (run.ExitCode != 0 || run.Lines < devices - (devices / 10))
        {
            Console.WriteLine(run.Error);
            return false;
        }
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{devices,7} devices, limit {(limited ? "on " : "off")}: {run.Time.TotalSeconds,6:F2} s, {run.Rate,6:F0} devices/s, peak {run.PeakMebibytes,5:F0} MiB, {run.Lines} lines, {cluster.Requests.Count} calls"));
        return true;
    }
}
