using Cli.CommandLine;
using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>Firefly of Digimondo.</summary>
internal static class FireflyNetwork
{
    private static readonly string[] MacVersions = ["1.0.0", "1.0.1", "1.0.2a", "1.0.2b", "1.0.3", "1.1.0a", "1.1.0b"];

    public static SourceDefinition Define() => new()
    {
        Name = "firefly",
        Summary = "Export devices from Digimondo's Firefly",
        Description = "Migrate from Digimondo's Firefly",
        WithoutArguments = ItemsWithoutArguments.Configured,
        Flags = Flags,
        Check = Check,
    };

    private static IReadOnlyList<Flag> Flags() =>
    [
        new("all", FlagKind.Switch, "Export all devices that the API key has access to. This is only used by the application command")
        {
            Variables = [new("EXPORT_ALL")],
        },
        new("api-key", FlagKind.Text, "Key to access the Firefly API") { Secret = true, Variables = [new("FIREFLY_API_KEY")] },
        new("app-id", FlagKind.Text, "Application ID for the exported devices") { Variables = [new("APP_ID")] },
        new("ca-cert-path", FlagKind.Text, "(optional) Path to the CA certificate for the Firefly API") { Variables = [new("FIREFLY_CA_CERT_PATH")] },
        new("frequency-plan-id", FlagKind.Text, "Frequency Plan ID for the exported devices") { Variables = [new("FREQUENCY_PLAN_ID")] },
        new("host", FlagKind.Text, "Host of the Firefly API. Don't use the scheme (http/https). Port is optional") { Variables = [new("FIREFLY_HOST")] },
        new("invalidate-keys", FlagKind.Switch,
            """
            Invalidate the root and/or session keys of the devices on the Firefly server.
            This is necessary to prevent both networks from communicating with the same device.
            The last byte of the keys will be incremented by 0x01. This enables an easy rollback if necessary.
            Setting this flag to false would result in a dry run,
            where the devices are exported but they are still valid on the firefly server
            """)
        {
            Variables = [new("INVALIDATE_KEYS")],
        },
        new("join-eui", FlagKind.Text, "JoinEUI for the exported devices") { Variables = [new("JOIN_EUI")] },
        new("mac-version", FlagKind.Text, $"LoRaWAN MAC version for the exported devices.\nSupported options are {string.Join(", ", MacVersions)}")
        {
            Variables = [new("MAC_VERSION")],
            Words = MacVersions,
        },
        new("use-http", FlagKind.Switch, "(optional) Use HTTP instead of HTTPS for the Firefly API. Only for testing") { Variables = [new("FIREFLY_USE_HTTP")] },
    ];

    private static Failure? Check(SourceFlags flags) =>
        flags.Require("app-id", "firefly", "no_app_id", "no app id")
        ?? flags.Require("frequency-plan-id", "firefly", "no_frequency_plan_id", "no frequency plan ID")
        ?? flags.Require("join-eui", "firefly", "no_join_eui", "no join eui")
        ?? flags.Require("host", "firefly", "no_host", "no host")
        ?? flags.Require("api-key", "firefly", "no_api_key", "no api key")
        ?? CheckMacVersion(flags)
        ?? flags.RequireReadable("ca-cert-path");

    private static Failure? CheckMacVersion(SourceFlags flags)
    {
        var text = flags.Text("mac-version").Value;
        return MacVersions.Contains(text)
            ? null
            : Failure.Named("source/firefly", "invalid_mac_version", $"invalid MAC version `{text}`") with
            {
                Attributes = new Dictionary<string, string> { ["mac_version"] = text },
                Advice = $"Give {flags.HowToSet("mac-version")}; one of {string.Join(", ", MacVersions)}.",
            };
    }
}
