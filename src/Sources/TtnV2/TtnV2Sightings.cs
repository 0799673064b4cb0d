using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Migration;
using Migration.Verify;

namespace Sources.TtnV2;

/// <summary>
/// V2 as a witness of devices that have left. The list tells keys, a thousand devices a call; only a Get tells when a device was last heard
/// (facts/ttnv2.md sections 3.4 and 8), and five of those are allowed in a second.
/// </summary>
public sealed partial class TtnV2Source : ISourceWitness
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<(string DeviceId, SourceSighting Sighting)> ListSightingsAsync(string application, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var device in ListAsync(application, cancellation))
            yield return (device.Id, Sighting((TtnV2Device)device.Listed!));
    }

    /// <inheritdoc/>
    public async Task<SourceSighting?> SightAsync(string application, string deviceId, CancellationToken cancellation)
    {
        try
        {
            return Sighting((TtnV2Device)await ReadAsync(new DeviceReference(application, deviceId), cancellation));
        }
        catch (DeviceNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Of a record that cannot be decoded nothing is known.</summary>
    private static SourceSighting Sighting(TtnV2Device device) => device.Value?.LorawanDevice is not { } lorawan
        ? new SourceSighting(0, null, null, IsWhole: true)
        : new SourceSighting(
            BinaryPrimitives.TryReadUInt64BigEndian(lorawan.DevEui.Span, out var devEui) ? devEui : 0,
            KeyMarks.Of(lorawan.AppKey.Span, lorawan.DevAddr.Span, lorawan.NwkSKey.Span),
            lorawan.LastSeen > 0 ? DateTimeOffset.UnixEpoch.AddTicks(lorawan.LastSeen / 100) : null,
            device.HasCounters);
}
