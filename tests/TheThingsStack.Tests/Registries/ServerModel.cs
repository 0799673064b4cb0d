using TheThingsStack.Registries;

namespace TheThingsStack.Tests.Registries;

/// <summary>
/// Clients that always have work, and a server whose speed depends on the calls in hand, played event by event without a clock. Work is some
/// calls one after the other; a call travels, then gets an equal share of the server until it is done. Calls are unequally heavy, by a sequence
/// that is the same in every run.
/// </summary>
/// <param name="rates">Calls per second by calls in hand, in rising order from 1 on; linear between, constant beyond.</param>
/// <param name="roundTrip">Travel of a call, there and back.</param>
/// <param name="calls">Calls of one work.</param>
internal sealed class ServerModel((int InHand, double Rate)[] rates, TimeSpan roundTrip, int calls)
{
    private static readonly DateTimeOffset Start = new(2026, 11, 24, 0, 0, 0, TimeSpan.Zero);

    private readonly PriorityQueue<Work, double> travelling = new();
    private readonly PriorityQueue<Work, double> inHand = new();
    private double seconds;
    private double share;
    private int underWay;
    private uint noise = 12345;

    /// <summary>A real server on two cores: creates/s 121 with 4 under way and 82 with 32 (4 calls each).</summary>
    public static ServerModel Near => new(TwoCores, TimeSpan.Zero, 4);

    /// <summary>The same 20 ms away: 45 with 4 under way, 82 with 32, best with some 14.</summary>
    public static ServerModel Far => new(TwoCores, TimeSpan.FromMilliseconds(20), 4);

    /// <summary>A server that a client 20 ms away can hardly use up.</summary>
    public static ServerModel FastFar => new([(1, 3000), (2, 6000)], TimeSpan.FromMilliseconds(20), 4);

    private static (int, double)[] TwoCores => [(1, 460), (2, 480), (4, 484), (8, 450), (16, 380), (25, 328)];

    /// <summary>Work that would find more than this many calls in hand is refused after one round trip.</summary>
    public int Room { get; init; } = int.MaxValue;

    /// <summary>Work that was refused.</summary>
    public int Refused { get; private set; }

    /// <summary>Lets work end; gives how much ended in a second.</summary>
    /// <param name="search">Says how much is under way.</param>
    /// <param name="count">Work that ends.</param>
    /// <param name="ended">Told the limit at each end.</param>
    public double Run(ConcurrencySearch search, int count, Action<int>? ended = null) => Run(search, 0, count, ended);

    /// <summary>The rate with a fixed number under way.</summary>
    public double RateAt(int limit) => Run(null, limit, 2000, null);

    private double Run(ConcurrencySearch? search, int limit, int count, Action<int>? ended)
    {
        var begun = seconds;
        for (var done = 0; done < count;)
        {
            for (; underWay < (search?.Limit ?? limit); underWay++)
                Send(new Work(calls, seconds, search?.Generation ?? 0));
            if (NextAnswer() is not { } work)
                continue;
            if (work.Left > 1)
            {
                Send(work with { Left = work.Left - 1 });
                continue;
            }
            underWay--;
            if (work.Left < 0)
            {
                Refused++;
                search?.Refused(work.Generation);
                continue;
            }
            done++;
            search?.Ended(Start.AddSeconds(seconds), saturated: true, TimeSpan.FromSeconds(seconds - work.Begun));
            ended?.Invoke(search?.Limit ?? limit);
        }
        return count / (seconds - begun);
    }

    private void Send(Work work) => travelling.Enqueue(work, seconds + roundTrip.TotalSeconds);

    /// <summary>Goes on to the next event; gives the work whose call it answers, null when a call only arrives.</summary>
    private Work? NextAnswer()
    {
        var rate = inHand.Count == 0 ? 0 : RateOf(inHand.Count) / inHand.Count;
        var answered = inHand.TryPeek(out _, out var end) ? seconds + ((end - share) / rate) : double.PositiveInfinity;
        if (travelling.TryPeek(out var arriving, out var arrival) && arrival <= answered)
        {
            travelling.Dequeue();
            share += (arrival - seconds) * rate;
            seconds = arrival;
            if (inHand.Count >= Room && arriving.Left == calls)
                return arriving with { Left = -1 };
            noise = (noise * 1664525) + 1013904223;
            inHand.Enqueue(arriving, share + 0.2 + (1.6 * ((noise >> 8) / (double)(1 << 24))));
            return null;
        }
        seconds = answered;
        share = end;
        return inHand.Dequeue();
    }

    private double RateOf(int count)
    {
        var (before, rate) = rates[0];
        foreach (var (point, next) in rates)
        {
            if (count <= point)
                return point == before ? next : rate + ((next - rate) * (count - before) / (point - before));
            (before, rate) = (point, next);
        }
        return rate;
    }

    private sealed record Work(int Left, double Begun, long Generation);
}
