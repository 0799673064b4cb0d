using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.TtnV2;

/// <summary>Devices for tests, the tour and benchmarks. Keys and DevEUIs follow from application and device ID, so every run sees the same.</summary>
public static class SampleDevices
{
    private static readonly ByteString AppEui = ByteString.CopyFrom(Convert.FromHexString("70B3D57EF0000024"));

    /// <summary>An OTAA device that never joined.</summary>
    public static Device Otaa(string app, string id)
    {
        var device = new Device
        {
            AppId = app,
            DevId = id,
            LorawanDevice = new()
            {
                AppId = app,
                DevId = id,
                AppEui = AppEui,
                DevEui = Bytes(app, id, "dev-eui", 8),
                AppKey = Bytes(app, id, "app-key", 16),
                Uses32BitFCnt = true,
                ActivationConstraints = "local",
            },
        };
        return device;
    }

    /// <summary>An OTAA device with a session.</summary>
    public static Device Joined(string app, string id, uint fCntUp = 1042, uint fCntDown = 17)
    {
        var device = Otaa(app, id);
        AddSession(device, fCntUp, fCntDown);
        return device;
    }

    /// <summary>An ABP device: a session, no AppKey.</summary>
    public static Device Abp(string app, string id, uint fCntUp = 5000, uint fCntDown = 3)
    {
        var device = Joined(app, id, fCntUp, fCntDown);
        device.LorawanDevice.ClearAppKey();
        return device;
    }

    /// <summary>A "register on join" template: an AppKey and no DevEUI.</summary>
    public static Device Template(string app, string id)
    {
        var device = Otaa(app, id);
        device.LorawanDevice.DevEui = StoredDevice.NoEui;
        return device;
    }

    /// <summary>Adds many OTAA devices, <c>meter-000001</c> and so on; every other one has a session.</summary>
    public static void AddMany(TtnV2Cluster cluster, string app, int count)
    {
        for (var i = 1; i <= count; i++)
        {
            var id = $"meter-{i:D6}";
            cluster.Add(i % 2 == 0 ? Joined(app, id, (uint)i) : Otaa(app, id));
        }
    }

    private static void AddSession(Device device, uint fCntUp, uint fCntDown)
    {
        var lorawan = device.LorawanDevice;
        var address = Bytes(device.AppId, device.DevId, "dev-addr", 4).ToByteArray();
        (address[0], address[1]) = (0x26, (byte)(address[1] & 1));
        lorawan.DevAddr = ByteString.CopyFrom(address);
        lorawan.NwkSKey = Bytes(device.AppId, device.DevId, "nwk-s-key", 16);
        lorawan.AppSKey = Bytes(device.AppId, device.DevId, "app-s-key", 16);
        lorawan.FCntUp = fCntUp;
        lorawan.FCntDown = fCntDown;
        lorawan.LastSeen = 1_597_219_740_000_000_000;
    }

    private static ByteString Bytes(string app, string id, string what, int length) =>
        ByteString.CopyFrom(SHA256.HashData(Encoding.UTF8.GetBytes($"{app}/{id}/{what}")), 0, length);
}
