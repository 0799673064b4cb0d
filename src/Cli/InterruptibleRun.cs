using Cli.Output;

namespace Cli;

/// <summary>What Ctrl-C means while devices are changed: the first one finishes the devices in hand, the second one leaves them where they are.</summary>
internal static class InterruptibleRun
{
    /// <summary>Runs; gives null when the user stopped at once.</summary>
    public static async Task<T?> FinishInHandAsync<T>(CliEnvironment environment, StatusWriter status, Func<CancellationToken, Task<T>> run, CancellationToken cancellation)
        where T : class
    {
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var abort = new TaskCompletionSource();
        var interrupts = 0;
        using var registration = environment.OnInterrupt(() =>
        {
            if (Interlocked.Increment(ref interrupts) > 1)
            {
                abort.TrySetResult();
                return;
            }
            status.WriteLine("Interrupted: finishing the devices in hand. Press Ctrl-C again to stop at once.");
            interrupt.Cancel();
        });
        var running = run(interrupt.Token);
        return await Task.WhenAny(running, abort.Task) == abort.Task ? null : await running;
    }
}
