using System.Collections.Frozen;
using System.Globalization;
using Migration;
using TheThingsStack.Errors;

namespace Sources.TtnV2;

/// <summary>What the user says about a The Things Network V2 application (facts/ttnv2.md section 4.7).</summary>
public sealed record TtnV2Options
{
    /// <summary>Discovery server of the public community network.</summary>
    public const string CommunityDiscovery = "discovery.thethings.network:1900";

    /// <summary>Account server of the public community network; nothing in device export asks it.</summary>
    public const string CommunityAccountServer = "https://account.thethingsnetwork.org";

    private static readonly FrozenSet<string> Placeholders = new[]
    {
        "ttn-v2-application-ID", "access-key-of-your-ttn-v2-application", "v2-end-device-ID", "v3-application-id",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Application whose devices are exported. Required.</summary>
    public Setting<string> AppId { get; init; } = new("");

    /// <summary>Access key with the right <c>devices</c>; secret. Required.</summary>
    public Setting<string> AppAccessKey { get; init; } = new("");

    /// <summary>Frequency plan of every exported device, e.g. <c>EU_863_870_TTN</c>. Required.</summary>
    public Setting<string> FrequencyPlanId { get; init; } = new("");

    /// <summary>File of PEM certificates to trust beside those of the system. Empty: none.</summary>
    public Setting<string> CaCert { get; init; } = new("");

    /// <summary>Handler as <c>host:port</c>; the discovery server is then not asked. Empty: ask it.</summary>
    public Setting<string> HandlerAddress { get; init; } = new("");

    /// <summary>Discovery server as <c>host:port</c>. Default and empty: the community's.</summary>
    public Setting<string> DiscoveryServerAddress { get; init; } = new(CommunityDiscovery);

    /// <summary>Ask the discovery server without TLS. Default false.</summary>
    public Setting<bool> DiscoveryServerInsecure { get; init; } = new(false);

    /// <summary>Accepted and not used: the handler talks to the account server itself. Default and empty: the community's.</summary>
    public Setting<string> AccountServerAddress { get; init; } = new(CommunityAccountServer);

    /// <summary>Accepted and not used.</summary>
    public Setting<string> AccountServerClientId { get; init; } = new("ttn-lw-migrate");

    /// <summary>Accepted and not used; secret.</summary>
    public Setting<string> AccountServerClientSecret { get; init; } = new("");

    /// <summary>Export the session of OTAA devices too, and clear exported sessions at V2. Default true, as the guide says.</summary>
    public Setting<bool> WithSession { get; init; } = new(true);

    /// <summary>Give ABP devices the frequencies of the plan as factory preset. Default false.</summary>
    public Setting<bool> ResetsToFrequencyPlan { get; init; } = new(false);

    /// <summary>Whether devices are exported, which takes a frequency plan; retiring and restoring do without. Default true.</summary>
    public bool Exports { get; init; } = true;

    /// <summary>
    /// Devices are on their new network before they leave this one, so nothing that was exported stays alive here: also ABP devices when
    /// <see cref="WithSession"/> is off. Default false.
    /// </summary>
    public bool StraightThrough { get; init; }

    /// <summary>Calls in one second, 0 for no limit. Default 5: V2 refuses more (facts/ttnv2.md section 8); a private cluster may have another limit.</summary>
    public Setting<string> RequestsPerSecond { get; init; } = new("5");

    /// <summary>Says what is wrong with these values, in the order and with the names of the Go tool; null when nothing is.</summary>
    public Failure? Validate()
    {
        if (CaCert.Value.Length > 0 && !File.Exists(CaCert.Value))
            return new Failure($"open {CaCert.Value}: no such file or directory") { Advice = $"{Where(CaCert, "--ca-cert")} names the file of a private cluster's CA; leave it out for the community network" };
        return Required(AppId, "no_app_id", "no app id", "--app-id", "TTNV2_APP_ID")
            ?? Required(AppAccessKey, "no_app_access_key", "no app access key", "--app-access-key", "TTNV2_APP_ACCESS_KEY")
            ?? (Exports ? Required(FrequencyPlanId, "no_frequency_plan_id", "no frequency plan id", "--frequency-plan-id", "FREQUENCY_PLAN_ID") : null)
            ?? Typed(AppId, "invalid_app_id", "app id", "--app-id")
            ?? Typed(AppAccessKey, "invalid_app_access_key", "app access key", "--app-access-key", secret: true)
            ?? Typed(FrequencyPlanId, "invalid_frequency_plan_id", "frequency plan id", "--frequency-plan-id")
            ?? Address(DiscoveryServerAddress, "discovery_server_address", "discovery server address", "--discovery-server-address")
            ?? Address(HandlerAddress, "handler_address", "handler address", "--handler-address")
            ?? Rate();
    }

    /// <summary>The number in <see cref="RequestsPerSecond"/>.</summary>
    public int CallsPerSecond() => int.Parse(RequestsPerSecond.Value, NumberStyles.None, CultureInfo.InvariantCulture);

    /// <summary>One sentence for each default that decides what happens to devices.</summary>
    public IReadOnlyList<string> DecidedByDefault()
    {
        var sentences = new List<string>();
        if (WithSession.IsDefault)
            sentences.Add("sessions are exported, and cleared at V2, because with-session was not given; say with-session=false to leave sessions behind and let devices join anew, or with-session=true to keep this");
        if (HandlerAddress.Value.Length == 0 && (DiscoveryServerAddress.IsDefault || DiscoveryServerAddress.Value.Length == 0))
            sentences.Add($"the discovery server of the community, {CommunityDiscovery}, was asked because discovery-server-address was not given");
        return sentences;
    }

    private Failure? Rate() =>
        int.TryParse(RequestsPerSecond.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var rate) && rate <= 10_000
            ? null
            : Failure.Named("source/ttnv2", "invalid_requests_per_second", $"requests per second `{RequestsPerSecond.Value}` is not a number from 0 to 10000") with
            {
                Advice = $"give {Where(RequestsPerSecond, "--requests-per-second")} a whole number; 0 means no limit, 5 is what V2 allows",
            };

    private static Failure? Required(Setting<string> setting, string name, string message, string flag, string variable) =>
        setting.Value.Length > 0 ? null : Failure.Named("source/ttnv2", name, message) with { Advice = $"give {flag}, or set {variable}" };

    /// <summary>Says what people typed or pasted around a value; null when nothing.</summary>
    internal static string? Typed(string value)
    {
        if (value is ['"' or '\'' or '\u201c' or '\u2018' or '`', ..] or [.., '"' or '\'' or '\u201d' or '\u2019' or '`'])
            return "has quotes in it";
        if (value.Length != value.AsSpan().Trim().Length)
            return "has blanks around it";
        return Placeholders.Contains(value) || value.Contains('<', StringComparison.Ordinal) ? "is the placeholder of the guide" : null;
    }

    private static Failure? Typed(Setting<string> setting, string name, string what, string flag, bool secret = false)
    {
        var problem = Typed(setting.Value);
        var where = Where(setting, flag);
        string advice;
        switch (problem)
        {
            case "has quotes in it":
                advice = $"{where} was set with quotes that became part of the value; with `set` on Windows write the value without quotes";
                break;
            case null when secret && setting.Value.AsSpan().ContainsAnyExceptInRange('!', '~'):
                problem = "has characters that no key has (blanks, line ends, accents)";
                advice = $"copy the key again from the V2 console into {where}";
                break;
            case null:
                return null;
            default:
                advice = $"put the value itself into {where}";
                break;
        }
        return Failure.Named("source/ttnv2", name, $"{what}{(secret ? "" : $" `{setting.Value}`")} {problem}") with { Advice = advice };
    }

    private static Failure? Address(Setting<string> setting, string name, string what, string flag)
    {
        if (setting.Value.Length == 0 || setting.IsDefault)
            return null;
        return Typed(setting, "invalid_" + name, what, flag)
            ?? (TtnV2Address.TryParse(setting.Value, out _, out var reason)
                ? null
                : Failure.Named("source/ttnv2", "invalid_" + name, $"{what}: {reason}") with { Advice = $"correct {Where(setting, flag)}; an example is {CommunityDiscovery}" });
    }

    private static string Where(Setting<string> setting, string flag) => setting.Origin ?? flag;
}
