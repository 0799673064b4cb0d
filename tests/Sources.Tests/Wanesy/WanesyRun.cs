using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Migration;
using Sources.Tests.TtnV2;
using Sources.Wanesy;
using TheThingsStack.Errors;

namespace Sources.Tests.Wanesy;

/// <summary>What a run over a file came to.</summary>
/// <param name="Lines">The lines, in order.</param>
/// <param name="Rejected">Why devices were refused, in order.</param>
/// <param name="Stopped">Why the run ended early; null when it did not.</param>
/// <param name="Notes">Codes of the notes on devices.</param>
/// <param name="Summary">The summary; null when the file could not be used.</param>
internal sealed record WanesyResult(
    IReadOnlyList<JsonObject> Lines, IReadOnlyList<Failure> Rejected, Failure? Stopped, IReadOnlyList<Note> Notes, ExportSummary? Summary)
{
    /// <summary>Names of a failure and of all that is behind it.</summary>
    public static IEnumerable<string> NamesOf(Failure? failure)
    {
        for (; failure is not null; failure = failure.Cause)
        {
            if (failure.Name is { } name)
                yield return name;
        }
    }
}

/// <summary>Runs the source over a file in memory, as <c>wanesy application</c> or <c>wanesy device</c> does.</summary>
internal static class WanesyRun
{
    public const string Header =
        "devEui,clusterId,clusterName,name,classType,rfRegion,country,macVersion,regParamsRevision,profile,adrEnabled,activation,appEui,appKey,"
        + "fcntDown,fcntUp,devNonceCounter,fNwkSIntKey,sNwkSIntKey,rx1Delay,rx1DrOffset,rx2Dr,rx2Freq,rxWindows,cfList,dwellTime,pingSlotDr,"
        + "pingSlotFreq,geolocation,latitude,longitude,altitude,status,lastDataUpMessage,lastDataDownMessage,lastDataUpDr,device_profile,dev_addr,NwkSKey,AppSKey";

    /// <summary>A device that joins.</summary>
    public const string Joining = "70B3D57ED0000001,1,C,One,A,EU868,,1.0.2,B,,,OTAA,70B3D57ED0000010,0123456789ABCDEF0123456789ABCDEF,,,,,,1,,0,,,,,,,,,,,,,,,,,,";

    /// <summary>A device with a fixed session.</summary>
    public const string Abp = "70B3D57ED0000002,1,C,Two,A,EU868,,1.0.2,B,,,ABP,,,5,10,,,,1,,0,,,,,,,,,,,,,,,,26011234,11111111111111111111111111111111,22222222222222222222222222222222";

    public static Task<WanesyResult> ApplicationAsync(string csv, string plan = "EU_863_870") => RunAsync(Encoding.UTF8.GetBytes(csv), plan: plan);

    public static Task<WanesyResult> DevicesAsync(string csv, params string[] ids) =>
        RunAsync(Encoding.UTF8.GetBytes(csv), new ExportRequest(ExportedItems.Devices, ids));

    /// <summary>A file of one device by the names of the columns.</summary>
    public static string Csv(params IEnumerable<KeyValuePair<string, string>> values)
    {
        var all = values.ToList();
        return string.Join(',', all.Select(v => v.Key)) + "\n" + string.Join(',', all.Select(v => Quoted(v.Value))) + "\n";
    }

    public static async Task<WanesyResult> RunAsync(byte[] file, ExportRequest? request = null, string plan = "EU_863_870", string application = "test-app", string prefix = "")
    {
        WanesySource source;
        try
        {
            source = WanesySource.Open(
                new WanesyOptions(application, plan, "folder/devices.csv", () => new MemoryStream(file, writable: false)),
                new SourceContext(TimeProvider.System, bytes => bytes.Fill(7), NullLogger.Instance));
        }
        catch (FailureException e)
        {
            return new WanesyResult([], [], e.Failure, [], null);
        }
        await using (source)
        {
            using var lines = new MemoryStream();
            var events = new EventList();
            var summary = await new Exporter(source, new ExportOptions { DeviceIdPrefix = prefix })
                .RunAsync(request ?? new ExportRequest(ExportedItems.Applications, ["test-app"]), lines, events);
            return new WanesyResult(
                [.. Encoding.UTF8.GetString(lines.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!.AsObject())],
                [.. events.Of<ExportEvent.Rejected>().Select(r => r.Failure)],
                summary.Stopped,
                [.. events.Of<ExportEvent.Exported>().SelectMany(e => e.Notes)],
                summary);
        }
    }

    private static string Quoted(string value) => value.AsSpan().ContainsAny(",\"\n") ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : value;
}
