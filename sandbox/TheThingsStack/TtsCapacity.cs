namespace Sandbox.TheThingsStack;

/// <summary>
/// How fast servers work by the number of calls they have in hand: calls share the rate of that number equally. Between the points the rate is
/// interpolated, beyond the last it stays.
/// </summary>
/// <param name="Rates">Calls per second by calls in hand, in rising order, from 1 on.</param>
public sealed record TtsCapacity(IReadOnlyList<(int InHand, double CallsPerSecond)> Rates)
{
    /// <summary>
    /// The measured server on two cores (facts/tts-api.md section 15), a create being 4 calls: 121 creates/s with 4 in hand, 82 with 32; so at
    /// 20 ms round trip 45 creates/s with 4 in flight and 82 with 32.
    /// </summary>
    public static TtsCapacity TwoCores { get; } = new([(1, 400), (2, 470), (4, 484), (8, 450), (16, 380), (25, 328)]);

    /// <summary>Calls per second with this many in hand.</summary>
    public double RateOf(int inHand)
    {
        var (before, rate) = Rates[0];
        foreach (var (point, next) in Rates)
        {
            if (inHand <= point)
                return point == before ? next : rate + ((next - rate) * (inHand - before) / (point - before));
            (before, rate) = (point, next);
        }
        return rate;
    }
}

/// <summary>Makes calls wait as a server of a given capacity would, on the real clock.</summary>
internal sealed class CapacityGate(TtsCapacity capacity) : IDisposable
{
    private readonly Lock gate = new();
    private readonly PriorityQueue<TaskCompletionSource, double> working = new();
    private readonly TimeProvider clock = TimeProvider.System;
    private readonly SemaphoreSlim wake = new(0);
    private readonly CancellationTokenSource stop = new();
    private Task? loop;
    private double done;
    private long at;

    /// <summary>Waits until the server has done the work of one call.</summary>
    public Task WorkAsync()
    {
        lock (gate)
        {
            loop ??= Task.Run(RunAsync);
            Advance();
            var call = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            working.Enqueue(call, done + 1);
            if (wake.CurrentCount == 0)
                wake.Release();
            return call.Task;
        }
    }

    public void Dispose() => stop.Cancel();

    // Every call in hand gets an equal share: `done` is how much work each of them has got since the start.
    private void Advance()
    {
        var now = clock.GetTimestamp();
        var left = at == 0 ? 0 : clock.GetElapsedTime(at, now).TotalSeconds;
        at = now;
        while (working.TryPeek(out var call, out var end))
        {
            var rate = capacity.RateOf(working.Count) / working.Count;
            var needed = (end - done) / rate;
            if (needed > left)
            {
                done += left * rate;
                return;
            }
            left -= needed;
            done = end;
            working.Dequeue();
            call.SetResult();
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                TimeSpan wait;
                lock (gate)
                {
                    Advance();
                    wait = working.TryPeek(out _, out var end)
                        ? TimeSpan.FromSeconds((end - done) * working.Count / capacity.RateOf(working.Count))
                        : Timeout.InfiniteTimeSpan;
                }
                if (wait == Timeout.InfiniteTimeSpan)
                    await wake.WaitAsync(stop.Token);
                else if (wait > TimeSpan.FromMilliseconds(1.5))
                    await wake.WaitAsync(wait - TimeSpan.FromMilliseconds(1), stop.Token);
                else
                    await Task.Yield();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped; calls still in hand are cut with their connections.
        }
    }
}
