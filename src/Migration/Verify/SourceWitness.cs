using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using TheThingsStack.Api;

namespace Migration.Verify;

/// <summary>
/// A network that devices have left, as a witness: does it still answer them, and when did it last hear them? Members only read, may be called
/// concurrently, and fail as those of <see cref="IDeviceSource"/> do.
/// </summary>
public interface ISourceWitness
{
    /// <summary>Lists the devices that an application still has, with what a list tells of each.</summary>
    IAsyncEnumerable<(string DeviceId, SourceSighting Sighting)> ListSightingsAsync(string application, CancellationToken cancellation);

    /// <summary>Tells all that the network knows of one device; null when it does not have it.</summary>
    Task<SourceSighting?> SightAsync(string application, string deviceId, CancellationToken cancellation);
}

/// <summary>What holds for every witness.</summary>
internal static class SourceWitnesses
{
    /// <summary>Reads the list of an application, by device ID.</summary>
    public static async Task<Dictionary<string, SourceSighting>> ReadListAsync(this ISourceWitness witness, string application, CancellationToken cancellation)
    {
        var list = new Dictionary<string, SourceSighting>(StringComparer.Ordinal);
        await foreach (var (id, sighting) in witness.ListSightingsAsync(application, cancellation))
            list[id] = sighting;
        return list;
    }
}

/// <summary>What a network that a device has left knows of it.</summary>
/// <param name="DevEui">DevEUI as a number; 0 when not told.</param>
/// <param name="Keys">The keys it answers to; null when not told.</param>
/// <param name="LastHeard">When the device was last heard; null for never, and when not told.</param>
/// <param name="IsWhole">Whether nothing is left to ask.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct SourceSighting(ulong DevEui, KeyMarks? Keys, DateTimeOffset? LastHeard, bool IsWhole);

/// <summary>Where a device may be at its old network.</summary>
/// <param name="Application">Application as that network knows it.</param>
/// <param name="DeviceIds">IDs it may have there, the likeliest first.</param>
public sealed record SourceName(string Application, params IReadOnlyList<string> DeviceIds);

/// <summary>Marks of the keys of a device: they tell whether two have the same keys, and nothing about the keys. 0 means none.</summary>
/// <param name="Root">Mark of the root key.</param>
/// <param name="Session">Mark of address and network session key.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct KeyMarks(ulong Root, ulong Session)
{
    /// <summary>The marks of an end device of The Things Stack.</summary>
    public static KeyMarks Of(EndDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var root = device.RootKeys?.AppKey?.Key is { IsEmpty: false } appKey ? appKey : device.RootKeys?.NwkKey?.Key;
        return Of(root is null ? default : root.Span, device.Session is { } session ? session.DevAddr.Span : default, device.Session?.Keys?.FNwkSIntKey?.Key is { } key ? key.Span : default);
    }

    /// <summary>The marks of keys; empty and all-zero ones are none.</summary>
    public static KeyMarks Of(ReadOnlySpan<byte> rootKey, ReadOnlySpan<byte> devAddr, ReadOnlySpan<byte> networkSessionKey) =>
        new(Mark(rootKey, default), devAddr.ContainsAnyExcept((byte)0) ? Mark(networkSessionKey, devAddr) : 0);

    /// <summary>Whether a network with these keys answers a device with the others.</summary>
    public bool Answer(KeyMarks device) => (Root != 0 && Root == device.Root) || (Session != 0 && Session == device.Session);

    private static ulong Mark(ReadOnlySpan<byte> key, ReadOnlySpan<byte> more)
    {
        if (!key.ContainsAnyExcept((byte)0))
            return 0;
        Span<byte> text = stackalloc byte[key.Length + more.Length];
        key.CopyTo(text);
        more.CopyTo(text[key.Length..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text, hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash) | 1;
    }
}
