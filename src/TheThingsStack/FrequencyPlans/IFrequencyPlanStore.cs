using LoRaWan.Regional;
using TheThingsStack.Errors;

namespace TheThingsStack.FrequencyPlans;

/// <summary>A plan, or why there is none. Exactly one of the two is set.</summary>
/// <param name="Plan">The plan with inheritance applied and checked.</param>
/// <param name="Failure">Named as in facts/frequency-plans.md section 5.</param>
public readonly record struct FrequencyPlanResult(FrequencyPlan? Plan, Failure? Failure);

/// <summary>
/// Where frequency plans come from: the plans compiled in (<see cref="EmbeddedFrequencyPlanStore"/>, the default, no I/O), or a folder or
/// HTTP server laid out like the frequency plans repository of The Things Network (<see cref="RepositoryFrequencyPlanStore"/>).
/// </summary>
public interface IFrequencyPlanStore
{
    /// <summary>Gives a plan by its ID. Every ID is resolved once per run; completes synchronously when the plan is at hand.</summary>
    ValueTask<FrequencyPlanResult> FindAsync(string id, CancellationToken cancellation);

    /// <summary>Gives all plans in the order of the index, the ones that cannot be read as failures.</summary>
    /// <exception cref="FailureException">The index itself cannot be read.</exception>
    IAsyncEnumerable<FrequencyPlanResult> ListAsync(CancellationToken cancellation);
}

/// <summary>What holds for every store.</summary>
public static class FrequencyPlanStores
{
    /// <summary>Reads the index, so that plans that cannot be had at all are told once and not as the fault of each device.</summary>
    /// <exception cref="FailureException">The index cannot be read.</exception>
    public static async Task RequireIndexAsync(this IFrequencyPlanStore plans, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(plans);
        // No plan is read for a name that the index does not have.
        if ((await plans.FindAsync("", cancellation).ConfigureAwait(false)).Failure is { Name: FrequencyPlanFailures.NoList } failure)
            throw new FailureException(failure);
    }
}
