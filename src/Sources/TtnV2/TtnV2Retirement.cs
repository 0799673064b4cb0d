using Google.Protobuf;
using Migration;
using TheThingsStack.Errors;
using LoRaWanDevice = Sources.TtnV2.Api.LoRaWan.Device;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.TtnV2;

/// <summary>
/// What retiring and restoring make of a record. Pure. A Set replaces everything it does not leave out (facts/ttnv2.md section 3.5), so
/// every record to store starts from one that was read a moment ago, and only the keys in question are changed in it.
/// </summary>
internal static class TtnV2Retirement
{
    private static readonly ByteString NoKey = ByteString.CopyFrom(new byte[16]);
    private static readonly ByteString NoAddress = ByteString.CopyFrom(new byte[4]);

    private static readonly IReadOnlyList<KeyField> Fields =
    [
        new(d => d.AppKey, (d, value) => d.AppKey = value, NoKey),
        new(d => d.DevAddr, (d, value) => d.DevAddr = value, NoAddress),
        new(d => d.NwkSKey, (d, value) => d.NwkSKey = value, NoKey),
        new(d => d.AppSKey, (d, value) => d.AppSKey = value, NoKey),
    ];

    /// <summary>
    /// Gives the record as a retirement leaves it: without the exported keys, or with a random AppKey, which refuses joins and lets the
    /// session live on.
    /// </summary>
    /// <exception cref="FailureException">There is no AppKey to rotate.</exception>
    public static V2Device Replace(V2Device exported, RetireScope scope, RetireWay way, Entropy entropy)
    {
        if (way == RetireWay.Mute)
        {
            throw new FailureException(Failure.Named("source/ttnv2", "no_such_way", "a device of V2 cannot be muted: its handler always answers") with
            {
                Advice = "use --way rotate, clear or delete",
            });
        }
        var record = exported.Clone();
        var lorawan = record.LorawanDevice;
        if (way == RetireWay.Rotate && !IsSet(lorawan.AppKey))
        {
            throw new FailureException(Failure.Named("source/ttnv2", "no_app_key_to_rotate", "the device has no AppKey that could be rotated") with
            {
                Advice = "an ABP device is retired with --way delete, or with --way clear",
            });
        }
        if (scope.HasFlag(RetireScope.RootKeys))
            lorawan.AppKey = way == RetireWay.Rotate ? RandomKey(entropy) : NoKey;
        if (scope.HasFlag(RetireScope.Session))
        {
            lorawan.DevAddr = NoAddress;
            lorawan.NwkSKey = NoKey;
            lorawan.AppSKey = NoKey;
        }
        return record;
    }

    /// <summary>Compares the keys that a retirement changes, and the EUIs; for a deletion the keys that the device lives by.</summary>
    public static RecordMatch Compare(LoRaWanDevice? now, LoRaWanDevice exported, LoRaWanDevice? replacement)
    {
        if (now is null || !Same(now.DevEui, exported.DevEui) || !Same(now.AppEui, exported.AppEui))
            return RecordMatch.Other;
        var changed = Fields.Where(f => replacement is not null && !Same(f.Get(exported), f.Get(replacement))).ToList();
        if (replacement is not null && changed.Count > 0)
        {
            if (changed.TrueForAll(f => Same(f.Get(now), f.Get(replacement))))
                return RecordMatch.Replaced;
            if (changed.TrueForAll(f => Same(f.Get(now), f.Get(exported))))
                return RecordMatch.Original;
            return changed.TrueForAll(f => !IsSet(f.Get(now)) || Same(f.Get(now), f.Get(exported)) || Same(f.Get(now), f.Get(replacement))) ? RecordMatch.Mixed : RecordMatch.Other;
        }
        var lives = IsSet(exported.AppKey) ? Fields.Take(1) : Fields.Skip(1);
        return lives.All(f => Same(f.Get(now), f.Get(exported))) ? RecordMatch.Original : RecordMatch.Other;
    }

    /// <summary>Whether the device can still join with the exported AppKey.</summary>
    public static bool HasRootKeyOf(LoRaWanDevice? now, LoRaWanDevice exported) =>
        now is not null && IsSet(exported.AppKey) && Same(now.AppKey, exported.AppKey) && Same(now.DevEui, exported.DevEui) && Same(now.AppEui, exported.AppEui);

    /// <summary>Gives the record to store for a retirement: as it is now, with the keys that the plan changes.</summary>
    public static V2Device Retire(V2Device now, LoRaWanDevice exported, LoRaWanDevice replacement)
    {
        var record = ToStore(now);
        foreach (var field in Fields)
        {
            if (!Same(field.Get(exported), field.Get(replacement)))
                field.Set(record.LorawanDevice, field.Full(replacement));
        }
        return record;
    }

    /// <summary>Gives the record to store for a rollback: as it is now, with the original keys where the retirement changed them. Counters never go back.</summary>
    public static V2Device Restore(V2Device now, LoRaWanDevice original, LoRaWanDevice replacement)
    {
        var record = ToStore(now);
        var lorawan = record.LorawanDevice;
        foreach (var field in Fields)
        {
            if (!Same(field.Get(original), field.Get(replacement)))
                field.Set(lorawan, field.Full(original));
        }
        KeepCounters(lorawan, original);
        return record;
    }

    /// <summary>Gives the record to store for a device that is gone: as it was last seen, with all original keys. Counters never go back.</summary>
    public static V2Device Recreate(V2Device original, V2Device? lastSeen)
    {
        var record = ToStore(lastSeen ?? original);
        foreach (var field in Fields)
            field.Set(record.LorawanDevice, field.Full(original.LorawanDevice));
        KeepCounters(record.LorawanDevice, original.LorawanDevice);
        return record;
    }

    private static void KeepCounters(LoRaWanDevice record, LoRaWanDevice original)
    {
        record.FCntUp = Math.Max(record.FCntUp, original.FCntUp);
        record.FCntDown = Math.Max(record.FCntDown, original.FCntDown);
    }

    /// <summary>A copy with what the server demands inside, and without what is its own.</summary>
    private static V2Device ToStore(V2Device device)
    {
        var record = device.Clone();
        var lorawan = record.LorawanDevice;
        lorawan.AppId = record.AppId;
        lorawan.DevId = record.DevId;
        lorawan.LastSeen = 0;
        lorawan.UsedDevNonces.Clear();
        lorawan.UsedAppNonces.Clear();
        return record;
    }

    private static ByteString RandomKey(Entropy entropy)
    {
        Span<byte> key = stackalloc byte[16];
        entropy(key);
        return ByteString.CopyFrom(key);
    }

    /// <summary>Absent, empty and all-zero mean "none" (facts/ttnv2.md section 3.3).</summary>
    private static bool Same(ByteString a, ByteString b) => a.Equals(b) || (!IsSet(a) && !IsSet(b));

    private static bool IsSet(ByteString value) => value.Span.ContainsAnyExcept((byte)0);

    /// <summary>One of the fields that make a device live.</summary>
    private sealed record KeyField(Func<LoRaWanDevice, ByteString> Get, Action<LoRaWanDevice, ByteString> Set, ByteString None)
    {
        /// <summary>The value as bytes to send: an absent field would keep what is there, so "none" is sent as zeros.</summary>
        public ByteString Full(LoRaWanDevice device) => Get(device).Length == 0 ? None : Get(device);
    }
}
