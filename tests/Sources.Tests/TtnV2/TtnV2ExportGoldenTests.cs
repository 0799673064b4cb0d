using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Migration;
using Sources.TtnV2;
using Testing;
using TheThingsStack.Errors;
using TheThingsStack.Validation;
using Xunit.Abstractions;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.Tests.TtnV2;

/// <summary>Every recorded V2 record gives the line that the Go tool gave, or what the defect table of facts/ttnv2.md section 8 says instead.</summary>
public sealed class TtnV2ExportGoldenTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_recorded_device_gives_its_line_or_its_reason() =>
        Golden.Check("ttnv2-export.jsonl.gz", output.WriteLine, row => CheckAsync(row).GetAwaiter().GetResult());

    private static async Task<string?> CheckAsync(GoldenRow row)
    {
        var given = row.Json.GetProperty("options");
        var application = given.GetProperty("app_id").GetString()!;
        var plan = given.GetProperty("frequency_plan_id").GetString()!;
        var options = new TtnV2MappingOptions(plan, given.GetProperty("with_session").GetBoolean(), given.GetProperty("resets_to_frequency_plan").GetBoolean());
        var id = row.Text("requested_dev_id")!;
        var record = Convert.FromBase64String(row.Text("record")!);
        await using var source = new RecordSource(options);
        source.Add(application, id, record);
        using var lines = new MemoryStream();
        var events = new EventList();
        var summary = await new Exporter(source, new ExportOptions { DeviceIdPrefix = given.GetProperty("dev_id_prefix").GetString()! })
            .RunAsync(new ExportRequest(ExportedItems.Devices, [id]), lines, events);
        if (summary.Stopped is { } stopped)
            return "stopped: " + stopped.Message;

        var defects = (row.Text("defect") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries);
        var rejected = events.Of<ExportEvent.Rejected>().SingleOrDefault()?.Failure;
        if (InsteadOf(defects, row) is { } reason)
            return rejected?.Cause?.Name is { } name && reason.Contains(name) ? null : $"expected rejection {string.Join('/', reason)}, got {rejected?.Cause?.ToString() ?? rejected?.ToString() ?? "a line"}";
        if (row.Json.TryGetProperty("output", out var expected))
            return rejected is not null ? "rejected: " + Stack(rejected) : Compare(row, expected, defects, record, lines, events);
        if (rejected is null)
            return "exported, but the Go tool says " + row.Text("error");
        return CompareError(row, rejected) is not { } difference || BreaksTheRecordedRuleToo(source, given, id, row, rejected) ? null : difference;
    }

    /// <summary>A device that breaks several rules: the Go tool checks in random order, ours in the order of the fields.</summary>
    private static bool BreaksTheRecordedRuleToo(RecordSource source, JsonElement given, string id, GoldenRow row, Failure rejected)
    {
        if (rejected.Name != "invalid_fields")
            return false;
        var device = ((MapResult.Mapped)source.Map(source.ReadAsync(source.Refer(id), CancellationToken.None).GetAwaiter().GetResult())).Device;
        DeviceNaming.Rename(device, new ExportOptions { DeviceIdPrefix = given.GetProperty("dev_id_prefix").GetString()! }, []);
        while (DeviceValidator.Validate(device) is { } violation)
        {
            var field = violation.Field[(violation.Field.StartsWith("attributes", StringComparison.Ordinal) ? 0 : violation.Field.LastIndexOf('.') + 1)..];
            if (row.Text("error") == $"error:pkg/errors:validation (invalid `{field}`: {violation.Reason})")
                return true;
            switch (violation.Field.Split('[', '.')[0])
            {
                case "attributes":
                    device.Attributes.Remove(violation.Field == "attributes" ? device.Attributes.Keys.First() : violation.Field["attributes[".Length..^1]);
                    break;
                case "locations" when field == "latitude":
                    device.Locations["user"].Latitude = 0;
                    break;
                case "locations":
                    device.Locations["user"].Longitude = 0;
                    break;
                case "ids" when field == "device_id":
                    device.Ids.DeviceId = "good-id";
                    break;
                case "ids":
                    device.Ids.ApplicationIds.ApplicationId = "good-app";
                    break;
                case "description":
                    device.Description = "";
                    break;
                default:
                    return false;
            }
        }
        return false;
    }

    /// <summary>Which rejections the defect table asks for; null when it asks for none.</summary>
    private static string[]? InsteadOf(string[] defects, GoldenRow row)
    {
        var reasons = new List<string>();
        if (defects.Any(d => d.StartsWith("D9", StringComparison.Ordinal)))
            reasons.Add("no_keys");
        if (defects.Contains("D12-zero-dev-eui"))
            reasons.AddRange(["register_on_join_template", "no_dev_eui"]);
        if (defects.Contains("no-lorawan-device-panic"))
            reasons.Add("no_lorawan_device");
        if (row.Json.TryGetProperty("output_base64", out _))
            reasons.Add("invalid_record");
        return reasons.Count == 0 ? null : [.. reasons];
    }

    private static string? Compare(GoldenRow row, JsonElement expected, string[] defects, byte[] record, MemoryStream lines, EventList events)
    {
        var want = JsonNode.Parse(expected.GetRawText())!.AsObject();
        var bytes = lines.ToArray();
        if (bytes[^1] != (byte)'\n' || bytes.AsSpan(0, bytes.Length - 1).Contains((byte)'\n'))
            return "not one line";
        var got = JsonNode.Parse(bytes)!.AsObject();
        var device = V2Device.Parser.ParseFrom(record);
        Mend(want, defects, device);
        foreach (var node in new[] { want, got })
        {
            if (node["session"] is JsonObject session)
            {
                // Differ in every run; that both have them is compared.
                Mask(session, "started_at");
                Mask(session["keys"]!.AsObject(), "session_key_id");
            }
        }
        if (JsonDifference.Find(want, got, "") is { } difference)
            return difference;

        var notes = events.Of<ExportEvent.Exported>().Single().Notes.Select(n => n.Code).ToHashSet();
        foreach (var (defect, code) in new[] { ("D8-partial-session-dropped", "partial_session"), ("D11-rx2-of-plan", "rx2_differs"), ("nan-location-exported", "location_not_a_number"), ("old-id-overwritten", "old_id_attribute_taken") })
        {
            if (defects.Contains(defect) != notes.Contains(code))
                return $"{row.Text("scenario")}: note {code} {(notes.Contains(code) ? "not wanted" : "missing")}";
        }
        return null;
    }

    private static void Mend(JsonObject want, string[] defects, V2Device device)
    {
        if (defects.Contains("D10-32bit-false-omitted"))
            want["mac_settings"]!["supports_32_bit_f_cnt"] = false;
        if (defects.Contains("D20-float-widened"))
        {
            var user = want["locations"]!["user"]!;
            if (user["latitude"] is not null)
                user["latitude"] = JsonNode.Parse(Shortest(device.Latitude));
            if (user["longitude"] is not null)
                user["longitude"] = JsonNode.Parse(Shortest(device.Longitude));
        }
        if (defects.Contains("D20-altitude-lost"))
            want["locations"] = new JsonObject { ["user"] = new JsonObject { ["altitude"] = device.Altitude, ["source"] = "SOURCE_REGISTRY" } };
        if (defects.Contains("nan-location-exported"))
            want.Remove("locations");
        if (defects.Contains("old-id-overwritten"))
        {
            want["attributes"]!["old-id"] = device.Attributes["old-id"];
            want["attributes"]!["old-id-2"] = device.DevId;
        }
    }

    private static string Shortest(float value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static void Mask(JsonObject node, string member)
    {
        if (node.ContainsKey(member))
            node[member] = "masked";
    }

    private static string? CompareError(GoldenRow row, Failure rejected)
    {
        // A record with several faults: the Go tool names the last that it meets, ours refuses first what cannot be mapped.
        if (rejected.Cause?.Name is { } name && Faults(row).Contains(name))
            return null;
        if (row.Json.TryGetProperty("error_varies", out _))
        {
            // The Go tool names any one of several bad attributes.
            return rejected.Name == "invalid_fields" && Innermost(rejected).Attributes["field"].StartsWith("attributes[", StringComparison.Ordinal)
                ? null
                : "should name a bad attribute: " + Stack(rejected);
        }
        if (!row.Json.TryGetProperty("error_lines", out var lines))
            return null;
        if (rejected.Cause?.Name == "invalid_record")
        {
            // The Go tool's gRPC refuses the record; ours says which field it is.
            return Innermost(rejected).ToString() == row.Text("error") ? null : Stack(rejected);
        }
        var want = Groups(lines.EnumerateArray().Select(l => l.GetString()!));
        var got = Groups(Stack(rejected).Split('\n'));
        return want == got ? null : $"\n{got}\n  should be\n{want}";
    }

    /// <summary>What a record has that cannot be mapped, from the recorder's reading of it.</summary>
    private static IEnumerable<string> Faults(GoldenRow row)
    {
        if (!row.Json.GetProperty("record_json").TryGetProperty("lorawan_device", out var lorawan))
            yield break;
        bool Has(string field) => lorawan.TryGetProperty(field, out var value) && value.GetString()!.Length > 0;
        if (!Has("dev_eui"))
            yield return Has("app_key") ? "register_on_join_template" : "no_dev_eui";
        if (!Has("app_key") && !(Has("dev_addr") && Has("nwk_s_key") && Has("app_s_key")))
            yield return "no_keys";
        if (row.Json.GetProperty("record_json").TryGetProperty("description", out var text) && text.GetString()!.Contains('\uFFFD', StringComparison.Ordinal))
            yield return "invalid_record";
    }

    /// <summary>The attributes of each error sorted: the Go tool prints them in random order.</summary>
    private static string Groups(IEnumerable<string> lines)
    {
        var groups = new List<List<string>>();
        foreach (var line in lines)
        {
            if (!line.StartsWith("    ", StringComparison.Ordinal))
                groups.Add([]);
            groups[^1].Add(line);
        }
        return string.Join('\n', groups.SelectMany(g => g.Take(1).Concat(g.Skip(1).Order(StringComparer.Ordinal))));
    }

    private static Failure Innermost(Failure failure) => failure.Cause is { } cause ? Innermost(cause) : failure;

    private static string Stack(Failure failure)
    {
        var text = string.Join('\n', [failure.ToString(), .. failure.Attributes.Select(a => $"    {a.Key}={a.Value}")]);
        return failure.Cause is null ? text : text + "\n--- " + Stack(failure.Cause);
    }
}
