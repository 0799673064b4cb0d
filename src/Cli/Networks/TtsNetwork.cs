using Cli.CommandLine;
using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>The Things Stack as a source.</summary>
internal static class TtsNetwork
{
    private const string Package = "tts/config";

    public static SourceDefinition Define() => new()
    {
        Name = "tts",
        Aliases = ["ttnv3"],
        OldPrefixes = ["ttnv3"],
        Summary = "Export devices from The Things Stack",
        Description = "Migrate from The Things Stack",
        WithoutArguments = ItemsWithoutArguments.Configured,
        DefaultApplications = static flags => [flags.Text("app-id").Value],
        Flags = Flags,
        Check = Check,
    };

    private static IReadOnlyList<Flag> Flags() =>
    [
        new("app-api-key", FlagKind.Text, "TTS Application Access Key (with 'devices' permissions)") { Secret = true, Variables = Names("APP_API_KEY") },
        new("app-id", FlagKind.Text, "TTS Application ID") { Variables = Names("APP_ID") },
        Address("application", "Application"),
        new("ca-file", FlagKind.Text, "TTS Path to a CA file (optional)") { Variables = Names("CA_FILE") },
        new("default-grpc-address", FlagKind.Text, "TTS default GRPC Address (optional)") { Variables = Names("DEFAULT_GRPC_ADDRESS") },
        new("delete-source-device", FlagKind.Switch, "TTS delete exported devices") { Variables = Names("DELETE_SOURCE_DEVICE") },
        new("export-cacs", FlagKind.Switch, "Export claim authentication codes") { Hidden = true },
        Address("identity", "Identity"),
        new("insecure", FlagKind.Switch, "TTS allow TCP connection") { Variables = Names("INSECURE") },
        Address("join", "Join"),
        Address("network", "Network"),
        new("no-session", FlagKind.Switch, "TTS export devices without session") { Variables = Names("NO_SESSION") },
    ];

    private static Flag Address(string server, string title) =>
        new($"{server}-server-grpc-address", FlagKind.Text, $"TTS {title} Server GRPC Address")
        {
            Variables = Names($"{server.ToUpperInvariant()}_SERVER_GRPC_ADDRESS"),
        };

    private static IReadOnlyList<EnvironmentVariable> Names(string name) => [new("TTS_" + name), new("TTNV3_" + name, Hidden: true)];

    private static Failure? Check(SourceFlags flags) =>
        flags.Require("app-id", Package, "no_app_id", "no app id")
        ?? flags.Require("app-api-key", Package, "no_app_api_key", "no app api key")
        ?? CheckAddress(flags, "application")
        ?? CheckAddress(flags, "identity")
        ?? CheckAddress(flags, "join")
        ?? CheckAddress(flags, "network")
        ?? (flags.Switch("insecure").Value ? null : flags.RequireReadable("ca-file"));

    private static Failure? CheckAddress(SourceFlags flags, string server) =>
        flags.Text("default-grpc-address").Value.Length > 0
            ? null
            : flags.Require($"{server}-server-grpc-address", Package, $"no_{server}_server_grpc_address", $"no {server} server grpc address") is { } failure
                ? failure with { Advice = $"{failure.Advice![..^1]}; or one address for all servers with {flags.HowToSet("default-grpc-address")}." }
                : null;
}
