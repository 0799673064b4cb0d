namespace Migration.Verify;

/// <summary>
/// What a verification found, counted, with as many devices of each state as a page or a terminal can show. Memory is bounded: some thousand
/// devices, and 8 bytes for each join.
/// </summary>
public sealed class VerifyTally
{
    /// <summary>Devices kept of each state that needs somebody or is waited for.</summary>
    public const int MaxOpen = 5000;

    /// <summary>Devices kept of each state with nothing left to do.</summary>
    public const int MaxDone = 1000;

    private readonly Dictionary<CutOverState, (long Count, List<VerifiedDevice> Devices)> states = [];
    private readonly List<long> joins = [];

    /// <summary>Devices counted.</summary>
    public long Total { get; private set; }

    /// <summary>Devices whose four records are as they were sent.</summary>
    public long AsSent { get; private set; }

    /// <summary>Devices that joined since they were imported, whatever else is to say about them.</summary>
    public int Joins => joins.Count;

    /// <summary>Devices with nothing left to do.</summary>
    public long Done => Count(CutOverState.OnTarget) + Count(CutOverState.Joined);

    /// <summary>Devices that need somebody now, see <see cref="CutOver.IsUrgent"/>.</summary>
    public long Urgent => CutOver.States.Where(CutOver.IsUrgent).Sum(Count);

    /// <summary>First import known of; null when none is.</summary>
    public DateTimeOffset? FirstImport { get; private set; }

    /// <summary>Times of the joins, sorted.</summary>
    public IReadOnlyList<DateTimeOffset> JoinTimes()
    {
        joins.Sort();
        return [.. joins.Select(static ticks => new DateTimeOffset(ticks, TimeSpan.Zero))];
    }

    /// <summary>Devices in a state.</summary>
    public long Count(CutOverState state) => states.TryGetValue(state, out var entry) ? entry.Count : 0;

    /// <summary>Devices in a state, the first of them.</summary>
    public IReadOnlyList<VerifiedDevice> Devices(CutOverState state) => states.TryGetValue(state, out var entry) ? entry.Devices : [];

    /// <summary>Gives a tally of these devices and more; this one stays as it is.</summary>
    public VerifyTally With(IEnumerable<VerifiedDevice> more)
    {
        ArgumentNullException.ThrowIfNull(more);
        var all = new VerifyTally { Total = Total, AsSent = AsSent, FirstImport = FirstImport };
        all.joins.AddRange(joins);
        foreach (var (state, (count, devices)) in states)
            all.states[state] = (count, [.. devices]);
        foreach (var device in more)
            all.Add(device);
        return all;
    }

    /// <summary>Counts a device.</summary>
    public void Add(VerifiedDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Total++;
        AsSent += device.IsAsSent ? 1 : 0;
        if (device.JoinedAt is { } joined)
            joins.Add(joined.UtcTicks);
        if (device.ImportedAt is { } imported && !(FirstImport <= imported))
            FirstImport = imported;
        var (count, devices) = states.TryGetValue(device.State, out var entry) ? entry : (0, []);
        if (devices.Count < (CutOver.IsDone(device.State) ? MaxDone : MaxOpen))
            devices.Add(device);
        states[device.State] = (count + 1, devices);
    }
}
