using Cli.CommandLine;
using Migration;
using TheThingsStack.Errors;

namespace Cli.Networks;

/// <summary>Where the items of <c>application</c> come from when no argument is given.</summary>
internal enum ItemsWithoutArguments
{
    /// <summary>One per line of standard input.</summary>
    StandardInput,

    /// <summary>The source knows: <see cref="SourceDefinition.DefaultApplications"/>.</summary>
    Configured,
}

// Delegates of their own: a Func over types of other assemblies would load those assemblies at each start.

/// <summary>Checks the flags of a source in the order of the Go tool; null when they will do.</summary>
internal delegate Failure? FlagCheck(SourceFlags flags);

/// <summary>Makes a source once its flags are checked; must not call anyone.</summary>
internal delegate IDeviceSource SourceFactory(SourceFlags flags, SourceContext context);

/// <summary>One network as the command line knows it. Adding a network is one such definition and one line in <see cref="SourceRegistry"/>.</summary>
internal sealed class SourceDefinition
{
    /// <summary>Name of the command, of <c>--source</c>, and prefix of the flags.</summary>
    public required string Name { get; init; }

    /// <summary>One line for the list of commands.</summary>
    public required string Summary { get; init; }

    /// <summary>One line for <c>sources</c>.</summary>
    public required string Description { get; init; }

    /// <summary>One line for the <c>device</c> command.</summary>
    public string DeviceSummary { get; init; } = "Export devices by Device ID";

    /// <summary>Other names of the command and of <c>--source</c>.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Former prefixes of the flags on the deprecated commands.</summary>
    public IReadOnlyList<string> OldPrefixes { get; init; } = [];

    /// <summary>Makes the flags, with bare names.</summary>
    public required Func<IReadOnlyList<Flag>> Flags { get; init; }

    /// <summary>Checks the flags in the order of the Go tool; null when they will do.</summary>
    public required FlagCheck Check { get; init; }

    /// <summary>Makes the source once the flags are checked; null while this version cannot read the network. Must not call anyone.</summary>
    public SourceFactory? Open { get; init; }

    /// <summary>How devices are retired and restored; null while this version cannot change the network.</summary>
    public Journals.JournalSupport? Journal { get; init; }

    /// <summary>Devices in hand at a time; the source limits further. Default 16.</summary>
    public int Concurrency { get; init; } = 16;

    /// <summary>Where <c>application</c> without arguments looks.</summary>
    public ItemsWithoutArguments WithoutArguments { get; init; }

    /// <summary>Applications of <c>application</c> without arguments, for <see cref="ItemsWithoutArguments.Configured"/>.</summary>
    public Func<SourceFlags, IReadOnlyList<string>> DefaultApplications { get; init; } = static _ => [];

    /// <summary>Addresses (host:port) of a The Things Stack that devices leave; empty for other networks.</summary>
    public Func<SourceFlags, IReadOnlyList<string>> TheThingsStackAddresses { get; init; } = static _ => [];

    /// <summary>Flags of <c>NAME device</c> and <c>NAME application</c>.</summary>
    public IReadOnlyList<Flag> FlagsOfCommands()
    {
        var flags = new List<Flag>();
        foreach (var flag in Flags())
            flags.Add(flag with { Target = TargetOf(flag) });
        return flags;
    }

    /// <summary>Flags of the deprecated commands: with the prefix, and hidden with each old prefix.</summary>
    public IReadOnlyList<Flag> FlagsOfDeprecatedCommands()
    {
        var flags = new List<Flag>();
        foreach (var flag in Flags())
        {
            flags.Add(flag with { Name = $"{Name}.{flag.Name}", Target = TargetOf(flag) });
            foreach (var old in OldPrefixes)
                flags.Add(flag with { Name = $"{old}.{flag.Name}", Target = TargetOf(flag), Hidden = true });
        }
        return flags;
    }

    private string TargetOf(Flag flag) => $"{Name}.{flag.Target}";
}
