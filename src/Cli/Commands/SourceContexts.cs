using Cli.CommandLine;
using Microsoft.Extensions.Logging;
using Migration;

namespace Cli.Commands;

/// <summary>What a source gets from the command line's surroundings.</summary>
internal static class SourceContexts
{
    /// <summary>Clock, randomness, log, frequency plans and environment of this run.</summary>
    /// <exception cref="TheThingsStack.Errors.FailureException">The flags name no usable place for frequency plans.</exception>
    public static SourceContext Create(Invocation invocation, ILogger log)
    {
        var environment = invocation.Environment;
        return new SourceContext(environment.Clock, environment.Entropy.Invoke, log)
        {
            FrequencyPlans = FrequencyPlanFlags.Open(invocation.Flags, environment),
            Environment = environment.Variable,
        };
    }
}
