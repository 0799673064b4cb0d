using System.Globalization;
using Sandbox.Safety;

namespace Sandbox.Commands;

/// <summary><c>fault-run [--devices N] [--seed N]</c>.</summary>
internal static class FaultRunCommand
{
    public static async Task<int> RunAsync(string[] words, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        var options = new FaultRunOptions();
        for (var i = 0; i < words.Length; i += 2)
        {
            if (i + 1 == words.Length || !int.TryParse(words[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || words[i] is not ("--devices" or "--seed"))
            {
                await error.WriteLineAsync("fault-run: --devices and --seed take a number. `help` lists what there is.");
                return 1;
            }
            options = words[i] == "--devices" ? options with { Devices = number } : options with { Seed = number };
        }
        var result = await new FaultRun(options, output).RunAsync(cancellation);
        foreach (var (outcome, count) in result.Outcomes)
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{count,7}  {outcome}"));
        const int listed = 50;
        foreach (var problem in result.Problems.Take(listed))
            await output.WriteLineAsync(problem);
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{result.Devices} devices: {result.Problems.Count} problems"));
        return result.Problems.Count == 0 ? 0 : 1;
    }
}
