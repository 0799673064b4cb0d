namespace Cli.CommandLine;

/// <summary>What a flag takes.</summary>
public enum FlagKind
{
    /// <summary>A text: <c>--f=v</c> or <c>--f v</c>.</summary>
    Text,

    /// <summary>Nothing, or <c>=true</c> and <c>=false</c>; never the next word.</summary>
    Switch,
}

/// <summary>An environment variable that a flag takes its default from.</summary>
/// <param name="Name">Name of the variable.</param>
/// <param name="TrueWord">The only text that turns a switch on.</param>
/// <param name="Hidden">An old spelling: read, but not shown.</param>
public sealed record EnvironmentVariable(string Name, string TrueWord = "true", bool Hidden = false);

/// <summary>One flag of the command line as data: parsing, help, completion and documentation derive from it.</summary>
/// <param name="Name">Name without dashes.</param>
/// <param name="Kind">What it takes.</param>
/// <param name="Description">Text in help; may have several lines.</param>
public sealed record Flag(string Name, FlagKind Kind, string Description)
{
    /// <summary>Where the value is kept. Several flags (old spellings, the form with the source's prefix) may share one target; default: the name.</summary>
    public string Target { get; init; } = Name;

    /// <summary>One-letter form, or null.</summary>
    public char? Shorthand { get; init; }

    /// <summary>Value when neither the command line nor the environment says anything.</summary>
    public string Default { get; init; } = Kind == FlagKind.Switch ? "false" : "";

    /// <summary>Variables that give the default, the first one that is not empty wins.</summary>
    public IReadOnlyList<EnvironmentVariable> Variables { get; init; } = [];

    /// <summary>A secret never shows a value in help, and an empty flag falls back to the environment.</summary>
    public bool Secret { get; init; }

    /// <summary>Accepted but not shown: an old spelling.</summary>
    public bool Hidden { get; init; }

    /// <summary>The flag is not known to the Go tool.</summary>
    public bool Addition { get; init; }

    /// <summary>Words offered by completion; empty when any text is possible.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>Name as written in messages: <c>--name</c> or <c>-h, --help</c>.</summary>
    public string Display => Shorthand is { } letter ? $"-{letter}, --{Name}" : $"--{Name}";
}
