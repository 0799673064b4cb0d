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

    /// <summary>Finds a source by name or alias.</summary>
    public static SourceDefinition? Find(string name)
    {
        foreach (var source in All)
        {
            if (source.Name == name || source.Aliases.Contains(name) || source.OldPrefixes.Contains(name))
                return source;
        }
        return null;
    }
}
