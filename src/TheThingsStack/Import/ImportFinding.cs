namespace TheThingsStack.Import;

/// <summary>How a device is sent to The Things Stack (facts/tts-api.md section 7).</summary>
public enum ImportWay
{
    /// <summary>As the official <c>ttn-lw-cli end-devices create</c> does: a mask of single fields, so that zeros are never sent.</summary>
    OfficialCli,

    /// <summary>
    /// MAC parameters sent whole, so that zeros arrive as they are: exact, and stricter. Addresses of servers and claim codes are the device's own.
    /// </summary>
    WholeParameters,
}

/// <summary>Where an import fails, in the order of the calls. A later step is reached only when no earlier one fails.</summary>
public enum ImportStep
{
    /// <summary>The client refuses before it calls a server.</summary>
    Client,

    /// <summary><c>EndDeviceRegistry/Create</c> of the Identity Server.</summary>
    IdentityServer,

    /// <summary><c>JsEndDeviceRegistry/Set</c>: the fields as sent.</summary>
    JoinServerRequest,

    /// <summary><c>JsEndDeviceRegistry/Set</c>: the rules of the Join Server.</summary>
    JoinServer,

    /// <summary><c>NsEndDeviceRegistry/Set</c>: the fields as sent.</summary>
    NetworkServerRequest,

    /// <summary><c>NsEndDeviceRegistry/Set</c>: the rules of the Network Server.</summary>
    NetworkServer,

    /// <summary><c>NsEndDeviceRegistry/Set</c>: the device as it would be stored.</summary>
    NetworkServerStored,

    /// <summary><c>AsEndDeviceRegistry/Set</c>: the fields as sent.</summary>
    ApplicationServerRequest,

    /// <summary><c>AsEndDeviceRegistry/Set</c>: the rules of the Application Server, and the device as it would be stored.</summary>
    ApplicationServer,
}

/// <summary>Whether a finding stops the import.</summary>
public enum ImportSeverity
{
    /// <summary>The Things Stack takes the device, but somebody should look.</summary>
    Warning,

    /// <summary>The Things Stack refuses the device.</summary>
    Error,
}

/// <summary>One thing that is wrong, or worth a look, with a device.</summary>
/// <param name="Severity">Error or warning.</param>
/// <param name="Step">Call that would fail; for a warning the server that is concerned.</param>
/// <param name="Rule">Rule of facts/tts-api.md, e.g. <c>N10</c>, <c>validation</c>, or <c>W-</c> and a name for warnings.</param>
/// <param name="Field">Path of the field; empty when it is the whole device.</param>
/// <param name="Error">Name of the error that The Things Stack gives, e.g. <c>pkg/networkserver:field_value</c>; empty for warnings.</param>
/// <param name="Message">What is wrong and what to do, one line, never with a key.</param>
public sealed record ImportFinding(ImportSeverity Severity, ImportStep Step, string Rule, string Field, string Error, string Message);
