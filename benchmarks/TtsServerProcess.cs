using System.Diagnostics;
using System.Globalization;
using Sandbox.TheThingsStack;

namespace Benchmarks;

/// <summary>Servers to measure against.</summary>
/// <param name="Devices">Sample devices of the application <see cref="Application"/>; 0 for an empty one.</param>
/// <param name="RoundTrip">Time of each call beside its work.</param>
/// <param name="TwoCores">Capacity of a real server on two cores; else as fast as this machine.</param>
internal sealed record TtsWorld(int Devices, TimeSpan RoundTrip, bool TwoCores)
{
    public const string Application = "big-app";

    public async Task<TtsCluster> StartAsync()
    {
        var cluster = await TtsCluster.StartAsync(new TtsClusterOptions { RoundTrip = RoundTrip, Capacity = TwoCores ? TtsCapacity.TwoCores : null });
        TtsSampleDevices.AddMany(cluster, Application, Devices);
        return cluster;
    }
}

/// <summary>The emulated servers in a process of their own: this program, started as <c>tts-server DEVICES MILLISECONDS two-cores|fast</c>.</summary>
internal sealed class TtsServerProcess : IAsyncDisposable
{
    private readonly Process process;

    private TtsServerProcess(Process process, string address, string key)
    {
        this.process = process;
        Address = address;
        Key = key;
    }

    public string Address { get; }

    public string Key { get; }

    public static async Task<TtsServerProcess> StartAsync(TtsWorld world)
    {
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        foreach (var word in new[]
        {
            "tts-server", world.Devices.ToString(CultureInfo.InvariantCulture),
            world.RoundTrip.TotalMilliseconds.ToString(CultureInfo.InvariantCulture), world.TwoCores ? "two-cores" : "fast",
        })
            start.ArgumentList.Add(word);
        var child = Process.Start(start)!;
        var words = (await child.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("the servers did not start")).Split(' ');
        return new TtsServerProcess(child, words[0], words[1]);
    }

    /// <summary>The other side: serves until standard input ends.</summary>
    public static async Task<int> ServeAsync(string[] words)
    {
        var world = new TtsWorld(int.Parse(words[0], CultureInfo.InvariantCulture), TimeSpan.FromMilliseconds(double.Parse(words[1], CultureInfo.InvariantCulture)), words[2] == "two-cores");
        await using var cluster = await world.StartAsync();
        cluster.Requests.Keep = false;
        Console.WriteLine($"{cluster.Address} {cluster.AddApplication(TtsWorld.Application)}");
        await Console.In.ReadToEndAsync();
        return 0;
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
