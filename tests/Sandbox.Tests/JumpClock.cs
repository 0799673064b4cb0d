namespace Sandbox.Tests;

/// <summary>
/// A clock that stands still until somebody sleeps for up to a second: then it jumps ahead and wakes the sleeper at once. Longer timers
/// (deadlines) never fire.
/// </summary>
public sealed class JumpClock(DateTimeOffset start) : TimeProvider
{
    private readonly Lock gate = new();
    private DateTimeOffset now = start;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (gate)
            return now;
    }

    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    public void Advance(TimeSpan time)
    {
        lock (gate)
            now += time;
    }

    /// <summary>Goes to a moment unless it has passed.</summary>
    public void AdvanceTo(DateTimeOffset moment)
    {
        lock (gate)
        {
            if (moment > now)
                now = moment;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime < TimeSpan.Zero || dueTime > TimeSpan.FromSeconds(1))
            return new Timer();
        Advance(dueTime);
        ThreadPool.QueueUserWorkItem(_ => callback(state));
        return new Timer();
    }

    private sealed class Timer : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
