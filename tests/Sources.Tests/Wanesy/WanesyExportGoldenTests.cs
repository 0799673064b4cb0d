using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Migration;
using Testing;
using Xunit.Abstractions;

namespace Sources.Tests.Wanesy;

/// <summary>
/// Every recorded file gives the lines that the Go tool gave, or what the defect table of facts/wanesy.md section 6 says instead. The rules
/// look at the values of a row, never at its name.
/// </summary>
public sealed partial class WanesyExportGoldenTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_recorded_file_gives_its_lines_or_its_reasons()
    {
        var defects = new SortedDictionary<string, int>(StringComparer.Ordinal);
        Golden.Check("wanesy-export.jsonl.gz", output.WriteLine, row =>
        {
            foreach (var defect in (row.Text("defect") ?? "none").Split(','))
                defects[defect] = defects.GetValueOrDefault(defect) + 1;
            return CheckAsync(row).GetAwaiter().GetResult() is { } problem ? $"{row.Text("scenario")} [{row.Text("defect")}]: {problem}" : null;
        });
        output.WriteLine("defects: " + string.Join(", ", defects.Select(d => $"{d.Key} {d.Value}")));
    }

    private static async Task<string?> CheckAsync(GoldenRow golden)
    {
        var run = Arguments.Of(golden);
        if (run.Request.Ids.Count == 0)
            return golden.Json.TryGetProperty("outputs", out var none) && none.GetArrayLength() > 0 ? "lines without a request" : null;
        var (file, rows, width) = FileOf(golden);
        var ours = await run.OnAsync(file);
        var recorded = Recorded(golden);
        var error = golden.Text("error") ?? "";
        var names = ErrorName().Matches(error).Select(m => m.Groups["value"].Value).ToList();
        if (names.Contains("no_values_in_csv"))
            return ours.Stopped?.Name == "no_values_in_csv" ? null : "should stop with no_values_in_csv";
        if (rows.Count > 0 && !rows[0].Values.ContainsKey("devEui"))
            return ours.Stopped?.Name == "missing_columns" ? null : "should stop with missing_columns";
        if (ours.Stopped is not null)
            return "stopped: " + ours.Stopped;

        var expected = new List<Func<string?>>();
        var lines = new Queue<JsonObject>(ours.Lines);
        var rejections = new Queue<IReadOnlyList<string>>(ours.Rejected.Select(r => (IReadOnlyList<string>)[.. WanesyResult.NamesOf(r)]));
        var wanted = run.Request.What == ExportedItems.Applications
            ? rows.GroupBy(r => r["devEui"].ToUpperInvariant()).ToList()
            : run.Request.Ids.Distinct(StringComparer.OrdinalIgnoreCase)
                .SelectMany(id => rows.Where(r => r["devEui"].Equals(id, StringComparison.OrdinalIgnoreCase)).Prepend(new RecordedRow(new Dictionary<string, string>())).GroupBy(_ => id.ToUpperInvariant())).ToList();
        foreach (var group in wanted)
        {
            var devices = group.Where(r => r.Values.Count > 0).ToList();
            var reasons = devices.Count switch
            {
                0 => [.. names.Where(n => n is "no_device_found" or "invalid_eui")],
                > 1 => ["duplicate_dev_eui"],
                _ => Reasons(devices[0], width, names, error),
            };
            if (reasons.Count > 0)
            {
                if (!rejections.TryDequeue(out var rejection) || !rejection.Any(reasons.Contains))
                    return $"should be refused for {string.Join('/', reasons)}, but {(rejection is null ? "is not" : "is for " + string.Join(" > ", rejection))}";
                continue;
            }
            if (!lines.TryDequeue(out var line))
                return $"no line for {group.Key}: {string.Join("; ", ours.Rejected.Select(r => string.Join(" > ", WanesyResult.NamesOf(r))))}";
            if (await CheckLineAsync(run, devices[0], line, recorded) is { } problem)
                return problem;
        }
        return lines.Count + rejections.Count == 0 ? null : "more than expected";
    }

    /// <summary>Why a row has to be refused; empty when it has not.</summary>
    private static HashSet<string> Reasons(RecordedRow row, int width, List<string> names, string error)
    {
        if (row.Values.Keys.Any(k => k.StartsWith("beyond", StringComparison.Ordinal)))
            return ["wrong_number_of_fields"];
        var reasons = row.Refusals();
        // The innermost names of The Things Stack and of the Go tool stay; what its libraries say about numbers becomes a name of ours.
        foreach (var name in names.Where(n => n is "invalid_mac_version" or "invalid_phy_for_mac_version" or "invalid_aes_key" or "no_band_version" or "dev_id_exceeds_max_length"))
        {
            if (name == "invalid_aes_key" ? new[] { "appKey", "NwkSKey", "AppSKey" }.Any(c => !IsHex(row[c])) : !name.StartsWith("invalid_", StringComparison.Ordinal) || error.Contains($"`{row["macVersion"]}`)", StringComparison.Ordinal))
                reasons.Add(name);
        }
        if (names.Contains("not_found") && row.HasSession)
            reasons.Add("not_found");
        if (!IsHex(row["devEui"]))
            reasons.Add("invalid_eui");
        if (row.HasSession && new[] { "fcntUp", "fcntDown" }.Any(c => row[c].Length > 0 && !uint.TryParse(row[c], NumberStyles.None, CultureInfo.InvariantCulture, out _)))
            reasons.Add("invalid_frame_counter");
        if (row.HasSession && row["rx1Delay"].Length > 0 && !uint.TryParse(row["rx1Delay"], NumberStyles.None, CultureInfo.InvariantCulture, out _))
            reasons.Add("invalid_rx1_delay");
        if (ValidationField().Matches(error).Select(m => m.Groups["value"].Value).Any(f => f is "name" or "device_id" or "application_id"))
            reasons.Add("validation");
        return reasons;
    }

    private static async Task<string?> CheckLineAsync(Arguments run, RecordedRow row, JsonObject line, List<JsonObject> recorded)
    {
        var devEui = row.ForTheGoTool()["devEui"].ToUpperInvariant();
        var want = recorded.FirstOrDefault(r => (string?)r["ids"]!["dev_eui"] == devEui);
        if (want is null)
        {
            // The Go tool gave nothing: what it would have given for the same device in a form that it reads.
            var twin = await run.OnAsync(Encoding.UTF8.GetBytes(WanesyRun.Csv(row.ForTheGoTool().Values)), all: true);
            if (twin.Lines is not [var plain])
                return "its plain form gives no line: " + string.Join("; ", twin.Rejected);
            want = plain.DeepClone().AsObject();
            if (row["rx2Dr"].Length == 2)
            {
                var rate = int.Parse(row["rx2Dr"], CultureInfo.InvariantCulture);
                want["mac_settings"]!["desired_rx2_data_rate_index"] = rate;
                EachParameters(want, p => p["rx2_data_rate_index"] = rate);
            }
            SetLocation(want, row);
        }
        else
        {
            want = want.DeepClone().AsObject();
            Mend(want, row);
        }
        foreach (var node in new[] { want, line })
        {
            if (node["session"] is not JsonObject session)
                continue;
            Mask(session, "started_at");
            Mask(session["keys"]!.AsObject(), "session_key_id");
        }
        return JsonNode.DeepEquals(Normal(want), Normal(line)) ? null : $"\n  {line.ToJsonString()}\n  should be\n  {want.ToJsonString()}";
    }

    /// <summary>Turns what the Go tool wrote into what it should have written.</summary>
    private static void Mend(JsonObject want, RecordedRow row)
    {
        SetLocation(want, row);
        var settings = want["mac_settings"]!.AsObject();
        if (row.Values.GetValueOrDefault("activation") != "OTAA" && row.Joins)
        {
            // W10: taken for ABP.
            want["ids"]!["join_eui"] = row["appEui"];
            want["supports_join"] = true;
            want["root_keys"] = new JsonObject { ["app_key"] = new JsonObject { ["key"] = row["appKey"] } };
            want["session"]!["started_at"] = "";
            want["session"]!["keys"]!["session_key_id"] = "";
        }
        if (row.Values.GetValueOrDefault("classType") == "c")
        {
            want["supports_class_c"] = true;
            if (want["mac_state"] is { } state && !row.Is11)
                state["device_class"] = "CLASS_C";
        }
        if (row.HasSession && want["session"] is JsonObject recorded)
            recorded["dev_addr"] = row["dev_addr"].PadLeft(8, '0').ToUpperInvariant(); // W5: in a column that the Go tool does not know
        if (!row.HasSession)
        {
            // W4: a session without one of its keys.
            want.Remove("session");
            want.Remove("mac_state");
        }
        if (row.Rx2Frequency is { } frequency)
        {
            // W11.
            foreach (var member in row.Joins ? new[] { "desired_rx2_frequency" } : ["desired_rx2_frequency", "rx2_frequency"])
                settings[member] = frequency.ToString(CultureInfo.InvariantCulture);
            EachParameters(want, p => p["rx2_frequency"] = frequency.ToString(CultureInfo.InvariantCulture));
        }
        if (row["rx1DrOffset"] is not ("" or "0"))
        {
            var offset = int.Parse(row["rx1DrOffset"], CultureInfo.InvariantCulture);
            foreach (var member in row.Joins ? new[] { "desired_rx1_data_rate_offset" } : ["desired_rx1_data_rate_offset", "rx1_data_rate_offset"])
                settings[member] = offset;
            EachParameters(want, p => p["rx1_data_rate_offset"] = offset);
        }
        if (row["adrEnabled"].Equals("false", StringComparison.OrdinalIgnoreCase))
            settings["adr"] = new JsonObject { ["disabled"] = new JsonObject() };
        if (row.HasSession && row.Rx1Delay > 1)
            settings["rx1_delay"] = row.Rx1Delay; // W12
        if (row["regParamsRevision"].StartsWith("RP002-", StringComparison.Ordinal))
            want["lorawan_phy_version"] = row["regParamsRevision"].Replace("-", "_V", StringComparison.Ordinal).Replace('.', '_'); // W13
        if (row["classType"] == "B" && row["pingSlotFreq"].Length > 0)
        {
            // W16; data rates of EU868 count from SF12 as 0.
            settings["desired_ping_slot_frequency"] = row["pingSlotFreq"];
            var rate = row["pingSlotDr"].Length == 0 ? (int?)null : 12 - int.Parse(SpreadingFactor().Match(row["pingSlotDr"]).Groups["value"].Value, CultureInfo.InvariantCulture);
            if (rate is not null)
                settings["desired_ping_slot_data_rate_index"] = rate;
            EachParameters(want, p =>
            {
                p["ping_slot_frequency"] = row["pingSlotFreq"];
                if (rate is not null)
                    p["ping_slot_data_rate_index_value"] = rate;
            });
        }
    }

    private static void SetLocation(JsonObject want, RecordedRow row)
    {
        want.Remove("locations");
        if (row.Location() is not var (latitude, longitude, altitude))
            return;
        var user = new JsonObject { ["source"] = "SOURCE_REGISTRY" };
        if (latitude != 0)
            user["latitude"] = latitude;
        if (longitude != 0)
            user["longitude"] = longitude;
        if (altitude != 0)
            user["altitude"] = altitude;
        want["locations"] = new JsonObject { ["user"] = user };
    }

    private static void EachParameters(JsonObject device, Action<JsonObject> change)
    {
        foreach (var member in new[] { "current_parameters", "desired_parameters" })
        {
            if (device["mac_state"]?[member] is JsonObject parameters)
                change(parameters);
        }
    }

    private static void Mask(JsonObject node, string member)
    {
        if (node.ContainsKey(member))
            node[member] = "masked";
    }

    /// <summary>The same text for 5 and 5.0.</summary>
    private static JsonNode Normal(JsonNode node) => JsonNode.Parse(node.ToJsonString())!;

    private static bool IsHex(string text) => text.All(char.IsAsciiHexDigit);

    private static List<JsonObject> Recorded(GoldenRow golden)
    {
        if (golden.Json.TryGetProperty("output", out var one))
            return [JsonNode.Parse(one.GetRawText())!.AsObject()];
        return golden.Json.TryGetProperty("outputs", out var many) ? [.. many.EnumerateArray().Select(o => JsonNode.Parse(o.GetRawText())!.AsObject())] : [];
    }

    /// <summary>The file, its rows as this test reads them, and its number of columns.</summary>
    private static (byte[] File, List<RecordedRow> Rows, int Width) FileOf(GoldenRow golden)
    {
        if (golden.Json.TryGetProperty("csv_row", out var only))
        {
            var values = only.EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString()!, StringComparer.OrdinalIgnoreCase);
            return (Encoding.UTF8.GetBytes(WanesyRun.Csv(values)), [new RecordedRow(values)], values.Count);
        }
        var text = golden.Text("csv_text") ?? Encoding.Unicode.GetString(Convert.FromBase64String(golden.Text("csv_base64")!));
        var file = golden.Text("csv_base64") is { } base64 ? Convert.FromBase64String(base64) : Encoding.UTF8.GetBytes(text);
        var lines = text.TrimStart('\uFEFF').Split('\n').Select(l => l.TrimEnd('\r')).Where(l => l.Length > 0).ToList();
        if (lines.Count == 0)
            return (file, [], 0);
        var separator = ",;\t".First(lines[0].Contains);
        var header = lines[0].Split(separator);
        var rows = new List<RecordedRow>();
        foreach (var line in lines.Skip(1))
        {
            var values = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (var (i, value) in line.Split(separator).Index())
                values[i < header.Length ? header[i] : $"beyond {i}"] = value;
            rows.Add(new RecordedRow(values));
        }
        return (file, rows, header.Length);
    }

    [GeneratedRegex(@"error:[\w./-]+:(?<value>\w+) \(", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ErrorName();

    [GeneratedRegex(@"^    field=(?<value>\w+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ValidationField();

    [GeneratedRegex(@"^SF(?<value>\d+)BW125$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SpreadingFactor();

    /// <summary>The command line of a recorded run.</summary>
    private sealed record Arguments(ExportRequest Request, string Application, string Plan, string Prefix)
    {
        public static Arguments Of(GoldenRow golden)
        {
            var words = golden.Json.GetProperty("args").EnumerateArray().Select(a => a.GetString()!).ToList();
            string Take(string flag)
            {
                var at = words.IndexOf(flag);
                if (at < 0)
                    return "";
                var value = words[at + 1];
                words.RemoveRange(at, 2);
                return value;
            }
            var (application, plan, prefix) = (Take("--app-id"), Take("--frequency-plan-id"), Take("--dev-id-prefix"));
            var all = words.Remove("--all");
            List<string> ids = [.. words.Skip(2)];
            if (all && ids.Count == 0)
                ids.Add(application);
            return new(new ExportRequest(words[1] == "device" ? ExportedItems.Devices : ExportedItems.Applications, ids), application, plan, prefix);
        }

        public Task<WanesyResult> OnAsync(byte[] file, bool all = false) =>
            WanesyRun.RunAsync(file, all ? new ExportRequest(ExportedItems.Applications, [Application]) : Request, Plan, Application, Prefix);
    }
}
