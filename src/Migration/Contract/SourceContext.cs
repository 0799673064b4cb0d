using Microsoft.Extensions.Logging;
using TheThingsStack.FrequencyPlans;

namespace Migration;

/// <summary>Fills a span with bytes that nobody can guess.</summary>
public delegate void Entropy(Span<byte> bytes);

/// <summary>What a source gets from its surroundings.</summary>
/// <param name="Clock">Time of day and timers.</param>
/// <param name="Entropy">Randomness, e.g. for session key IDs.</param>
/// <param name="Log">Debug and progress lines of the source; never gets a secret.</param>
public sealed record SourceContext(TimeProvider Clock, Entropy Entropy, ILogger Log)
{
    /// <summary>Where frequency plans come from. Default: the plans compiled in, no network access.</summary>
    public IFrequencyPlanStore FrequencyPlans { get; init; } = EmbeddedFrequencyPlanStore.Instance;

    /// <summary>Gives an environment variable or null, e.g. HTTPS_PROXY. Default: none is set.</summary>
    public Func<string, string?> Environment { get; init; } = static _ => null;
}
