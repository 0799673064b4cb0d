using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>The networks this program knows, sorted by name.</summary>
internal static class SourceRegistry
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<SourceDefinition> All { get; } =
    [
        AwsIotNetwork.Define(),
        ChirpStackNetwork.Define(),
        FireflyNetwork.Define(),
        TtnV2Network.Define(),
        TtsNetwork.Define(),
        WanesyNetwork.Define(),
    ];

    /// <summary>Gives the source that <c>--source</c> names, by name, alias or old prefix.</summary>
    public static SourceDefinition Choose(IReadOnlyList<SourceDefinition> sources, string name)
    {
        var advice = $"Give --source with one of {string.Join(", ", sources.Select(s => s.Name))}.";
        if (name.Length == 0)
            throw new FailureException(Failure.Named("source", "no_source", "no source") with { Advice = advice });
        return sources.FirstOrDefault(s => s.Name == name || s.Aliases.Contains(name) || s.OldPrefixes.Contains(name))
            ?? throw new FailureException(Failure.Named("source", "not_registered", $"source `{name}` is not registered") with
            {
                Attributes = new Dictionary<string, string> { ["source"] = name },
                Advice = advice,
            });
    }
}
