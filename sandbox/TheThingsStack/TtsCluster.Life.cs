using System.Security.Cryptography;
using Google.Protobuf;
using TheThingsStack.Api;

namespace Sandbox.TheThingsStack;

public sealed partial class TtsCluster
{
    /// <summary>
    /// A join-request of a device arrives. It is accepted when the Network Server knows a device that joins and the Join Server has its root
    /// keys; then there is a new session: DevAddr of the network's block, new keys, counters at zero, and the device is seen.
    /// </summary>
    /// <param name="application">Application.</param>
    /// <param name="device">Device.</param>
    /// <param name="withUplink">
    /// Whether the first uplink arrives too and makes the session the current one; without it the session is pending, as between join-accept
    /// and first uplink.
    /// </param>
    /// <returns>The new DevAddr; null when nobody answered the device.</returns>
    public ByteString? Join(string application, string device, bool withUplink = true)
    {
        var id = new DeviceId(application, device);
        lock (state.Gate)
        {
            if (state.Network.Find(id)?.Clone() is not { SupportsJoin: true } network || state.Join.Find(id)?.Clone() is not { } join || !HasRootKeys(join, network.LorawanVersion))
                return null;
            var now = state.Now();
            CountNonces(join, network.LorawanVersion);
            join.UpdatedAt = now;
            state.Join.Put(join);

            var keyId = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(16));
            var address = state.NewDevAddr();
            var forwarding = NewKey();
            var is11 = network.LorawanVersion == MACVersion.MacV11;
            network.PendingSession = new Session
            {
                DevAddr = address,
                StartedAt = now,
                Keys = new SessionKeys
                {
                    SessionKeyId = keyId,
                    FNwkSIntKey = forwarding,
                    SNwkSIntKey = is11 ? NewKey() : forwarding.Clone(),
                    NwkSEncKey = is11 ? NewKey() : forwarding.Clone(),
                },
            };
            network.PendingMacState = dispatch.NewMacState(network);
            network.UpdatedAt = now;
            state.Network.Put(network);
            if (state.ApplicationServer.Find(id)?.Clone() is { } applicationRecord)
            {
                applicationRecord.PendingSession = new Session { DevAddr = address, Keys = new SessionKeys { SessionKeyId = keyId, AppSKey = NewKey() } };
                applicationRecord.UpdatedAt = now;
                state.ApplicationServer.Put(applicationRecord);
            }
            state.Seen(id, now);
            return !withUplink || Uplink(application, device) ? address : null;
        }
    }

    /// <summary>
    /// An uplink of a device arrives. It is dropped when the Network Server has no session, and when the frame counter did not rise, unless
    /// the device may reset it. The first uplink in a pending session makes it the current one.
    /// </summary>
    /// <param name="application">Application.</param>
    /// <param name="device">Device.</param>
    /// <param name="frameCounter">Frame counter (32 bits); null for the next one.</param>
    /// <returns>Whether it was taken.</returns>
    public bool Uplink(string application, string device, uint? frameCounter = null)
    {
        var id = new DeviceId(application, device);
        lock (state.Gate)
        {
            if (state.Network.Find(id)?.Clone() is not { } network)
                return false;
            var now = state.Now();
            var first = network.PendingSession is not null;
            if (network.PendingSession is { } pending)
            {
                (network.Session, network.MacState) = (pending, network.PendingMacState);
                (network.PendingSession, network.PendingMacState) = (null, null);
                network.Ids.DevAddr = pending.DevAddr;
                ConfirmOnApplicationServer(id);
            }
            if (network.Session is not { } session)
                return false;
            var counter = frameCounter ?? (first ? 0 : session.LastFCntUp + 1);
            if (!first && counter <= session.LastFCntUp && network.MacSettings?.ResetsFCnt is not { Value: true })
                return false;
            session.LastFCntUp = counter;
            if (network.MacState is { } macState)
                macState.RxWindowsAvailable = true;
            network.UpdatedAt = now;
            state.Network.Put(network);
            state.Seen(id, now);
            return true;
        }
    }

    private static bool HasRootKeys(EndDevice join, MACVersion version) =>
        !TtsState.IsZero(join.RootKeys?.AppKey?.Key) && (version != MACVersion.MacV11 || !TtsState.IsZero(join.RootKeys?.NwkKey?.Key));

    private static void CountNonces(EndDevice join, MACVersion version)
    {
        join.LastJoinNonce++;
        if (version is MACVersion.MacV104 or MACVersion.MacV11)
        {
            join.LastDevNonce++;
            return;
        }
        uint nonce;
        do
            nonce = (uint)RandomNumberGenerator.GetInt32(65_536);
        while (join.UsedDevNonces.Contains(nonce));
        join.UsedDevNonces.Add(nonce);
    }

    private static KeyEnvelope NewKey() => new() { Key = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(16)) };

    private void ConfirmOnApplicationServer(DeviceId id)
    {
        if (state.ApplicationServer.Find(id)?.Clone() is not { PendingSession: not null } record)
            return;
        (record.Session, record.PendingSession) = (record.PendingSession, null);
        record.UpdatedAt = state.Now();
        state.ApplicationServer.Put(record);
    }
}
