using Cli.CommandLine;
using Migration;
using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>Values of the flags of one source, by bare name, whichever form they were given in.</summary>
/// <param name="source">Name of the source.</param>
/// <param name="values">Values of the whole command line.</param>
/// <param name="environment">The world outside.</param>
internal sealed class SourceFlags(string source, FlagValues values, CliEnvironment environment)
{
    /// <summary>What the command exports; null for a command about a journal.</summary>
    public ExportedItems? Items { get; init; }

    /// <summary>Whether devices are imported before they are retired.</summary>
    public bool StraightThrough { get; init; }

    /// <summary>Text of a flag with its origin; empty when nothing is said.</summary>
    public Setting<string> Text(string name) => new(values.Text(Target(name)), values.OriginName(Target(name)));

    /// <summary>Text of a flag with its origin; the value is null when it is empty.</summary>
    public Setting<string?> TextOrNull(string name) => new(values.TextOrNull(Target(name)), values.OriginName(Target(name)));

    /// <summary>Switch with its origin.</summary>
    public Setting<bool> Switch(string name) => new(values.IsOn(Target(name)), values.OriginName(Target(name)));

    /// <summary>How to set a flag in the form of this command line.</summary>
    public string HowToSet(string name) => values.HowToSet(Target(name));

    /// <summary>Opens a file for reading.</summary>
    public Stream OpenFile(string path) => environment.OpenFile(path);

    /// <summary>Fails under the name <paramref name="error"/> when a required flag is empty.</summary>
    public Failure? Require(string name, string package, string error, string message) =>
        values.Text(Target(name)).Length > 0
            ? null
            : Failure.Named("source/" + package, error, message) with { Advice = $"Give {HowToSet(name)}." };

    /// <summary>Fails when a file is named but cannot be opened.</summary>
    public Failure? RequireReadable(string name)
    {
        var path = values.Text(Target(name));
        if (path.Length == 0)
            return null;
        try
        {
            environment.OpenFile(path).Dispose();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return new Failure($"open {path}: {SystemReason.Of(e, path)}") { Advice = $"The path comes from {values.OriginName(Target(name))}." };
        }
    }

    private string Target(string name) => $"{source}.{name}";
}
