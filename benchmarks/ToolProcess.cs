using System.Diagnostics;
using System.Globalization;
using Sandbox.Commands;

namespace Benchmarks;

/// <summary>One run of the tool as a process of its own.</summary>
/// <param name="Time">From start to exit.</param>
/// <param name="Lines">Lines on standard output.</param>
/// <param name="PeakBytes">Peak of the memory in use (VmHWM, Linux); 0 elsewhere.</param>
/// <param name="ExitCode">Exit code.</param>
/// <param name="Error">Standard error.</param>
internal sealed record ToolProcess(TimeSpan Time, int Lines, long PeakBytes, int ExitCode, string Error)
{
    /// <summary>Lines in a second.</summary>
    public double Rate => Lines / Time.TotalSeconds;

    /// <summary>Peak in MiB.</summary>
    public double PeakMebibytes => PeakBytes / 1048576.0;

    public static async Task<ToolProcess> RunAsync(IEnumerable<string> arguments, IEnumerable<KeyValuePair<string, string>> variables)
    {
        var start = ToolRun.StartInfo(arguments);
        start.UseShellExecute = false;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        foreach (var (name, value) in variables)
            start.Environment[name] = value;

        var watch = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var lines = CountLinesAsync(process.StandardOutput.BaseStream);
        long peak = 0;
        while (!process.HasExited)
        {
            peak = Math.Max(peak, PeakOf(process.Id));
            await Task.Delay(20);
        }
        watch.Stop();
        return new ToolProcess(watch.Elapsed, await lines, peak, process.ExitCode, await errors);
    }

    private static async Task<int> CountLinesAsync(Stream output)
    {
        var buffer = new byte[1 << 16];
        var lines = 0;
        while (await output.ReadAsync(buffer) is var read and > 0)
            lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }

    private static long PeakOf(int process)
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
