using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sources.Tests.Tts;

/// <summary>
/// Where a line of ours is not the Go tool's: one rule for each defect of facts/tts-source.md section 9 that shows in lines. A rule looks at the
/// records and the arguments, and makes of the recorded line the one that is right. Nothing else may differ.
/// </summary>
internal static class TtsDifferences
{
    private static readonly string[] InSession = ["activated_at", "last_dev_status_received_at", "last_seen_at", "mac_state", "pending_mac_state", "pending_session", "session"];
    private static readonly string[] OfSession = ["battery_percentage", "downlink_margin", "power_state"];
    private static readonly string[] OfCluster = ["network_server_kek_label", "application_server_kek_label", "application_server_id", "net_id", "provisioner_id", "provisioning_data"];
    private static readonly string[] Servers = ["is", "js", "as", "ns"];

    /// <summary>Rules that change a line.</summary>
    public static IReadOnlyList<(string Defect, Action<JsonObject, Records> Mend)> OfLines { get; } =
    [
        ("D8 what only one server knows is kept", KeepWhatOneServerKnows),
        ("D9 times of all four servers", TimesOfAllServers),
        ("D17 no-session takes all of the session, and leaves devices alone that do not join", SessionsGoOrStay),
        ("D18 fields of the source cluster are dropped", (line, _) => Remove(line, OfCluster)),
    ];

    /// <summary>Rules that reject a device that the Go tool exports.</summary>
    public static IReadOnlyList<(string Defect, string Name, Func<Records, bool> Applies)> OfRejections { get; } =
    [
        ("D4 a device that joins is not exported without its root keys", "no_root_keys", records => records.Joins && records["js"] is null),
    ];

    /// <summary>Notes that tell what the Go tool keeps to itself.</summary>
    public static IReadOnlyList<(string Defect, string Code, Func<Records, bool> Applies)> OfNotes { get; } =
    [
        ("D7", "downlinks_disabled", records => records["ns"]?["mac_settings"]?["schedule_downlinks"] is JsonValue value && !value.GetValue<bool>()),
        ("D17", "session_kept", records => records.NoSession && !records.Joins),
        ("D18", "cluster_fields_dropped", records => OfCluster.Any(field => records["js"]?[field] is not null)),
        ("D19", "app_s_key_missing", records => !(records.NoSession && records.Joins) && records["ns"]?["session"]?["keys"]?["f_nwk_s_int_key"] is not null && records["as"]?["session"]?["keys"]?["app_s_key"] is null),
        ("D21", "claim_code_left_behind", records => records["is"]?["claim_authentication_code"]?["value"] is not null),
    ];

    /// <summary>Says how a line, or a rejection, differs from the recorded line mended by the rules; null when it does not.</summary>
    public static string? Compare(Records records, string recorded, string? line, Run run, string id)
    {
        foreach (var (defect, name, applies) in OfRejections)
        {
            if (applies(records))
                return run.Rejected.GetValueOrDefault(id)?.Cause?.Name == name ? null : $"{defect}: should be rejected as {name}, got {line ?? run.Rejected.GetValueOrDefault(id)?.ToString()}";
        }
        if (line is null)
            return $"rejected: {run.Rejected.GetValueOrDefault(id)} {run.Rejected.GetValueOrDefault(id)?.Cause}";
        var want = JsonNode.Parse(recorded)!.AsObject();
        foreach (var (_, mend) in OfLines)
            mend(want, records);
        if (JsonDifference.Find(want, JsonNode.Parse(line)!, "") is { } difference)
            return difference;
        var notes = run.Notes.GetValueOrDefault(id, []);
        foreach (var (defect, code, applies) in OfNotes)
        {
            if (applies(records) != notes.Contains(code))
                return $"{defect}: note {code} {(notes.Contains(code) ? "not wanted" : "missing")}";
        }
        return null;
    }

    private static void KeepWhatOneServerKnows(JsonObject line, Records records)
    {
        foreach (var field in new[] { "version_ids", "lora_alliance_profile_ids", "serial_number" })
        {
            if (IsEmpty(line[field]))
                line.Remove(field);
            var known = Servers.Select(server => records[server]?[field]).LastOrDefault(value => !IsEmpty(value));
            if (line[field] is null && known is not null)
                line[field] = known.DeepClone();
        }
        foreach (var eui in new[] { "join_eui", "dev_eui" })
        {
            var known = Servers.Select(server => records[server]?["ids"]?[eui]).FirstOrDefault(value => value is not null);
            if (line["ids"]![eui] is null && known is not null)
                line["ids"]![eui] = known.DeepClone();
        }
    }

    private static void TimesOfAllServers(JsonObject line, Records records)
    {
        line["created_at"] = Times(records, "created_at").First();
        line["updated_at"] = Times(records, "updated_at").Last();
    }

    private static IEnumerable<string> Times(Records records, string field) =>
        Servers.Select(server => records[server]?[field]?.GetValue<string>()).OfType<string>().OrderBy(Precisely, StringComparer.Ordinal);

    /// <summary>RFC 3339 in UTC with nine digits: text order is time order.</summary>
    private static string Precisely(string time)
    {
        var dot = time.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? time.TrimEnd('Z') + ".000000000" : time.TrimEnd('Z').PadRight(dot + 10, '0');
    }

    private static void SessionsGoOrStay(JsonObject line, Records records)
    {
        if (!records.NoSession)
            return;
        if (records.Joins)
        {
            Remove(line, OfSession);
            return;
        }
        foreach (var field in InSession)
        {
            JsonNode? merged = null;
            foreach (var server in Servers)
                merged = Merge(merged, records[server]?[field]);
            if (merged is not null)
                line[field] = merged;
        }
    }

    private static JsonNode? Merge(JsonNode? first, JsonNode? second)
    {
        if (first is not JsonObject one || second is not JsonObject two)
            return (second ?? first)?.DeepClone();
        var merged = one.DeepClone().AsObject();
        foreach (var (name, value) in two)
            merged[name] = Merge(merged[name], value);
        return merged;
    }

    private static void Remove(JsonObject line, IEnumerable<string> fields)
    {
        foreach (var field in fields)
            line.Remove(field);
    }

    private static bool IsEmpty(JsonNode? value) => value is null or JsonObject { Count: 0 } || (value is JsonValue text && text.GetValueKind() == JsonValueKind.String && text.GetValue<string>().Length == 0);

    /// <summary>What four servers held, and how the tool was called.</summary>
    internal sealed class Records(JsonElement records, IReadOnlyList<string> args)
    {
        private readonly JsonObject all = JsonNode.Parse(records.GetRawText())!.AsObject();

        public JsonObject? this[string server] => all[server] is JsonObject record && !record.ContainsKey("error") ? record : null;

        public bool Joins => this["ns"]?["supports_join"]?.GetValue<bool>() ?? false;

        public bool NoSession => args.Contains("--no-session");

        public string Prefix => args.Index().FirstOrDefault(a => a.Item == "--dev-id-prefix") is { Item: not null } at ? args[at.Index + 1] : "";

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{all.Count} records");
    }
}
