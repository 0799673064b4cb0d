using Google.Protobuf;
using TheThingsStack.Api;

namespace Sandbox.TheThingsStack;

/// <summary>Application and device.</summary>
public readonly record struct DeviceId(string Application, string Device)
{
    /// <summary>Takes the two IDs out of the identifiers of a request.</summary>
    public static DeviceId Of(EndDeviceIdentifiers ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return new(ids.ApplicationIds?.ApplicationId ?? "", ids.DeviceId);
    }

    public override string ToString() => $"{Application}.{Device}";
}

/// <summary>The devices of one server. Records are never changed in place. Callers hold the cluster's lock.</summary>
internal sealed class RecordStore
{
    private readonly Dictionary<string, SortedDictionary<string, EndDevice>> applications = new(StringComparer.Ordinal);
    private readonly Dictionary<(ByteString JoinEui, ByteString DevEui), DeviceId> euis = [];

    public int Count { get; private set; }

    public EndDevice? Find(DeviceId id) =>
        applications.TryGetValue(id.Application, out var devices) && devices.TryGetValue(id.Device, out var record) ? record : null;

    /// <summary>Who has the pair of EUIs; null when nobody has, or when one of the two is missing.</summary>
    public DeviceId? OwnerOf(EndDeviceIdentifiers ids) =>
        ids.DevEui.IsEmpty || ids.JoinEui.IsEmpty || !euis.TryGetValue((ids.JoinEui, ids.DevEui), out var owner) ? null : owner;

    public void Put(EndDevice record)
    {
        var id = DeviceId.Of(record.Ids);
        if (!applications.TryGetValue(id.Application, out var devices))
            applications.Add(id.Application, devices = new SortedDictionary<string, EndDevice>(StringComparer.Ordinal));
        if (!devices.ContainsKey(id.Device))
            Count++;
        devices[id.Device] = record;
        if (!record.Ids.DevEui.IsEmpty && !record.Ids.JoinEui.IsEmpty)
            euis[(record.Ids.JoinEui, record.Ids.DevEui)] = id;
    }

    public bool Remove(DeviceId id)
    {
        if (Find(id) is not { } record)
            return false;
        applications[id.Application].Remove(id.Device);
        Count--;
        if (OwnerOf(record.Ids) == id)
            euis.Remove((record.Ids.JoinEui, record.Ids.DevEui));
        return true;
    }

    /// <summary>The devices of an application by ID.</summary>
    public IReadOnlyCollection<EndDevice> List(string application) =>
        applications.TryGetValue(application, out var devices) ? devices.Values : [];
}
