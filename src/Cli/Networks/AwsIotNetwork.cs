using Cli.CommandLine;

namespace Cli.Networks;

/// <summary>AWS IoT Core for LoRaWAN.</summary>
internal static class AwsIotNetwork
{
    public static SourceDefinition Define() => new()
    {
        Name = "awsiot",
        Aliases = ["aws-iot"],
        Summary = "Export devices from AWS IoT",
        Description = "Migrate from AWS IoT",
        Flags = static () =>
        [
            new("app-id", FlagKind.Text, "Application ID for the exported devices") { Variables = [new("APP_ID")] },
            new("frequency-plan-id", FlagKind.Text, "Frequency Plan ID for the exported devices") { Variables = [new("FREQUENCY_PLAN_ID")] },
        ],
        Check = static flags =>
            flags.Require("app-id", "awsiot", "no_app_id", "no app id")
            ?? flags.Require("frequency-plan-id", "awsiot", "no_frequency_plan_id", "no frequency plan ID"),
    };
}
