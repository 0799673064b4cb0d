using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using TheThingsStack.Api;

namespace Sandbox.TheThingsStack;

/// <summary>Devices for a try, a test or a benchmark. Keys and counters follow from the IDs, so every run has the same ones.</summary>
public static class TtsSampleDevices
{
    /// <summary>
    /// Puts devices <c>meter-000001</c> and so on into an application: of three, one is OTAA and has not joined, one has a session, one is ABP.
    /// </summary>
    /// <param name="cluster">The cluster; the application must be there.</param>
    /// <param name="application">Application.</param>
    /// <param name="count">How many.</param>
    public static void AddMany(TtsCluster cluster, string application, int count)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        for (var i = 1; i <= count; i++)
            cluster.Put(Device(application, i));
    }

    /// <summary>The device of a number, 1 and up.</summary>
    public static EndDevice Device(string application, int number)
    {
        var id = $"meter-{number:D6}";
        var otaa = number % 3 != 0;
        var device = new EndDevice
        {
            Ids = new EndDeviceIdentifiers
            {
                DeviceId = id,
                ApplicationIds = new ApplicationIdentifiers { ApplicationId = application },
                DevEui = Bytes("dev-eui", 8),
            },
            Name = $"Water meter {number}",
            SupportsJoin = otaa,
            LorawanVersion = MACVersion.MacV103,
            LorawanPhyVersion = PHYVersion.PhyV103RevA,
            FrequencyPlanId = "EU_863_870_TTN",
        };
        if (otaa)
        {
            device.Ids.JoinEui = ByteString.CopyFrom(0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, 0);
            device.RootKeys = new RootKeys { AppKey = Key("app-key") };
        }
        if (number % 3 != 1)
        {
            var address = Bytes("dev-addr", 4).ToByteArray();
            address[0] = 0x26;
            device.Session = new Session
            {
                DevAddr = ByteString.CopyFrom(address),
                LastFCntUp = (uint)number,
                LastNFCntDown = (uint)number / 2,
                Keys = new SessionKeys { FNwkSIntKey = Key("nwk-s-key"), SNwkSIntKey = Key("nwk-s-key"), NwkSEncKey = Key("nwk-s-key"), AppSKey = Key("app-s-key") },
            };
            if (otaa)
                device.Session.Keys.SessionKeyId = Bytes("session-key-id", 16);
        }
        return device;

        KeyEnvelope Key(string what) => new() { Key = Bytes(what, 16) };

        ByteString Bytes(string what, int length) => ByteString.CopyFrom(SHA256.HashData(Encoding.UTF8.GetBytes($"{application}/{id}/{what}")), 0, length);
    }
}
