using System.Buffers.Binary;
using System.Collections.Concurrent;
using TheThingsStack.Errors;

namespace Migration.Verify;

/// <summary>
/// Asks the old network as little as will do: the list of an application once, which tells most; single devices only when they have not
/// arrived, or when the list does not tell keys. The list stays in memory, some 150 bytes a device.
/// </summary>
internal sealed class OldNetwork(ISourceWitness witness)
{
    private readonly ConcurrentDictionary<string, Lazy<Task<Dictionary<string, SourceSighting>>>> lists = new(StringComparer.Ordinal);

    /// <summary>The next question is answered by a new list.</summary>
    public void Forget() => lists.Clear();

    /// <summary>Adds to a device what the list tells.</summary>
    /// <exception cref="FailureException">The old network cannot be asked.</exception>
    public async ValueTask<WaitingDevice> LookAsync(WaitingDevice device, CancellationToken cancellation)
    {
        if (device.AtSource is not { } name)
            return device;
        var list = await lists.GetOrAdd(name.Application, application => new(() => witness.ReadListAsync(application, cancellation))).Value;
        foreach (var id in name.DeviceIds)
        {
            // Under an ID that a rename may have made, another device can be there.
            if (list.TryGetValue(id, out var sighting) && (sighting.DevEui == 0 || device.Device.DevEui.Length == 0 || sighting.DevEui == NumberOf(device.Device.DevEui)))
                return With(device, sighting) with { AtSource = new SourceName(name.Application, id), IsAtSource = true };
        }
        return device with { IsAtSource = false, Device = device.Device with { LiveAtSource = false } };
    }

    /// <summary>Asks for one device, when there is more to know than the list told.</summary>
    /// <exception cref="FailureException">The old network cannot be asked, or does not tell.</exception>
    public async Task<WaitingDevice> AskAsync(WaitingDevice device, CancellationToken cancellation)
    {
        if (!device.IsAtSource)
            return device;
        try
        {
            return await witness.SightAsync(device.AtSource!.Application, device.AtSource.DeviceIds[0], cancellation) is { } sighting
                ? With(device, sighting)
                : device with { IsAtSource = false, Device = device.Device with { LiveAtSource = false } };
        }
        catch (FailureException e) when (e is not SourceUnavailableException)
        {
            throw new FailureException(new Failure("the old network does not tell about the device") { Cause = e.Failure, NotAuthorised = e.Failure.NotAuthorised }, e);
        }
    }

    /// <summary>Whether asking for the device by itself can tell more than the list did.</summary>
    public static bool IsWorthAsking(WaitingDevice device) => device is { IsAtSource: true, IsWholeAtSource: false }
        && (device.Device.LiveAtSource is null || (device.Device.LiveAtSource == false && CutOver.MayStillArrive(device.Device.State)));

    private static WaitingDevice With(WaitingDevice device, SourceSighting sighting) => device with
    {
        IsWholeAtSource = sighting.IsWhole,
        Device = device.Device with
        {
            LiveAtSource = sighting.Keys is { } keys ? keys.Answer(device.Keys) : device.Device.LiveAtSource,
            SeenAtSource = sighting.LastHeard ?? device.Device.SeenAtSource,
        },
    };

    private static ulong NumberOf(string devEui) => BinaryPrimitives.ReadUInt64BigEndian(Convert.FromHexString(devEui));
}
