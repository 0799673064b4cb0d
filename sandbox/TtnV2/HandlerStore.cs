namespace Sandbox.TtnV2;

/// <summary>The handler's store: applications and their devices, listed bytewise by ID.</summary>
public sealed class HandlerStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Devices> applications = new(StringComparer.Ordinal);

    public bool HasApplication(string app)
    {
        lock (gate)
            return applications.ContainsKey(app);
    }

    public bool AddApplication(string app)
    {
        lock (gate)
            return applications.TryAdd(app, new Devices());
    }

    public void RemoveApplication(string app)
    {
        lock (gate)
            applications.Remove(app);
    }

    public StoredDevice? Find(string app, string id)
    {
        lock (gate)
            return applications.GetValueOrDefault(app)?.ById.GetValueOrDefault(id);
    }

    public StoredDevice? FindByEuis(string app, EuiPair euis)
    {
        lock (gate)
        {
            return applications.GetValueOrDefault(app) is { } devices && devices.ByEuis.TryGetValue(euis, out var ids) && ids.Count > 0
                ? devices.ById[ids.Min!]
                : null;
        }
    }

    /// <summary>Creates or replaces a device of an existing application.</summary>
    public void Put(StoredDevice device)
    {
        lock (gate)
        {
            var devices = applications[device.AppId];
            if (devices.ById.TryGetValue(device.DevId, out var old))
                devices.ByEuis[old.Euis].Remove(device.DevId);
            else
                devices.Sorted = null;
            devices.ById[device.DevId] = device;
            if (!devices.ByEuis.TryGetValue(device.Euis, out var ids))
                devices.ByEuis[device.Euis] = ids = new SortedSet<string>(StringComparer.Ordinal);
            ids.Add(device.DevId);
        }
    }

    public void Remove(string app, string id)
    {
        lock (gate)
        {
            if (applications.GetValueOrDefault(app) is { } devices && devices.ById.Remove(id, out var old))
            {
                devices.ByEuis[old.Euis].Remove(id);
                devices.Sorted = null;
            }
        }
    }

    /// <summary>A page of an application's devices and the total. A limit of 0 means all.</summary>
    public (IReadOnlyList<StoredDevice> Page, int Total) List(string app, ulong limit = 0, ulong offset = 0)
    {
        lock (gate)
        {
            if (!applications.TryGetValue(app, out var devices))
                return ([], 0);
            // IDs are ASCII, so ordinal order is byte order.
            devices.Sorted ??= [.. devices.ById.Keys.Order(StringComparer.Ordinal)];
            var total = devices.Sorted.Length;
            if (offset >= (ulong)total)
                return ([], total);
            var count = (int)Math.Min(limit == 0 ? (ulong)total : limit, (ulong)total - offset);
            return ([.. devices.Sorted.AsSpan((int)offset, count).ToArray().Select(id => devices.ById[id])], total);
        }
    }

    private sealed class Devices
    {
        public Dictionary<string, StoredDevice> ById { get; } = new(StringComparer.Ordinal);

        public Dictionary<EuiPair, SortedSet<string>> ByEuis { get; } = [];

        public string[]? Sorted { get; set; }
    }
}
