using System.Security.Cryptography.X509Certificates;
using Cli.CommandLine;
using Microsoft.Extensions.Logging;
using Rpc;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Cli.Imports;

/// <summary>
/// The flags that name a target: addresses, key, trust. Only the key may come from the environment: the variables with addresses are those of
/// The Things Stack as a source, and a target must not be mistaken for it.
/// </summary>
/// <param name="prefix">Put before each name; empty for commands that have no source.</param>
internal sealed class TargetFlags(string prefix)
{
    public const string KeyVariable = "TTS_APP_API_KEY";

    /// <summary>The flags of <c>import</c>.</summary>
    public static TargetFlags Plain { get; } = new("");

    private string DefaultAddress => prefix + "default-grpc-address";

    private string Key => prefix + "app-api-key";

    private string KeyFile => prefix + "app-api-key-file";

    private string CaFile => prefix + "ca-file";

    private string Insecure => prefix + "insecure";

    /// <summary>Makes the flags.</summary>
    /// <param name="variable">Environment variable of the key.</param>
    public IReadOnlyList<Flag> All(string variable = KeyVariable) =>
    [
        new(DefaultAddress, FlagKind.Text, "address of the target, host:port, for all its servers") { Addition = true },
        Address("identity", "Identity"),
        Address("network", "Network"),
        Address("application", "Application"),
        Address("join", "Join"),
        new(Key, FlagKind.Text, "API key of the target application") { Secret = true, Variables = [new(variable)], Addition = true },
        new(KeyFile, FlagKind.Text, "file that holds the API key") { Addition = true },
        new(CaFile, FlagKind.Text, "file with certificates to trust, in PEM form") { Addition = true },
        new(Insecure, FlagKind.Switch, "call the target without TLS") { Addition = true },
    ];

    /// <summary>Whether an address is given, for commands that can do without a target.</summary>
    public bool IsGiven(FlagValues flags) =>
        flags.TextOrNull(DefaultAddress) is not null || flags.TextOrNull($"{prefix}identity-server-grpc-address") is not null;

    /// <summary>Whether no key but that of the environment is given.</summary>
    public bool IsKeyFromEnvironment(FlagValues flags) => flags.TextOrNull(KeyFile) is null && flags.Origin(Key) == FlagOrigin.Environment;

    /// <summary>Reads the flags.</summary>
    /// <exception cref="UsageException">An address is missing or is none.</exception>
    /// <exception cref="FailureException">The key or a file cannot be used.</exception>
    public ClusterOptions Read(Invocation invocation, ILogger log, AdaptiveConcurrency? concurrency)
    {
        var flags = invocation.Flags;
        var environment = invocation.Environment;
        return new ClusterOptions
        {
            Addresses = new ClusterAddresses(At(flags, "identity"), At(flags, "network"), At(flags, "application"), At(flags, "join")),
            Key = ReadKey(invocation),
            Tls = flags.IsOn(Insecure) ? null : Trust(flags),
            Clock = environment.Clock,
            Log = log,
            Environment = environment.Variable,
            Concurrency = concurrency,
        };
    }

    private Flag Address(string server, string title) =>
        new($"{prefix}{server}-server-grpc-address", FlagKind.Text, $"address of the target's {title} Server, when it is another one") { Addition = true };

    private HostPort At(FlagValues flags, string server)
    {
        var name = $"{prefix}{server}-server-grpc-address";
        var given = flags.TextOrNull(name) is not null ? name : DefaultAddress;
        if (flags.TextOrNull(given) is not { } text)
            throw new UsageException($"no address of the target: give --{DefaultAddress} host:port, e.g. eu1.cloud.thethings.network:8884");
        return HostPort.TryParse(text, out var address, out var reason) ? address : throw new UsageException($"--{given}: {reason}", "An example is eu1.cloud.thethings.network:8884.");
    }

    private ApiKey ReadKey(Invocation invocation)
    {
        var flags = invocation.Flags;
        var environment = invocation.Environment;
        string? text;
        string origin;
        if (flags.TextOrNull(KeyFile) is { } path)
        {
            origin = path;
            try
            {
                using var reader = new StreamReader(environment.OpenFile(path));
                text = reader.ReadToEnd();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                throw new FailureException(new Failure($"open {path}: {SystemReason.Of(e, path)}") { Advice = $"The path comes from --{KeyFile}." }, e);
            }
        }
        else
        {
            text = flags.TextOrNull(Key);
            origin = flags.OriginName(Key) ?? "";
            if (text is null && invocation.Arguments is [not "-"] && environment.StandardInputIsTerminal() && environment.StandardErrorIsTerminal()
                && environment.ReadHiddenLine is { } read)
            {
                environment.StandardError.Write("API key of the target application (what you type is not shown): ");
                text = read();
                environment.StandardError.Write("\n");
                origin = "what was typed";
            }
            if (text is null)
                throw new UsageException($"no API key: set the environment variable {flags.HowToSet(Key).Split(' ')[^1]}, or give --{KeyFile}");
        }
        return ApiKey.TryParse(text, out var key, out var reason)
            ? key
            : throw new FailureException(new Failure(reason) { Advice = $"it comes from {origin}; copy the whole key from the Console", NotAuthorised = true });
    }

    private TlsTrust Trust(FlagValues flags)
    {
        if (flags.TextOrNull(CaFile) is not { } path)
            return TlsTrust.System;
        return TlsTrust.TryReadFile(path, out X509Certificate2Collection? certificates, out var reason)
            ? TlsTrust.System.WithCertificateAuthorities(certificates)
            : throw new FailureException(new Failure(reason) { Advice = $"The path comes from --{CaFile}." });
    }
}
