using System.Globalization;

namespace Migration.Import;

/// <summary>What to do with a device that the application has already.</summary>
public enum ConflictWay
{
    /// <summary>That device fails; the others go on.</summary>
    Fail,

    /// <summary>It stays as it is.</summary>
    Skip,

    /// <summary>Its fields become those of the line; a session that it has got by joining there stays.</summary>
    Update,

    /// <summary>It is deleted on all servers and created anew; put back when that fails. Needs the right to read keys.</summary>
    Replace,
}

/// <summary>How an import goes.</summary>
public sealed record ImportOptions
{
    /// <summary>Application that gets the devices, whatever their lines say.</summary>
    public required string Application { get; init; }

    /// <summary>Check everything against the target, change nothing. Default false.</summary>
    public bool DryRun { get; init; }

    /// <summary>Devices that are there already. A device that is there exactly as in its line is never a conflict. Default: they fail.</summary>
    public ConflictWay OnConflict { get; init; }

    /// <summary>
    /// Remove what Network, Application and Join Server still hold under the ID or the EUIs of a device when the Identity Server does not know
    /// whose it is. Default false: such a device fails.
    /// </summary>
    public bool PruneLeftovers { get; init; }

    /// <summary>Stop at the first device that fails. Default false.</summary>
    public bool FailFast { get; init; }

    /// <summary>Only these device IDs; null for all.</summary>
    public IReadOnlySet<string>? Only { get; init; }

    /// <summary>
    /// The key must also have the right to read keys. A run that retires devices at their source needs it: when it was stopped half-way,
    /// only the keys tell whether a device at the target is the one that it sent. Default false.
    /// </summary>
    public bool NeedsToReadKeys { get; init; }

    /// <summary>Changes to ABP devices on the way.</summary>
    public AbpAdjustments Abp { get; init; } = new();
}

/// <summary>Changes to ABP devices (facts/cli-surface.md section 8, step 20). By default their lines stay as they are.</summary>
public sealed record AbpAdjustments
{
    /// <summary>Name of <see cref="Rx1Delay"/> on the command line and in the journal.</summary>
    public const string Rx1DelayName = "rx1-delay";

    /// <summary>Name of <see cref="ResetsFCnt"/>.</summary>
    public const string ResetsFCntName = "resets-f-cnt";

    /// <summary>Name of <see cref="Supports32BitFCnt"/>.</summary>
    public const string Supports32BitFCntName = "supports-32-bit-f-cnt";

    /// <summary>Name of <see cref="FactoryPresetsFromPlan"/>.</summary>
    public const string FactoryPresetsName = "factory-presets";

    /// <summary>RX1 delay in seconds, 1 to 15, that the devices were programmed for; null leaves it.</summary>
    public int? Rx1Delay { get; init; }

    /// <summary>Whether the devices may start their counters again at 0; null leaves it.</summary>
    public bool? ResetsFCnt { get; init; }

    /// <summary>Whether the devices count in 32 bits; null leaves it.</summary>
    public bool? Supports32BitFCnt { get; init; }

    /// <summary>The channels of the frequency plan are what the devices start with.</summary>
    public bool FactoryPresetsFromPlan { get; init; }

    /// <summary>Reads what <see cref="ToString"/> writes; words of later versions do not count.</summary>
    public static AbpAdjustments Of(string words)
    {
        ArgumentNullException.ThrowIfNull(words);
        var found = new AbpAdjustments();
        foreach (var word in words.Split(' '))
        {
            found = word.Split('=', 2) switch
            {
                [Rx1DelayName, var value] when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) => found with { Rx1Delay = seconds },
                [ResetsFCntName, var value] => found with { ResetsFCnt = value == "true" },
                [Supports32BitFCntName, var value] => found with { Supports32BitFCnt = value == "true" },
                [FactoryPresetsName, var value] => found with { FactoryPresetsFromPlan = value == "true" },
                _ => found,
            };
        }
        return found;
    }

    /// <summary>The options as they are named on the command line: <c>rx1-delay=5 resets-f-cnt=true</c>; empty when nothing changes.</summary>
    public override string ToString()
    {
        string?[] words =
        [
            Rx1Delay is { } seconds ? string.Create(CultureInfo.InvariantCulture, $"{Rx1DelayName}={seconds}") : null,
            Word(ResetsFCntName, ResetsFCnt),
            Word(Supports32BitFCntName, Supports32BitFCnt),
            Word(FactoryPresetsName, FactoryPresetsFromPlan ? true : null),
        ];
        return string.Join(' ', words.OfType<string>());

        static string? Word(string name, bool? value) => value is { } given ? $"{name}={(given ? "true" : "false")}" : null;
    }
}
