namespace Sources.Tests.TtnV2;

/// <summary>
/// A clock on which waits of less than 10 s (pace, time between retries) are over at once, and time goes on by as much. Timeouts of calls
/// and connections, which cancel something, take their real time, and so does what is left of one.
/// </summary>
internal sealed class HurriedClock : TimeProvider
{
    private static readonly TimeSpan LongWait = TimeSpan.FromSeconds(10);
    private long skippedTicks;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow().AddTicks(Interlocked.Read(ref skippedTicks));

    public override long GetTimestamp() => System.GetTimestamp() + (Interlocked.Read(ref skippedTicks) * TimestampFrequency / TimeSpan.TicksPerSecond);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime <= TimeSpan.Zero || dueTime >= LongWait || state is CancellationTokenSource)
            return System.CreateTimer(callback, state, dueTime, period);
        Interlocked.Add(ref skippedTicks, dueTime.Ticks);
        return System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
