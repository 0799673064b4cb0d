using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cli.CommandLine;
using Cli.Output;
using LoRaWan.Regional;
using TheThingsStack.Errors;

namespace Cli.Commands;

/// <summary><c>frequency-plans [ID]</c>: the frequency plans there are, or one of them.</summary>
internal static class FrequencyPlansCommand
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create() => new("frequency-plans", "List frequency plans, or show one")
    {
        Operands = "[frequency-plan-id]",
        Aliases = ["frequency-plan", "fp"],
        Addition = true,
        Description = """
            List the frequency plans with the names that other networks use for them, or show one.

            The plans are part of this program (as of 2025-11-20); --frequency-plans-url and --frequency-plans-dir read others.
            """,
        Examples = ["ttn-lw-migrate frequency-plans", "ttn-lw-migrate frequency-plans EU_863_870_TTN --output json"],
        FlagFactory = () => [OutputFormat.Flag],
        RunAsync = RunAsync,
    };

    private static async Task<int> RunAsync(Invocation invocation)
    {
        if (invocation.Arguments.Count > 1)
            throw new UsageException($"one frequency plan at a time, not {invocation.Arguments.Count}");
        var isJson = OutputFormat.IsJson(invocation);
        var store = FrequencyPlanFlags.Open(invocation.Flags, invocation.Environment);
        if (invocation.Arguments is [var id])
        {
            var (plan, failure) = await store.FindAsync(id, invocation.Cancellation);
            if (plan is null)
                throw new FailureException(failure!);
            CliApplication.WriteOutput(invocation.Environment, isJson ? Json(json => WriteDetails(json, plan)) : Details(plan));
            return 0;
        }
        var plans = new List<FrequencyPlan>();
        var failed = 0;
        await foreach (var (plan, failure) in store.ListAsync(invocation.Cancellation))
        {
            if (plan is not null)
                plans.Add(plan);
            if (failure is null)
                continue;
            failed++;
            FailurePrinter.WriteStack(invocation.Environment.StandardError, failure);
        }
        CliApplication.WriteOutput(invocation.Environment, isJson ? Json(json => WriteList(json, plans)) : Table(plans));
        return failed == 0 ? 0 : 1;
    }

    private static string Table(IReadOnlyList<FrequencyPlan> plans)
    {
        string[] title = ["ID", "NAME", "BAND", "MHZ", "ALSO CALLED"];
        List<string[]> rows = [title, .. plans.Select(plan => (string[])[plan.Id, plan.Name, plan.BandId, Number(plan.BaseFrequencyMegahertz), string.Join(", ", FrequencyPlans.Embedded.AliasesOf(plan.Id))])];
        var widths = Enumerable.Range(0, title.Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
            text.Append(FailurePrinter.OneLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd())).Append('\n');
        return text.ToString();
    }

    private static string Details(FrequencyPlan plan)
    {
        var text = new StringBuilder();
        Row("ID", plan.Id);
        Row("Name", plan.Name);
        Row("Description", plan.Description);
        Row("Band", plan.BandId);
        Row("PHY versions", string.Join(", ", Band.VersionsOf(plan.BandId).Select(band => band.PhyVersion.Name)));
        Row("Base", plan.BaseId);
        Row("Also called", string.Join(", ", FrequencyPlans.Embedded.AliasesOf(plan.Id)));
        Row("Countries", string.Join(", ", plan.CountryCodes));
        Row("Uplink channels", Channels(plan.UplinkChannels));
        Row("Downlink channels", Channels(plan.DownlinkChannels));
        Row("LoRa standard channel", plan.LoRaStandardChannel is { } wide ? $"{wide.Frequency} {wide.DataRate}" : null);
        Row("FSK channel", plan.FskChannel is { } fsk ? $"{fsk.Frequency} {fsk.DataRate}" : null);
        Row("RX2", plan.Rx2Frequency is null && plan.Rx2DataRate is null ? "as the band says" : $"{plan.Rx2Frequency?.ToString() ?? "frequency as the band says"} {plan.Rx2DataRate?.ToString() ?? "data rate as the band says"}");
        Row("Ping slot", plan.PingSlotFrequency is null && plan.PingSlotDataRate is null ? null : $"{plan.PingSlotFrequency} {plan.PingSlotDataRate}");
        Row("Maximum EIRP", plan.MaxEirpDbm is { } eirp ? string.Create(CultureInfo.InvariantCulture, $"{eirp} dBm") : null);
        Row("Dwell time", $"uplinks {Flag(plan.DwellTime.Uplinks)}, downlinks {Flag(plan.DwellTime.Downlinks)}{(plan.DwellTime.Duration is { } limit ? string.Create(CultureInfo.InvariantCulture, $", {limit.TotalMilliseconds} ms") : "")}");
        return text.ToString();

        void Row(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                text.Append(name.PadRight(24)).Append(FailurePrinter.OneLine(value)).Append('\n');
        }
    }

    private static string Channels(IEnumerable<Channel> channels) => string.Join(", ", channels);

    private static string Flag(bool? flag) => flag switch { true => "limited", false => "not limited", null => "not said" };

    private static string Number(int? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "";

    private static string Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Indented))
            write(json);
        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
    }

    private static void WriteList(Utf8JsonWriter json, IReadOnlyList<FrequencyPlan> plans)
    {
        json.WriteStartArray();
        foreach (var plan in plans)
        {
            json.WriteStartObject();
            WriteHead(json, plan);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteHead(Utf8JsonWriter json, FrequencyPlan plan)
    {
        json.WriteString("id", plan.Id);
        json.WriteString("name", plan.Name);
        json.WriteString("band_id", plan.BandId);
        if (plan.BaseFrequencyMegahertz is { } frequency)
            json.WriteNumber("base_frequency_mhz", frequency);
        if (plan.BaseId is { } baseId)
            json.WriteString("base_id", baseId);
        WriteTexts(json, "aliases", FrequencyPlans.Embedded.AliasesOf(plan.Id));
    }

    private static void WriteDetails(Utf8JsonWriter json, FrequencyPlan plan)
    {
        json.WriteStartObject();
        WriteHead(json, plan);
        json.WriteString("description", plan.Description);
        WriteTexts(json, "country_codes", plan.CountryCodes);
        WriteTexts(json, "phy_versions", Band.VersionsOf(plan.BandId).Select(band => band.PhyVersion.Name));
        WriteChannels(json, "uplink_channels", plan.UplinkChannels);
        WriteChannels(json, "downlink_channels", plan.DownlinkChannels);
        WriteFixed(json, "lora_standard_channel", plan.LoRaStandardChannel);
        WriteFixed(json, "fsk_channel", plan.FskChannel);
        WriteNumber(json, "rx2_frequency_hz", plan.Rx2Frequency?.Hertz);
        WriteNumber(json, "rx2_data_rate_index", plan.Rx2DataRate?.Value);
        WriteNumber(json, "ping_slot_frequency_hz", plan.PingSlotFrequency?.Hertz);
        WriteNumber(json, "ping_slot_data_rate_index", plan.PingSlotDataRate?.Value);
        if (plan.MaxEirpDbm is { } eirp)
            json.WriteNumber("max_eirp_dbm", eirp);
        if (plan.DwellTime.Uplinks is { } uplinks)
            json.WriteBoolean("uplink_dwell_time", uplinks);
        if (plan.DwellTime.Downlinks is { } downlinks)
            json.WriteBoolean("downlink_dwell_time", downlinks);
        if (plan.DwellTime.Duration is { } duration)
            json.WriteNumber("dwell_time_ms", duration.TotalMilliseconds);
        json.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }

    private static void WriteChannels(Utf8JsonWriter json, string name, IEnumerable<Channel> channels)
    {
        json.WriteStartArray(name);
        foreach (var channel in channels)
        {
            json.WriteStartObject();
            json.WriteNumber("frequency_hz", channel.Frequency.Hertz);
            json.WriteNumber("min_data_rate_index", channel.MinDataRate.Value);
            json.WriteNumber("max_data_rate_index", channel.MaxDataRate.Value);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteFixed(Utf8JsonWriter json, string name, FixedRateChannel? channel)
    {
        if (channel is not { } given)
            return;
        json.WriteStartObject(name);
        json.WriteNumber("frequency_hz", given.Frequency.Hertz);
        json.WriteNumber("data_rate_index", given.DataRate.Value);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, ulong? number)
    {
        if (number is { } given)
            json.WriteNumber(name, given);
    }
}
