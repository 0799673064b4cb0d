using Cli.CommandLine;
using Cli.Journals;
using Migration;
using Migration.Journal;
using Sources.TtnV2;
using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>The Things Network V2.</summary>
internal static class TtnV2Network
{
    private const string HandlerPrefix = "handler/";

    public static SourceDefinition Define() => new()
    {
        Name = "ttnv2",
        Summary = "Export devices from TTN V2",
        Description = "Migrate from The Things Network Stack V2",
        Flags = Flags,
        Check = Check,
        Open = static (flags, context) => TtnV2Source.Open(Options(flags), context),
        Journal = new JournalSupport(Server, static flags => flags.Text("app-id").Value, OpenForJournal)
        {
            IsServerGiven = static flags => !flags.Text("handler-address").IsDefault || !flags.Text("discovery-server-address").IsDefault,
        },
    };

    private static IReadOnlyList<Flag> Flags() =>
    [
        Private("account-server-address", "Address for the Account Server", "ACCOUNT_SERVER_ADDRESS") with { Default = TtnV2Options.CommunityAccountServer },
        Private("account-server-client-id", "Client ID for the Account Server", "ACCOUNT_SERVER_CLIENT_ID"),
        Private("account-server-client-secret", "Client secret for the Account Server", "ACCOUNT_SERVER_CLIENT_SECRET") with { Secret = true },
        new("app-access-key", FlagKind.Text, "TTN Application Access Key (with 'devices' permissions)") { Secret = true, Variables = [new("TTNV2_APP_ACCESS_KEY")] },
        new("app-id", FlagKind.Text, "TTN Application ID") { Variables = [new("TTNV2_APP_ID")] },
        Private("ca-cert", "File with certificates to trust, in PEM form", "CA_CERT"),
        Private("discovery-server-address", "Address for the Discovery Server", "DISCOVERY_SERVER_ADDRESS") with { Default = TtnV2Options.CommunityDiscovery },
        Private("discovery-server-insecure", "Not recommended", "DISCOVERY_SERVER_INSECURE", FlagKind.Switch),
        new("frequency-plan-id", FlagKind.Text, "Frequency Plan ID of exported devices") { Variables = [new("FREQUENCY_PLAN_ID")] },
        Private("handler-address", "Address for the Handler", "HANDLER_ADDRESS"),
        Private("requests-per-second", "Calls to the cluster in one second, 0 for no limit", "REQUESTS_PER_SECOND") with { Default = "5", Addition = true },
        new("resets-to-frequency-plan", FlagKind.Switch, "Configure preset frequencies for ABP devices so that they match the used Frequency Plan")
        {
            Variables = [new("TTNV2_RESETS_TO_FREQUENCY_PLAN")],
        },
        // The guide tells people to leave the flag out when sessions shall move.
        new("with-session", FlagKind.Switch, "Export device session keys and frame counters") { Default = "true", Variables = [new("TTNV2_WITH_SESSION")] },
    ];

    private static Flag Private(string name, string description, string variable, FlagKind kind = FlagKind.Text) =>
        new(name, kind, "(only for private networks) " + description) { Variables = [new("TTNV2_" + variable)] };

    private static TtnV2Options Options(SourceFlags flags) => new()
    {
        AppId = flags.Text("app-id"),
        AppAccessKey = flags.Text("app-access-key"),
        FrequencyPlanId = flags.Text("frequency-plan-id"),
        CaCert = flags.Text("ca-cert"),
        HandlerAddress = flags.Text("handler-address"),
        DiscoveryServerAddress = flags.Text("discovery-server-address"),
        DiscoveryServerInsecure = flags.Switch("discovery-server-insecure"),
        AccountServerAddress = flags.Text("account-server-address"),
        AccountServerClientId = flags.Text("account-server-client-id"),
        AccountServerClientSecret = flags.Text("account-server-client-secret"),
        WithSession = flags.Switch("with-session"),
        ResetsToFrequencyPlan = flags.Switch("resets-to-frequency-plan"),
        RequestsPerSecond = flags.Text("requests-per-second"),
        StraightThrough = flags.StraightThrough,
    };

    /// <summary>The address that names the network in a journal.</summary>
    private static string Server(SourceFlags flags) =>
        flags.Text("handler-address").Value is { Length: > 0 } handler ? HandlerPrefix + handler
        : flags.Text("discovery-server-address").Value is { Length: > 0 } discovery ? discovery
        : TtnV2Options.CommunityDiscovery;

    /// <summary>For devices that a journal names: no frequency plan is needed, and network and application are those of the journal.</summary>
    private static TtnV2Source OpenForJournal(SourceFlags flags, SourceContext context, JournalScope scope)
    {
        var options = Options(flags) with { Exports = false };
        if (options.AppId.Value.Length == 0)
            options = options with { AppId = new Setting<string>("any") };
        if (options.HandlerAddress.IsDefault && options.DiscoveryServerAddress.IsDefault)
        {
            options = scope.Server.StartsWith(HandlerPrefix, StringComparison.Ordinal)
                ? options with { HandlerAddress = new Setting<string>(scope.Server[HandlerPrefix.Length..], "the journal") }
                : options with { DiscoveryServerAddress = new Setting<string>(scope.Server, "the journal") };
        }
        if (Check(flags, options) is { } failure)
            throw new FailureException(failure);
        return TtnV2Source.Open(options, context);
    }

    private static Failure? Check(SourceFlags flags) => Check(flags, Options(flags));

    private static Failure? Check(SourceFlags flags, TtnV2Options options) => (flags.RequireReadable("ca-cert") ?? options.Validate()) switch
    {
        // The form of the flag depends on the command, which the options do not know.
        { Name: "no_app_id" } failure => failure with { Advice = $"Give {flags.HowToSet("app-id")}." },
        { Name: "no_app_access_key" } failure => failure with { Advice = $"Give {flags.HowToSet("app-access-key")}." },
        { Name: "no_frequency_plan_id" } failure => failure with { Advice = $"Give {flags.HowToSet("frequency-plan-id")}." },
        var other => other,
    };
}
