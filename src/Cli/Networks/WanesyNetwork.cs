using Cli.CommandLine;
using Sources.Wanesy;

namespace Cli.Networks;

/// <summary>Wanesy Management Center of Kerlink, from its CSV file.</summary>
internal static class WanesyNetwork
{
    public static SourceDefinition Define() => new()
    {
        Name = "wanesy",
        Summary = "Migrate from Wanesy Management Center",
        Description = "Migrate from Wanesy Management Center",
        WithoutArguments = ItemsWithoutArguments.Configured,
        DefaultApplications = static flags => flags.Switch("all").Value ? [flags.Text("app-id").Value] : [],
        Flags = static () =>
        [
            new("all", FlagKind.Switch, "Export all devices in the CSV. This is only used by the application command"),
            new("app-id", FlagKind.Text, "Application ID for the exported devices") { Variables = [new("APP_ID")] },
            new("csv-path", FlagKind.Text, "Path to the CSV file exported from Wanesy Management Center") { Variables = [new("CSV_PATH")] },
            new("frequency-plan-id", FlagKind.Text, "Frequency Plan ID for the exported devices") { Variables = [new("FREQUENCY_PLAN_ID")] },
        ],
        Check = static flags =>
            flags.Require("app-id", "wanesy", "no_app_id", "no app id")
            ?? flags.Require("frequency-plan-id", "wanesy", "no_frequency_plan_id", "no frequency plan ID")
            ?? flags.Require("csv-path", "wanesy", "no_csv_file_provided", "no csv file provided")
            ?? flags.RequireReadable("csv-path"),
        Open = static (flags, context) => WanesySource.Open(Options(flags), context),
    };

    private static WanesyOptions Options(SourceFlags flags)
    {
        var path = flags.Text("csv-path").Value;
        return new WanesyOptions(flags.Text("app-id").Value, flags.Text("frequency-plan-id").Value, path, () => flags.OpenFile(path));
    }
}
