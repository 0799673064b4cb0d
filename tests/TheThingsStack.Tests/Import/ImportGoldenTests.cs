using System.Text;
using System.Text.Json;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Json;
using Xunit.Abstractions;

namespace TheThingsStack.Tests.Import;

/// <summary>Every device that a real The Things Stack was asked to import: accepted or not, by which call, with which error.</summary>
public sealed class ImportGoldenTests(ITestOutputHelper output)
{
    private const string File = "tts-import.jsonl.gz";

    [Fact]
    public void The_rules_give_the_verdict_of_The_Things_Stack_asked_by_its_CLI() =>
        Golden.Check(File, output.WriteLine, row => DependsOnServer(row) ? null : Compare(row.Json, ImportWay.OfficialCli, row.Json), "cli");

    [Fact]
    public void The_rules_give_the_verdict_of_The_Things_Stack_for_whole_parameters() =>
        Golden.Check(File, output.WriteLine, row => DependsOnServer(row) || !row.Json.TryGetProperty("grpc_whole_parameters", out var whole) || row.Text("id") == "foreign-addresses"
            ? null
            : Compare(row.Json, ImportWay.WholeParameters, whole), "whole parameters");

    [Fact]
    public void The_masks_are_those_of_the_CLI() =>
        Golden.Check(File, output.WriteLine, row => row.Json.TryGetProperty("masks", out var masks) ? CompareMasks(row.Json, masks) : null, "masks");

    /// <summary>What other devices hold, and addresses registered with the application.</summary>
    private static bool DependsOnServer(GoldenRow row) => row.Text("id") is { } id && (id.StartsWith("dup-", StringComparison.Ordinal));

    private static string? Compare(JsonElement row, ImportWay way, JsonElement verdict)
    {
        EndDevice device;
        try
        {
            device = Read(row);
        }
        catch (TtsJsonException e)
        {
            return verdict.GetProperty("accepted").GetBoolean() ? $"accepted, but cannot be read: {e.Message}" : null;
        }
        // The golden rows carry no application; the client puts its own there.
        if (way == ImportWay.WholeParameters)
        {
            device.Ids ??= new EndDeviceIdentifiers();
            device.Ids.ApplicationIds ??= new ApplicationIdentifiers { ApplicationId = "target-app" };
        }
        var plan = EmbeddedFrequencyPlanStore.Find(device.FrequencyPlanId);
        var errors = ImportRules.Verdict(ImportRules.Check(device, plan, way));
        if (verdict.GetProperty("accepted").GetBoolean())
            return errors.Count == 0 ? null : $"{Id(row)} accepted, but {Show(errors)}";
        if (errors.Count == 0)
            return $"{Id(row)} not accepted: {Text(verdict)}";
        var error = verdict.GetProperty("error");
        if (!error.TryGetProperty("name", out var name))
            return errors[0].Step == ImportStep.Client || error.TryGetProperty("decode", out _) ? null : $"{Id(row)} refused by the client, but {Show(errors)}";
        var full = $"{error.GetProperty("namespace").GetString()}:{name.GetString()}";
        if (!errors.Any(found => found.Error == full))
            return $"{Id(row)} expected {full}, got {Show(errors)}";
        if (!Server(error).Contains(ServerOf(errors[0].Step), StringComparison.Ordinal))
            return $"{Id(row)} expected {Server(error)}, got {Show(errors)}";
        return name.GetString() != "field_value" || error.GetProperty("details").GetProperty("attributes").GetProperty("field").GetString() is var field && errors.Any(found => found.Field == field)
            ? null
            : $"{Id(row)} field {Text(verdict)}, got {Show(errors)}";
    }

    private static string? CompareMasks(JsonElement row, JsonElement expected)
    {
        var masks = ImportMasks.For(Read(row));
        foreach (var server in expected.EnumerateObject())
        {
            var got = server.Name switch { "is" => masks.IdentityServer, "js" => masks.JoinServer, "ns" => masks.NetworkServer, _ => masks.ApplicationServer };
            // The CLI adds a path of its own for any override (facts/tts-api.md section 7, "Quirk"); nothing is there, so we do not send it.
            var want = server.Value.EnumerateArray().Select(path => path.GetString()!).Where(path => !path.EndsWith(".overrides.data_rate_5", StringComparison.Ordinal));
            if (!got.Where(path => !path.EndsWith(".overrides.data_rate_5", StringComparison.Ordinal)).SequenceEqual(want.Order(StringComparer.Ordinal)))
                return $"{Id(row)} {server.Name}: missing {string.Join(' ', want.Except(got))}, extra {string.Join(' ', got.Except(want))}";
        }
        return null;
    }

    private static EndDevice Read(JsonElement row) => TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(row.GetProperty("device").GetRawText()));

    private static string Id(JsonElement row) => row.GetProperty("id").GetString()!;

    private static string Server(JsonElement error) => error.TryGetProperty("method", out var method) ? method.GetString()! : error.GetProperty("server").GetString()! switch
    {
        "is" => ".EndDeviceRegistry/",
        "js" => "JsEndDeviceRegistry",
        "ns" => "NsEndDeviceRegistry",
        _ => "AsEndDeviceRegistry",
    };

    private static string ServerOf(ImportStep step) => step switch
    {
        ImportStep.IdentityServer => ".EndDeviceRegistry/",
        ImportStep.JoinServer or ImportStep.JoinServerRequest => "JsEndDeviceRegistry",
        ImportStep.NetworkServer or ImportStep.NetworkServerRequest or ImportStep.NetworkServerStored => "NsEndDeviceRegistry",
        _ => "AsEndDeviceRegistry",
    };

    private static string Text(JsonElement json) => json.GetRawText() is { Length: > 400 } text ? text[..400] : json.GetRawText();

    private static string Show(IEnumerable<ImportFinding> findings) => string.Join("; ", findings.Select(found => $"{found.Step} {found.Error} {found.Field} ({found.Message})"));
}
