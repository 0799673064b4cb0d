using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cli.Output;
using Migration.Verify;
using TheThingsStack.Import;

namespace Cli.Verify;

/// <summary>Devices on standard output: a table of those with something left to do, or every one as a line of JSON.</summary>
internal sealed class VerifyOutput(FilterOutput output, StatusWriter status, bool isJson)
{
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> text = new();
    private bool hasTitle;

    /// <summary>Writes a device at once: a watch is long.</summary>
    public void Write(VerifiedDevice device)
    {
        if (isJson)
            WriteJson(device);
        else if (!CutOver.IsDone(device.State))
            WriteRow(device);
        Flush();
    }

    public void Flush()
    {
        if (text.WrittenCount == 0)
            return;
        // On a terminal both are the same screen.
        status.ClearStatus();
        output.Write(text.WrittenSpan);
        text.ResetWrittenCount();
    }

    /// <summary>What a table says beside the state.</summary>
    internal static string Detail(VerifiedDevice device)
    {
        if (device.Failure is { } failure)
            return failure.ToString();
        var parts = new List<string>();
        if (device.Missing != DeviceServers.None)
            parts.Add($"not on {string.Join(", ", CutOver.Each(device.Missing).Select(CutOver.NameOf))}");
        foreach (var difference in device.Differences)
            parts.Add($"{difference.Path} on {CutOver.NameOf(difference.Server)}: sent {difference.Sent}, found {difference.Found}");
        if (device.State is CutOverState.AliveAtSource or CutOverState.LiveOnBoth && device.SeenAtSource is { } seen)
            parts.Add($"heard by the old network {Time(seen)}");
        if (device is { State: CutOverState.NeedsGateway or CutOverState.WaitsForUplink, DevAddr.Length: > 0 })
            parts.Add($"DevAddr {device.DevAddr}");
        return string.Join("; ", parts);
    }

    internal static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private void WriteRow(VerifiedDevice device)
    {
        if (!hasTitle)
            text.Write("STATE              DEVICE                                LAST SEEN             DETAIL\n"u8);
        hasTitle = true;
        var name = device.DeviceId.Length > 0 ? device.DeviceId : string.Create(CultureInfo.InvariantCulture, $"(line {device.Line})");
        var row = $"{CutOver.CodeOf(device.State),-17}  {name,-36}  {(device.LastSeenAt is { } seen ? Time(seen) : "never"),-20}  {Detail(device)}";
        Encoding.UTF8.GetBytes(FailurePrinter.OneLine(row.TrimEnd()), text);
        text.Write("\n"u8);
    }

    private void WriteJson(VerifiedDevice device)
    {
        using (var json = new Utf8JsonWriter(text, Compact))
        {
            json.WriteStartObject();
            if (device.Line > 0)
                json.WriteNumber("line", device.Line);
            json.WriteString("application_id", device.Application);
            json.WriteString("device_id", device.DeviceId);
            Text(json, "dev_eui", device.DevEui);
            Text(json, "dev_addr", device.DevAddr);
            json.WriteString("state", CutOver.CodeOf(device.State));
            json.WriteBoolean("as_sent", device.IsAsSent);
            Time(json, "imported_at", device.ImportedAt);
            Time(json, "joined_at", device.JoinedAt);
            Time(json, "last_seen_at", device.LastSeenAt);
            if (device.LiveAtSource is { } live)
                json.WriteBoolean("live_at_source", live);
            Time(json, "seen_at_source", device.SeenAtSource);
            if (device.Missing != DeviceServers.None)
            {
                json.WriteStartArray("missing");
                foreach (var server in CutOver.Each(device.Missing))
                    json.WriteStringValue(Code(server));
                json.WriteEndArray();
            }
            if (device.Differences.Count > 0)
            {
                json.WriteStartArray("differences");
                foreach (var difference in device.Differences)
                {
                    json.WriteStartObject();
                    json.WriteString("server", Code(difference.Server));
                    json.WriteString("field", difference.Path);
                    json.WriteString("sent", difference.Sent);
                    json.WriteString("found", difference.Found);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
            }
            if (device.Failure is { } failure)
                json.WriteString("error", failure.ToString());
            json.WriteEndObject();
        }
        text.Write("\n"u8);
    }

    private static string Code(DeviceServers server) => CutOver.NameOf(server).ToLowerInvariant().Replace(' ', '_');

    private static void Text(Utf8JsonWriter json, string name, string value)
    {
        if (value.Length > 0)
            json.WriteString(name, value);
    }

    private static void Time(Utf8JsonWriter json, string name, DateTimeOffset? time)
    {
        if (time is { } known)
            json.WriteString(name, Time(known));
    }
}
