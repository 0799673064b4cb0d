using Google.Protobuf;
using Google.Protobuf.Collections;
using HandlerDevice = Sources.TtnV2.Api.Handler.Device;
using LoRaWanDevice = Sources.TtnV2.Api.LoRaWan.Device;

namespace Sandbox.TtnV2;

/// <summary>AppEUI and DevEUI, 8 big-endian bytes each: the key of the network server's store.</summary>
public readonly record struct EuiPair(ByteString AppEui, ByteString DevEui)
{
    public override string ToString() => $"{Convert.ToHexString(AppEui.Span)}:{Convert.ToHexString(DevEui.Span)}";
}

/// <summary>A device as the handler keeps it: everything but counters and last_seen. Keys are always there; all zero means none.</summary>
public sealed record StoredDevice
{
    public static readonly ByteString NoKey = ByteString.CopyFrom(new byte[16]);
    public static readonly ByteString NoAddress = ByteString.CopyFrom(new byte[4]);
    public static readonly ByteString NoEui = ByteString.CopyFrom(new byte[8]);

    public required string AppId { get; init; }
    public required string DevId { get; init; }
    public ByteString AppEui { get; init; } = NoEui;
    public ByteString DevEui { get; init; } = NoEui;
    public ByteString DevAddr { get; init; } = NoAddress;
    public ByteString NwkSKey { get; init; } = NoKey;
    public ByteString AppSKey { get; init; } = NoKey;
    public ByteString AppKey { get; init; } = NoKey;
    public bool DisableFCntCheck { get; init; }
    public bool Uses32BitFCnt { get; init; }
    public string ActivationConstraints { get; init; } = "local";
    public float Latitude { get; init; }
    public float Longitude { get; init; }
    public int Altitude { get; init; }
    public IReadOnlyList<KeyValuePair<string, string>> Attributes { get; init; } = [];
    public string Description { get; init; } = "";

    public EuiPair Euis => new(AppEui, DevEui);

    /// <summary>The record after a Set: everything is replaced, but absent addresses and keys are kept.</summary>
    public StoredDevice After(HandlerDevice set)
    {
        var lorawan = set.LorawanDevice;
        return this with
        {
            AppEui = lorawan.AppEui.IsEmpty ? NoEui : lorawan.AppEui,
            DevEui = lorawan.DevEui.IsEmpty ? NoEui : lorawan.DevEui,
            DevAddr = lorawan.HasDevAddr ? lorawan.DevAddr : DevAddr,
            NwkSKey = lorawan.HasNwkSKey ? lorawan.NwkSKey : NwkSKey,
            AppSKey = lorawan.HasAppSKey ? lorawan.AppSKey : AppSKey,
            AppKey = lorawan.HasAppKey ? lorawan.AppKey : AppKey,
            DisableFCntCheck = lorawan.DisableFCntCheck,
            Uses32BitFCnt = lorawan.Uses32BitFCnt,
            ActivationConstraints = lorawan.ActivationConstraints.Length == 0 ? "local" : lorawan.ActivationConstraints,
            Latitude = set.Latitude,
            Longitude = set.Longitude,
            Altitude = set.Altitude,
            Attributes = [.. set.Attributes],
            Description = set.Description,
        };
    }

    /// <summary>The record as List answers it; Get adds what the network server knows.</summary>
    public HandlerDevice ToMessage(NetworkServerRecord? counters)
    {
        var message = new HandlerDevice
        {
            AppId = AppId,
            DevId = DevId,
            LorawanDevice = new LoRaWanDevice
            {
                AppEui = AppEui,
                DevEui = DevEui,
                AppId = AppId,
                DevId = DevId,
                DevAddr = DevAddr,
                NwkSKey = NwkSKey,
                AppSKey = AppSKey,
                AppKey = AppKey,
                DisableFCntCheck = DisableFCntCheck,
                Uses32BitFCnt = Uses32BitFCnt,
                ActivationConstraints = ActivationConstraints,
                FCntUp = counters?.FCntUp ?? 0,
                FCntDown = counters?.FCntDown ?? 0,
                LastSeen = counters?.LastSeen ?? 0,
            },
            Latitude = Latitude,
            Longitude = Longitude,
            Altitude = Altitude,
            Description = Description,
        };
        Copy(Attributes, message.Attributes);
        return message;
    }

    private static void Copy(IReadOnlyList<KeyValuePair<string, string>> from, MapField<string, string> to)
    {
        foreach (var (key, value) in from)
            to[key] = value;
    }
}

/// <summary>A device as the network server keeps it.</summary>
public sealed record NetworkServerRecord
{
    /// <summary>The application that owns the record.</summary>
    public required string AppId { get; init; }
    public required string DevId { get; init; }
    public ByteString DevAddr { get; init; } = StoredDevice.NoAddress;
    public ByteString NwkSKey { get; init; } = StoredDevice.NoKey;

    /// <summary>Last accepted uplink.</summary>
    public uint FCntUp { get; init; }

    /// <summary>Next downlink.</summary>
    public uint FCntDown { get; init; }
    public bool DisableFCntCheck { get; init; }
    public bool Uses32BitFCnt { get; init; }

    /// <summary>Unix nanoseconds; 0 = never.</summary>
    public long LastSeen { get; init; }
}
