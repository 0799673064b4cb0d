using System.Collections;
using System.Collections.Frozen;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.Import;

namespace Migration.Verify;

/// <summary>What the four servers hold of one device; null where a server has none.</summary>
/// <param name="Identity">Record of the Identity Server.</param>
/// <param name="Network">Record of the Network Server.</param>
/// <param name="Application">Record of the Application Server.</param>
/// <param name="Join">Record of the Join Server.</param>
public sealed record TargetRecords(EndDevice? Identity, EndDevice? Network, EndDevice? Application, EndDevice? Join)
{
    /// <summary>Whether a server tells a field: what it does not is not compared. Default: all do.</summary>
    public Func<DeviceServers, string, bool> Tells { get; init; } = static (_, _) => true;

    /// <summary>The servers that have the device.</summary>
    public DeviceServers Servers =>
        (Identity is null ? DeviceServers.None : DeviceServers.IdentityServer)
        | (Network is null ? DeviceServers.None : DeviceServers.NetworkServer)
        | (Application is null ? DeviceServers.None : DeviceServers.ApplicationServer)
        | (Join is null ? DeviceServers.None : DeviceServers.JoinServer);

    /// <summary>The record of one server.</summary>
    public EndDevice? Of(DeviceServers server) => server switch
    {
        DeviceServers.IdentityServer => Identity,
        DeviceServers.NetworkServer => Network,
        DeviceServers.ApplicationServer => Application,
        DeviceServers.JoinServer => Join,
        _ => throw new ArgumentOutOfRangeException(nameof(server)),
    };
}

/// <summary>A field that a server holds otherwise than it was sent.</summary>
/// <param name="Server">The server.</param>
/// <param name="Path">Field, as a field mask names it.</param>
/// <param name="Sent">What was sent, short; a secret reads <c>***</c>.</param>
/// <param name="Found">What the server has, short; a secret reads <c>***</c>.</param>
public sealed record FieldDifference(DeviceServers Server, string Path, string Sent, string Found);

/// <summary>
/// Compares a device with what was sent, field by field (facts/tts-api.md sections 3 to 6 and 15). What servers change by themselves does not
/// count: times they set, addresses and key labels of the cluster, copies of the network key for LoRaWAN 1.0.x, counters and nonces that moved
/// on, the MAC state of a device in use, everything of a session that a join replaced. A field that was not sent does not count either, except
/// where zero is a value: current MAC parameters, and whether the device joins, is a multicast group or class B or C.
/// </summary>
public static class FieldComparison
{
    private const string CurrentParameters = "mac_state.current_parameters.";

    /// <summary>Servers set or overwrite these; they say nothing about the device.</summary>
    private static readonly FrozenSet<string> SetByServers = FrozenSet.ToFrozenSet(
    [
        "activated_at", "last_seen_at", "network_server_address", "application_server_address", "join_server_address",
        "network_server_kek_label", "application_server_kek_label", "application_server_id", "battery_percentage", "downlink_margin",
        "last_dev_status_received_at", "skip_payload_crypto", "session.started_at", "picture",
        "mac_state.last_adr_change_f_cnt_up", "mac_state.last_confirmed_downlink_at", "mac_state.last_dev_status_f_cnt_up",
        "mac_state.last_downlink_at", "mac_state.last_network_initiated_downlink_at", "mac_state.pending_application_downlink",
        "mac_state.pending_relay_downlink", "mac_state.pending_requests", "mac_state.queued_responses", "mac_state.recent_downlinks",
        "mac_state.recent_mac_command_identifiers", "mac_state.recent_uplinks", "mac_state.rx_windows_available",
        "pending_session", "pending_mac_state",
    ]);

    /// <summary>Zero means zero here, not "not sent".</summary>
    private static readonly FrozenSet<string> ZeroCounts = FrozenSet.ToFrozenSet(["supports_join", "supports_class_b", "supports_class_c", "multicast"]);

    /// <summary>May only grow; a smaller number at the server makes it drop frames.</summary>
    private static readonly FrozenSet<string> Counters = FrozenSet.ToFrozenSet(
    [
        "session.last_f_cnt_up", "session.last_n_f_cnt_down", "session.last_a_f_cnt_down", "session.last_conf_f_cnt_down",
        "last_dev_nonce", "last_join_nonce", "last_rj_count_0", "last_rj_count_1",
    ]);

    private static readonly Lazy<(DeviceServers Server, MessageMask Mask)[]> Masks = new(() =>
    [
        (DeviceServers.IdentityServer, Comparable(MaskedCall.IdentityServerUpdate, MaskedCall.IdentityServerGet)),
        (DeviceServers.NetworkServer, Comparable(MaskedCall.NetworkServerSet, MaskedCall.NetworkServerGet)),
        (DeviceServers.ApplicationServer, Comparable(MaskedCall.ApplicationServerSet, MaskedCall.ApplicationServerGet)),
        (DeviceServers.JoinServer, Comparable(MaskedCall.JoinServerSet, MaskedCall.JoinServerGet)),
    ]);

    /// <summary>Paths to ask of a server so that <see cref="Compare"/> and <see cref="SessionMark"/> have what they look at.</summary>
    public static IReadOnlyList<string> PathsOf(DeviceServers server) => server switch
    {
        DeviceServers.IdentityServer => Paths.Identity,
        DeviceServers.NetworkServer => Paths.Network,
        DeviceServers.ApplicationServer => Paths.Application,
        DeviceServers.JoinServer => Paths.Join,
        _ => throw new ArgumentOutOfRangeException(nameof(server)),
    };

    /// <summary>Gives the fields in which the servers that have the device differ from what was sent, by server and field. Calls no one.</summary>
    /// <param name="sent">What was sent.</param>
    /// <param name="found">What the servers have.</param>
    public static IReadOnlyList<FieldDifference> Compare(SentRecords sent, TargetRecords found)
    {
        ArgumentNullException.ThrowIfNull(sent);
        ArgumentNullException.ThrowIfNull(found);
        var mark = SessionMark.Of(sent, found);
        var hasJoined = mark.IsReplacedBy(found.Network?.Session);
        var inUse = hasJoined || mark.HasMovedOn(found);
        List<FieldDifference>? differences = null;
        foreach (var (server, mask) in Masks.Value)
        {
            if (sent.Of(server) is not { } part || found.Of(server) is not { } record)
                continue;
            foreach (var path in Identifiers(part, record))
                Add(server, path, part, record);
            foreach (var path in mask.Differences(part, record))
            {
                if (found.Tells(server, path) && Counts(server, path, sent, record, hasJoined, inUse))
                    Add(server, path, part, record);
            }
        }
        return differences ?? (IReadOnlyList<FieldDifference>)[];

        void Add(DeviceServers server, string path, EndDevice part, EndDevice record) =>
            (differences ??= []).Add(new FieldDifference(server, path, Show(FieldOf(path), path, FieldPath.Find(part, path)), Show(FieldOf(path), path, FieldPath.Find(record, path))));
    }

    private static MessageMask Comparable(MaskedCall set, MaskedCall get)
    {
        var readable = AllowedPaths.For(get);
        return MessageMask.Create(
            EndDevice.Descriptor,
            FieldPath.Deepest([.. AllowedPaths.For(set).Where(path => readable.Contains(path) && !path.StartsWith("ids", StringComparison.Ordinal) && !IsSetByServers(path))]));
    }

    private static bool IsSetByServers(string path)
    {
        for (var end = path.Length; end > 0; end = path.LastIndexOf('.', end - 1))
        {
            if (SetByServers.Contains(path[..end]))
                return true;
        }
        return false;
    }

    /// <summary>Another device under the same ID: then nothing else is worth much.</summary>
    private static IEnumerable<string> Identifiers(EndDevice sent, EndDevice record)
    {
        if (Differ(sent.Ids?.DevEui, record.Ids?.DevEui))
            yield return "ids.dev_eui";
        if (Differ(sent.Ids?.JoinEui, record.Ids?.JoinEui))
            yield return "ids.join_eui";

        static bool Differ(ByteString? sent, ByteString? found) => sent is { IsEmpty: false } && found is { IsEmpty: false } && sent != found;
    }

    private static bool Counts(DeviceServers server, string path, SentRecords sent, EndDevice record, bool hasJoined, bool inUse)
    {
        var part = sent.Of(server)!;
        if (FieldPath.IsZero(part, path, zeroBytes: true) && !ZeroIsSent(path, sent))
            return false;
        if (path.StartsWith("session.", StringComparison.Ordinal))
        {
            if (hasJoined || part.Session is null)
                return false;
            // A device that starts again from zero is meant to.
            if (Counters.Contains(path) && !sent.Network.SupportsJoin && sent.Network.MacSettings?.ResetsFCnt?.Value == true)
                return false;
        }
        if (path.StartsWith("mac_state.", StringComparison.Ordinal) && (inUse || part.Session is null))
            return false;
        if (Counters.Contains(path))
            return !(part.ResetsJoinNonces && server == DeviceServers.JoinServer) && Number(FieldPath.Find(record, path)) < Number(FieldPath.Find(part, path));
        return path switch
        {
            // A database of texts does not take the character NUL.
            "name" or "description" => ((string)FieldPath.Find(part, path)!).Replace("\0", "", StringComparison.Ordinal) != (string?)FieldPath.Find(record, path),
            "used_dev_nonces" => !part.ResetsJoinNonces && part.UsedDevNonces.Except(record.UsedDevNonces).Any(),
            // The import leaves it out: with it a 1.0.x device fails its integrity checks.
            "root_keys.nwk_key.key" => !(IsVersion10(sent.Network) && FieldPath.IsZero(record, path)),
            "session.keys.nwk_s_enc_key.key" or "session.keys.s_nwk_s_int_key.key" => !(IsVersion10(sent.Network) && FieldPath.Find(record, path) is ByteString key && key == record.Session?.Keys?.FNwkSIntKey?.Key),
            // The Application Server keeps the key back when it does not decrypt.
            "session.keys.app_s_key.key" => !(record.SkipPayloadCryptoOverride == true && FieldPath.IsZero(record, path)),
            _ => true,
        };
    }

    private static bool ZeroIsSent(string path, SentRecords sent) =>
        ZeroCounts.Contains(path)
        || (sent.ZerosArrive && path.StartsWith(CurrentParameters, StringComparison.Ordinal) && FieldPath.Find(sent.Network, path) is not (null or ICollection));

    private static bool IsVersion10(EndDevice device) => device.LorawanVersion is not (MACVersion.MacUnknown or MACVersion.MacV11);

    /// <summary>The last field of a path; names of oneofs are no fields.</summary>
    private static FieldDescriptor? FieldOf(string path)
    {
        FieldDescriptor? field = null;
        foreach (var segment in path.Split('.'))
            field = (field is null ? EndDevice.Descriptor : field.MessageType).FindFieldByName(segment) ?? field;
        return field;
    }

    private static long Number(object? value) => value is null ? 0 : Convert.ToInt64(value, CultureInfo.InvariantCulture);

    /// <summary>A value in a few words; keys, codes and payloads never.</summary>
    private static string Show(FieldDescriptor? field, string path, object? value)
    {
        if (value is null or "" or ByteString { IsEmpty: true })
            return "not set";
        if (path.EndsWith(".key", StringComparison.Ordinal) || path.StartsWith("claim_authentication_code", StringComparison.Ordinal)
            || path.StartsWith("provisioning_data", StringComparison.Ordinal) || path.EndsWith("_formatter_parameter", StringComparison.Ordinal))
        {
            return "***";
        }
        return value switch
        {
            ByteString bytes => Convert.ToHexString(bytes.Span),
            bool flag => flag ? "true" : "false",
            Enum number => field?.EnumType.FindValueByNumber(Convert.ToInt32(number, CultureInfo.InvariantCulture))?.Name ?? number.ToString(),
            IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
            string text => text.Length <= 60 ? text : text[..59] + "…",
            ICollection items => string.Create(CultureInfo.InvariantCulture, $"{items.Count} {(items.Count == 1 ? "entry" : "entries")}"),
            // A wrapper: its value says more.
            IMessage message when message.Descriptor.Fields.InDeclarationOrder() is [{ Name: "value" } inner] => Show(inner, path, inner.Accessor.GetValue(message)),
            IMessage message => message.CalculateSize() == 0 ? "empty" : "set",
            _ => "set",
        };
    }

    private static class Paths
    {
        public static readonly string[] Identity = Of(MaskedCall.IdentityServerGet,
            "name", "description", "attributes", "version_ids", "service_profile_id", "locations", "claim_authentication_code", "activated_at",
            "last_seen_at", "serial_number", "lora_alliance_profile_ids");

        /// <summary>Not the whole MAC state: its lists of recent frames are most of the answer.</summary>
        public static readonly string[] Network = Of(MaskedCall.NetworkServerGet, [
            "frequency_plan_id", "lorawan_phy_version", "lorawan_version", "mac_settings", "mac_state.current_parameters",
            "mac_state.desired_parameters", "mac_state.device_class", "mac_state.lorawan_version", "mac_state.ping_slot_periodicity",
            "mac_state.rejected_adr_data_rate_indexes", "mac_state.rejected_adr_tx_power_indexes", "mac_state.rejected_data_rate_ranges",
            "mac_state.rejected_frequencies", "max_frequency", "min_frequency", "multicast", "supports_class_b", "supports_class_c",
            "supports_join", "version_ids", .. Session(MaskedCall.NetworkServerGet)]);

        public static readonly string[] Application = Of(MaskedCall.ApplicationServerGet, [
            "formatters", "skip_payload_crypto_override", "version_ids", "serial_number", "lora_alliance_profile_ids", .. Session(MaskedCall.ApplicationServerGet)]);

        public static readonly string[] Join = Of(MaskedCall.JoinServerGet,
            "last_dev_nonce", "last_join_nonce", "last_rj_count_0", "last_rj_count_1", "net_id", "provisioner_id", "provisioning_data",
            "resets_join_nonces", "root_keys", "used_dev_nonces");

        /// <summary>Of a session the parts: as a whole it takes the right to read traffic, for its queued downlinks, which no server takes as a part.</summary>
        private static IEnumerable<string> Session(MaskedCall call) =>
            AllowedPaths.For(call).Where(static path => path.Split('.') is ["session", _]).Order(StringComparer.Ordinal);

        private static string[] Of(MaskedCall call, params string[] paths) =>
            Array.TrueForAll(paths, AllowedPaths.For(call).Contains) ? paths : throw new InvalidOperationException($"{call} does not take one of the paths.");
    }
}
