namespace Sources.TtnV2;

/// <summary>
/// Lets a number of calls start in each interval: at once as long as the interval has room, else as early as possible, in the order they
/// asked. A refusal stretches the interval, answers shrink it back: others may use up the same limit.
/// </summary>
/// <param name="clock">Clock and timers.</param>
/// <param name="calls">Calls in any one interval; 0 for no limit of our own, refusals are still heeded.</param>
/// <param name="interval">The interval when nobody refuses.</param>
internal sealed class Pacer(TimeProvider clock, int calls, TimeSpan interval) : IDisposable
{
    private const double Stretch = 1.5;
    private const double LongestStretch = 4;
    private const double Recovery = 0.95;

    private readonly SemaphoreSlim turn = new(1);
    private readonly Lock gate = new();
    private readonly Queue<TimeSpan> starts = new(Math.Max(1, calls));
    // Time since the start by the clock that never jumps: the time of day may.
    private readonly long origin = clock.GetTimestamp();
    private TimeSpan notBefore = TimeSpan.MinValue;
    private double stretched = 1;

    /// <summary>The interval in use now.</summary>
    public TimeSpan Interval
    {
        get
        {
            lock (gate)
                return interval * stretched;
        }
    }

    /// <summary>Waits until one more call may start.</summary>
    public async Task WaitAsync(CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            while (Start() is var wait && wait > TimeSpan.Zero)
                await Task.Delay(wait, clock, cancellation);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>The network has refused a call for its rate.</summary>
    public void Refused()
    {
        lock (gate)
        {
            var now = clock.GetElapsedTime(origin);
            // Calls that were under way together are refused together; they count once.
            if (now < notBefore)
                return;
            stretched = Math.Min(LongestStretch, stretched * Stretch);
            notBefore = now + (interval * stretched);
        }
    }

    /// <summary>The network has served a call.</summary>
    public void Served()
    {
        lock (gate)
            stretched = Math.Max(1, stretched * Recovery);
    }

    /// <inheritdoc/>
    public void Dispose() => turn.Dispose();

    /// <summary>Takes a place now, or gives the time until there is one, in whole milliseconds as timers count.</summary>
    private TimeSpan Start()
    {
        lock (gate)
        {
            var now = clock.GetElapsedTime(origin);
            var due = calls == 0 || starts.Count < calls ? now : starts.Peek() + (interval * stretched);
            if (due < notBefore)
                due = notBefore;
            if (due > now)
                return TimeSpan.FromMilliseconds(Math.Ceiling((due - now).TotalMilliseconds));
            if (calls == 0)
                return TimeSpan.Zero;
            if (starts.Count == calls)
                starts.Dequeue();
            starts.Enqueue(now);
            return TimeSpan.Zero;
        }
    }
}
