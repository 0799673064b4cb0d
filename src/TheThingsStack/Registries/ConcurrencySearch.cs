namespace TheThingsStack.Registries;

/// <summary>
/// Finds how much work under way at a time gets most work done. It starts low and doubles as often as work has gone once to the server and
/// back, while work takes no longer for it: as TCP starts a connection. Then it measures rates: it doubles while the rate grows, halves the
/// distance to the best two, and looks now and then a step up and a step down, for servers change. A step up must pay; a step down must only
/// not cost, so that of equal ones the least is used. Pure: it is told when work ends. A real server of two cores is best near with 4 and far
/// with 32 under way (facts/tts-api.md section 15), so no number fits all.
/// </summary>
public sealed class ConcurrencySearch
{
    private const double PaysUp = 1.05;
    private const double CostsNothingDown = 0.985;
    private const int FewestRefusals = 3;
    private const int RefusalShare = 6;
    private const int RefusalWindow = 60;
    private const double Backoff = 0.6;
    private const int FirstHold = 4;
    private const int LongestHold = 32;

    /// <summary>Twice the work under way must give so much more work done, by the time that work takes, for the start to go on.</summary>
    private const double StartGain = 1.25;

    /// <summary>Shortest time over which a rate is measured.</summary>
    private static readonly TimeSpan ShortestEpoch = TimeSpan.FromMilliseconds(400);

    private readonly int most;
    private Phase phase = Phase.Starting;

    /// <summary>Work that was begun under the former limit and still has to end before a rate is measured.</summary>
    private int settling;
    private int ended;
    private int unsaturated;
    private DateTimeOffset epochStart;
    private bool measuring;

    /// <summary>While starting: work that was begun since the last step, and how long it took on average at the step before.</summary>
    private DateTimeOffset stepped = DateTimeOffset.MinValue;
    private TimeSpan took;
    private TimeSpan tookBefore;
    private bool doubted;

    private int best;
    private double bestRate;
    private int low;
    private int high;
    private bool probeUp = true;
    private int hold = FirstHold;
    private int heldEpochs;
    private long generation;
    private int refusals;
    private int endedSinceRefusal;

    /// <summary>Begins a search.</summary>
    /// <param name="start">Work under way at first, at least 1.</param>
    /// <param name="most">Never more than this.</param>
    public ConcurrencySearch(int start = 4, int most = 128)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(start, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(most, start);
        this.most = most;
        Limit = start;
        best = start;
    }

    private enum Phase
    {
        /// <summary>Doubling by the time that work takes.</summary>
        Starting,

        /// <summary>Doubling by the rate.</summary>
        Growing,

        /// <summary>Between the last step that paid and the one that did not.</summary>
        Refining,

        /// <summary>At the best, measuring.</summary>
        Holding,

        /// <summary>A step off the best.</summary>
        Probing,
    }

    /// <summary>Work that should be under way now.</summary>
    public int Limit { get; private set; }

    /// <summary>Changes with each lowering after a refusal; work begun before is not counted as refused again.</summary>
    public long Generation => generation;

    /// <summary>Work has ended that says nothing against the limit.</summary>
    /// <param name="now">When.</param>
    /// <param name="saturated">Whether the limit was used up at that moment: else the rate shows how fast work arrives.</param>
    /// <param name="duration">How long it took.</param>
    public void Ended(DateTimeOffset now, bool saturated, TimeSpan duration)
    {
        if (++endedSinceRefusal > RefusalWindow)
        {
            refusals /= 2;
            endedSinceRefusal /= 2;
        }
        if (phase == Phase.Starting)
        {
            Start(now, saturated, duration);
            return;
        }
        if (settling > 0)
        {
            settling--;
            return;
        }
        if (!measuring)
        {
            measuring = true;
            epochStart = now;
            ended = 0;
            unsaturated = 0;
            return;
        }
        ended++;
        if (!saturated)
            unsaturated++;
        var time = now - epochStart;
        if (time < ShortestEpoch || ended < Math.Max(24, 3 * Limit))
            return;
        measuring = false;
        // Too little work to tell.
        if (unsaturated * 4 > ended)
            return;
        Measured(ended / time.TotalSeconds);
    }

    /// <summary>The server has refused a call for its load. The limit is lowered when that happens often.</summary>
    /// <param name="begunIn">The <see cref="Generation"/> in which the work began.</param>
    public void Refused(long begunIn)
    {
        if (begunIn != generation)
            return;
        // One in a dozen is a server that stumbles, not one that wants less.
        refusals++;
        if (refusals < FewestRefusals || refusals * RefusalShare < endedSinceRefusal)
            return;
        generation++;
        refusals = 0;
        endedSinceRefusal = 0;
        best = Math.Max(1, (int)(Limit * Backoff));
        bestRate = 0;
        phase = Phase.Holding;
        hold = FirstHold;
        heldEpochs = 0;
        Move(best);
    }

    private void Start(DateTimeOffset now, bool saturated, TimeSpan duration)
    {
        if (now - duration < stepped)
            return;
        ended++;
        took += duration;
        if (!saturated)
            unsaturated++;
        if (ended < Math.Max(4, Limit / 2))
            return;
        var mean = took / ended;
        var enough = unsaturated * 4 <= ended;
        ended = 0;
        unsaturated = 0;
        took = TimeSpan.Zero;
        if (!enough)
            return;
        if (tookBefore > TimeSpan.Zero && 2 * tookBefore < StartGain * mean)
        {
            // Once may be a hiccup.
            if (!doubted)
            {
                doubted = true;
                stepped = now;
                return;
            }
            // Too many, or just as many as good: rates tell.
            high = 2 * tookBefore < mean ? Limit : 0;
            best = Math.Max(1, Limit / 2);
            phase = Phase.Growing;
            Move(best);
            return;
        }
        doubted = false;
        tookBefore = mean;
        if (Limit == most)
        {
            best = most;
            phase = Phase.Growing;
            return;
        }
        Limit = Math.Min(most, Limit * 2);
        stepped = now;
    }

    private void Measured(double rate)
    {
        switch (phase)
        {
            case Phase.Growing:
                Grow(rate);
                break;
            case Phase.Refining:
                Refine(rate);
                break;
            case Phase.Holding:
                Hold(rate);
                break;
            case Phase.Probing:
                Probe(rate);
                break;
        }
    }

    private void Grow(double rate)
    {
        if (bestRate == 0 || rate > bestRate * PaysUp)
        {
            best = Limit;
            bestRate = rate;
            if (high > Limit)
            {
                low = best / 2;
                phase = Phase.Refining;
                RefineNext();
                return;
            }
            if (Limit < most)
                Move(Math.Min(most, Limit * 2));
            else
                Settle();
            return;
        }
        low = best / 2;
        high = Limit;
        phase = Phase.Refining;
        RefineNext();
    }

    /// <summary>The best lies between the neighbours of the best so far.</summary>
    private void Refine(double rate)
    {
        if (Limit > best ? rate > bestRate * PaysUp : rate > bestRate * CostsNothingDown)
        {
            if (Limit > best)
                low = best;
            else
                high = best;
            best = Limit;
            bestRate = rate;
        }
        else if (Limit > best)
        {
            high = Limit;
        }
        else
        {
            low = Limit;
        }
        RefineNext();
    }

    private void RefineNext()
    {
        var up = (best + high) / 2;
        var down = (best + low + 1) / 2;
        if (up > best && up < high && high - best > Math.Max(1, best / 4))
            Move(up);
        else if (down < best && down > low && best - low > Math.Max(1, best / 4))
            Move(down);
        else
            Settle();
    }

    private void Settle()
    {
        phase = Phase.Holding;
        heldEpochs = 0;
        Move(best);
    }

    private void Hold(double rate)
    {
        bestRate = bestRate == 0 ? rate : (bestRate + rate) / 2;
        if (++heldEpochs < hold)
            return;
        var step = Math.Max(1, best / 4);
        var to = probeUp ? Math.Min(most, best + step) : Math.Max(1, best - step);
        probeUp = !probeUp;
        heldEpochs = 0;
        if (to == best)
            return;
        phase = Phase.Probing;
        Move(to);
    }

    private void Probe(double rate)
    {
        var better = Limit > best ? rate > bestRate * PaysUp : rate > bestRate * CostsNothingDown;
        if (better)
        {
            // The same direction again, at once.
            probeUp = Limit > best;
            best = Limit;
            bestRate = rate;
            hold = 1;
        }
        else
        {
            hold = Math.Min(LongestHold, Math.Max(FirstHold, hold * 2));
        }
        Settle();
    }

    private void Move(int limit)
    {
        settling = limit == Limit ? 0 : Math.Max(limit, Limit);
        Limit = limit;
        measuring = false;
    }
}
