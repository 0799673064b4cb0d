using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Rpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace Benchmarks;

/// <summary>
/// <c>verify</c> of a file of devices: the tool as a process of its own, the servers here. Beside it what the servers give to a bare client that
/// sends the same requests again, with the number in flight that is best for it (up to 10,000 devices, whose requests are kept). Arguments:
/// <c>verify</c>, then optionally the number of devices, the round trip in ms, and <c>two-cores</c> for servers with the measured capacity of a
/// real one.
/// </summary>
internal static class VerifyBenchmarks
{
    private const string Application = "big-app";

    public static async Task<int> RunAsync(string[] args)
    {
        var devices = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 10_000;
        var roundTrip = TimeSpan.FromMilliseconds(args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20);
        await using var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RoundTrip = roundTrip, Capacity = args.Contains("two-cores") ? TtsCapacity.TwoCores : null });
        var key = cluster.AddApplication(Application);
        TtsSampleDevices.AddMany(cluster, Application, devices);
        var file = Path.GetTempFileName();
        try
        {
            await using (var lines = File.Create(file))
            {
                for (var i = 1; i <= devices; i++)
                {
                    lines.Write(TtsJson.WriteBytes(TtsSampleDevices.Device(Application, i)));
                    lines.WriteByte((byte)'\n');
                }
            }
            return await CompareAsync(cluster, key, file, devices);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<int> CompareAsync(TtsCluster cluster, string key, string file, int devices)
    {
        cluster.Requests.Keep = devices <= 10_000;
        var before = cluster.Requests.Count;
        var run = await ToolProcess.RunAsync(
            ["verify", file, "--default-grpc-address", cluster.Address, "--insecure", "--output", "json"], [new("TTS_APP_API_KEY", key)]);
        if (run.ExitCode != 3)
        {
            Console.WriteLine(run.Error);
            return 1;
        }
        var calls = cluster.Requests.Count - before;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"tool: {devices,6} devices, {run.Time.TotalSeconds,6:F2} s, {devices / run.Time.TotalSeconds,6:F0} devices/s, peak {run.PeakMebibytes,5:F0} MiB, {calls} calls"));
        if (!cluster.Requests.Keep)
            return 0;
        var requests = cluster.Requests.All.Where(request => request.Method.EndsWith("/Get", StringComparison.Ordinal)).Select(request => (request.Method, request.Request)).ToList();
        cluster.Requests.Keep = false;
        var best = 0.0;
        foreach (var inFlight in new[] { 32, 128, 256 })
        {
            var rate = await RawAsync(cluster, key, requests, inFlight) * devices / requests.Count;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"bare client, {inFlight,3} calls in flight: {rate,6:F0} devices/s"));
            best = Math.Max(best, rate);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the tool reaches {devices / run.Time.TotalSeconds / best:P0} of the bare client's best, process start included"));
        return 0;
    }

    /// <summary>Calls per second.</summary>
    private static async Task<double> RawAsync(TtsCluster cluster, string key, List<(string Method, byte[] Request)> requests, int inFlight)
    {
        await using var channel = new RpcChannel(new RpcChannelOptions { Address = HostPort.Parse(cluster.Address), Time = TimeProvider.System, EnableMultipleHttp2Connections = true });
        var next = -1;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var i && i < requests.Count)
            {
                if (requests[i].Method.Contains("Batch", StringComparison.Ordinal))
                    await CallAsync(BatchGetEndDevicesRequest.Parser, new Method<BatchGetEndDevicesRequest, EndDevices>(requests[i].Method), requests[i].Request);
                else
                    await CallAsync(GetEndDeviceRequest.Parser, new Method<GetEndDeviceRequest, EndDevice>(requests[i].Method), requests[i].Request);
            }
        })));
        return requests.Count / watch.Elapsed.TotalSeconds;

        Task CallAsync<TRequest, TResponse>(MessageParser<TRequest> parser, Method<TRequest, TResponse> method, byte[] request)
            where TRequest : IMessage<TRequest>
            where TResponse : IMessage<TResponse>, new() =>
            channel.CallAsync(method, parser.ParseFrom(request), new CallOptions { Headers = new Metadata { { "authorization", "Bearer " + key } } });
    }
}
