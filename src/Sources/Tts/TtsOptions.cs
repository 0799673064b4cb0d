using Migration;
using Rpc;
using TheThingsStack.Errors;

namespace Sources.Tts;

/// <summary>What the user says about The Things Stack that devices leave (facts/tts-source.md section 2).</summary>
public sealed record TtsOptions
{
    /// <summary>Address that says: this server does not exist, or is not to be asked.</summary>
    public const string NoServer = "none";

    private const string Package = "source/tts/config";

    /// <summary>Application of devices that are named without one, and of <c>application</c> without arguments.</summary>
    public Setting<string> AppId { get; init; } = new("");

    /// <summary>API key; secret. Required.</summary>
    public Setting<string> AppApiKey { get; init; } = new("");

    /// <summary>File of PEM certificates to trust beside those of the system. Empty: none.</summary>
    public Setting<string> CaFile { get; init; } = new("");

    /// <summary>Plaintext instead of TLS. Default false.</summary>
    public Setting<bool> Insecure { get; init; } = new(false);

    /// <summary>Stands for each address below that is empty.</summary>
    public Setting<string> DefaultAddress { get; init; } = new("");

    /// <summary><c>host:port</c> of the Identity Server; it has the list of devices and cannot be <see cref="NoServer"/>.</summary>
    public Setting<string> IdentityServerAddress { get; init; } = new("");

    /// <summary><c>host:port</c> of the Join Server, or <see cref="NoServer"/>.</summary>
    public Setting<string> JoinServerAddress { get; init; } = new("");

    /// <summary><c>host:port</c> of the Application Server, or <see cref="NoServer"/>.</summary>
    public Setting<string> ApplicationServerAddress { get; init; } = new("");

    /// <summary><c>host:port</c> of the Network Server, or <see cref="NoServer"/>.</summary>
    public Setting<string> NetworkServerAddress { get; init; } = new("");

    /// <summary>Leave the sessions of devices that join behind, so that they join anew. Default false.</summary>
    public Setting<bool> NoSession { get; init; } = new(false);

    /// <summary>Delete each device at the source once its line is written. Default false.</summary>
    public Setting<bool> DeleteSourceDevice { get; init; } = new(false);

    /// <summary>Set schedule_downlinks to false at the source's Network Server once the line is written. Default false.</summary>
    public Setting<bool> DisableSourceDownlinks { get; init; } = new(false);

    /// <summary>Export KEK labels, Application Server ID, NetID and provisioner of the source cluster. Default false.</summary>
    public Setting<bool> KeepClusterFields { get; init; } = new(false);

    /// <summary>Export claim authentication codes. Default false.</summary>
    public Setting<bool> ExportClaimCodes { get; init; } = new(false);

    /// <summary>Devices read or changed at a time; empty: as many as the servers do best with.</summary>
    public Setting<string> Concurrency { get; init; } = new("");

    /// <summary>Says what is wrong with these values, in the order and with the names of the Go tool; null when nothing is.</summary>
    /// <param name="needsAppId">Whether devices may be named without an application.</param>
    public Failure? Validate(bool needsAppId = true)
    {
        if (needsAppId && AppId.Value.Length == 0)
            return Failure.Named(Package, "no_app_id", "no app id") with { Advice = "give --app-id, or set TTS_APP_ID" };
        if (AppApiKey.Value.Length == 0)
            return Failure.Named(Package, "no_app_api_key", "no app api key") with { Advice = "give --app-api-key, or set TTS_APP_API_KEY" };
        if (AppApiKey.Value.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            return Failure.Named(Package, "invalid_app_api_key", "app api key has characters that no key has (blanks, line ends, accents)") with
            {
                Advice = $"copy the key again from the Console into {AppApiKey.Origin ?? "--app-api-key"}",
            };
        }
        if (Concurrency.Value.Length > 0 && FixedConcurrency() is null)
        {
            return Failure.Named(Package, "invalid_concurrency", $"concurrency `{Concurrency.Value}` is not a number from 1 to {TtsSource.MostDevices}") with
            {
                Advice = $"correct {Concurrency.Origin ?? "--concurrency"}, or leave it out to let the tool find the best",
            };
        }
        return Address(TtsServer.Application, out _) ?? Address(TtsServer.Identity, out _) ?? Address(TtsServer.Join, out _) ?? Address(TtsServer.Network, out _);
    }

    /// <summary>What the user said about the address of one server; the default address when nothing.</summary>
    internal Setting<string> AddressSetting(TtsServer server)
    {
        var own = server switch
        {
            TtsServer.Identity => IdentityServerAddress,
            TtsServer.Join => JoinServerAddress,
            TtsServer.Application => ApplicationServerAddress,
            _ => NetworkServerAddress,
        };
        return own.Value.Length > 0 ? own : DefaultAddress;
    }

    /// <summary>Gives the address of one server, null when it is <see cref="NoServer"/>; or says what is wrong with it.</summary>
    internal Failure? Address(TtsServer server, out HostPort? address)
    {
        address = null;
        var name = $"{server.ToString().ToLowerInvariant()}_server_grpc_address";
        var text = $"{server.ToString().ToLowerInvariant()} server grpc address";
        var flag = $"--{name.Replace('_', '-')}";
        var setting = AddressSetting(server);
        if (setting.Value.Length == 0)
            return Failure.Named(Package, "no_" + name, "no " + text) with { Advice = $"give {flag}, or one address for all servers with --default-grpc-address" };
        if (setting.Value == NoServer)
        {
            return server == TtsServer.Identity
                ? Failure.Named(Package, "invalid_" + name, $"{text} is `{NoServer}`, but the list of devices is there") with { Advice = $"give {flag}" }
                : null;
        }
        if (!HostPort.TryParse(setting.Value, out var parsed, out var reason))
            return Failure.Named(Package, "invalid_" + name, $"{text}: {reason}") with { Advice = $"correct {setting.Origin ?? flag}; an example is eu1.cloud.thethings.network:8884" };
        address = parsed;
        return null;
    }

    /// <summary>The concurrency that the user set, or null.</summary>
    internal int? FixedConcurrency() =>
        int.TryParse(Concurrency.Value, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= TtsSource.MostDevices ? number : null;

    /// <summary>What happens to a device at the source after its line is written.</summary>
    internal RetireScope Retires =>
        DeleteSourceDevice.Value ? RetireScope.Device : DisableSourceDownlinks.Value ? RetireScope.Downlinks : RetireScope.None;

    /// <summary>One sentence for each default that decides what happens to devices.</summary>
    internal IReadOnlyList<string> DecidedByDefault()
    {
        var sentences = new List<string>();
        if (Retires == RetireScope.None && DeleteSourceDevice.IsDefault && DisableSourceDownlinks.IsDefault)
            sentences.Add("exported devices were left as they are at the source; say delete-source-device to delete them there, or disable-source-downlinks to stop its downlinks to them (the Go tool always did that)");
        if (NoSession.IsDefault)
            sentences.Add("sessions were exported; say no-session to let devices join anew. Downlinks that wait in the source's queues stay behind in any case");
        return sentences;
    }
}
