using Google.Protobuf;
using TheThingsStack.Api;

namespace Migration.Verify;

/// <summary>
/// What tells the session that was sent from one that a join made; small enough to keep for every device that is waited for, and without keys.
/// </summary>
/// <param name="SupportsJoin">Whether the device can join.</param>
/// <param name="KeyId">ID of the session keys sent; empty when there were none.</param>
/// <param name="DevAddr">Address sent, 4 bytes; empty when there was no session.</param>
/// <param name="LastFCntUp">Last uplink counter sent.</param>
/// <param name="StartedAt">When the session that was sent began; null when that is not known.</param>
public readonly record struct SessionMark(bool SupportsJoin, ByteString KeyId, ByteString DevAddr, uint LastFCntUp, DateTimeOffset? StartedAt = null)
{
    /// <summary>Whether a session was sent.</summary>
    public bool HasSession => !DevAddr.IsEmpty;

    /// <summary>The mark of the device as it was sent.</summary>
    public static SessionMark Of(EndDevice sent)
    {
        ArgumentNullException.ThrowIfNull(sent);
        var session = sent.Session;
        var address = session?.DevAddr ?? ByteString.Empty;
        return new SessionMark(
            sent.SupportsJoin,
            session?.Keys?.SessionKeyId ?? ByteString.Empty,
            address.Span.ContainsAnyExcept((byte)0) ? address : ByteString.Empty,
            session?.LastFCntUp ?? 0,
            session?.StartedAt?.ToDateTimeOffset());
    }

    /// <summary>
    /// Whether the Network Server's session is one that a join at the target made. An older one than was sent is what the target had before: the
    /// device has left it.
    /// </summary>
    public bool IsReplacedBy(Session? found)
    {
        if (!SupportsJoin || found is null || found.DevAddr.IsEmpty || (HasSession && found.StartedAt?.ToDateTimeOffset() < StartedAt))
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
        return found.LastFCntUp > LastFCntUp || (lastSeen is not null && imported is not null && lastSeen > imported);
    }
}
