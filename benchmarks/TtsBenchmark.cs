using System.Globalization;

namespace Benchmarks;

/// <summary>What the benchmarks of import and of tts export have in common.</summary>
internal sealed class TtsBenchmark
{
    private readonly TtsWorld world;

    /// <summary>Reads <c>[devices] [round trip in ms] [two-cores]</c>.</summary>
    public TtsBenchmark(string[] words, bool empty)
    {
        var twoCores = words.Contains("two-cores");
        Devices = words.Length > 0 && words[0] != "two-cores" ? int.Parse(words[0], CultureInfo.InvariantCulture) : 3000;
        var roundTrip = words.Length > 1 && words[1] != "two-cores" ? double.Parse(words[1], CultureInfo.InvariantCulture) : 20;
        world = new TtsWorld(empty ? 0 : Devices, TimeSpan.FromMilliseconds(roundTrip), twoCores);
    }

    public int Devices { get; }

    /// <summary>Runs the tool against new servers and prints the figures; gives devices per second.</summary>
    public async Task<double> MeasureAsync(string what, int devices, Func<TtsServerProcess, IEnumerable<string>> arguments)
    {
        await using var server = await TtsServerProcess.StartAsync(world);
        var run = await RunToolAsync(arguments(server), server.Key);
        var rate = devices / run.Time.TotalSeconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"tool, {what,11}: {devices,6} devices, {run.Time.TotalSeconds,6:F2} s, {rate,6:F0} devices/s, peak {run.PeakMebibytes,5:F0} MiB"));
        return rate;
    }

    /// <summary>Measures the bare client with several numbers in flight and prints what the tool reached of its best.</summary>
    public async Task CompareAsync(double found, TtsBareClient bare)
    {
        var best = 0.0;
        foreach (var inFlight in world.TwoCores ? new[] { 2, 4, 8, 12, 16, 24, 32, 64 } : [16, 32, 64, 128, 256])
        {
            await using var server = await TtsServerProcess.StartAsync(world);
            var rate = await bare.RunAsync(server.Address, server.Key, inFlight);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"bare client, {inFlight,3} devices in flight: {rate,6:F0} devices/s"));
            best = Math.Max(best, rate);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"adaptive is {found / best:P0} of the bare client's best; start of the process and search are in it"));
    }

    public static async Task<ToolProcess> RunToolAsync(IEnumerable<string> arguments, string key)
    {
        var run = await ToolProcess.RunAsync(arguments, [new("TTS_APP_ID", TtsWorld.Application), new("TTS_APP_API_KEY", key)]);
        return run.ExitCode == 0 ? run : throw new InvalidOperationException($"exit code {run.ExitCode.ToString(CultureInfo.InvariantCulture)}\n{run.Error}");
    }
}
