using Cli.CommandLine;

namespace Cli.Commands;

/// <summary>Flags of every command, before or after its name.</summary>
internal static class GlobalFlags
{
    public const string DeviceIdPrefix = "dev-id-prefix";
    public const string DryRun = "dry-run";
    public const string FailFast = "fail-fast";
    public const string FrequencyPlansFolder = "frequency-plans-dir";
    public const string FrequencyPlansUrl = "frequency-plans-url";
    public const string SetEuiAsId = "set-eui-as-id";
    public const string Verbose = "verbose";

    /// <summary>The flags, sorted by name.</summary>
    public static IReadOnlyList<Flag> All() =>
    [
        new(DeviceIdPrefix, FlagKind.Text, "(optional) value to be prefixed to the resulting device IDs"),
        new(DryRun, FlagKind.Switch, "Do everything except resetting root and session keys of exported devices"),
        new(FailFast, FlagKind.Switch, "Stop at the first device that fails instead of going on") { Addition = true },
        new(FrequencyPlansFolder, FlagKind.Text, "folder of frequency plans to use instead of those of this program") { Addition = true },
        new(FrequencyPlansUrl, FlagKind.Text, "URL for fetching frequency plans, instead of using those of this program"),
        new(SetEuiAsId, FlagKind.Switch, "Use the DevEUI as device ID") { Hidden = true },
        new(Verbose, FlagKind.Switch, "Verbose output"),
    ];
}
