using System.Globalization;

namespace Benchmarks;

/// <summary>
/// A dry run of an application of The Things Stack some way off: the tool and the servers in processes of their own. Devices per second with
/// one device at a time and with the concurrency that the tool finds, and beside it what the servers give to a bare client that makes the same
/// calls again. Arguments: <c>tts-export</c>, then optionally the number of devices, the round trip in ms, and <c>two-cores</c> for servers
/// with the measured capacity of a real one. With more than 10,000 devices only the adaptive run is made, for its memory.
/// </summary>
internal static class TtsExportBenchmarks
{
    private const int OneAtATime = 200;

    private static readonly string[] Calls = ["/Get"];

    public static async Task<int> RunAsync(string[] words)
    {
        var bench = new TtsBenchmark(words, empty: false);
        var compares = bench.Devices <= 10_000;
        if (compares)
        {
            var few = Math.Min(bench.Devices, OneAtATime);
            var ids = Enumerable.Range(1, few).Select(i => string.Create(CultureInfo.InvariantCulture, $"meter-{i:000000}")).ToArray();
            await bench.MeasureAsync("1 at a time", few, server => Arguments(["device", .. ids, "--concurrency", "1"], server.Address));
        }
        var found = await bench.MeasureAsync("adaptive", bench.Devices, server => Arguments(["application"], server.Address));
        if (compares)
        {
            await bench.CompareAsync(
                found,
                await TtsBareClient.RecordAsync(Math.Min(bench.Devices, 3000), Calls, together: true, (address, key) => TtsBenchmark.RunToolAsync(Arguments(["application"], address), key)));
        }
        return 0;
    }

    private static string[] Arguments(string[] what, string address) => ["tts", .. what, "--dry-run", "--insecure", "--default-grpc-address", address];
}
