using System.Globalization;
using Sandbox.Grpc;

namespace Sandbox.TheThingsStack;

/// <summary>
/// Quotas by the generic cell rate algorithm: each key has a theoretical arrival time that every call moves on by one interval; a call is
/// refused when that time would lie further away than the burst allows (facts/tts-api.md section 11).
/// </summary>
public sealed class TtsRateLimiter(TimeProvider clock, TtsRateLimit? initial)
{
    private TtsRateLimit? current = initial;

    private readonly Dictionary<string, long> arrivals = new(StringComparer.Ordinal);
    private readonly long born = clock.GetTimestamp();

    /// <summary>The quota; null for none. Setting it forgets what was used.</summary>
    public TtsRateLimit? Limit
    {
        get => current;
        set
        {
            lock (arrivals)
            {
                current = value;
                arrivals.Clear();
            }
        }
    }

    /// <summary>Counts a call; sets the headers and fails when the quota is used up.</summary>
    /// <param name="call">The call.</param>
    /// <param name="entity">What it is about, such as <c>application:app</c>; null when nothing.</param>
    public void Take(GrpcCall call, string? entity)
    {
        ArgumentNullException.ThrowIfNull(call);
        if (Limit is not { } limit || (limit.Methods.Count > 0 && !limit.Methods.Any(method => call.Method.EndsWith("." + method, StringComparison.Ordinal))))
            return;
        var key = $"grpc:method:{call.Method}{(entity is null ? "" : ":" + entity)}{(AccessControl.TokenId(call) is { } id ? ":token:" + id : "")}";
        var interval = TimeSpan.FromMinutes(1).Ticks / limit.PerMinute;
        var now = clock.GetElapsedTime(born).Ticks;
        bool refused;
        long next;
        lock (arrivals)
        {
            var arrival = Math.Max(arrivals.GetValueOrDefault(key), now);
            refused = arrival + interval - now > limit.Burst * interval;
            next = refused ? arrival : arrival + interval;
            arrivals[key] = next;
        }
        var burst = limit.Burst * interval;
        Header(call, "limit", limit.Burst);
        Header(call, "available", refused ? 0 : (burst - (next - now)) / interval);
        Header(call, "reset", (next - now) / TimeSpan.TicksPerSecond);
        Header(call, "retry", refused ? (next + interval - now - burst) / TimeSpan.TicksPerSecond : 0);
        if (refused)
        {
            throw TtsError.Make(
                GrpcCode.ResourceExhausted,
                "pkg/ratelimit",
                "rate_limit_exceeded",
                "rate limit of `{rate}` accesses per minute exceeded for resource `{key}`",
                [("key", key), ("rate", limit.Burst)]);
        }
    }

    private static void Header(GrpcCall call, string name, long value) =>
        call.ResponseHeaders["x-rate-limit-" + name] = value.ToString(CultureInfo.InvariantCulture);
}
