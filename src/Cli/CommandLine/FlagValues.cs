namespace Cli.CommandLine;

/// <summary>Who decided the value of a flag.</summary>
public enum FlagOrigin
{
    /// <summary>Nobody: the default of the program.</summary>
    Default,

    /// <summary>An environment variable.</summary>
    Environment,

    /// <summary>The command line.</summary>
    CommandLine,
}

/// <summary>A value from the command line or the environment.</summary>
/// <param name="Text">The value.</param>
/// <param name="Flag">Name of the flag it was given with, without dashes, or of the variable; may be an old spelling.</param>
public sealed record GivenValue(string Text, string Flag);

/// <summary>
/// Values of the flags of one command line. Order (facts/cli-surface.md section 4): the command line beats the environment beats the
/// default; for a secret, an empty flag falls back to the environment.
/// </summary>
/// <param name="command">The command whose flags count.</param>
/// <param name="given">Values from the command line by target, the last one of each, with the name of the flag as typed.</param>
/// <param name="variable">Reads the environment.</param>
public sealed class FlagValues(Command command, IReadOnlyDictionary<string, GivenValue> given, Func<string, string?> variable)
{
    /// <summary>Text of a flag, "" when nothing says anything.</summary>
    /// <param name="target">Target of the flag, e.g. <c>ttnv2.app-id</c>.</param>
    public string Text(string target) => Resolve(target).Value;

    /// <summary>Text of a flag, null when it is empty.</summary>
    public string? TextOrNull(string target) => Resolve(target).Value is { Length: > 0 } text ? text : null;

    /// <summary>Whether a switch is on.</summary>
    public bool IsOn(string target) => BooleanWord.TryParse(Resolve(target).Value, out var on) && on;

    /// <summary>Who decided the value.</summary>
    public FlagOrigin Origin(string target) => Resolve(target).Origin;

    /// <summary>Name of the flag (with dashes) or variable that decided the value; null for a default.</summary>
    public string? OriginName(string target) => Resolve(target).Name;

    /// <summary>How to set a flag, e.g. <c>--app-id or the environment variable APP_ID</c>.</summary>
    public string HowToSet(string target)
    {
        var flag = Find(target);
        if (flag is null)
            return "--" + target;
        foreach (var source in flag.Variables)
        {
            if (!source.Hidden)
                return $"--{flag.Name} or the environment variable {source.Name}";
        }
        return "--" + flag.Name;
    }

    /// <summary>
    /// Variables of switches that hold a text which a reader would take for "on" but which counts as off: only one exact word is on.
    /// </summary>
    /// <param name="prefix">Looks only at targets that begin so.</param>
    public IEnumerable<(EnvironmentVariable Variable, string Value)> MisreadSwitches(string prefix)
    {
        foreach (var flag in command.LocalFlags)
        {
            if (flag.Kind != FlagKind.Switch || !flag.Target.StartsWith(prefix, StringComparison.Ordinal) || given.ContainsKey(flag.Target))
                continue;
            foreach (var source in flag.Variables)
            {
                if (variable(source.Name) is { Length: > 0 } value && value != source.TrueWord && !IsOffWord(value))
                    yield return (source, value);
            }
        }
    }

    /// <summary>The default that help shows: from the environment (never for a secret) or from the program.</summary>
    public static string DefaultFor(Flag flag, Func<string, string?> variable) =>
        flag.Secret ? "" : FromEnvironment(flag, variable)?.Text ?? flag.Default;

    private static bool IsOffWord(string value) =>
        (BooleanWord.TryParse(value, out var on) && !on)
        || value.Equals("no", StringComparison.OrdinalIgnoreCase) || value.Equals("off", StringComparison.OrdinalIgnoreCase);

    private static GivenValue? FromEnvironment(Flag flag, Func<string, string?> variable)
    {
        foreach (var source in flag.Variables)
        {
            if (variable(source.Name) is { Length: > 0 } value)
                return new GivenValue(flag.Kind == FlagKind.Text ? value : value == source.TrueWord ? "true" : "false", source.Name);
        }
        return null;
    }

    private (string Value, FlagOrigin Origin, string? Name) Resolve(string target)
    {
        var flag = Find(target);
        if (given.TryGetValue(target, out var word) && !(flag is { Secret: true } && word.Text.Length == 0))
            return (word.Text, FlagOrigin.CommandLine, "--" + word.Flag);
        if (flag is null)
            return ("", FlagOrigin.Default, null);
        return FromEnvironment(flag, variable) is { } found
            ? (found.Text, FlagOrigin.Environment, found.Flag)
            : (flag.Default, FlagOrigin.Default, null);
    }

    private Flag? Find(string target)
    {
        Flag? found = null;
        foreach (var flag in command.LocalFlags)
        {
            if (flag.Target == target && (found is null || (found.Hidden && !flag.Hidden)))
                found = flag;
        }
        if (found is not null)
            return found;
        foreach (var flag in command.InheritedFlags)
        {
            if (flag.Target == target)
                return flag;
        }
        return null;
    }
}

/// <summary>Words that a switch takes after <c>=</c>.</summary>
internal static class BooleanWord
{
    public static bool TryParse(string text, out bool value)
    {
        value = text is "1" or "t" or "T" or "true" or "TRUE" or "True";
        return value || text is "0" or "f" or "F" or "false" or "FALSE" or "False";
    }
}
