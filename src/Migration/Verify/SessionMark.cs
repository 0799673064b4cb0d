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
public readonly record struct SessionMark(bool SupportsJoin, ByteString KeyId, ByteString DevAddr, uint LastFCntUp)
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
            session?.LastFCntUp ?? 0);
    }

    /// <summary>Whether the Network Server's session is one that a join at the target made.</summary>
    public bool IsReplacedBy(Session? found)
    {
        if (!SupportsJoin || found is null || found.DevAddr.IsEmpty)
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
        return found.LastFCntUp > LastFCntUp || (lastSeen is not null && imported is not null && lastSeen > imported);
    }
}
