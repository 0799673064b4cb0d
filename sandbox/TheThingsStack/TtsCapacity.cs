namespace Sandbox.TheThingsStack;

/// <summary>
/// How fast servers work by the number of calls they have in hand: calls share the rate of that number equally, and some are heavier than
/// others (0.2 to 1.8 times the average). Between the points the rate is interpolated, beyond the last it stays.
/// </summary>
/// <param name="Rates">Calls per second by calls in hand, in rising order, from 1 on.</param>
public sealed record TtsCapacity(IReadOnlyList<(int InHand, double CallsPerSecond)> Rates)
{
    /// <summary>
    /// The measured server on two cores (facts/tts-api.md section 15), a create being 4 calls: 121 creates/s with 4 in flight, 82 with 32; and
    /// at 20 ms round trip 45 with 4 in flight and 82 with 32. Between those, where nothing was recorded, the model is best at 20 ms with some
    /// 14 in flight (112/s).
    /// </summary>
    public static TtsCapacity TwoCores { get; } = new([(1, 460), (2, 480), (4, 484), (8, 450), (16, 380), (25, 328)]);

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

/// <summary>
/// Makes calls wait: for a round trip, and as a server of a given capacity would. Runs on the real clock with a thread of its own, because the
/// timers of the runtime are too coarse (4 ms) for calls of 2 ms.
/// </summary>
internal sealed class ServerPace : IDisposable
{
    private readonly TimeSpan roundTrip;
    private readonly TtsCapacity? capacity;
    private readonly object gate = new();
    private readonly PriorityQueue<TaskCompletionSource, long> travelling = new();
    private readonly PriorityQueue<TaskCompletionSource, double> working = new();
    private readonly TimeProvider clock = TimeProvider.System;
    private readonly Random weight = new(1);
    private bool isStopped;
    private double done;
    private long at;

    public ServerPace(TimeSpan roundTrip, TtsCapacity? capacity)
    {
        this.roundTrip = roundTrip;
        this.capacity = capacity;
        at = clock.GetTimestamp();
        if (roundTrip > TimeSpan.Zero || capacity is not null)
            new Thread(Run) { IsBackground = true, Name = "pace of the sandbox" }.Start();
    }

    /// <summary>Waits for the round trip of a call.</summary>
    public Task TravelAsync()
    {
        if (roundTrip <= TimeSpan.Zero)
            return Task.CompletedTask;
        lock (gate)
        {
            var call = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            travelling.Enqueue(call, clock.GetTimestamp() + (long)(roundTrip.TotalSeconds * clock.TimestampFrequency));
            Monitor.Pulse(gate);
            return call.Task;
        }
    }

    /// <summary>Waits until the server has done the work of a call.</summary>
    public Task WorkAsync()
    {
        if (capacity is null)
            return Task.CompletedTask;
        lock (gate)
        {
            Advance(capacity);
            var call = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            // Equal calls would run in lock-step: all in hand, then none.
            working.Enqueue(call, done + 0.2 + (1.6 * weight.NextDouble()));
            Monitor.Pulse(gate);
            return call.Task;
        }
    }

    /// <summary>Stops waiting; calls in hand are cut with their connections.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isStopped = true;
            Monitor.Pulse(gate);
        }
    }

    private void Run()
    {
        lock (gate)
        {
            while (!isStopped)
            {
                var now = clock.GetTimestamp();
                while (travelling.TryPeek(out var call, out var due) && due <= now)
                {
                    travelling.Dequeue();
                    call.SetResult();
                }
                var wait = double.PositiveInfinity;
                if (travelling.TryPeek(out _, out var next))
                    wait = clock.GetElapsedTime(now, next).TotalMilliseconds;
                if (capacity is not null)
                {
                    Advance(capacity);
                    if (working.TryPeek(out _, out var end))
                        wait = Math.Min(wait, (end - done) * working.Count / capacity.RateOf(working.Count) * 1000);
                }
                if (double.IsPositiveInfinity(wait))
                    Monitor.Wait(gate);
                else
                    Monitor.Wait(gate, Math.Max(1, (int)wait));
            }
        }
    }

    // Every call in hand gets an equal share: `done` is how much work each of them has got since the start.
    private void Advance(TtsCapacity model)
    {
        var now = clock.GetTimestamp();
        var left = clock.GetElapsedTime(at, now).TotalSeconds;
        at = now;
        while (working.TryPeek(out var call, out var end))
        {
            var rate = model.RateOf(working.Count) / working.Count;
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
}
