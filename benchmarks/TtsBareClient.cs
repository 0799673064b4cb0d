using System.Diagnostics;
using Google.Protobuf;
using Rpc;
using Sandbox.Grpc;
using TheThingsStack.Api;

namespace Benchmarks;

/// <summary>
/// Makes the calls of a run of the tool again, as they were recorded, with nothing around them: what the servers give to a raw load.
/// </summary>
/// <param name="devices">Calls of each device.</param>
/// <param name="together">Whether the calls of a device are made at once, or one after the other.</param>
internal sealed class TtsBareClient(IReadOnlyList<IReadOnlyList<(string Method, byte[] Request)>> devices, bool together)
{
    /// <summary>Records the calls of a run of the tool against servers in this process.</summary>
    /// <param name="devices">Devices that the servers have.</param>
    /// <param name="suffixes">Ends of the methods that count, e.g. <c>/Get</c>.</param>
    /// <param name="together">Whether the tool makes the calls of a device at once.</param>
    /// <param name="run">Runs the tool.</param>
    public static async Task<TtsBareClient> RecordAsync(int devices, IReadOnlyCollection<string> suffixes, bool together, Func<string, string, Task> run)
    {
        await using var cluster = await new TtsWorld(devices, TimeSpan.Zero, TwoCores: false).StartAsync();
        await run(cluster.Address, cluster.AddApplication(TtsWorld.Application));
        return new TtsBareClient(
            [
                .. cluster.Requests.All
                    // Fields that these servers do not know are asked for once, and not again.
                    .Where(call => call.Status?.Code is GrpcCode.Ok or GrpcCode.NotFound && suffixes.Any(end => call.Method.EndsWith(end, StringComparison.Ordinal)))
                    .Where(call => call.Item is not null && call.Item.StartsWith("meter", StringComparison.Ordinal))
                    .GroupBy(call => call.Item).Select(device => device.Select(call => (call.Method, call.Request)).ToList()),
            ],
            together);
    }

    public int Devices => devices.Count;

    /// <summary>Devices per second with so many in flight.</summary>
    public async Task<double> RunAsync(string address, string key, int inFlight)
    {
        await using var channel = new RpcChannel(new RpcChannelOptions { Address = HostPort.Parse(address), Time = TimeProvider.System, EnableMultipleHttp2Connections = true });
        // The connection and the first use of everything do not count.
        await CallAsync(channel, key, devices[0][0]);
        var next = 0;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, inFlight).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var i && i < devices.Count)
            {
                if (together)
                {
                    await Task.WhenAll(devices[i].Select(call => CallAsync(channel, key, call)));
                    continue;
                }
                foreach (var call in devices[i])
                    await CallAsync(channel, key, call);
            }
        })));
        return devices.Count / watch.Elapsed.TotalSeconds;
    }

    private static async Task CallAsync(RpcChannel channel, string key, (string Method, byte[] Request) call)
    {
        var options = new CallOptions { Headers = new Metadata { { "authorization", "Bearer " + key } } };
        try
        {
            if (call.Method.EndsWith("/Get", StringComparison.Ordinal))
                await channel.CallAsync(new Method<GetEndDeviceRequest, EndDevice>(call.Method), Read<GetEndDeviceRequest>(call.Request), options);
            else if (call.Method.EndsWith("/Create", StringComparison.Ordinal))
                await channel.CallAsync(new Method<CreateEndDeviceRequest, EndDevice>(call.Method), Read<CreateEndDeviceRequest>(call.Request), options);
            else
                await channel.CallAsync(new Method<SetEndDeviceRequest, EndDevice>(call.Method), Read<SetEndDeviceRequest>(call.Request), options);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            // A device that never joins is not at the Join Server.
        }
    }

    private static T Read<T>(byte[] request)
        where T : IMessage<T>, new()
    {
        var message = new T();
        message.MergeFrom(request);
        return message;
    }
}
