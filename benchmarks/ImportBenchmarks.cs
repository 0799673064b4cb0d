using System.Globalization;
using Sandbox.TheThingsStack;
using TheThingsStack.Json;

namespace Benchmarks;

/// <summary>
/// Imports sample devices into servers some way off: the tool and the servers in processes of their own. Devices per second with one at a time
/// and with the concurrency that the tool finds, and beside it what the servers give to a bare client that makes the same calls again.
/// Arguments: <c>import</c>, then optionally the number of devices, the round trip in ms, and <c>two-cores</c> for servers with the measured
/// capacity of a real one.
/// </summary>
internal static class ImportBenchmarks
{
    /// <summary>Devices that are imported one at a time: enough, at 8 a second.</summary>
    private const int OneAtATime = 200;

    private static readonly string[] Calls = ["/Create", "/Set"];

    public static async Task<int> RunAsync(string[] words)
    {
        var bench = new TtsBenchmark(words, empty: true);
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-benchmark-");
        try
        {
            var all = Write(folder, bench.Devices);
            var few = Write(folder, Math.Min(OneAtATime, bench.Devices));
            var recorded = Write(folder, Math.Min(bench.Devices, 3000));
            await bench.MeasureAsync("1 at a time", Math.Min(OneAtATime, bench.Devices), server => Arguments(few, server.Address, "--concurrency", "1"));
            var found = await bench.MeasureAsync("adaptive", bench.Devices, server => Arguments(all, server.Address));
            await bench.CompareAsync(found, await TtsBareClient.RecordAsync(0, Calls, together: false, (address, key) => TtsBenchmark.RunToolAsync(Arguments(recorded, address), key)));
            return 0;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string[] Arguments(string file, string address, params string[] more) =>
        ["import", file, "--application-id", TtsWorld.Application, "--default-grpc-address", address, "--insecure", .. more];

    private static string Write(DirectoryInfo folder, int devices)
    {
        var path = Path.Combine(folder.FullName, string.Create(CultureInfo.InvariantCulture, $"{devices}.json"));
        using var file = File.Create(path);
        for (var i = 1; i <= devices; i++)
        {
            file.Write(TtsJson.WriteBytes(TtsSampleDevices.Device(TtsWorld.Application, i)));
            file.WriteByte((byte)'\n');
        }
        return path;
    }
}
