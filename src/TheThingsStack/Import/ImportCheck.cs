using System.Runtime.InteropServices;
using Google.Protobuf;
using LoRaWan.Regional;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FieldMasks;

namespace TheThingsStack.Import;

/// <summary>One device under the rules: what they ask again and again, and where they report.</summary>
internal sealed class ImportCheck(EndDevice device, FrequencyPlan? plan, Band? band, Failure? planFailure, ImportWay way, bool isValid)
{
    private static readonly MACSettings NoSettings = new();

    public EndDevice Device { get; } = device;

    /// <summary>The plan, where the device names one that exists.</summary>
    public FrequencyPlan? Plan { get; } = plan;

    /// <summary>The band of the plan in the device's PHY version, where both exist.</summary>
    public Band? Band { get; } = band;

    /// <summary>Why <see cref="Band"/> is null.</summary>
    public Failure? PlanFailure { get; } = planFailure;

    public ImportWay Way { get; } = way;

    /// <summary>Whether it is known that the device keeps all field rules.</summary>
    public bool IsValid { get; } = isValid;

    /// <summary>What was reported; null when nothing was.</summary>
    public List<ImportFinding>? Findings { get; private set; }
    public MACSettings Settings { get; } = device.MacSettings ?? NoSettings;
    public bool Otaa => Device.SupportsJoin;

    /// <summary>The session as the Network Server is sent it: null when all that it holds is for the Application Server, or for no server.</summary>
    public Session? Session { get; } = Sent(device.Session, "session");

    /// <summary>The MAC state, where the Network Server is sent any of it.</summary>
    public MACState? MacState { get; } = Sent(device.MacState, "mac_state");

    /// <summary>The pending session, where the Network Server is sent any of it.</summary>
    public Session? PendingSession { get; } = Sent(device.PendingSession, "pending_session");

    /// <summary>The pending MAC state, where the Network Server is sent any of it.</summary>
    public MACState? PendingMacState { get; } = Sent(device.PendingMacState, "pending_mac_state");

    /// <summary>The parameters that the device brings, each with its path.</summary>
    public DeviceParameters[] Parameters { get; } = ParametersOf(device, way);

    /// <summary>The MAC version that decides about keys: that of the MAC state, else the device's.</summary>
    public MACVersion KeyVersion => Device.MacState is { LorawanVersion: not MACVersion.MacUnknown } state ? state.LorawanVersion : Device.LorawanVersion;

    /// <summary>Whether a zero below this path is sent: only in parameters that are sent whole.</summary>
    public bool SendsZeros(string path) =>
        Way == ImportWay.WholeParameters
        && (path.StartsWith("mac_state.current_parameters.", StringComparison.Ordinal) || path.StartsWith("mac_state.desired_parameters.", StringComparison.Ordinal));

    public void Report(ImportStep step, string rule, string field, string error, string message) =>
        (Findings ??= []).Add(new ImportFinding(ImportSeverity.Error, step, rule, field, error, message));

    /// <summary>Reports a field that the Network Server refuses with <c>field_value</c>.</summary>
    public void NetworkServer(string rule, string field, string message) =>
        Report(ImportStep.NetworkServer, rule, field, "pkg/networkserver:field_value", message);

    public void JoinServer(string rule, string field, string message) =>
        Report(ImportStep.JoinServer, rule, field, "pkg/joinserver:field_value", message);

    public void Warn(ImportStep step, string rule, string field, string message) =>
        (Findings ??= []).Add(new ImportFinding(ImportSeverity.Warning, step, rule, field, "", message));

    private static T? Sent<T>(T? message, string path)
        where T : class, IMessage =>
        message is null || message.CalculateSize() == 0 || FieldPath.NonZero(message, path).Any(AllowedPaths.For(MaskedCall.NetworkServerSet).Contains) ? message : null;

    private static DeviceParameters[] ParametersOf(EndDevice device, ImportWay way)
    {
        if (device.MacState is null && device.PendingMacState is null)
            return [];
        var found = new List<DeviceParameters>(4);
        var areWhole = way == ImportWay.WholeParameters;
        Add(device.MacState?.CurrentParameters, "mac_state.current_parameters", areWhole);
        Add(device.MacState?.DesiredParameters, "mac_state.desired_parameters", areWhole);
        Add(device.PendingMacState?.CurrentParameters, "pending_mac_state.current_parameters", areWhole: false);
        Add(device.PendingMacState?.DesiredParameters, "pending_mac_state.desired_parameters", areWhole: false);
        return [.. found];

        void Add(MACParameters? parameters, string path, bool areWhole)
        {
            if (parameters is not null)
                found.Add(new DeviceParameters(path, parameters, areWhole));
        }
    }

    /// <summary>No bytes, or only zero bytes.</summary>
    public static bool IsZero(ByteString? bytes) => bytes is null || !bytes.Span.ContainsAnyExcept((byte)0);

    /// <summary>No key, or an all-zero key.</summary>
    public static bool IsZero(KeyEnvelope? envelope) => IsZero(envelope?.Key);

    /// <summary>Whether the key's path is sent: there are key bytes (even zero ones), or the envelope is empty and sent as such.</summary>
    public static bool IsSent(KeyEnvelope? envelope) =>
        envelope is not null && (envelope.Key.Length > 0 || envelope is { KekLabel.Length: 0, EncryptedKey.Length: 0 });
}

/// <summary>MAC parameters of a device.</summary>
/// <param name="Path">Path of the message.</param>
/// <param name="Values">The parameters.</param>
/// <param name="AreWhole">They are sent whole, zeros included.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct DeviceParameters(string Path, MACParameters Values, bool AreWhole);
