using System.Globalization;
using Rpc;

namespace TheThingsStack.Registries;

/// <summary>
/// Keeps calls within the limits that the servers tell in <c>x-rate-limit-*</c> headers, so that none is refused (facts/tts-api.md section 11).
/// A limit is for one method and one entity (a device, an application). Where answers for different devices count down together, or a first
/// call is refused, the limit is shared by all devices and all calls of the method are paced.
/// </summary>
internal sealed class RatePacer(TimeProvider clock)
{
    /// <summary>Times below a second are told as zero.</summary>
    private static readonly TimeSpan ShortestWait = TimeSpan.FromSeconds(1);

    /// <summary>When a limit says that one call takes longer than this, the call is made then all the same: the server decides, not what it foretold.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);

    /// <summary>So many answers for different devices that count down together make a limit a shared one.</summary>
    private const int Votes = 3;

    private readonly Lock gate = new();
    private readonly Dictionary<(string Method, string Entity), Bucket> buckets = [];
    private readonly Dictionary<string, int> votes = [];

    /// <summary>Waits until a call may go out.</summary>
    public async Task WaitAsync(string method, string entity, CancellationToken cancellation)
    {
        while (true)
        {
            TimeSpan wait;
            lock (gate)
                wait = Find(method, entity)?.Take(clock.GetUtcNow()) ?? TimeSpan.Zero;
            if (wait <= TimeSpan.Zero)
                return;
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), clock, cancellation);
        }
    }

    /// <summary>Takes note of the headers of an answer.</summary>
    /// <param name="method">Method that was called.</param>
    /// <param name="entity">What it was called for.</param>
    /// <param name="perDevice">Whether the entity is a device.</param>
    /// <param name="headers">Headers of the answer.</param>
    /// <param name="refused">The call was refused for its rate.</param>
    public void Observe(string method, string entity, bool perDevice, Metadata headers, bool refused)
    {
        var limit = Number(headers, "x-rate-limit-limit");
        if (limit is not > 0)
        {
            lock (gate)
                Find(method, entity)?.Returned();
            return;
        }
        var available = Number(headers, "x-rate-limit-available") ?? 0;
        var reset = TimeSpan.FromSeconds(Number(headers, "x-rate-limit-reset") ?? 0);
        lock (gate)
        {
            var now = clock.GetUtcNow();
            var bucket = Find(method, entity);
            bucket?.Returned();
            if (bucket is null)
            {
                var shared = perDevice && (refused || (available < limit - 1 && Vote(method)));
                if (perDevice && !shared && available > 1)
                    return;
                Prune(now);
                bucket = buckets[(method, shared ? "" : entity)] = new Bucket();
            }
            bucket.Set(now, limit.Value, refused ? 0 : available, reset, refused);
        }
    }

    private Bucket? Find(string method, string entity) =>
        buckets.TryGetValue((method, ""), out var bucket) || buckets.TryGetValue((method, entity), out bucket) ? bucket : null;

    private bool Vote(string method)
    {
        votes.TryGetValue(method, out var count);
        votes[method] = ++count;
        return count >= Votes;
    }

    /// <summary>Limits that are full again need no place.</summary>
    private void Prune(DateTimeOffset now)
    {
        if (buckets.Count < 1000)
            return;
        foreach (var key in buckets.Where(entry => entry.Key.Entity.Length > 0 && entry.Value.IsFull(now)).Select(entry => entry.Key).ToList())
            buckets.Remove(key);
    }

    private static int? Number(Metadata headers, string name) =>
        int.TryParse(headers.Get(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>What is left of one limit, as the last answer told it, and what has been taken since.</summary>
    private sealed class Bucket
    {
        private double tokens;
        private TimeSpan perToken = ShortestWait;
        private DateTimeOffset at;
        private DateTimeOffset fullAt;
        private int limit;
        private int underWay;

        public bool IsFull(DateTimeOffset now) => underWay == 0 && now >= fullAt;

        /// <summary>Takes a place and gives zero, or gives the time until there is one.</summary>
        public TimeSpan Take(DateTimeOffset now)
        {
            if (now > at)
            {
                tokens = Math.Min(limit, tokens + ((now - at) / perToken));
                at = now;
            }
            if (now < at)
                return at - now;
            if (tokens < 1)
                return perToken * (1 - tokens);
            tokens--;
            underWay++;
            return TimeSpan.Zero;
        }

        public void Returned() => underWay = Math.Max(0, underWay - 1);

        public void Set(DateTimeOffset now, int newLimit, int available, TimeSpan reset, bool refused)
        {
            limit = newLimit;
            var missing = Math.Max(1, limit - available);
            // Whole seconds, cut off: up to one more.
            if (reset > TimeSpan.Zero)
                perToken = (reset + ShortestWait) / missing;
            else if (!refused)
                perToken = ShortestWait / missing;
            if (perToken > LongestWait)
                perToken = LongestWait;
            fullAt = now + reset + ShortestWait;
            tokens = Math.Max(0, available - underWay);
            at = refused ? now + ShortestWait : now;
            if (refused)
                tokens = 1;
        }
    }
}
