using System.Globalization;
using LoRaWan.Regional;
using TheThingsStack.Errors;

namespace TheThingsStack.FrequencyPlans;

/// <summary>The failures of a frequency plan store, named as The Things Stack names them (facts/frequency-plans.md section 5).</summary>
internal static class FrequencyPlanFailures
{
    /// <summary>Name of the failure of the index.</summary>
    public const string NoList = "read_list";

    private const string Package = "pkg/frequencyplans";

    public static Failure NotFound(string id, IReadOnlyList<string> nearest) =>
        Named(Package, "not_found", $"frequency plan `{id}` not found", ("id", id)) with { Advice = Advice(id, nearest) };

    public static Failure ReadList(Failure cause) => Named(Package, NoList, "read the list of frequency plans") with { Cause = cause };

    public static Failure Read(string id, Failure cause) =>
        Named(Package, "read", $"read frequency plan `{id}`", ("id", id)) with { Cause = cause };

    public static Failure ReadBase(string id, string baseId, Failure cause) =>
        Named(Package, "read_base", $"read the base `{baseId}` of frequency plan `{id}`", ("base_id", baseId), ("id", id)) with { Cause = cause };

    public static Failure Fetch(string file, string cause, string? advice = null) => Named(Package, "fetch", "fetching failed") with
    {
        Cause = Named("pkg/fetch", "fetch_file", $"fetch file `{file}`", ("filename", file)) with
        {
            Cause = new Failure(cause) { Advice = advice },
        },
    };

    public static Failure FetchWithoutAddress() => Named(Package, "fetch", "fetching failed") with { Cause = SchemeNotSpecified() };

    public static Failure ParseFile(string message) => Named(Package, "parse_file", "parse file") with { Cause = new Failure(message) };

    /// <summary>A plan that was read and makes no sense.</summary>
    public static Failure Invalid(FrequencyPlan plan, FrequencyPlanFault fault)
    {
        var cause = fault.Kind == FrequencyPlanFaultKind.UnknownBand ? BandNotFound(plan.BandId) : NoDwellTimeDuration();
        return Named(Package, "invalid", "invalid frequency plan", ("id", plan.Id)) with
        {
            Cause = fault.ChannelIndex is { } index ? Channel(index, cause) : cause,
        };
    }

    private static Failure BandNotFound(string band) =>
        Named("pkg/band", "band_not_found", $"band `{band}@latest` not found", ("id", band), ("version", "latest")) with
        {
            Advice = $"band-id of a plan is one of {string.Join(", ", Band.Ids)}",
        };

    private static Failure NoDwellTimeDuration() =>
        Named(Package, "no_dwell_time_duration", "no dwell time duration specified") with { Advice = "give dwell-time.duration, for example 400ms" };

    private static Failure Channel(int index, Failure cause)
    {
        var text = index.ToString(CultureInfo.InvariantCulture);
        return Named(Package, "channel", $"invalid frequency plan channel `{text}`", ("index", text)) with { Cause = cause };
    }

    public static Failure SchemeNotSpecified() => Named("pkg/fetch", "scheme_not_specified", "URI scheme not specified") with
    {
        Advice = "write the address with https://, http:// or file://",
    };

    public static Failure SchemeSpecified(string file) =>
        Named("pkg/fetch", "scheme_specified", "URI scheme should not be specified", ("filename", file));

    private static Failure Named(string package, string name, string message, params (string Key, string Value)[] attributes) => new(message)
    {
        Namespace = package,
        Name = name,
        Attributes = attributes.ToDictionary(attribute => attribute.Key, attribute => attribute.Value),
    };

    private static string Advice(string id, IReadOnlyList<string> nearest) => (id.Length, nearest.Count) switch
    {
        (0, _) => "give a frequency plan, for example EU_863_870_TTN; the command frequency-plans lists them",
        (_, 0) => "the command frequency-plans lists the plans there are",
        _ => $"nearest names: {string.Join(", ", nearest)}; the command frequency-plans lists them all",
    };
}
