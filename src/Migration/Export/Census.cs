using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Migration;

/// <summary>
/// A look at all IDs of a run before anything is read or retired: how many there are, which devices are named twice, and which would get
/// the same ID in The Things Stack. Keeps hashes, not IDs.
/// </summary>
internal sealed class Census(ExportOptions options)
{
    private readonly Dictionary<UInt128, UInt128> ownerOf = [];
    private readonly HashSet<UInt128> clashes = [];
    private readonly Dictionary<UInt128, bool> repeats = [];
    private readonly HashSet<UInt128> seen = [];

    /// <summary>Devices seen, those named twice included.</summary>
    public int Count { get; private set; }

    /// <summary>Takes note of a device.</summary>
    public void Add(DeviceReference device)
    {
        Count++;
        var name = NameOf(device);
        var owner = Hash(device.Application, device.Id);
        seen.Add(owner);
        if (ownerOf.TryAdd(name, owner))
            return;
        if (ownerOf[name] == owner)
            repeats[owner] = false;
        else
            clashes.Add(name);
    }

    /// <summary>Releases what only counting needed.</summary>
    public void Close()
    {
        ownerOf.Clear();
        ownerOf.TrimExcess();
        seen.Clear();
        seen.TrimExcess();
    }

    /// <summary>True when the run knows the device; until <see cref="Close"/>.</summary>
    public bool Has(string application, string id) => seen.Contains(Hash(application, id));

    /// <summary>True when another device of the run would get the same ID.</summary>
    public bool Clashes(DeviceReference device) => clashes.Count > 0 && clashes.Contains(NameOf(device));

    /// <summary>True from the second time on that the run comes to a device.</summary>
    public bool HadItsTurn(DeviceReference device)
    {
        if (repeats.Count == 0)
            return false;
        var owner = Hash(device.Application, device.Id);
        if (!repeats.TryGetValue(owner, out var before))
            return false;
        repeats[owner] = true;
        return before;
    }

    /// <summary>Stands for an ID within an application; never equal for two in practice.</summary>
    public static UInt128 Hash(string application, string id)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{application}\n{id}"), hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }

    private UInt128 NameOf(DeviceReference device) => Hash(
        device.Application.Replace('_', '-'),
        options.EuiAsDeviceId ? device.Id : DeviceNaming.DeviceId(device.Id, options));
}
