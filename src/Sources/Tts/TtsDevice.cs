using Google.Protobuf;
using Migration;
using Sources.Tts.Api;
using TheThingsStack.Api;

namespace Sources.Tts;

/// <summary>A device as the four servers of a The Things Stack hold it.</summary>
internal sealed class TtsDevice : SourceDevice
{
    /// <summary>Fields that are not known here stay in the record and go nowhere else.</summary>
    private static readonly MessageParser<EndDevice> Known = EndDevice.Parser.WithDiscardUnknownFields(true);

    private readonly DeviceRecord record;

    private TtsDevice(string application, string id, DeviceRecord record)
        : base(application, id)
    {
        this.record = record;
        IdentityServer = Parse(record.HasIdentityServer, record.IdentityServer);
        JoinServer = Parse(record.HasJoinServer, record.JoinServer);
        ApplicationServer = Parse(record.HasApplicationServer, record.ApplicationServer);
        NetworkServer = Parse(record.HasNetworkServer, record.NetworkServer);
        if (record.HasProfileMacSettings)
            Profile = MACSettings.Parser.ParseFrom(record.ProfileMacSettings);
    }

    /// <inheritdoc/>
    public override ReadOnlyMemory<byte> Record => record.ToByteArray();

    /// <summary>The Identity Server's record; null when it was not read.</summary>
    public EndDevice? IdentityServer { get; }

    /// <summary>The Join Server's record; null when it has none or was not asked.</summary>
    public EndDevice? JoinServer { get; }

    /// <summary>The Application Server's record; null when it was not asked.</summary>
    public EndDevice? ApplicationServer { get; }

    /// <summary>The Network Server's record; null when it was not asked.</summary>
    public EndDevice? NetworkServer { get; }

    /// <summary>Settings of the MAC settings profile that the device uses; null when it uses none.</summary>
    public MACSettings? Profile { get; }

    /// <summary>What the servers said about their answers.</summary>
    public IReadOnlyList<string> Warnings => record.Warnings;

    /// <summary>Whether the device joins. Without a Network Server to tell, a record at the Join Server says yes.</summary>
    public bool Joins => NetworkServer?.SupportsJoin ?? JoinServer is not null;

    /// <summary>The identifiers that the servers know together; no DevAddr.</summary>
    public EndDeviceIdentifiers Identifiers()
    {
        var ids = new EndDeviceIdentifiers { DeviceId = Id, ApplicationIds = new ApplicationIdentifiers { ApplicationId = Application } };
        foreach (var known in Records().Select(r => r.Record.Ids).OfType<EndDeviceIdentifiers>())
        {
            if (ids.DevEui.IsEmpty)
                ids.DevEui = known.DevEui;
            if (ids.JoinEui.IsEmpty)
                ids.JoinEui = known.JoinEui;
        }
        return ids;
    }

    /// <summary>The records at hand, in the order in which later ones win: identity, join, application, network.</summary>
    public IEnumerable<(TtsServer Server, EndDevice Record)> Records()
    {
        foreach (var server in Enum.GetValues<TtsServer>())
        {
            if (Of(server) is { } found)
                yield return (server, found);
        }
    }

    /// <summary>The record of one server, or null.</summary>
    public EndDevice? Of(TtsServer server) => server switch
    {
        TtsServer.Identity => IdentityServer,
        TtsServer.Join => JoinServer,
        TtsServer.Application => ApplicationServer,
        _ => NetworkServer,
    };

    /// <summary>Makes a device of what the servers gave.</summary>
    public static TtsDevice Create(string application, string id, IReadOnlyDictionary<TtsServer, EndDevice> records, MACSettings? profile, IEnumerable<string> warnings)
    {
        var parts = new DeviceRecord();
        if (records.TryGetValue(TtsServer.Identity, out var identity))
            parts.IdentityServer = identity.ToByteString();
        if (records.TryGetValue(TtsServer.Join, out var join))
            parts.JoinServer = join.ToByteString();
        if (records.TryGetValue(TtsServer.Application, out var atApplication))
            parts.ApplicationServer = atApplication.ToByteString();
        if (records.TryGetValue(TtsServer.Network, out var network))
            parts.NetworkServer = network.ToByteString();
        if (profile is not null)
            parts.ProfileMacSettings = profile.ToByteString();
        parts.Warnings.Add(warnings);
        return new TtsDevice(application, id, parts);
    }

    /// <summary>Makes a device of the <see cref="Record"/> that a journal kept.</summary>
    /// <exception cref="InvalidProtocolBufferException">The bytes are not such a record.</exception>
    public static TtsDevice Decode(string application, string id, ReadOnlyMemory<byte> record) =>
        new(application, id, DeviceRecord.Parser.ParseFrom(record.Span));

    private static EndDevice? Parse(bool present, ByteString bytes) => present ? Known.ParseFrom(bytes) : null;
}
