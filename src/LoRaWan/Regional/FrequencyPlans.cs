using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace LoRaWan.Regional;

/// <summary>A set of frequency plans, by ID and by the names other networks use.</summary>
public sealed class FrequencyPlans
{
    private readonly Dictionary<string, FrequencyPlan> byId = [];
    private readonly IReadOnlyList<(string Alias, string PlanId)> aliases;

    /// <summary>Makes a set without aliases. Of several plans with one ID the first counts.</summary>
    /// <param name="plans">The plans, in the order they are listed.</param>
    public FrequencyPlans(IEnumerable<FrequencyPlan> plans) : this(plans, [])
    {
    }

    internal FrequencyPlans(IEnumerable<FrequencyPlan> plans, IReadOnlyList<(string Alias, string PlanId)> aliases)
    {
        All = [.. plans.Where(plan => byId.TryAdd(plan.Id, plan))];
        this.aliases = aliases;
    }

    /// <summary>
    /// The 71 plans of The Things Stack as of 2025-11-20, inheritance applied, in the order of its index. Read when first asked for.
    /// </summary>
    public static FrequencyPlans Embedded => FrequencyPlanTable.Plans;

    /// <summary>The plans in the order they were given.</summary>
    public ImmutableArray<FrequencyPlan> All { get; }

    /// <summary>Finds a plan.</summary>
    /// <param name="id">ID, e.g. <c>EU_863_870_TTN</c>; case matters.</param>
    /// <param name="plan">The plan.</param>
    public bool TryGet(string id, [NotNullWhen(true)] out FrequencyPlan? plan) => byId.TryGetValue(id, out plan);

    /// <summary>Names that other networks use for a plan, and its former IDs.</summary>
    /// <param name="id">ID of the plan.</param>
    public IEnumerable<string> AliasesOf(string id) => aliases.Where(entry => entry.PlanId == id).Select(entry => entry.Alias);

    /// <summary>
    /// Plans that other networks call by a name (<c>EU868</c>, <c>us915_1</c>), or that had it as ID; the one to prefer first.
    /// Case and separators do not matter.
    /// </summary>
    public IEnumerable<FrequencyPlan> FindByAlias(string alias)
    {
        var letters = NearestNames.Letters(alias);
        return aliases.Where(entry => NearestNames.Letters(entry.Alias) == letters).Select(entry => byId[entry.PlanId]);
    }

    /// <summary>IDs that somebody who wrote an unknown ID may have meant: first those with that alias, then those spelled like it.</summary>
    /// <param name="id">The unknown ID.</param>
    /// <param name="count">How many at most.</param>
    public IReadOnlyList<string> NearestIds(string id, int count = 3) =>
    [
        .. FindByAlias(id).Select(plan => plan.Id)
            .Concat(NearestNames.Of(id, All.Select(plan => plan.Id), count))
            .Distinct(StringComparer.Ordinal)
            .Take(count),
    ];
}
