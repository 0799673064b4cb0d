using System.Runtime.CompilerServices;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Json;

namespace Migration.Filters;

/// <summary>A device and what The Things Stack would say to it.</summary>
/// <param name="Line">Line on which it starts, from 1.</param>
/// <param name="DeviceId">Its ID; empty when it has none or cannot be read.</param>
/// <param name="Findings">Errors and warnings; empty when there is nothing to say.</param>
public sealed record CheckedDevice(long Line, string DeviceId, IReadOnlyList<ImportFinding> Findings)
{
    /// <summary>Whether The Things Stack would take it.</summary>
    public bool IsAccepted
    {
        get
        {
            foreach (var finding in Findings)
            {
                if (finding.Severity == ImportSeverity.Error)
                    return false;
            }
            return true;
        }
    }
}

/// <summary>
/// Would The Things Stack import these devices? Applies the rules of <see cref="ImportRules"/> to each, and finds IDs and EUIs that occur
/// twice in the file. Memory grows by some 30 bytes for each device, for the IDs and EUIs seen.
/// </summary>
/// <param name="plans">Frequency plans.</param>
/// <param name="way">How the devices are going to be sent.</param>
public sealed class CheckFilter(IFrequencyPlanStore plans, ImportWay way)
{
    private readonly PlanLookup plans = new(plans);

    /// <summary>Checks a file, in its order.</summary>
    /// <exception cref="TtsJsonException">The file is not JSON at some place; the devices before it were given.</exception>
    public async IAsyncEnumerable<CheckedDevice> RunAsync(Stream input, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var seen = new SeenIdentifiers();
        await foreach (var batch in DeviceBatches.WorkAsync(input, keepRaw: false, validate: true, lines => CheckAsync(lines, cancellation), cancellation))
        {
            foreach (var (device, identifiers) in batch)
            {
                var duplicates = seen.Add(identifiers, device.Line);
                yield return duplicates.Count == 0 ? device : device with { Findings = [.. device.Findings, .. duplicates] };
            }
        }
    }

    private async Task<List<(CheckedDevice Device, DeviceIdentity Identifiers)>> CheckAsync(IReadOnlyList<DeviceLine> lines, CancellationToken cancellation)
    {
        var results = new List<(CheckedDevice, DeviceIdentity)>(lines.Count);
        foreach (var line in lines)
        {
            if (line.Device is not { } device)
            {
                results.Add((new CheckedDevice(line.Problem!.Line, "", [Unreadable(line.Problem!)]), default));
                continue;
            }
            var plan = await plans.FindAsync(device.FrequencyPlanId, cancellation);
            results.Add((new CheckedDevice(line.Line, device.Ids?.DeviceId ?? "", Shortened(ImportRules.Check(device, plan, way, line.IsValid))), DeviceIdentity.Of(device)));
        }
        return results;
    }

    /// <summary>A fault that several servers would complain about is one fault: the first complaint about a field counts.</summary>
    private static IReadOnlyList<ImportFinding> Shortened(IReadOnlyList<ImportFinding> findings) =>
        findings.Count < 2 ? findings : [.. findings.DistinctBy(finding => finding.Field)];

    private static ImportFinding Unreadable(TtsJsonException problem) =>
        new(ImportSeverity.Error, ImportStep.Client, "json", problem.Path, "", problem.Reason);
}
