using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Migration;

/// <summary>
/// A look at all IDs of a run before anything is read or retired: how many there are, which devices are named twice, and which would get
/// the same ID in The Things Stack. Keeps 16 bytes a device, and those only while counting. IDs stand as 64 bit hashes: should two of a
/// million be equal by chance (1 in 40 million), a device would be refused, none would be lost.
/// </summary>
internal sealed class Census(ExportOptions options)
{
    private readonly HashSet<ulong> clashes = [];
    private readonly Dictionary<ulong, bool> repeats = [];
    private List<(ulong Name, ulong Owner)> seen = [];

    /// <summary>Devices seen, those named twice included.</summary>
    public int Count { get; private set; }

    /// <summary>Takes note of a device.</summary>
    public void Add(DeviceReference device)
    {
        Count++;
        seen.Add((NameOf(device), OwnerOf(device)));
    }

    /// <summary>Ends the counting; from now on it can be asked.</summary>
    public void Close()
    {
        seen.Sort();
        for (var i = 1; i < seen.Count; i++)
        {
            if (seen[i].Name != seen[i - 1].Name)
                continue;
            if (seen[i].Owner == seen[i - 1].Owner)
                repeats[seen[i].Owner] = false;
            else
                clashes.Add(seen[i].Name);
        }
        seen = [];
    }

    /// <summary>The devices of the run so far, as <see cref="Hash"/> gives them; until <see cref="Close"/>.</summary>
    public HashSet<ulong> Devices() => [.. seen.Select(s => s.Owner)];

    /// <summary>True when another device of the run would get the same ID.</summary>
    public bool Clashes(DeviceReference device) => clashes.Count > 0 && clashes.Contains(NameOf(device));

    /// <summary>True from the second time on that the run comes to a device.</summary>
    public bool HadItsTurn(DeviceReference device)
    {
        if (repeats.Count == 0)
            return false;
        var owner = OwnerOf(device);
        if (!repeats.TryGetValue(owner, out var before))
            return false;
        repeats[owner] = true;
        return before;
    }

    /// <summary>Stands for an ID within an application.</summary>
    public static ulong Hash(string application, string id)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{application}\n{id}"), hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }

    private static ulong OwnerOf(DeviceReference device) => Hash(device.Application, device.Id);

    private ulong NameOf(DeviceReference device) => Hash(
        device.Application.Replace('_', '-'),
        options.EuiAsDeviceId ? device.Id : DeviceNaming.DeviceId(device.Id, options));
}
