using LoRaWan;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Import;

namespace Migration.Verify;

/// <summary>Where a device stands in the cut-over; each device has one, the most pressing.</summary>
public enum CutOverState
{
    /// <summary>Could not be checked: the line cannot be read, or a server did not answer.</summary>
    NotChecked,

    /// <summary>One or more servers do not have it.</summary>
    Missing,

    /// <summary>On the target, and its old network still has its keys: both answer it.</summary>
    LiveOnBoth,

    /// <summary>A field is not as it was sent.</summary>
    Differs,

    /// <summary>Its old network heard it after the cut-over, in a session that only that network has: it has to join.</summary>
    AliveAtSource,

    /// <summary>Has to join and has not: power cycle it, or wait until it joins by itself.</summary>
    NeedsPowerCycle,

    /// <summary>Keeps an address that the target's network does not route: heard only through gateways that are connected to the target.</summary>
    NeedsGateway,

    /// <summary>Keeps its session under an address of the target's network; not heard yet.</summary>
    WaitsForUplink,

    /// <summary>On the target as sent, and heard there since; or a multicast group, which never sends.</summary>
    OnTarget,

    /// <summary>Joined at the target since it was imported.</summary>
    Joined,
}

/// <summary>Names and meaning of states.</summary>
public static class CutOver
{
    /// <summary>States in the order of urgency.</summary>
    public static IReadOnlyList<CutOverState> States { get; } =
    [
        CutOverState.LiveOnBoth, CutOverState.Missing, CutOverState.Differs, CutOverState.NotChecked, CutOverState.AliveAtSource,
        CutOverState.NeedsPowerCycle, CutOverState.NeedsGateway, CutOverState.WaitsForUplink, CutOverState.OnTarget, CutOverState.Joined,
    ];

    /// <summary>Whether nothing is left to do.</summary>
    public static bool IsDone(CutOverState state) => state is CutOverState.OnTarget or CutOverState.Joined;

    /// <summary>Whether something is wrong that will not be right by waiting.</summary>
    public static bool IsUrgent(CutOverState state) => state is CutOverState.LiveOnBoth or CutOverState.Missing or CutOverState.Differs or CutOverState.NotChecked;

    /// <summary>Whether a watch goes on for the device: it may arrive by itself, or be retired by another run.</summary>
    public static bool MayStillArrive(CutOverState state) =>
        state is CutOverState.LiveOnBoth or CutOverState.AliveAtSource or CutOverState.NeedsPowerCycle or CutOverState.NeedsGateway or CutOverState.WaitsForUplink;

    /// <summary>Name for scripts.</summary>
    public static string CodeOf(CutOverState state) => state switch
    {
        CutOverState.NotChecked => "not_checked",
        CutOverState.Missing => "missing",
        CutOverState.LiveOnBoth => "live_on_both",
        CutOverState.Differs => "differs",
        CutOverState.AliveAtSource => "alive_at_source",
        CutOverState.NeedsPowerCycle => "needs_power_cycle",
        CutOverState.NeedsGateway => "needs_gateway",
        CutOverState.WaitsForUplink => "waits_for_uplink",
        CutOverState.OnTarget => "on_target",
        CutOverState.Joined => "joined",
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };

    /// <summary>Short name of a server.</summary>
    public static string NameOf(DeviceServers server) => server switch
    {
        DeviceServers.IdentityServer => "Identity Server",
        DeviceServers.NetworkServer => "Network Server",
        DeviceServers.ApplicationServer => "Application Server",
        DeviceServers.JoinServer => "Join Server",
        _ => server.ToString(),
    };

    /// <summary>The servers of a set, one by one.</summary>
    public static IEnumerable<DeviceServers> Each(DeviceServers servers)
    {
        foreach (var server in (DeviceServers[])[DeviceServers.IdentityServer, DeviceServers.JoinServer, DeviceServers.NetworkServer, DeviceServers.ApplicationServer])
        {
            if (servers.HasFlag(server))
                yield return server;
        }
    }

    /// <summary>Judges one device by what its target has. Calls no one.</summary>
    /// <param name="sent">What was sent.</param>
    /// <param name="found">What the servers have.</param>
    /// <param name="prefixes">Addresses that the target's network routes; null when it does not say.</param>
    /// <param name="importedAt">When it was imported, if the journal knows; otherwise the Identity Server's date counts.</param>
    public static VerifiedDevice Judge(SentRecords sent, TargetRecords found, IReadOnlyList<DevAddrPrefix>? prefixes, DateTimeOffset? importedAt)
    {
        ArgumentNullException.ThrowIfNull(sent);
        ArgumentNullException.ThrowIfNull(found);
        var ids = sent.Identity.Ids;
        var device = new VerifiedDevice
        {
            Application = ids?.ApplicationIds?.ApplicationId ?? "",
            DeviceId = ids?.DeviceId ?? "",
            DevEui = Hex(ids?.DevEui),
            Missing = sent.Servers & ~found.Servers,
            Differences = FieldComparison.Compare(sent, found),
            ImportedAt = importedAt ?? found.Identity?.CreatedAt?.ToDateTimeOffset(),
        };
        return Heard(device, SessionMark.Of(sent, found), found.Network?.Session, found.Identity?.LastSeenAt?.ToDateTimeOffset(), prefixes, sent.Network.Multicast);
    }

    /// <summary>Judges again how far a device has come at the target, from its session and from when it was seen.</summary>
    internal static VerifiedDevice Heard(
        VerifiedDevice device, SessionMark mark, Session? session, DateTimeOffset? lastSeen, IReadOnlyList<DevAddrPrefix>? prefixes, bool multicast)
    {
        var hasJoined = mark.IsReplacedBy(session);
        var isHeard = hasJoined || (session is not null && mark.HasMovedOn(session, lastSeen, device.ImportedAt));
        var address = session?.DevAddr is { IsEmpty: false } found ? found : mark.DevAddr;
        return device with
        {
            JoinedAt = hasJoined ? session!.StartedAt?.ToDateTimeOffset() ?? lastSeen : null,
            LastSeenAt = lastSeen,
            DevAddr = Hex(address),
            Arrival = hasJoined ? CutOverState.Joined
                : isHeard || multicast ? CutOverState.OnTarget
                : !mark.HasSession ? CutOverState.NeedsPowerCycle
                : prefixes is not null && Routes(prefixes, address.Span) ? CutOverState.WaitsForUplink
                : CutOverState.NeedsGateway,
        };
    }

    private static bool Routes(IReadOnlyList<DevAddrPrefix> prefixes, ReadOnlySpan<byte> address)
    {
        if (address.Length != 4)
            return false;
        var devAddr = new DevAddr(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(address));
        foreach (var prefix in prefixes)
        {
            if (prefix.Contains(devAddr))
                return true;
        }
        return false;
    }

    private static string Hex(Google.Protobuf.ByteString? bytes) => bytes is null ? "" : Convert.ToHexString(bytes.Span);
}

/// <summary>One device and where it stands. Holds no key.</summary>
public sealed record VerifiedDevice
{
    /// <summary>Place in the file or journal, from 0.</summary>
    public long Index { get; init; }

    /// <summary>Line of the file on which it starts, from 1; 0 for a journal.</summary>
    public long Line { get; init; }

    /// <summary>Application at the target.</summary>
    public required string Application { get; init; }

    /// <summary>Device ID at the target; empty when the line cannot be read.</summary>
    public required string DeviceId { get; init; }

    /// <summary>DevEUI, 16 hexadecimal digits; empty when it has none.</summary>
    public string DevEui { get; init; } = "";

    /// <summary>Address now, 8 hexadecimal digits; empty without session.</summary>
    public string DevAddr { get; init; } = "";

    /// <summary>How far it has come at the target, whatever else is to say about it.</summary>
    public CutOverState Arrival { get; init; }

    /// <summary>Where it stands: the most pressing of all that is known.</summary>
    public CutOverState State =>
        Failure is not null ? CutOverState.NotChecked
        : Missing != DeviceServers.None ? CutOverState.Missing
        : LiveAtSource == true ? CutOverState.LiveOnBoth
        : Differences.Count > 0 ? CutOverState.Differs
        : SeenAtSource > (JoinedAt ?? ImportedAt) ? CutOverState.AliveAtSource
        : Arrival;

    /// <summary>Servers that should have it and do not.</summary>
    public DeviceServers Missing { get; init; }

    /// <summary>Fields that are not as they were sent.</summary>
    public IReadOnlyList<FieldDifference> Differences { get; init; } = [];

    /// <summary>When it was imported, as far as known.</summary>
    public DateTimeOffset? ImportedAt { get; init; }

    /// <summary>When the session began that a join at the target made; null before.</summary>
    public DateTimeOffset? JoinedAt { get; init; }

    /// <summary>When the target last heard it.</summary>
    public DateTimeOffset? LastSeenAt { get; init; }

    /// <summary>Whether its old network has the keys that were sent and answers it; null when it was not asked.</summary>
    public bool? LiveAtSource { get; init; }

    /// <summary>When its old network last heard it, if it was asked.</summary>
    public DateTimeOffset? SeenAtSource { get; init; }

    /// <summary>Why it could not be checked.</summary>
    public Failure? Failure { get; init; }

    /// <summary>Whether all servers have it as it was sent.</summary>
    public bool IsAsSent => Failure is null && Missing == DeviceServers.None && Differences.Count == 0;
}
