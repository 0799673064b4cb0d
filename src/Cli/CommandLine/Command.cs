namespace Cli.CommandLine;

/// <summary>What a command is run with.</summary>
/// <param name="Command">The command found.</param>
/// <param name="Flags">Values of its flags.</param>
/// <param name="Arguments">Words that are not flags, in order.</param>
/// <param name="Environment">The world outside.</param>
/// <param name="Cancellation">Ends the run at once.</param>
public sealed record Invocation(
    Command Command, FlagValues Flags, IReadOnlyList<string> Arguments, CliEnvironment Environment, CancellationToken Cancellation);

/// <summary>One command of the tree as data. A command without <see cref="RunAsync"/> shows its help.</summary>
/// <param name="name">Name typed by the user.</param>
/// <param name="summary">One line for lists of commands.</param>
public sealed class Command(string name, string summary)
{
    private List<Command> _children = [];
    private IReadOnlyList<Flag>? _flags;

    /// <summary>Name typed by the user.</summary>
    public string Name { get; } = name;

    /// <summary>One line for lists of commands.</summary>
    public string Summary { get; } = summary;

    /// <summary>Text at the top of the command's own help; null: the summary.</summary>
    public string? Description { get; init; }

    /// <summary>What stands after the path in the usage line, e.g. <c>[dev-id] ...</c>.</summary>
    public string Operands { get; init; } = "";

    /// <summary>Whether the usage line ends with <c>[flags]</c>.</summary>
    public bool ShowsFlagsInUsage { get; init; } = true;

    /// <summary>Other names.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Title of the group in the parent's help, without colon; null: the last group.</summary>
    public string? Group { get; init; }

    /// <summary>What to use instead; the command is then hidden and prints a line when run.</summary>
    public string? Deprecated { get; init; }

    /// <summary>Works, but is not shown.</summary>
    public bool Hidden { get; init; }

    /// <summary>The command is not known to the Go tool.</summary>
    public bool Addition { get; init; }

    /// <summary>Command lines shown under "Examples:", one per line.</summary>
    public IReadOnlyList<string> Examples { get; init; } = [];

    /// <summary>Refuses words that are not flags.</summary>
    public bool TakesNoArguments { get; init; }

    /// <summary>Every word is an argument, also those that begin with a dash.</summary>
    public bool TakesFlagsAsArguments { get; init; }

    /// <summary>Makes the flags of this command alone; called when first needed.</summary>
    public Func<IReadOnlyList<Flag>>? FlagFactory { get; init; }

    /// <summary>Flags of this command and of all below it.</summary>
    public IReadOnlyList<Flag> PersistentFlags { get; init; } = [];

    /// <summary>Words to complete the next argument with, given the ones so far; null: the shell's default (files).</summary>
    public Func<Command, IReadOnlyList<string>, IEnumerable<Suggestion>>? CompleteArguments { get; init; }

    /// <summary>What the command does; gives the exit code.</summary>
    public Func<Invocation, Task<int>>? RunAsync { get; init; }

    /// <summary>The command above; null for the root.</summary>
    public Command? Parent { get; private set; }

    /// <summary>Commands below, sorted by name.</summary>
    public IReadOnlyList<Command> Children
    {
        get => _children;
        init
        {
            _children = [.. value];
            _children.Sort(static (a, b) => Columns.Compare(a.Name, b.Name));
            foreach (var child in _children)
                child.Parent = this;
        }
    }

    /// <summary>Shown in help and completion.</summary>
    public bool IsShown => !Hidden && Deprecated is null;

    /// <summary>The top of the tree.</summary>
    public Command Root => Parent is null ? this : Parent.Root;

    /// <summary>Full name, e.g. <c>ttn-lw-migrate ttnv2 device</c>.</summary>
    public string Path => Parent is null ? Name : $"{Parent.Path} {Name}";

    /// <summary>Flags of this command (its own, its persistent ones, and help), sorted by name.</summary>
    public IReadOnlyList<Flag> LocalFlags => _flags ??= MakeFlags();

    /// <summary>Flags of the commands above that hold here too, sorted by name.</summary>
    public IEnumerable<Flag> InheritedFlags
    {
        get
        {
            for (var above = Parent; above is not null; above = above.Parent)
            {
                foreach (var flag in above.PersistentFlags)
                {
                    if (FindIn(LocalFlags, flag.Name) is null)
                        yield return flag;
                }
            }
        }
    }

    /// <summary>Finds a flag that this command accepts.</summary>
    public Flag? FindFlag(string name)
    {
        if (FindIn(LocalFlags, name) is { } own)
            return own;
        for (var above = Parent; above is not null; above = above.Parent)
        {
            if (FindIn(above.PersistentFlags, name) is { } inherited)
                return inherited;
        }
        return null;
    }

    /// <summary>Finds a flag by its letter.</summary>
    public Flag? FindShorthand(char letter)
    {
        foreach (var flag in LocalFlags)
        {
            if (flag.Shorthand == letter)
                return flag;
        }
        return null;
    }

    /// <summary>Finds a child by name or alias.</summary>
    public Command? FindChild(string word)
    {
        foreach (var child in _children)
        {
            if (child.Name == word || Contains(child.Aliases, word))
                return child;
        }
        return null;
    }

    private static bool Contains(IReadOnlyList<string> words, string word)
    {
        foreach (var candidate in words)
        {
            if (candidate == word)
                return true;
        }
        return false;
    }

    private static Flag? FindIn(IReadOnlyList<Flag> flags, string name)
    {
        foreach (var flag in flags)
        {
            if (flag.Name == name)
                return flag;
        }
        return null;
    }

    private List<Flag> MakeFlags()
    {
        var flags = new List<Flag>();
        if (FlagFactory is not null)
            flags.AddRange(FlagFactory());
        flags.AddRange(PersistentFlags);
        flags.Add(new Flag("help", FlagKind.Switch, $"help for {Name}") { Shorthand = 'h' });
        flags.Sort(static (a, b) => Columns.Compare(a.Name, b.Name));
        return flags;
    }
}
