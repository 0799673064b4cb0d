using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Tests.TtnV2;

/// <summary>
/// Scenarios about rate limits. The recording has no clock, so the moment of the first call within the buckets' second is not known: the
/// calls are tried at each tenth of a second, and one of them must explain every answer. Calls of a burst arrive in any order; those that
/// passed must have come first. A scenario that nothing explains had another client on the same application: then its bucket is emptied
/// before a refusal and full before a success, and only texts and codes are compared.
/// </summary>
public sealed partial class WireReplay
{
    /// <summary>Time between two calls of the Go tool.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(200);

    private async Task RateLimitedAsync(List<WireRow> scenario)
    {
        var burst = !scenario.Exists(row => row.Server == "client");
        var calls = scenario.FindAll(row => row.Server is "handler" or "discovery");
        if (burst)
            calls = [.. calls.OrderBy(row => row.IsRateLimited)];
        var failures = new Dictionary<int, string>();
        for (var phase = 0; phase < 10; phase++)
        {
            failures = await TryAsync(calls, burst, TimeSpan.FromMilliseconds((phase * 100) + 30));
            if (failures.Count == 0)
                break;
        }
        if (failures.Count > 0 && !burst)
        {
            failures = await WithAnotherClientAsync(calls);
            Count(Rules, "rate limit: another client makes calls in between");
        }
        else
        {
            Count(Rules, "rate limit: explained by the recorded calls alone");
        }
        foreach (var (number, problem) in failures)
            Problems[number] = problem;
        foreach (var row in scenario)
        {
            Count(Kinds, row.Server == "client" ? "not a call: a run of the Go tool"
                : row.Server == "account" ? "not compared: key exchange in a rate limit scenario"
                : $"compared: {row.Server} {row.ShortMethod}");
        }
    }

    private async Task<Dictionary<int, string>> TryAsync(List<WireRow> calls, bool burst, TimeSpan phase)
    {
        Seed(calls);
        clock.Advance(TimeSpan.FromSeconds(10) + phase);
        var failures = new Dictionary<int, string>();
        var attempt = 0;
        var next = clock.GetUtcNow();
        foreach (var row in calls)
        {
            if (!burst && row.Server == "handler")
            {
                // The Go tool: a tick every 200 ms of which one is kept, and after a refusal 1, 2, 3 … s more.
                clock.AdvanceTo(next);
                next = clock.GetUtcNow() + Pace;
            }
            if (Difference(row, await SendAsync(row)) is { } problem)
                failures[row.Number] = problem;
            attempt = row.Status == 8 ? attempt + 1 : 0;
            if (!burst && attempt > 0)
                clock.Advance(TimeSpan.FromSeconds(attempt));
        }
        return failures;
    }

    private async Task<Dictionary<int, string>> WithAnotherClientAsync(List<WireRow> calls)
    {
        Seed(calls);
        clock.Advance(TimeSpan.FromSeconds(10));
        var failures = new Dictionary<int, string>();
        foreach (var row in calls)
        {
            clock.Advance(TimeSpan.FromSeconds(2));
            var limiter = row.Message switch
            {
                var text when !row.IsRateLimited || text.Length == 0 => null,
                var text when text.Contains("NetworkServer ", StringComparison.Ordinal) => cluster.NetworkServer.Clients,
                var text when text.Contains("Broker", StringComparison.Ordinal) => cluster.Broker.Clients,
                var text when text.Contains("application", StringComparison.Ordinal) => cluster.Handler.Applications,
                _ => cluster.Handler.Clients,
            };
            if (limiter is not null)
                EmptyAtStartOfSecond(limiter.Bucket(row.Target.App));
            if (Difference(row, await SendAsync(row)) is { } problem)
                failures[row.Number] = problem;
        }
        return failures;
    }

    /// <summary>Empties a bucket at a moment from which a call would have to wait for longer than the server sleeps.</summary>
    private void EmptyAtStartOfSecond(TokenBucket bucket)
    {
        bucket.Drain();
        while (bucket.Take(RateLimiter.LongestSleep) is not null)
        {
            clock.Advance(TimeSpan.FromMilliseconds(100));
            bucket.Drain();
        }
    }

    /// <summary>Devices as the answers show them, tokens held, all buckets full and as old as each other.</summary>
    private void Seed(List<WireRow> calls)
    {
        var registersAgain = calls.Exists(row => row.Message.StartsWith("Could not re-register", StringComparison.Ordinal));
        foreach (var row in calls.Where(row => row.Server == "handler"))
        {
            PrimeKey(row);
            var (app, id) = row.Target;
            if (row is { ShortMethod: "GetDevice", Status: 0 })
            {
                var answer = Device.Parser.ParseFrom(row.Response);
                Forget(app, id, null);
                cluster.Add(answer, onNetworkServer: !registersAgain || answer.LorawanDevice is not { FCntUp: 0, FCntDown: 0 });
            }
            else if (id.Length > 0)
            {
                if (cluster.Device(app, id) is null)
                    cluster.Add(Unseen(app, id, null, row.Number));
                if (registersAgain)
                    cluster.NetworkServer.Lose(cluster.Handler.Store.Find(app, id)!.Euis);
            }
        }
        cluster.Broker.Clients.Reset();
        cluster.NetworkServer.Clients.Reset();
        cluster.Handler.Clients.Reset();
        cluster.Handler.Applications.Reset();
        foreach (var app in calls.Select(row => row.Target.App).Distinct(StringComparer.Ordinal))
        {
            cluster.Broker.Clients.Bucket(app);
            cluster.NetworkServer.Clients.Bucket(app);
            cluster.Handler.Clients.Bucket(app);
            cluster.Handler.Applications.Bucket(app);
        }
    }
}
