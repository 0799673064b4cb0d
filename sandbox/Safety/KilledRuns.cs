using Sandbox.Commands;
using Sandbox.Grpc;

namespace Sandbox.Safety;

/// <summary>
/// Runs commands of the built program, kills them with SIGKILL when a call chosen by chance has been answered, and runs them again until they
/// are done. Which call that is does not depend on how fast the machine is.
/// </summary>
/// <param name="tool">The program.</param>
/// <param name="calls">The calls that arrive; its <see cref="RequestLog.Answered"/> is used.</param>
/// <param name="random">Chooses the calls.</param>
/// <param name="secrets">What may not be shown on standard error.</param>
public sealed class KilledRuns(ToolRun tool, RequestLog calls, Random random, IReadOnlyList<string> secrets)
{
    private const int MostRuns = 8;

    /// <summary>Kills that met a running program.</summary>
    public int Kills { get; private set; }

    /// <summary>Runs of the program.</summary>
    public int Runs { get; private set; }

    /// <summary>What went wrong.</summary>
    public IList<string> Problems { get; } = [];

    /// <summary>Kills the command a number of times, then runs it until it says that it is done; gives the lines of the last run.</summary>
    /// <param name="command">Words after the program's name.</param>
    /// <param name="file">File that gets standard output.</param>
    /// <param name="killsHere">How often it is killed; a run that ends before its call counts as one.</param>
    /// <param name="mostCalls">Calls of a run, about; the kill comes at one of them.</param>
    /// <param name="afterKill">Looks at the world after each kill.</param>
    /// <param name="cancellation">Stops everything.</param>
    public async Task<ToolResult> UntilDoneAsync(string[] command, string file, int killsHere, int mostCalls, Action afterKill, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(afterKill);
        ToolResult? last = null;
        for (var kill = 0; kill < killsHere; kill++)
            await KillAsync(command, file, random.Next(1, mostCalls + 1), afterKill, cancellation);
        for (var run = 0; run < MostRuns; run++)
        {
            Runs++;
            last = await tool.RunAsync(command, null, file, cancellation);
            Look(command, last);
            if (last.ExitCode == 0)
                return last;
        }
        Problems.Add($"`{string.Join(' ', command)}` does not come to an end: exit code {last!.ExitCode}\n{last.Stderr}");
        return last;
    }

    private async Task KillAsync(string[] command, string file, int atCall, Action afterKill, CancellationToken cancellation)
    {
        using var kill = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var left = atCall;
        calls.Answered = _ =>
        {
            if (Interlocked.Decrement(ref left) == 0)
                kill.Cancel();
        };
        Runs++;
        try
        {
            Look(command, await tool.RunAsync(command, null, file, kill.Token));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            Kills++;
            afterKill();
        }
        finally
        {
            calls.Answered = null;
        }
    }

    private void Look(string[] command, ToolResult result)
    {
        if (secrets.Any(secret => result.Stderr.Contains(secret, StringComparison.OrdinalIgnoreCase)))
            Problems.Add($"`{string.Join(' ', command)}` shows a key on standard error");
    }
}
