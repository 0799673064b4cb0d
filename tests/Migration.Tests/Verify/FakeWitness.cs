using Migration.Verify;
using TheThingsStack.Api;

namespace Migration.Tests.Verify;

/// <summary>An old network in memory, whose list tells keys, and when a device was heard only a question of its own.</summary>
internal sealed class FakeWitness : ISourceWitness
{
    private readonly SortedDictionary<string, (KeyMarks Keys, DateTimeOffset? Heard)> devices = new(StringComparer.Ordinal);

    public int Lists { get; private set; }

    public IList<string> Asked { get; } = [];

    /// <summary>Fails the next questions for single devices.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Runs before each list.</summary>
    public Action BeforeList { get; set; } = () => { };

    /// <summary>A device that nobody has retired.</summary>
    public void Live(EndDevice device, DateTimeOffset? heard = null) => devices[device.Ids.DeviceId] = (KeyMarks.Of(device), heard);

    /// <summary>A device without the keys that were exported.</summary>
    public void Retired(EndDevice device, DateTimeOffset? heard = null) => devices[device.Ids.DeviceId] = (new KeyMarks(99, 0), heard);

    public void Gone(string id) => devices.Remove(id);

    public async IAsyncEnumerable<(string DeviceId, SourceSighting Sighting)> ListSightingsAsync(string application, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        BeforeList();
        Lists++;
        await Task.Yield();
        foreach (var (id, (keys, _)) in devices)
            yield return (id, new SourceSighting(0, keys, null, IsWhole: false));
    }

    public Task<SourceSighting?> SightAsync(string application, string deviceId, CancellationToken cancellation)
    {
        lock (devices)
        {
            Asked.Add(deviceId);
            return Fault is { } fault ? Task.FromException<SourceSighting?>(fault)
                : Task.FromResult<SourceSighting?>(devices.TryGetValue(deviceId, out var device) ? new SourceSighting(0, device.Keys, device.Heard, IsWhole: true) : null);
        }
    }
}
