using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cli.CommandLine;
using Cli.Output;
using Migration.Filters;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Json;

namespace Cli.Commands;

/// <summary><c>check [FILE]</c>: would The Things Stack import this?</summary>
internal static class CheckCommand
{
    private const string Whole = "whole-parameters";

    /// <summary>Output is written when this much is there.</summary>
    private const int BlockSize = 1 << 16;

    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create() => new("check", "Check whether The Things Stack would import devices")
    {
        Operands = "[file]",
        Addition = true,
        Description = """
            Check whether The Things Stack would import devices: field rules, IDs and EUIs that occur twice, sessions and keys, MAC state,
            LoRaWAN versions and frequency plan. No network is asked.

            Reads device JSON (lines or a list) from the file or standard input. The exit code is 1 when a device would be refused.
            """,
        Examples = ["ttn-lw-migrate check devices.json", "ttn-lw-migrate ttnv2 application my-app --dry-run | ttn-lw-migrate check --output json"],
        FlagFactory = () =>
        [
            OutputFormat.Flag,
            new(Whole, FlagKind.Switch, "check for an import that sends MAC parameters whole, instead of that of ttn-lw-cli") { Addition = true },
        ],
        RunAsync = RunAsync,
    };

    private static async Task<int> RunAsync(Invocation invocation)
    {
        var environment = invocation.Environment;
        var isJson = OutputFormat.IsJson(invocation);
        var way = invocation.Flags.IsOn(Whole) ? ImportWay.WholeParameters : ImportWay.OfficialCli;
        var plans = FrequencyPlanFlags.Open(invocation.Flags, environment);
        await plans.RequireIndexAsync(invocation.Cancellation);
        var filter = new CheckFilter(plans, way);
        await using var file = DeviceFile.Open(invocation);
        await using var output = new FilterOutput(environment.StandardOutput);
        var text = new ArrayBufferWriter<byte>(BlockSize * 2);
        using var json = new Utf8JsonWriter(text, Compact);
        var hasTitle = false;
        long accepted = 0, refused = 0, warned = 0;
        try
        {
            await foreach (var device in filter.RunAsync(file.Stream, invocation.Cancellation))
            {
                var isAccepted = device.IsAccepted;
                accepted += isAccepted ? 1 : 0;
                refused += isAccepted ? 0 : 1;
                warned += isAccepted && device.Findings.Count > 0 ? 1 : 0;
                if (isJson)
                    WriteJson(json, text, device, isAccepted);
                else if (device.Findings.Count > 0)
                    WriteRows(text, device, ref hasTitle);
                if (text.WrittenCount >= BlockSize)
                    Pass(text, output);
            }
        }
        catch (TtsJsonException e)
        {
            Pass(text, output);
            throw new FailureException(file.Unreadable(e), e);
        }
        Pass(text, output);
        new StatusWriter(environment).WriteLine(string.Create(CultureInfo.InvariantCulture, $"{accepted + refused} devices: {accepted} would be imported ({warned} of them with warnings), {refused} would be refused"));
        return refused == 0 ? 0 : 1;
    }

    private static void Pass(ArrayBufferWriter<byte> text, FilterOutput output)
    {
        output.Write(text.WrittenSpan);
        text.ResetWrittenCount();
    }

    private static void WriteRows(ArrayBufferWriter<byte> text, CheckedDevice device, ref bool hasTitle)
    {
        foreach (var finding in device.Findings)
        {
            if (!hasTitle)
                text.Write("    LINE  DEVICE                                KIND     FIELD AND FINDING\n"u8);
            hasTitle = true;
            var kind = finding.Severity == ImportSeverity.Error ? "error" : "warning";
            var row = string.Create(CultureInfo.InvariantCulture, $"{device.Line,8}  {device.DeviceId,-36}  {kind,-7}  {finding.Field}: {finding.Message}{(finding.Error.Length > 0 ? $" [{finding.Error}]" : "")}");
            Encoding.UTF8.GetBytes(FailurePrinter.OneLine(row), text);
            text.Write("\n"u8);
        }
    }

    private static void WriteJson(Utf8JsonWriter json, ArrayBufferWriter<byte> text, CheckedDevice device, bool isAccepted)
    {
        json.Reset();
        json.WriteStartObject();
        json.WriteNumber("line", device.Line);
        json.WriteString("device_id", device.DeviceId);
        json.WriteBoolean("accepted", isAccepted);
        WriteFindings(json, "errors", device, ImportSeverity.Error);
        WriteFindings(json, "warnings", device, ImportSeverity.Warning);
        json.WriteEndObject();
        json.Flush();
        text.Write("\n"u8);
    }

    private static void WriteFindings(Utf8JsonWriter json, string name, CheckedDevice device, ImportSeverity severity)
    {
        var open = false;
        foreach (var finding in device.Findings)
        {
            if (finding.Severity != severity)
                continue;
            if (!open)
                json.WriteStartArray(name);
            open = true;
            json.WriteStartObject();
            json.WriteString("rule", finding.Rule);
            json.WriteString("call", CallOf(finding.Step));
            if (finding.Error.Length > 0)
                json.WriteString("error", finding.Error);
            json.WriteString("field", finding.Field);
            json.WriteString("message", finding.Message);
            json.WriteEndObject();
        }
        if (open)
            json.WriteEndArray();
    }

    private static string CallOf(ImportStep step) => step switch
    {
        ImportStep.Client => "client",
        ImportStep.IdentityServer => "EndDeviceRegistry/Create",
        ImportStep.JoinServer or ImportStep.JoinServerRequest => "JsEndDeviceRegistry/Set",
        ImportStep.ApplicationServer or ImportStep.ApplicationServerRequest => "AsEndDeviceRegistry/Set",
        _ => "NsEndDeviceRegistry/Set",
    };
}
