using System.Buffers.Binary;
using System.Runtime.InteropServices;
using TheThingsStack.Api;
using TheThingsStack.Import;

namespace Migration.Filters;

/// <summary>What must not occur twice, as 64-bit hashes: the ID within an application, and JoinEUI and DevEUI together.</summary>
/// <param name="Id">Application and device ID; null when there is no device ID.</param>
/// <param name="Euis">JoinEUI and DevEUI; null unless it has both.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DeviceIdentity(ulong? Id, ulong? Euis)
{
    public static DeviceIdentity Of(EndDevice device)
    {
        ulong? id = device.Ids is { DeviceId: { Length: > 0 } text } ? Mixed(Mixed(1, device.Ids.ApplicationIds?.ApplicationId ?? ""), text) : null;
        ulong? euis = device.Ids is { DevEui.Length: 8, JoinEui.Length: 8 } ids
            ? Mixed(Mixed(2, BinaryPrimitives.ReadUInt64BigEndian(ids.JoinEui.Span)), BinaryPrimitives.ReadUInt64BigEndian(ids.DevEui.Span))
            : null;
        return new DeviceIdentity(id, euis);
    }

    private static ulong Mixed(ulong hash, string text)
    {
        var bytes = MemoryMarshal.AsBytes(text.AsSpan());
        // The length tells where one text ends and the next one starts.
        hash = Mixed(hash, (ulong)bytes.Length);
        for (; bytes.Length >= 8; bytes = bytes[8..])
            hash = Mixed(hash, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        ulong rest = 0;
        foreach (var b in bytes)
            rest = (rest << 8) | b;
        return bytes.IsEmpty ? hash : Mixed(hash, rest);
    }

    /// <summary>A bijection for each of its two arguments: what differs in one word only never gets the same hash.</summary>
    private static ulong Mixed(ulong hash, ulong word)
    {
        var mixed = (hash ^ word) + 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}

/// <summary>
/// Finds IDs and EUIs that occur twice. Remembers hashes: some 30 bytes for each device, whatever its IDs look like. EUIs under one JoinEUI
/// are compared exactly; otherwise two different texts are taken for the same about once in nine million files of a million devices, and
/// the line that is named shows it. Something that occurs twice is always found.
/// </summary>
internal sealed class SeenIdentifiers
{
    private const int PageBits = 12;
    private const int PageSize = 1 << PageBits;

    /// <summary>Entries for each head: a head costs 4 bytes, a longer chain time.</summary>
    private const int ChainLength = 3;

    private static readonly IReadOnlyList<ImportFinding> None = [];

    // Chains in pages that never move, so that growing costs neither copies nor twice the memory. Entry 2n is the ID of the nth device, 2n + 1 its EUIs.
    private readonly List<Entry[]> pages = [];
    private readonly List<uint[]> lines = [];
    private int[] heads = new int[1 << 12];
    private int devices;

    /// <summary>An entry of the chain that starts at its head.</summary>
    /// <param name="Hash">Hash.</param>
    /// <param name="Next">Number of the next entry plus one; 0 at the end.</param>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private readonly record struct Entry(ulong Hash, int Next);

    /// <summary>Remembers a device and gives what it shares with an earlier one.</summary>
    /// <param name="device">Its hashes.</param>
    /// <param name="line">Its line; named up to 4,294,967,295.</param>
    public IReadOnlyList<ImportFinding> Add(DeviceIdentity device, long line)
    {
        if (device is { Id: null, Euis: null })
            return None;
        if ((devices & (PageSize / 2 - 1)) == 0)
        {
            pages.Add(new Entry[PageSize]);
            lines.Add(new uint[PageSize / 2]);
        }
        if (devices * 2 >= heads.Length * ChainLength)
            GrowHeads();
        var entry = devices++ * 2;
        LineOf(entry) = (uint)Math.Min(line, uint.MaxValue);

        List<ImportFinding>? findings = null;
        if (device.Id is { } id && FirstWith(id, entry) is { } sameId)
            (findings ??= []).Add(Taken("ids.device_id", "pkg/util/store:id_taken", $"the ID is that of the device in line {sameId}"));
        if (device.Euis is { } euis && FirstWith(euis, entry + 1) is { } sameEuis)
            (findings ??= []).Add(Taken("ids.dev_eui", "pkg/identityserver:end_device_euis_taken", $"JoinEUI and DevEUI are those of the device in line {sameEuis}"));
        return findings ?? None;
    }

    private static ImportFinding Taken(string field, string error, string message) =>
        new(ImportSeverity.Error, ImportStep.IdentityServer, "duplicate", field, error, message);

    /// <summary>Gives the line where the hash occurred first; when it is new, makes the entry part of its chain.</summary>
    private uint? FirstWith(ulong hash, int entry)
    {
        ref var head = ref HeadOf(hash);
        for (var next = head; next > 0;)
        {
            ref var known = ref At(next - 1);
            if (known.Hash == hash)
                return LineOf(next - 1);
            next = known.Next;
        }
        At(entry) = new Entry(hash, head);
        head = entry + 1;
        return null;
    }

    private void GrowHeads()
    {
        var old = heads;
        heads = new int[old.Length * 2];
        foreach (var chain in old)
        {
            for (var next = chain; next > 0;)
            {
                ref var known = ref At(next - 1);
                ref var head = ref HeadOf(known.Hash);
                var following = known.Next;
                known = known with { Next = head };
                head = next;
                next = following;
            }
        }
    }

    private ref Entry At(int entry) => ref pages[entry >> PageBits][entry & (PageSize - 1)];

    private ref uint LineOf(int entry) => ref lines[entry >> PageBits][(entry & (PageSize - 1)) >> 1];

    private ref int HeadOf(ulong hash) => ref heads[hash & (ulong)(heads.Length - 1)];
}
