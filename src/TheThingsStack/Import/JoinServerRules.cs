namespace TheThingsStack.Import;

/// <summary>The rules of the Join Server (facts/tts-api.md section 6); it is asked for devices that join only.</summary>
internal static class JoinServerRules
{
    /// <summary>The only provisioner that The Things Stack is built with.</summary>
    private const string KnownProvisioner = "microchip";

    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("J1", ImportStep.JoinServer, "a device that joins has a JoinEUI", JoinEui),
        new("J2", ImportStep.JoinServer, "a device that joins has a DevEUI that is not zero", DevEui),
        new("J3", ImportStep.JoinServer, "an AppKey that is given is not zero", AppKey),
        new("J4", ImportStep.JoinServer, "a device that joins has no ids.dev_addr", DevAddr),
        new("J5", ImportStep.JoinServer, "the provisioner is known", Provisioner),
    ];

    private static void JoinEui(ImportCheck check)
    {
        if (check is { Otaa: true, Way: ImportWay.WholeParameters } && check.Device.Ids is not { JoinEui.Length: > 0 })
            check.Report(ImportStep.JoinServer, "J1", "ids.join_eui", "pkg/joinserver:no_join_eui", "a device that joins needs ids.join_eui (it may be 0000000000000000)");
    }

    private static void DevEui(ImportCheck check)
    {
        if (check.Otaa && ImportCheck.IsZero(check.Device.Ids?.DevEui) && (check.Way == ImportWay.WholeParameters || check.Device.Ids?.DevEui.Length > 0))
            check.Report(ImportStep.JoinServer, "J2", "ids.dev_eui", "pkg/joinserver:no_dev_eui", "a device that joins needs a DevEUI that is not zero");
    }

    private static void AppKey(ImportCheck check)
    {
        if (check is not { Otaa: true, Device.RootKeys: { } keys })
            return;
        // Empty root keys are sent whole, and then the AppKey counts as given.
        if (ImportCheck.IsZero(keys.AppKey) && (ImportCheck.IsSent(keys.AppKey) || keys.CalculateSize() == 0))
            check.JoinServer("J3", "root_keys.app_key.key", "the AppKey is empty or zero; leave root_keys out when there is none");
    }

    private static void DevAddr(ImportCheck check)
    {
        if (check.Otaa && !ImportCheck.IsZero(check.Device.Ids?.DevAddr))
            check.JoinServer("J4", "ids.dev_addr", "ids.dev_addr is not allowed for a device that joins; leave it out (session.dev_addr stays)");
    }

    private static void Provisioner(ImportCheck check)
    {
        if (check.Otaa && check.Device.ProvisionerId is { Length: > 0 } provisioner && provisioner != KnownProvisioner)
            check.Report(ImportStep.JoinServer, "J5", "provisioner_id", "pkg/joinserver/redis:provisioner_not_found", $"provisioner `{provisioner}` is not known to The Things Stack");
    }
}
