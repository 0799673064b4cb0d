using System.Diagnostics;
using System.Globalization;
using Rpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;

namespace Benchmarks;

/// <summary>
/// A dry run of an application of The Things Stack 20 ms away: the tool as a process of its own, the servers here. Devices per second with one
/// device at a time and with the concurrency that the tool finds, and beside it what the servers give to a bare client that sends the same
/// requests again, with the number in flight that is best for it. Arguments: <c>tts-export</c>, then optionally the number of devices, the
/// round trip in ms, and <c>two-cores</c> for servers with the measured capacity of a real one.
/// </summary>
internal static class TtsExportBenchmarks
{
    private const string Application = "big-app";

    public static async Task<int> RunAsync(string[] args)
    {
        var devices = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 3000;
        var roundTrip = TimeSpan.FromMilliseconds(args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20);
        var capacity = args.Contains("two-cores") ? TtsCapacity.TwoCores : null;
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RoundTrip = roundTrip, Capacity = capacity });
        var key = cluster.AddApplication(Application);
        TtsSampleDevices.AddMany(cluster, Application, devices);
        var requests = devices <= 10_000;

        double one = 0;
        if (requests)
        {
            cluster.Requests.Keep = false;
            var ids = Enumerable.Range(1, Math.Min(devices, 300)).Select(i => $"meter-{i:000000}");
            one = (await MeasureAsync("1 at a time", cluster, key, ["device", .. ids, "--concurrency", "1"]))?.Rate ?? 0;
        }
        cluster.Requests.Keep = requests;
        var found = await MeasureAsync("adaptive", cluster, key, ["application"]);
        if (found is null || (requests && one == 0))
            return 1;
        if (!requests)
            return 0;

        var gets = cluster.Requests.All.Where(request => request.Method.EndsWith("/Get", StringComparison.Ordinal)).Select(request => (request.Method, request.Request)).Take(12_000).ToList();
        cluster.Requests.Keep = false;
        var best = 0.0;
        foreach (var inFlight in new[] { 32, 128, 256, 512 })
        {
            var rate = await RawAsync(cluster, key, gets, inFlight) / 4;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"bare client, {inFlight,3} calls in flight: {rate,6:F0} devices/s"));
            best = Math.Max(best, rate);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"adaptive is {found.Rate / best:P0} of the bare client's best, process start included"));
        return 0;
    }

    private static async Task<ToolProcess?> MeasureAsync(string what, TtsCluster cluster, string key, IEnumerable<string> arguments)
    {
        var before = cluster.Requests.Count;
        var run = await ToolProcess.RunAsync(
            ["tts", .. arguments, "--dry-run", "--insecure"],
            [new("TTS_APP_ID", Application), new("TTS_APP_API_KEY", key), new("TTS_DEFAULT_GRPC_ADDRESS", cluster.Address)]);
        if (run.ExitCode != 0)
        {
            Console.WriteLine(run.Error);
            return null;
        }
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"tool, {what,11}: {run.Lines,6} devices, {run.Time.TotalSeconds,6:F2} s, {run.Rate,6:F0} devices/s, peak {run.PeakMebibytes,5:F0} MiB, {cluster.Requests.Count - before} calls"));
        return run;
    }

    /// <summary>Calls per second.</summary>
    private static async Task<double> RawAsync(TtsCluster cluster, string key, List<(string Method, byte[] Request)> gets, int inFlight)
    {
        await using var channel = new RpcChannel(new RpcChannelOptions { Address = HostPort.Parse(cluster.Address), Time = TimeProvider.System, EnableMultipleHttp2Connections = true });
        var next = -1;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var i && i < gets.Count)
            {
                try
                {
                    var headers = new Metadata { { "authorization", "Bearer " + key } };
                    await channel.CallAsync(new Method<GetEndDeviceRequest, EndDevice>(gets[i].Method), GetEndDeviceRequest.Parser.ParseFrom(gets[i].Request), new CallOptions { Headers = headers });
                }
                catch (RpcException)
                {
                    // A device that never joins is not at the Join Server.
                }
            }
        })));
        return gets.Count / watch.Elapsed.TotalSeconds;
    }
}
