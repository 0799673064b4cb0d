using System.Buffers.Binary;
using System.Runtime.InteropServices;
using TheThingsStack.Api;
using TheThingsStack.Import;

namespace Migration.Filters;

/// <summary>What must not occur twice: the ID within an application, and JoinEUI and DevEUI together.</summary>
/// <param name="ApplicationId">Application; empty when the device does not say.</param>
/// <param name="DeviceId">ID; null when there is none.</param>
/// <param name="Euis">JoinEUI and DevEUI; null unless it has both.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DeviceIdentity(string ApplicationId, string? DeviceId, UInt128? Euis)
{
    public static DeviceIdentity Of(EndDevice device) => new(
        device.Ids?.ApplicationIds?.ApplicationId ?? "",
        device.Ids is { DeviceId: { Length: > 0 } id } ? id : null,
        device.Ids is { DevEui.Length: 8, JoinEui.Length: 8 } ids
            ? new UInt128(BinaryPrimitives.ReadUInt64BigEndian(ids.JoinEui.Span), BinaryPrimitives.ReadUInt64BigEndian(ids.DevEui.Span))
            : null);
}

/// <summary>Finds IDs and EUIs that occur twice, in as little memory as exact answers allow.</summary>
internal sealed class SeenIdentifiers
{
    private static readonly IReadOnlyList<ImportFinding> None = [];

    /// <summary>Valid IDs (36 of 37 characters at most) packed into three numbers of twelve characters each.</summary>
    private readonly Dictionary<(int Application, ulong, ulong, ulong), int> ids = [];

    /// <summary>IDs that are not valid, and so refused anyway.</summary>
    private readonly Dictionary<(int Application, string Id), int> oddIds = [];

    private readonly Dictionary<string, int> applications = new(StringComparer.Ordinal);

    private readonly Dictionary<UInt128, int> euis = [];

    /// <summary>Remembers a device and gives what it shares with an earlier one.</summary>
    public IReadOnlyList<ImportFinding> Add(DeviceIdentity device, long line)
    {
        List<ImportFinding>? findings = null;
        var place = (int)Math.Min(line, int.MaxValue);
        if (device.DeviceId is { } id)
        {
            // IDs are unique within an application only.
            ref var application = ref CollectionsMarshal.GetValueRefOrAddDefault(applications, device.ApplicationId, out var isKnown);
            if (!isKnown)
                application = applications.Count;
            ref var first = ref TryPack(id, out var packed)
                ? ref CollectionsMarshal.GetValueRefOrAddDefault(ids, (application, packed.Item1, packed.Item2, packed.Item3), out _)
                : ref CollectionsMarshal.GetValueRefOrAddDefault(oddIds, (application, id), out _);
            if (first == 0)
                first = place;
            else
                (findings ??= []).Add(Taken("ids.device_id", "pkg/util/store:id_taken", $"the ID is that of the device in line {first}"));
        }
        if (device.Euis is { } pair)
        {
            ref var first = ref CollectionsMarshal.GetValueRefOrAddDefault(euis, pair, out _);
            if (first == 0)
                first = place;
            else
                (findings ??= []).Add(Taken("ids.dev_eui", "pkg/identityserver:end_device_euis_taken", $"JoinEUI and DevEUI are those of the device in line {first}"));
        }
        return findings ?? None;
    }

    private static ImportFinding Taken(string field, string error, string message) =>
        new(ImportSeverity.Error, ImportStep.IdentityServer, "duplicate", field, error, message);

    private static bool TryPack(string id, out (ulong, ulong, ulong) packed)
    {
        packed = default;
        if (id.Length > 36)
            return false;
        Span<ulong> parts = stackalloc ulong[3];
        parts.Clear();
        for (var i = 0; i < id.Length; i++)
        {
            var digit = id[i] switch
            {
                >= 'a' and <= 'z' and var letter => letter - 'a' + 1,
                >= '0' and <= '9' and var number => number - '0' + 27,
                '-' => 37,
                _ => 0,
            };
            if (digit == 0)
                return false;
            parts[i / 12] = parts[i / 12] * 38 + (ulong)digit;
        }
        packed = (parts[0], parts[1], parts[2]);
        return true;
    }
}
