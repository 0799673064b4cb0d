using Google.Protobuf;
using Migration.Import;
using TheThingsStack.Api;

namespace Migration.Verify;

/// <summary>
/// What tells the session that was sent from one that a join made; small enough to keep for every device that is waited for, and without keys.
/// </summary>
/// <param name="SupportsJoin">Whether the device can join.</param>
/// <param name="KeyId">ID of the session keys sent; empty when there were none.</param>
/// <param name="DevAddr">Address sent, 4 bytes; empty when there was no session.</param>
/// <param name="LastFCntUp">Last uplink counter sent.</param>
public readonly record struct SessionMark(bool SupportsJoin, ByteString KeyId, ByteString DevAddr, uint LastFCntUp)
{
    /// <summary>ID of another session that the target had before, which no join there has made; empty when it had none.</summary>
    public ByteString Former { get; init; } = ByteString.Empty;

    /// <summary>Whether a session was sent.</summary>
    public bool HasSession => !DevAddr.IsEmpty;

    /// <summary>The mark of a device, given what the target has.</summary>
    public static SessionMark Of(SentRecords sent, TargetRecords found)
    {
        ArgumentNullException.ThrowIfNull(sent);
        ArgumentNullException.ThrowIfNull(found);
        var session = sent.Network.Session;
        var address = session?.DevAddr ?? ByteString.Empty;
        var mark = new SessionMark(
            sent.Network.SupportsJoin,
            session?.Keys?.SessionKeyId ?? ByteString.Empty,
            address.Span.ContainsAnyExcept((byte)0) ? address : ByteString.Empty,
            session?.LastFCntUp ?? 0);
        return found.Network?.Session is { } there && mark.IsReplacedBy(there) && !TargetJoins.MadeIt(sent.Join, session, found.Join, there)
            ? mark with { Former = IdOf(there) }
            : mark;
    }

    /// <summary>Whether the Network Server's session is one that a join at the target made.</summary>
    public bool IsReplacedBy(Session? found)
    {
        if (!SupportsJoin || found is null || found.DevAddr.IsEmpty || IdOf(found) == Former)
            return false;
        var keyId = found.Keys?.SessionKeyId ?? ByteString.Empty;
        return !HasSession || (KeyId.IsEmpty && keyId.IsEmpty ? found.DevAddr != DevAddr : keyId != KeyId);
    }

    /// <summary>Whether the device was heard at the target in the session that was sent: its counter rose, or it was seen after it was created.</summary>
    public bool HasMovedOn(TargetRecords found)
    {
        ArgumentNullException.ThrowIfNull(found);
        return found.Network?.Session is { } session && HasMovedOn(session, found.Identity?.LastSeenAt?.ToDateTimeOffset(), found.Identity?.CreatedAt?.ToDateTimeOffset());
    }

    /// <summary>The same from what is known of the device.</summary>
    public bool HasMovedOn(Session found, DateTimeOffset? lastSeen, DateTimeOffset? imported)
    {
        ArgumentNullException.ThrowIfNull(found);
        if (HasSession && found.DevAddr != DevAddr)
            return false;
        return (found.LastFCntUp > LastFCntUp && IdOf(found) != Former) || (lastSeen is not null && imported is not null && lastSeen > imported);
    }

    private static ByteString IdOf(Session session) => session.Keys?.SessionKeyId is { IsEmpty: false } id ? id : session.DevAddr;
}
