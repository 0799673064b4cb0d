using LoRaWan.Regional;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Mac;

namespace TheThingsStack.Import;

/// <summary>A rule that The Things Stack applies when a device is created.</summary>
public sealed class ImportRule
{
    private readonly Action<ImportCheck> apply;

    internal ImportRule(string id, ImportStep step, string says, Action<ImportCheck> apply)
    {
        Id = id;
        Step = step;
        Says = says;
        this.apply = apply;
    }

    /// <summary>Number in facts/tts-api.md sections 5 to 7 and 12, e.g. <c>N10</c>.</summary>
    public string Id { get; }

    /// <summary>Call that refuses a device which breaks the rule.</summary>
    public ImportStep Step { get; }

    /// <summary>The rule, one sentence.</summary>
    public string Says { get; }

    internal void Apply(ImportCheck check) => apply(check);
}

/// <summary>
/// Would The Things Stack take this device? The rules of its four servers for a device that is not there yet, as one table. They need the
/// device and its plan only; what other devices already hold (IDs, EUIs) is not asked.
/// </summary>
public static class ImportRules
{
    /// <summary>The rules in the order of the calls.</summary>
    public static IReadOnlyList<ImportRule> All => Table;

    private static readonly ImportRule[] Table =
    [
        .. ClientRules.All,
        .. ValidationRules.All,
        .. JoinServerRules.All,
        .. NetworkServerRules.All,
        .. NetworkServerBandRules.All,
        .. NetworkServerSessionRules.All,
        .. ApplicationServerRules.All,
        .. ImportWarnings.All,
    ];

    /// <summary>
    /// Gives everything that is wrong with a device, errors of all steps and warnings; an empty list when there is nothing to say. The
    /// Things Stack itself stops at the first step that fails and reports one of its errors, which one is random.
    /// </summary>
    /// <param name="device">Device to import.</param>
    /// <param name="plan">Result for its <c>frequency_plan_id</c>.</param>
    /// <param name="way">How it is sent.</param>
    /// <param name="isValid">The device is known to keep the field rules (<see cref="Json.DeviceLine.IsValid"/>), which are then not asked again.</param>
    public static IReadOnlyList<ImportFinding> Check(EndDevice device, FrequencyPlanResult plan, ImportWay way, bool isValid = false)
    {
        ArgumentNullException.ThrowIfNull(device);
        Band? band = null;
        var failure = plan.Failure;
        if (plan.Plan is { } found)
            BandVersions.TryGet(found, device.LorawanPhyVersion, out band, out failure);
        var check = new ImportCheck(device, plan.Plan, band, failure, way, isValid);
        foreach (var rule in Table)
            rule.Apply(check);
        return check.Findings ?? (IReadOnlyList<ImportFinding>)[];
    }

    /// <summary>Gives the errors that The Things Stack could answer with: those of the first step that fails. Empty when it takes the device.</summary>
    public static IReadOnlyList<ImportFinding> Verdict(IReadOnlyList<ImportFinding> findings)
    {
        ArgumentNullException.ThrowIfNull(findings);
        var errors = findings.Where(finding => finding.Severity == ImportSeverity.Error).ToList();
        return errors.Count == 0 ? errors : [.. errors.Where(finding => finding.Step == errors.Min(error => error.Step))];
    }
}
