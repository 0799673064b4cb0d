namespace TheThingsStack.Import;

/// <summary>
/// The field rules (facts/tts-api.md section 12), applied by each server to what it is sent, and again to what it would store.
/// </summary>
internal static class ValidationRules
{
    private const string Error = "pkg/errors:validation";

    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("validation", ImportStep.IdentityServer, "every field that is sent keeps the rules of its type", Validate),
    ];

    private static void Validate(ImportCheck check)
    {
        if (check.IsValid)
            return;
        foreach (var violation in AllViolations.Of(check.Device))
        {
            if (StepOf(check, violation.Field) is { } step)
                check.Report(step, "validation", violation.Field, Error, violation.Reason);
        }
    }

    /// <summary>Gives the step at which a field that breaks a rule is refused, or null when no server sees it.</summary>
    private static ImportStep? StepOf(ImportCheck check, string field)
    {
        if (check.Way == ImportWay.OfficialCli && IsReplacedByCli(field, check.Otaa))
            return null;
        var servers = check.Way == ImportWay.WholeParameters && field.StartsWith("picture", StringComparison.Ordinal)
            ? DeviceServers.IdentityServer
            : ImportMasks.OwnersOfField(field, check.Otaa);
        // The Identity Server is sent the fields of a device that is not there yet, and checks all it gets.
        if (servers.HasFlag(DeviceServers.IdentityServer))
            return ImportStep.IdentityServer;
        var (isZero, parentIsEmpty) = DevicePaths.Look(check.Device, field);
        var sent = !isZero || parentIsEmpty || check.SendsZeros(field);
        if (servers.HasFlag(DeviceServers.JoinServer))
            return sent ? ImportStep.JoinServerRequest : ImportStep.JoinServer;
        if (servers.HasFlag(DeviceServers.NetworkServer) && IsSentToNetworkServer(check, field))
            return sent ? ImportStep.NetworkServerRequest : IsFilledIn(field) ? null : ImportStep.NetworkServerStored;
        if (servers.HasFlag(DeviceServers.ApplicationServer))
            return sent ? ImportStep.ApplicationServerRequest : ImportStep.ApplicationServer;
        return null;
    }

    /// <summary>A session or state that holds nothing for the Network Server is not sent, so that nothing is missing in it.</summary>
    private static bool IsSentToNetworkServer(ImportCheck check, string field)
    {
        var dot = field.IndexOf('.', StringComparison.Ordinal);
        return (dot < 0 ? field : field[..dot]) switch
        {
            "session" => check.Session is not null,
            "mac_state" => check.MacState is not null,
            "pending_session" => check.PendingSession is not null,
            "pending_mac_state" => check.PendingMacState is not null,
            _ => true,
        };
    }

    private static bool IsReplacedByCli(string field, bool otaa) =>
        field is "network_server_address" or "application_server_address" || otaa && field == "join_server_address"
        || field is "ids.application_ids" or "ids.application_ids.application_id";

    /// <summary>The Network Server builds a MAC state and lays the sent fields over it, so what is not sent there is never missing.</summary>
    private static bool IsFilledIn(string field) =>
        field is "mac_state.current_parameters" or "mac_state.desired_parameters" || IsParameter(field);

    private static bool IsParameter(string field) =>
        field is "mac_state.current_parameters.rx2_frequency" or "mac_state.desired_parameters.rx2_frequency"
            or "mac_state.current_parameters.channels" or "mac_state.desired_parameters.channels";
}
