namespace Sources.Tests.TtnV2;

/// <summary>
/// A clock on which waits of less than 10 s (pace, time between retries) are over at once, and time goes on by as much. Timeouts of calls
/// and connections, set at 10 s, take their real time; what is left of one is not a whole number of milliseconds, the waits are.
/// </summary>
internal sealed class HurriedClock : TimeProvider
{
    private static readonly TimeSpan Timeouts = TimeSpan.FromSeconds(10);
    private long skippedTicks;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref skippedTicks));

    public override long GetTimestamp() => System.GetTimestamp() + (Interlocked.Read(ref skippedTicks) * TimestampFrequency / TimeSpan.TicksPerSecond);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime <= TimeSpan.Zero || dueTime >= Timeouts || dueTime.Ticks % TimeSpan.TicksPerMillisecond != 0)
            return System.CreateTimer(callback, state, dueTime, period);
        Interlocked.Add(ref skippedTicks, dueTime.Ticks);
        return System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
