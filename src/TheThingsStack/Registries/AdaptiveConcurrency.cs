namespace TheThingsStack.Registries;

/// <summary>Lets so much work run at a time as gets most done (<see cref="ConcurrencySearch"/>), or a fixed amount. First come, first served.</summary>
public sealed class AdaptiveConcurrency
{
    private readonly TimeProvider clock;
    private readonly ConcurrencySearch? search;
    private readonly int fixedLimit;
    private readonly Lock gate = new();
    private readonly LinkedList<TaskCompletionSource> waiting = [];
    private int underWay;

    private AdaptiveConcurrency(TimeProvider clock, ConcurrencySearch? search, int fixedLimit)
    {
        this.clock = clock;
        this.search = search;
        this.fixedLimit = fixedLimit;
    }

    /// <summary>Work that may be under way now.</summary>
    public int Limit
    {
        get
        {
            lock (gate)
                return search?.Limit ?? fixedLimit;
        }
    }

    /// <summary>The most that <see cref="Limit"/> can become; the room that work waiting for its turn needs.</summary>
    public int Most { get; private init; }

    /// <summary>Always the same amount.</summary>
    /// <param name="clock">Clock.</param>
    /// <param name="limit">Work under way at a time, at least 1.</param>
    public static AdaptiveConcurrency Fixed(TimeProvider clock, int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return new AdaptiveConcurrency(clock, null, limit) { Most = limit };
    }

    /// <summary>The amount that the server does best with.</summary>
    /// <param name="clock">Clock.</param>
    /// <param name="start">Work under way at first.</param>
    /// <param name="most">Never more. Default 256: the four calls of an import take 80 ms at 20 ms round trip.</param>
    public static AdaptiveConcurrency Adaptive(TimeProvider clock, int start = 4, int most = 256) =>
        new(clock, new ConcurrencySearch(start, most), 0) { Most = most };

    /// <summary>Waits for a turn.</summary>
    public async Task<Turn> EnterAsync(CancellationToken cancellation)
    {
        LinkedListNode<TaskCompletionSource> place;
        lock (gate)
        {
            if (waiting.Count == 0 && underWay < (search?.Limit ?? fixedLimit))
            {
                underWay++;
                return NewTurn();
            }
            place = waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        using (cancellation.UnsafeRegister(
            _ =>
            {
                lock (gate)
                {
                    // Given a turn in this very moment: then it is used.
                    if (place.List is null)
                        return;
                    waiting.Remove(place);
                }
                place.Value.TrySetCanceled(cancellation);
            },
            null))
        {
            await place.Value.Task;
        }
        lock (gate)
            return NewTurn();
    }

    /// <summary>Changes when the limit is lowered after refusals.</summary>
    internal long Generation
    {
        get
        {
            lock (gate)
                return search?.Generation ?? 0;
        }
    }

    /// <summary>A call was refused for the server's load.</summary>
    internal void Refused(long begunIn)
    {
        lock (gate)
            search?.Refused(begunIn);
    }

    private Turn NewTurn() => new(this, search?.Generation ?? 0, clock.GetTimestamp());

    private void Leave(bool done, long begun)
    {
        lock (gate)
        {
            // Waiting work shows that the limit was used up.
            var saturated = waiting.Count > 0 || underWay >= (search?.Limit ?? fixedLimit);
            underWay--;
            if (done)
                search?.Ended(clock.GetUtcNow(), saturated, clock.GetElapsedTime(begun));
            while (waiting.First is { } next && underWay < (search?.Limit ?? fixedLimit))
            {
                waiting.RemoveFirst();
                underWay++;
                next.Value.TrySetResult();
            }
        }
    }

    /// <summary>Permission to work; ends when disposed.</summary>
    public sealed class Turn : IDisposable
    {
        private readonly AdaptiveConcurrency owner;
        private readonly long generation;
        private readonly long begun;
        private bool done;
        private int left;

        internal Turn(AdaptiveConcurrency owner, long generation, long begun)
        {
            this.owner = owner;
            this.generation = generation;
            this.begun = begun;
        }

        /// <summary>The work was done: it counts for the rate.</summary>
        public void Done() => done = true;

        /// <summary>The server refused the work for its load: when that happens often, less will be under way.</summary>
        public void Refused() => owner.Refused(generation);

        /// <summary>Gives the turn back.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref left, 1) == 0)
                owner.Leave(done, begun);
        }
    }
}
