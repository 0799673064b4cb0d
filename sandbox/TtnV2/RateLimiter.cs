using System.Collections.Concurrent;
using Sandbox.Grpc;

namespace Sandbox.TtnV2;

/// <summary>Which of the network's limits apply.</summary>
public enum RateLimitProfile
{
    /// <summary>No limit.</summary>
    Off,

    /// <summary>5 calls per whole second, short waits are slept (servers since 2020; facts/ttnv2.md section 7.3).</summary>
    PerSecond,

    /// <summary>5,000 calls per hour, no waiting, refused calls count too (servers of 2019).</summary>
    PerHour,
}

/// <summary>
/// A bucket that starts full and gets <paramref name="quantum"/> tokens at every whole <paramref name="interval"/> since its creation.
/// </summary>
public sealed class TokenBucket(TimeProvider clock, int capacity, int quantum, TimeSpan interval)
{
    private readonly Lock gate = new();
    private readonly long born = clock.GetTimestamp();
    private long available = capacity;
    private long latestTick;

    /// <summary>Takes a token. Gives how long to wait for it (zero when it is there), or null when that would be longer than allowed.</summary>
    public TimeSpan? Take(TimeSpan longestWait)
    {
        lock (gate)
        {
            var age = clock.GetElapsedTime(born);
            var tick = age.Ticks / interval.Ticks;
            available = Math.Min(capacity, available + ((tick - latestTick) * quantum));
            latestTick = tick;
            var left = available - 1;
            if (left >= 0)
            {
                available = left;
                return TimeSpan.Zero;
            }
            var supplied = tick + ((-left + quantum - 1) / quantum);
            var wait = (supplied * interval) - age;
            if (wait > longestWait)
                return null;
            available = left;
            return wait;
        }
    }

    /// <summary>Takes what is left, as another client would.</summary>
    public void Drain()
    {
        lock (gate)
            available = Math.Min(available, 0);
    }
}

/// <summary>One server's buckets by name (a token's subject, or an application ID).</summary>
/// <param name="clock">Clock of the buckets and of the server's sleep.</param>
/// <param name="profile">The limits.</param>
/// <param name="what">What is counted, as the refusal names it: "client" or "application".</param>
public sealed class RateLimiter(TimeProvider clock, RateLimitProfile profile, string what)
{
    /// <summary>The longest time a server sleeps to keep a call within its limit.</summary>
    public static readonly TimeSpan LongestSleep = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, TokenBucket> buckets = new(StringComparer.Ordinal);

    /// <summary>Counts one call; sleeps or refuses with ResourceExhausted as the real server does.</summary>
    public async Task TakeAsync(string name, CancellationToken cancellation)
    {
        if (profile == RateLimitProfile.Off)
            return;
        // The servers of 2019 took the token first and then looked whether it was there.
        var wait = Bucket(name).Take(profile == RateLimitProfile.PerSecond ? LongestSleep : TimeSpan.MaxValue);
        if (wait is not { } time || (profile == RateLimitProfile.PerHour && time > TimeSpan.Zero))
        {
            throw new GrpcStatusException(
                GrpcCode.ResourceExhausted,
                profile == RateLimitProfile.PerSecond ? $"Rate limit for {what} \"{name}\" reached" : $"Rate limit for {what} reached");
        }
        if (time > TimeSpan.Zero)
            await Task.Delay(time, clock, cancellation);
    }

    /// <summary>The bucket of a name; created full.</summary>
    public TokenBucket Bucket(string name) => buckets.GetOrAdd(name, _ => profile == RateLimitProfile.PerHour
        ? new TokenBucket(clock, 5_000, 5_000, TimeSpan.FromHours(1))
        : new TokenBucket(clock, 5, 5, TimeSpan.FromSeconds(1)));

    /// <summary>Forgets all buckets, as a restart does.</summary>
    public void Reset() => buckets.Clear();
}
