namespace TheThingsStack.Import;

/// <summary>The rules of the Application Server (facts/tts-api.md section 6).</summary>
internal static class ApplicationServerRules
{
    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("A1", ImportStep.ApplicationServer, "an AppSKey that is given is not zero", AppSKey),
        new("A2", ImportStep.ApplicationServer, "a session has an AppSKey or at least a session key ID", SessionKeys),
        new("A3", ImportStep.ApplicationServer, "ids.dev_addr equals session.dev_addr", DevAddr),
    ];

    private static void AppSKey(ImportCheck check)
    {
        if (check.Device.Session?.Keys is { } keys && ImportCheck.IsSent(keys.AppSKey) && ImportCheck.IsZero(keys.AppSKey))
        {
            check.Report(ImportStep.ApplicationServer, "A1", "session.keys.app_s_key.key", "pkg/applicationserver:field_value",
                "the AppSKey is empty or zero");
        }
    }

    private static void SessionKeys(ImportCheck check)
    {
        if (check.Device.Session is not { } session || session.DevAddr.IsEmpty && session.LastAFCntDown == 0)
            return;
        if (session.Keys is null || session.Keys.SessionKeyId.IsEmpty && !ImportCheck.IsSent(session.Keys.AppSKey))
        {
            check.Report(ImportStep.ApplicationServer, "A2", "session.keys.app_s_key.key", "pkg/errors:validation",
                "the session has no AppSKey, without which no payload can be read");
        }
    }

    private static void DevAddr(ImportCheck check)
    {
        if (check.Device.Ids is { DevAddr.IsEmpty: false } ids && ids.DevAddr != check.Device.Session?.DevAddr)
            check.Report(ImportStep.ApplicationServer, "A3", "ids.dev_addr", "pkg/applicationserver:field_value", "ids.dev_addr is not that of the session");
    }
}
