using System.Buffers;
using Cli.CommandLine;
using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>ChirpStack v4.</summary>
internal static class ChirpStackNetwork
{
    private const string Package = "chirpstack/config";

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789ABCDEFabcdef");

    public static SourceDefinition Define() => new()
    {
        Name = "chirpstack",
        Summary = "Export devices from ChirpStack v4",
        Description = "Migrate from ChirpStack LoRaWAN Network Server v4",
        DeviceSummary = "Export devices by DevEUI",
        Flags = Flags,
        Check = Check,
    };

    private static IReadOnlyList<Flag> Flags() =>
    [
        new("api-key", FlagKind.Text, "ChirpStack API key")
        {
            Secret = true,
            Variables = [new("CHIRPSTACK_API_KEY"), new("CHIRPSTACK_API_TOKEN", Hidden: true)],
        },
        new("api-token", FlagKind.Text, "ChirpStack API key") { Target = "api-key", Secret = true, Hidden = true },
        new("api-url", FlagKind.Text, "ChirpStack API URL") { Variables = [new("CHIRPSTACK_API_URL")] },
        new("ca-cert-path", FlagKind.Text, "(optional) Path to the CA certificate file for ChirpStack API TLS connections")
        {
            Variables = [new("CHIRPSTACK_CA_CERT_PATH"), new("CHIRPSTACK_API_CA", Hidden: true)],
        },
        new("api-ca", FlagKind.Text, "Path to the CA certificate file") { Target = "ca-cert-path", Hidden = true },
        new("export-session", FlagKind.Switch, "Export device session keys from ChirpStack")
        {
            Variables = [new("EXPORT_SESSION"), new("CHIRPSTACK_EXPORT_SESSION", Hidden: true)],
        },
        new("export-vars", FlagKind.Switch, "Export device variables from ChirpStack") { Variables = [new("EXPORT_VARS")] },
        new("frequency-plan-id", FlagKind.Text, "Frequency Plan ID of exported devices") { Variables = [new("FREQUENCY_PLAN_ID")] },
        new("insecure", FlagKind.Switch, "Do not connect to ChirpStack over TLS")
        {
            Variables = [new("CHIRPSTACK_INSECURE"), new("CHIRPSTACK_API_INSECURE", TrueWord: "1", Hidden: true)],
        },
        new("api-insecure", FlagKind.Switch, "Do not connect over TLS") { Target = "insecure", Hidden = true },
        new("join-eui", FlagKind.Text, "JoinEUI of exported devices") { Variables = [new("JOIN_EUI")] },
    ];

    private static Failure? Check(SourceFlags flags) =>
        flags.Require("api-key", Package, "no_api_token", "no API token")
        ?? flags.Require("api-url", Package, "no_api_url", "no API URL")
        ?? flags.Require("frequency-plan-id", Package, "no_frequency_plan", "no Frequency Plan")
        ?? flags.Require("join-eui", Package, "no_join_eui", "no join eui")
        ?? CheckJoinEui(flags)
        ?? (flags.Switch("insecure").Value ? null : flags.RequireReadable("ca-cert-path"));


    private static Failure? CheckJoinEui(SourceFlags flags)
    {
        var text = flags.Text("join-eui").Value;
        return text.Length == 16 && !text.AsSpan().ContainsAnyExcept(HexDigits)
            ? null
            : Failure.Named("source/" + Package, "invalid_join_eui", $"invalid JoinEUI `{text}`") with
            {
                Attributes = new Dictionary<string, string> { ["join_eui"] = text },
                Advice = $"A JoinEUI has 16 hexadecimal digits; give {flags.HowToSet("join-eui")}.",
            };
    }
}
