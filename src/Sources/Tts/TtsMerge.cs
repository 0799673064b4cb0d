using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Migration;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Sources.Tts;

/// <summary>
/// One device of the records of four servers, so that nothing that one of them knows is lost (defects D8, D9). Where several know the same
/// field, the Network Server's value wins over the Application Server's, the Join Server's and the Identity Server's, as in the Go tool; an
/// empty value never wins.
/// </summary>
internal static class TtsMerge
{
    /// <summary>Says when records do not belong to one device; null when they do.</summary>
    public static Failure? Mismatch(TtsDevice device)
    {
        var known = new EndDeviceIdentifiers { DeviceId = device.Id, ApplicationIds = new ApplicationIdentifiers { ApplicationId = device.Application } };
        foreach (var (server, record) in device.Records())
        {
            if (record.Ids is not { } ids)
                continue;
            var failure = Differ("device_id", server, known.DeviceId, ids.DeviceId)
                ?? Differ("application_ids.application_id", server, known.ApplicationIds.ApplicationId, ids.ApplicationIds?.ApplicationId ?? "")
                ?? Differ("dev_eui", server, Hex(known.DevEui), Hex(ids.DevEui))
                ?? Differ("join_eui", server, Hex(known.JoinEui), Hex(ids.JoinEui));
            if (failure is not null)
                return failure;
            if (known.DevEui.IsEmpty)
                known.DevEui = ids.DevEui;
            if (known.JoinEui.IsEmpty)
                known.JoinEui = ids.JoinEui;
        }
        return null;
    }

    /// <summary>Whether Network and Application Server hold the same session; a device that joins between two reads leaves two different ones (defect D22).</summary>
    public static bool IsOneSession(TtsDevice device) => IsOneSession(device.NetworkServer?.Session, device.ApplicationServer?.Session);

    /// <summary>The device with all that its servers know.</summary>
    /// <param name="device">Records that belong to one device, see <see cref="Mismatch"/>.</param>
    /// <param name="notes">Gets a note for each field in which servers contradict each other.</param>
    public static EndDevice Merge(TtsDevice device, ICollection<Note> notes)
    {
        var merged = new EndDevice();
        foreach (var (_, record) in device.Records())
            merged.MergeFrom(record);
        merged.Ids = device.Identifiers();
        merged.VersionIds = Union("version_ids", device, record => record.VersionIds, notes);
        merged.LoraAllianceProfileIds = Union("lora_alliance_profile_ids", device, record => record.LoraAllianceProfileIds, notes);
        if (device.Records().Select(r => r.Record.SerialNumber).Where(s => s.Length > 0).Distinct(StringComparer.Ordinal).Count() > 1)
            notes.Add(Contradiction("serial_number"));
        merged.CreatedAt = Times(device, record => record.CreatedAt).FirstOrDefault();
        merged.UpdatedAt = Times(device, record => record.UpdatedAt).LastOrDefault();
        if (merged.RootKeys is { } rootKeys && rootKeys.CalculateSize() == 0)
            merged.RootKeys = null;
        if (merged.Session is { } session && session.CalculateSize() == 0)
            merged.Session = null;
        if (merged.PendingSession is { } pending && pending.CalculateSize() == 0)
            merged.PendingSession = null;
        return merged;
    }

    internal static bool IsOneSession(Session? network, Session? application)
    {
        if (network is null || application is null)
            return true;
        return Agree(network.DevAddr, application.DevAddr)
            && Agree(network.Keys?.SessionKeyId ?? ByteString.Empty, application.Keys?.SessionKeyId ?? ByteString.Empty);
    }

    private static bool Agree(ByteString one, ByteString other) => one.IsEmpty || other.IsEmpty || one.Equals(other);

    /// <summary>The last value, filled up with what earlier ones know more when they do not contradict it; null when all are empty.</summary>
    private static T? Union<T>(string field, TtsDevice device, Func<EndDevice, T?> value, ICollection<Note> notes)
        where T : class, IMessage<T>
    {
        T? union = null;
        foreach (var (_, record) in device.Records().Reverse())
        {
            if (value(record) is not { } more || more.CalculateSize() == 0)
                continue;
            if (union is null)
            {
                union = more.Clone();
                continue;
            }
            var filled = Merged(more, union);
            if (filled.Equals(Merged(union, more)))
                union = filled;
            else
                notes.Add(Contradiction(field));
        }
        return union;
    }

    private static T Merged<T>(T first, T second)
        where T : class, IMessage<T>
    {
        var result = first.Clone();
        result.MergeFrom(second);
        return result;
    }

    private static IEnumerable<Timestamp> Times(TtsDevice device, Func<EndDevice, Timestamp?> time) =>
        device.Records().Select(r => time(r.Record)).OfType<Timestamp>().Order();

    private static Note Contradiction(string field) =>
        new("servers_disagree", $"the servers of the source have different values of `{field}`; the one of the Network Server, or else of the Application Server, was exported");

    private static Failure? Differ(string field, TtsServer server, string known, string now) =>
        known.Length == 0 || now.Length == 0 || known == now
            ? null
            : Failure.Named("source/tts", "device_identifiers_mismatch", $"device identifiers mismatch: `{field}` is `{now}` at the {server} Server and `{known}` elsewhere") with
            {
                Attributes = new Dictionary<string, string> { ["field"] = field, ["a"] = known, ["b"] = now },
                Advice = "the servers hold different devices under this ID, perhaps a left-over of a deleted one: delete the wrong record at the source, or register the device anew there",
            };

    private static string Hex(ByteString bytes) => Convert.ToHexString(bytes.Span);
}
