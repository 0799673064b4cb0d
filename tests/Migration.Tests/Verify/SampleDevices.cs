using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Migration.Verify;
using TheThingsStack.Api;

namespace Migration.Tests.Verify;

/// <summary>Devices as sent, and what servers make of them when an import went well.</summary>
internal static class SampleDevices
{
    public static readonly DateTimeOffset Imported = new(2026, 11, 24, 1, 0, 0, TimeSpan.Zero);

    /// <summary>An OTAA device of LoRaWAN 1.0.3 without session.</summary>
    public static EndDevice Otaa(string id = "meter-1") => new()
    {
        Ids = new EndDeviceIdentifiers
        {
            ApplicationIds = new ApplicationIdentifiers { ApplicationId = "city-water" },
            DeviceId = id,
            DevEui = Hex("0004A30B001C0001"),
            JoinEui = Hex("70B3D57ED0000001"),
        },
        Name = "Water meter",
        Attributes = { ["old-id"] = "meter_1" },
        LorawanVersion = MACVersion.MacV103,
        LorawanPhyVersion = PHYVersion.PhyV103RevA,
        FrequencyPlanId = "EU_863_870_TTN",
        SupportsJoin = true,
        RootKeys = new RootKeys { AppKey = Key("00112233445566778899AABBCCDDEEFF") },
        MacSettings = new MACSettings { Rx1Delay = new RxDelayValue { Value = RxDelay._5 } },
        Formatters = new MessagePayloadFormatters { UpFormatter = PayloadFormatter.FormatterJavascript, UpFormatterParameter = "function decodeUplink() {}" },
    };

    /// <summary>The same with the session it had.</summary>
    public static EndDevice OtaaWithSession(string id = "meter-1")
    {
        var device = Otaa(id);
        device.LastDevNonce = 7;
        device.UsedDevNonces.Add([5, 7]);
        WithSession(device, "AQ==");
        return device;
    }

    /// <summary>An ABP device.</summary>
    public static EndDevice Abp(string id = "tank-1")
    {
        var device = Otaa(id);
        device.SupportsJoin = false;
        device.RootKeys = null;
        WithSession(device, "");
        return device;
    }

    /// <summary>What the four servers hold right after an import of <paramref name="sent"/>: their own times, addresses and copies included.</summary>
    public static TargetRecords Import(EndDevice sent)
    {
        var created = Timestamp.FromDateTimeOffset(Imported);
        EndDevice Record()
        {
            var record = sent.Clone();
            record.CreatedAt = created;
            record.UpdatedAt = created;
            record.NetworkServerAddress = record.ApplicationServerAddress = record.JoinServerAddress = "eu1.cloud.thethings.example";
            return record;
        }

        var network = Record();
        if (network.Session is { } session)
        {
            session.StartedAt = created;
            session.Keys.AppSKey = null;
            session.Keys.NwkSEncKey = session.Keys.SNwkSIntKey = session.Keys.FNwkSIntKey;
            session.LastAFCntDown = 0;
            network.Ids.DevAddr = session.DevAddr;
        }
        var application = Record();
        if (application.Session is { Keys: { } keys })
        {
            keys.FNwkSIntKey = null;
            application.Session.LastFCntUp = 0;
            application.Session.StartedAt = null;
        }
        return new TargetRecords(Record(), network, application, sent.SupportsJoin ? Record() : null);
    }

    /// <summary>A join at the target, and the first uplink after it.</summary>
    public static void Join(TargetRecords records, DateTimeOffset at)
    {
        records.Network!.Session = new Session
        {
            DevAddr = Hex("260B1234"),
            Keys = new SessionKeys { SessionKeyId = Hex("AA01"), FNwkSIntKey = Key("0F0E0D0C0B0A09080706050403020100") },
            StartedAt = Timestamp.FromDateTimeOffset(at),
        };
        records.Network.MacState = new MACState { LorawanVersion = MACVersion.MacV103, CurrentParameters = new MACParameters { Rx1Delay = RxDelay._5 } };
        records.Application!.Session = new Session
        {
            DevAddr = Hex("260B1234"),
            Keys = new SessionKeys { SessionKeyId = Hex("AA01"), AppSKey = Key("00000000000000000000000000000001") },
        };
        records.Join!.LastDevNonce = 8;
        records.Join.UsedDevNonces.Add(8);
        records.Join.LastJoinNonce = 1;
        records.Identity!.LastSeenAt = records.Identity.ActivatedAt = Timestamp.FromDateTimeOffset(at);
    }

    /// <summary>An uplink in the session that was sent.</summary>
    public static void Uplink(TargetRecords records, DateTimeOffset at)
    {
        records.Network!.Session.LastFCntUp += 3;
        records.Network.Session.LastNFCntDown += 1;
        records.Network.MacState.CurrentParameters.AdrDataRateIndex = DataRateIndex.DataRate5;
        records.Network.MacState.RecentUplinks.Add(new MACState.Types.UplinkMessage());
        records.Identity!.LastSeenAt = Timestamp.FromDateTimeOffset(at);
    }

    public static ByteString Hex(string hex) => ByteString.CopyFrom(Convert.FromHexString(hex));

    public static KeyEnvelope Key(string hex) => new() { Key = Hex(hex) };

    private static void WithSession(EndDevice device, string keyId)
    {
        device.Session = new Session
        {
            DevAddr = Hex("26011F01"),
            Keys = new SessionKeys
            {
                SessionKeyId = ByteString.FromBase64(keyId),
                FNwkSIntKey = Key("101112131415161718191A1B1C1D1E1F"),
                AppSKey = Key("707172737475767778797A7B7C7D7E7F"),
            },
            LastFCntUp = 1200,
            LastNFCntDown = 40,
            LastAFCntDown = 12,
            StartedAt = Timestamp.FromDateTimeOffset(Imported.AddYears(-1)),
        };
        device.MacState = new MACState
        {
            LorawanVersion = MACVersion.MacV103,
            CurrentParameters = new MACParameters { MaxEirp = 16, Rx1Delay = RxDelay._1, Rx2DataRateIndex = DataRateIndex.DataRate0, Rx2Frequency = 869525000, AdrNbTrans = 1 },
            DesiredParameters = new MACParameters { MaxEirp = 16, Rx1Delay = RxDelay._5, Rx2DataRateIndex = DataRateIndex.DataRate3, Rx2Frequency = 869525000, AdrNbTrans = 1 },
        };
    }
}
