using System.Runtime.CompilerServices;
using Plans = LoRaWan.Regional.FrequencyPlans;

namespace TheThingsStack.FrequencyPlans;

/// <summary>The plans compiled into this program (snapshot of 2025-11-20). Needs no network and no files.</summary>
public sealed class EmbeddedFrequencyPlanStore : IFrequencyPlanStore
{
    /// <summary>The only instance; it has no state.</summary>
    public static EmbeddedFrequencyPlanStore Instance { get; } = new();

    private EmbeddedFrequencyPlanStore()
    {
    }

    /// <summary>Gives a plan by its ID, or <c>pkg/frequencyplans:not_found</c> with the nearest names as advice.</summary>
    public static FrequencyPlanResult Find(string id)
    {
        ArgumentNullException.ThrowIfNull(id);
        return Plans.Embedded.TryGet(id, out var plan)
            ? new(plan, null)
            : new(null, FrequencyPlanFailures.NotFound(id, Plans.Embedded.NearestIds(id)));
    }

    /// <inheritdoc/>
    public ValueTask<FrequencyPlanResult> FindAsync(string id, CancellationToken cancellation) => new(Find(id));

    /// <inheritdoc/>
    public async IAsyncEnumerable<FrequencyPlanResult> ListAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await Task.CompletedTask;
        foreach (var plan in Plans.Embedded.All)
        {
            cancellation.ThrowIfCancellationRequested();
            yield return new(plan, null);
        }
    }
}
