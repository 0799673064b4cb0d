using TheThingsStack.Api;

namespace Migration.Import;

/// <summary>
/// Tells a session that a join at the target made from one that was there before, e.g. from an earlier import. The Join Server counts joins, so a
/// device that has not been counted there since has not joined there, whatever the clocks say. One that has may have left again, to its source and
/// back: then its session there began before the one that was sent.
/// </summary>
internal static class TargetJoins
{
    /// <summary>Paths to ask the Join Server for.</summary>
    public static readonly string[] Paths = ["last_dev_nonce", "last_join_nonce", "used_dev_nonces"];

    /// <summary>
    /// How far the clock of the machine that exported may be ahead of the target's. Too long costs little: a device that has joined there keeps
    /// that session, and joins again when it is not in it.
    /// </summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromHours(1);

    /// <summary>Whether a session that is not the one sent was made by a join at the target.</summary>
    /// <param name="sentJoin">What is sent to the Join Server; null when nothing is.</param>
    /// <param name="sent">The session that is sent; null without one.</param>
    /// <param name="foundJoin">What the Join Server has; null when it does not have the device, or is another one.</param>
    /// <param name="found">The session that the Network Server has.</param>
    public static bool MadeIt(EndDevice? sentJoin, Session? sent, EndDevice? foundJoin, Session found)
    {
        if (sentJoin is not null && foundJoin is not null && !HasJoined(sentJoin, foundJoin))
            return false;
        return sent is not { DevAddr.Length: > 0, StartedAt: { } ours } || found.StartedAt is not { } theirs || theirs.ToDateTimeOffset() >= ours.ToDateTimeOffset() - ClockTolerance;
    }

    private static bool HasJoined(EndDevice sent, EndDevice found) =>
        found.LastJoinNonce > sent.LastJoinNonce || found.LastDevNonce > sent.LastDevNonce || found.UsedDevNonces.Except(sent.UsedDevNonces).Any();
}
