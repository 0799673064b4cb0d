using System.Globalization;
using Cli.CommandLine;
using Migration.Import;
using TheThingsStack.Registries;

namespace Cli.Imports;

/// <summary>The flags that say how an import goes.</summary>
internal static class ImportFlags
{
    public const string OnConflict = "on-conflict";
    public const string PruneLeftovers = "prune-leftovers";
    private const string Concurrency = "concurrency";

    private const int MostConcurrency = 512;

    /// <summary>Makes the flags.</summary>
    /// <param name="prefix">Put before each name.</param>
    public static IReadOnlyList<Flag> All(string prefix) =>
    [
        new(prefix + OnConflict, FlagKind.Text, "a device that the application has already: fail, skip, update or replace") { Default = "fail", Words = ["fail", "skip", "update", "replace"], Addition = true },
        new(prefix + PruneLeftovers, FlagKind.Switch, "remove remains on Network, Application and Join Server of devices that the Identity Server does not know") { Addition = true },
        new(prefix + Concurrency, FlagKind.Text, "devices under way at a time; without it the tool finds what the servers do best with") { Addition = true },
        .. Abp(prefix),
    ];

    /// <summary>The flags that say what an import changes of ABP devices; a verification needs them too.</summary>
    /// <param name="prefix">Put before each name.</param>
    public static IReadOnlyList<Flag> Abp(string prefix) =>
    [
        new(prefix + AbpAdjustments.Rx1DelayName, FlagKind.Text, "RX1 delay in seconds that ABP devices were programmed for") { Addition = true },
        new(prefix + AbpAdjustments.ResetsFCntName, FlagKind.Switch, "ABP devices may start their counters again at 0") { Addition = true },
        new(prefix + AbpAdjustments.Supports32BitFCntName, FlagKind.Switch, "ABP devices count in 32 bits; =false: in 16") { Addition = true },
        new(prefix + AbpAdjustments.FactoryPresetsName, FlagKind.Switch, "ABP devices start with the channels of the frequency plan") { Addition = true },
    ];

    /// <summary>Reads the flags.</summary>
    /// <exception cref="UsageException">A value is not one.</exception>
    public static ImportOptions Read(FlagValues flags, string prefix, string application) => new()
    {
        Application = application,
        OnConflict = flags.Text(prefix + OnConflict) switch
        {
            "fail" or "" => ConflictWay.Fail,
            "skip" => ConflictWay.Skip,
            "update" => ConflictWay.Update,
            "replace" => ConflictWay.Replace,
            var other => throw new UsageException($"--{prefix}{OnConflict} is {Quote.Double(other)}; it is fail, skip, update or replace"),
        },
        PruneLeftovers = flags.IsOn(prefix + PruneLeftovers),
        Abp = ReadAbp(flags, prefix),
    };

    /// <summary>Reads the flags of <see cref="Abp"/>.</summary>
    /// <exception cref="UsageException">A value is not one.</exception>
    public static AbpAdjustments ReadAbp(FlagValues flags, string prefix) => new()
    {
        Rx1Delay = Number(flags, prefix + AbpAdjustments.Rx1DelayName, 15),
        ResetsFCnt = Given(flags, prefix + AbpAdjustments.ResetsFCntName),
        Supports32BitFCnt = Given(flags, prefix + AbpAdjustments.Supports32BitFCntName),
        FactoryPresetsFromPlan = flags.IsOn(prefix + AbpAdjustments.FactoryPresetsName),
    };

    /// <summary>How many devices may be under way.</summary>
    /// <exception cref="UsageException">The value is not a number.</exception>
    public static AdaptiveConcurrency ReadConcurrency(FlagValues flags, string prefix, TimeProvider clock) =>
        Number(flags, prefix + Concurrency, MostConcurrency) is { } number ? AdaptiveConcurrency.Fixed(clock, number) : AdaptiveConcurrency.Adaptive(clock);

    private static bool? Given(FlagValues flags, string name) => flags.Origin(name) == FlagOrigin.Default ? null : flags.IsOn(name);

    private static int? Number(FlagValues flags, string name, int most)
    {
        if (flags.TextOrNull(name) is not { } text)
            return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most
            ? number
            : throw new UsageException($"--{name} is {Quote.Double(text)}; it is a number from 1 to {most.ToString(CultureInfo.InvariantCulture)}");
    }
}
