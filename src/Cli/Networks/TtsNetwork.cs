using Cli.CommandLine;
using Cli.Journals;
using Migration;
using Migration.Journal;
using Sources.Tts;
using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>The Things Stack as a source.</summary>
internal static class TtsNetwork
{
    public const string Name = "tts";

    private static readonly string[] Addresses = ["default", "identity-server", "network-server", "application-server", "join-server"];

    public static SourceDefinition Define() => new()
    {
        Name = Name,
        Aliases = ["ttnv3"],
        OldPrefixes = ["ttnv3"],
        Summary = "Export devices from The Things Stack",
        Description = "Migrate from The Things Stack",
        WithoutArguments = ItemsWithoutArguments.Configured,
        DefaultApplications = static flags => flags.Text("app-id").Value is { Length: > 0 } application ? [application] : [],
        Flags = Flags,
        Check = Check,
        Open = static (flags, context) => TtsSource.Open(Options(flags), context, NeedsAppId(flags)),
        Journal = new JournalSupport(Server, static flags => flags.Text("app-id").Value, OpenForJournal)
        {
            IsServerGiven = static flags => Server(flags).Length > 0,
        },
        Concurrency = TtsSource.MostDevices,
        TheThingsStackAddresses = static flags =>
            [.. Addresses.Select(server => flags.Text(server + "-grpc-address").Value)],
    };

    private static IReadOnlyList<Flag> Flags() =>
    [
        new("app-api-key", FlagKind.Text, "TTS Application Access Key (with 'devices' permissions)") { Secret = true, Variables = Names("APP_API_KEY") },
        new("app-id", FlagKind.Text, "TTS Application ID") { Variables = Names("APP_ID") },
        Address("application", "Application"),
        new("ca-file", FlagKind.Text, "TTS Path to a CA file (optional)") { Variables = Names("CA_FILE") },
        new("concurrency", FlagKind.Text, "Devices read or changed at a time; without it the tool finds what the servers do best with") { Variables = [new("TTS_CONCURRENCY")], Addition = true },
        new("default-grpc-address", FlagKind.Text, "TTS default GRPC Address (optional)") { Variables = Names("DEFAULT_GRPC_ADDRESS") },
        new("delete-source-device", FlagKind.Switch, "TTS delete exported devices") { Variables = Names("DELETE_SOURCE_DEVICE") },
        new("disable-source-downlinks", FlagKind.Switch, "TTS stop downlinks to exported devices (schedule_downlinks false); rollback allows them again")
        {
            Variables = [new("TTS_DISABLE_SOURCE_DOWNLINKS")],
            Addition = true,
        },
        new("export-cacs", FlagKind.Switch, "Export claim authentication codes") { Hidden = true },
        Address("identity", "Identity"),
        new("insecure", FlagKind.Switch, "TTS allow TCP connection") { Variables = Names("INSECURE") },
        Address("join", "Join"),
        new("keep-cluster-fields", FlagKind.Switch, "TTS export KEK labels, NetID, Application Server ID and provisioner of the source cluster") { Variables = [new("TTS_KEEP_CLUSTER_FIELDS")], Addition = true },
        Address("network", "Network"),
        new("no-session", FlagKind.Switch, "TTS export devices without session") { Variables = Names("NO_SESSION") },
    ];

    private static Flag Address(string server, string title) =>
        new($"{server}-server-grpc-address", FlagKind.Text, $"TTS {title} Server GRPC Address")
        {
            Variables = Names($"{server.ToUpperInvariant()}_SERVER_GRPC_ADDRESS"),
        };

    private static IReadOnlyList<EnvironmentVariable> Names(string name) => [new("TTS_" + name), new("TTNV3_" + name, Hidden: true)];

    private static TtsOptions Options(SourceFlags flags) => new()
    {
        AppId = flags.Text("app-id"),
        AppApiKey = flags.Text("app-api-key"),
        CaFile = flags.Text("ca-file"),
        Insecure = flags.Switch("insecure"),
        DefaultAddress = flags.Text("default-grpc-address"),
        IdentityServerAddress = flags.Text("identity-server-grpc-address"),
        JoinServerAddress = flags.Text("join-server-grpc-address"),
        ApplicationServerAddress = flags.Text("application-server-grpc-address"),
        NetworkServerAddress = flags.Text("network-server-grpc-address"),
        NoSession = flags.Switch("no-session"),
        DeleteSourceDevice = flags.Switch("delete-source-device"),
        DisableSourceDownlinks = flags.Switch("disable-source-downlinks"),
        KeepClusterFields = flags.Switch("keep-cluster-fields"),
        ExportClaimCodes = flags.Switch("export-cacs"),
        Concurrency = flags.Text("concurrency"),
    };

    /// <summary>Applications are named on the command line, in the list, or are the configured one; single devices need the configured one.</summary>
    private static bool NeedsAppId(SourceFlags flags) => flags.Items != ExportedItems.Applications;

    /// <summary>The address that names the cluster in a journal; empty when the user gave none.</summary>
    private static string Server(SourceFlags flags) =>
        flags.Text("identity-server-grpc-address").Value is { Length: > 0 } identity ? identity : flags.Text("default-grpc-address").Value;

    /// <summary>For devices that a journal names: the application is that of the journal, and so is the cluster when none is given.</summary>
    private static TtsSource OpenForJournal(SourceFlags flags, SourceContext context, JournalScope scope)
    {
        var options = Options(flags);
        if (Server(flags).Length == 0)
            options = options with { DefaultAddress = new Setting<string>(scope.Server, "the journal") };
        if (Explained(flags, options.Validate(needsAppId: false)) is { } failure)
            throw new FailureException(failure);
        return TtsSource.Open(options, context, needsAppId: false);
    }

    private static Failure? Check(SourceFlags flags) =>
        Explained(flags, Options(flags).Validate(NeedsAppId(flags))) ?? StaysOnBoth(flags) ?? (flags.Switch("insecure").Value ? null : flags.RequireReadable("ca-file"));

    /// <summary>Straight through, a device that nothing is done about at the source would be on both sides.</summary>
    private static Failure? StaysOnBoth(SourceFlags flags) =>
        !flags.StraightThrough || flags.Switch("delete-source-device").Value || flags.Switch("disable-source-downlinks").Value
            ? null
            : Failure.Named("source/tts/config", "stays_at_source", "devices would be on both sides: nothing says what becomes of them at the source") with
            {
                Advice = "Give --delete-source-device, or --disable-source-downlinks; `ttn-lw-migrate rollback` takes either back.",
            };

    /// <summary>The form of the flag depends on the command, which the options do not know.</summary>
    private static Failure? Explained(SourceFlags flags, Failure? failure)
    {
        if (failure?.Name is not { } name || !name.StartsWith("no_", StringComparison.Ordinal))
            return failure;
        var flag = name["no_".Length..].Replace('_', '-');
        return failure with
        {
            Advice = flag.EndsWith("-address", StringComparison.Ordinal)
                ? $"Give {flags.HowToSet(flag)}; or one address for all servers with {flags.HowToSet("default-grpc-address")}."
                : $"Give {flags.HowToSet(flag)}.",
        };
    }
}
