namespace TheThingsStack.Import;

/// <summary>What the client refuses before it calls a server (facts/tts-api.md section 7).</summary>
internal static class ClientRules
{
    private const string Package = "cmd/ttn-lw-cli/commands:";

    public static IReadOnlyList<ImportRule> All { get; } =
    [
        new("C8", ImportStep.Client, "a device has an ID", DeviceId),
        new("C10", ImportStep.Client, "a claim code claims the device, which the target must support", ClaimCode),
        new("C11", ImportStep.Client, "a device that joins has a DevEUI", DevEui),
        new("C1", ImportStep.Client, "a picture has no embedded data", Picture),
    ];

    private static void DeviceId(ImportCheck check)
    {
        if (check.Way == ImportWay.OfficialCli && string.IsNullOrEmpty(check.Device.Ids?.DeviceId))
            check.Report(ImportStep.Client, "C8", "ids.device_id", Package + "no_end_device_id", "no device ID; give ids.device_id");
    }

    private static void ClaimCode(ImportCheck check)
    {
        if (check.Way == ImportWay.OfficialCli && check.Device.ClaimAuthenticationCode is { Value.Length: > 0 })
        {
            check.Report(ImportStep.Client, "C10", "claim_authentication_code.value", Package + "claiming_not_supported",
                "a claim code makes the import claim the device, which fails unless the Join Server of its JoinEUI supports claiming; leave claim_authentication_code out");
        }
    }

    private static void DevEui(ImportCheck check)
    {
        if (check is { Way: ImportWay.OfficialCli, Otaa: true, Device.Ids.DevEui.Length: 0 })
            check.Report(ImportStep.Client, "C11", "ids.dev_eui", Package + "no_end_device_eui", "a device that joins needs ids.dev_eui");
    }

    private static void Picture(ImportCheck check)
    {
        if (check is { Way: ImportWay.OfficialCli, Device.Picture.Embedded: { } embedded } && embedded.CalculateSize() > 0)
            check.Report(ImportStep.Client, "C1", "picture.embedded", "", "the official CLI crashes on embedded pictures; leave picture out");
    }
}
