using Cli.CommandLine;
using Cli.Input;
using Cli.Journals;
using Cli.Networks;
using Cli.Output;

namespace Cli.Commands;

/// <summary>All commands of the program as data. Parsing, help, completion and the list of sources derive from it.</summary>
public static class CommandTree
{
    /// <summary>One line on what the program is.</summary>
    internal const string ProgramSummary = "Migrate from other LoRaWAN network servers to The Things Stack";

    /// <summary>Name of the program.</summary>
    internal const string ProgramName = "ttn-lw-migrate";

    private const string SourcesGroup = "Sources";
    private const string ApplicationSummary = "Export all devices of an application";

    /// <summary>Makes the tree.</summary>
    public static Command Create() => Create(SourceRegistry.All);

    /// <summary>Makes the tree with other networks.</summary>
    internal static Command Create(IReadOnlyList<SourceDefinition> sources)
    {
        var children = new List<Command>(sources.Count + 8);
        foreach (var source in sources)
            children.Add(ForSource(source));
        children.Add(Deprecated(sources, "device", "Export devices by DevEUI", "[dev-id] ...", ["end-devices", "end-device", "devices", "dev"]));
        children.Add(Deprecated(sources, "application", ApplicationSummary, "[app-id] ...", ["applications", "app"]));
        children.Add(new Command("sources", "List available sources")
        {
            Aliases = ["list-sources", "get-sources"],
            RunAsync = invocation => SourcesCommand.RunAsync(invocation, sources),
        });
        children.Add(new Command("version", "Print version information") { RunAsync = VersionCommand.RunAsync });
        children.Add(StatusCommand.Create());
        children.Add(RollbackCommand.Create());
        children.Add(JournalCommand.Create());
        children.Add(AddMacStateCommand.Create());
        children.Add(CheckCommand.Create());
        children.Add(Imports.ImportCommand.Create());
        children.Add(FrequencyPlansCommand.Create());
        children.Add(Verify.VerifyCommand.Create());
        children.Add(HelpCommand.Create());
        children.Add(CompletionCommand.Create());
        children.Add(CompletionCommand.CreateProtocol("__complete", withDescriptions: true));
        children.Add(CompletionCommand.CreateProtocol("__completeNoDesc", withDescriptions: false));
        return new Command(ProgramName, ProgramSummary)
        {
            PersistentFlags = GlobalFlags.All(),
            Children = children,
        };
    }

    private static IEnumerable<Flag> SafetyFlags(bool withIds) =>
        withIds ? [JournalFiles.JournalFlag, RejectsFile.Flag, IdsFile.Flag] : [JournalFiles.JournalFlag, RejectsFile.Flag];

    private static Command ForSource(SourceDefinition source) => new(source.Name, source.Summary)
    {
        Group = SourcesGroup,
        Aliases = source.Aliases,
        Children =
        [
            new Command("device", source.DeviceSummary)
            {
                Operands = "...",
                Aliases = ["end-devices", "end-device", "devices", "devs", "dev", "d"],
                FlagFactory = () => [.. source.FlagsOfCommands(), .. StraightThrough.Flags(), .. SafetyFlags(withIds: true)],
                RunAsync = invocation => ExportCommand.RunAsync(invocation, source, Migration.ExportedItems.Devices),
            },
            new Command("application", ApplicationSummary)
            {
                Operands = "...",
                Aliases = ["applications", "apps", "app", "a"],
                FlagFactory = () => [.. source.FlagsOfCommands(), .. StraightThrough.Flags(), .. SafetyFlags(withIds: false)],
                RunAsync = invocation => ExportCommand.RunAsync(invocation, source, Migration.ExportedItems.Applications),
            },
            .. source.Journal is null ? (ReadOnlySpan<Command>)[] : [RetireCommand.Create(source)],
        ],
    };

    private static Command Deprecated(
        IReadOnlyList<SourceDefinition> sources, string name, string summary, string operands, IReadOnlyList<string> aliases)
    {
        var names = new List<string>(sources.Count);
        foreach (var source in sources)
            names.Add(source.Name);
        var alternatives = string.Join('|', names);
        return new Command(name, summary)
        {
            Deprecated = $"use [{alternatives}] commands instead",
            Operands = operands,
            Aliases = aliases,
            FlagFactory = () =>
            {
                var flags = new List<Flag>
                {
                    new(ExportCommand.SourceFlag, FlagKind.Text, $"source ({alternatives})") { Words = names },
                };
                foreach (var source in sources)
                    flags.AddRange(source.FlagsOfDeprecatedCommands());
                flags.AddRange(SafetyFlags(withIds: name == "device"));
                return flags;
            },
            RunAsync = invocation => ExportCommand.RunAsync(
                invocation,
                SourceRegistry.Choose(sources, invocation.Flags.Text(ExportCommand.SourceFlag)),
                name == "device" ? Migration.ExportedItems.Devices : Migration.ExportedItems.Applications),
        };
    }
}
