using System.Collections.Concurrent;
using Sandbox.Grpc;

namespace Sandbox.TtnV2;

/// <summary>The network server: counters by (AppEUI, DevEUI), over all applications.</summary>
public sealed class NetworkServer(TimeProvider clock, RateLimitProfile limits)
{
    private readonly ConcurrentDictionary<EuiPair, NetworkServerRecord> records = new();

    /// <summary>Limit by the token's subject.</summary>
    public RateLimiter Clients { get; } = new(clock, limits, "client");

    /// <summary>When set, the network server cannot be reached and this is gRPC's text of the failure.</summary>
    public string? Unreachable { get; set; }

    public NetworkServerRecord? Find(EuiPair euis) => records.GetValueOrDefault(euis);

    public void Put(EuiPair euis, NetworkServerRecord record) => records[euis] = record;

    /// <summary>Loses a record, as the real server did at times.</summary>
    public bool Lose(EuiPair euis) => records.TryRemove(euis, out _);

    internal async Task<NetworkServerRecord> GetAsync(StoredDevice device, string subject, CancellationToken cancellation)
    {
        await Clients.TakeAsync(subject, cancellation);
        return Owned(device) ?? throw NotFound(device.Euis);
    }

    internal async Task SetAsync(StoredDevice device, uint fCntUp, uint fCntDown, string subject, CancellationToken cancellation)
    {
        await Clients.TakeAsync(subject, cancellation);
        var old = Owned(device);
        records[device.Euis] = new NetworkServerRecord
        {
            AppId = device.AppId,
            DevId = device.DevId,
            DevAddr = device.DevAddr,
            NwkSKey = device.NwkSKey,
            FCntUp = fCntUp,
            FCntDown = fCntDown,
            DisableFCntCheck = device.DisableFCntCheck,
            Uses32BitFCnt = device.Uses32BitFCnt,
            LastSeen = old?.LastSeen ?? 0,
        };
    }

    internal async Task DeleteAsync(StoredDevice device, string subject, CancellationToken cancellation)
    {
        await Clients.TakeAsync(subject, cancellation);
        if (Owned(device) is null)
            throw NotFound(device.Euis);
        records.TryRemove(device.Euis, out _);
    }

    private static GrpcStatusException NotFound(EuiPair euis) => new(GrpcCode.NotFound, $"ns:device:{euis} not found");

    private NetworkServerRecord? Owned(StoredDevice device)
    {
        var record = Find(device.Euis);
        return record is null || record.AppId == device.AppId
            ? record
            : throw new GrpcStatusException(GrpcCode.PermissionDenied, $"permission denied: No \"devices\" rights to Application \"{record.AppId}\"");
    }
}
