using System.Globalization;
using Cli.CommandLine;
using Cli.Networks;
using Cli.Output;
using Migration.Journal;

namespace Cli.Journals;

/// <summary>Words for states, for people and scripts.</summary>
internal static class StateText
{
    /// <summary>E.g. <c>retire intended</c>.</summary>
    public static string Of(DeviceState state) => state switch
    {
        DeviceState.Read => "read",
        DeviceState.Written => "written",
        DeviceState.RetireIntended => "retire intended",
        DeviceState.Retired => "retired",
        DeviceState.RestoreIntended => "restore intended",
        DeviceState.Restored => "restored",
        DeviceState.Imported => "imported",
        DeviceState.Verified => "verified",
        _ => "rejected",
    };

    /// <summary>What devices ask for that are on the target and still at their source.</summary>
    /// <param name="source">Name of the source.</param>
    /// <param name="journal">What commands have to be told about the journal, e.g. <c> --journal night.journal</c>; may be empty.</param>
    public static string OnBoth(string source, string journal) =>
        $"they are on The Things Stack and still alive at the source: retire them (`ttn-lw-migrate {source} retire{journal}`), or run the command with --import-to again, where that was used; "
        + $"those that were put back leave it with `ttn-lw-migrate rollback{journal} --default-grpc-address HOST:PORT`";

    /// <summary>How many devices of a journal are on the target and still at their source, and what they ask for; null when there is none.</summary>
    public static string? OnBoth(JournalReader journal, Invocation invocation) => CountOnBoth(journal) is > 0 and var count
        ? string.Create(CultureInfo.InvariantCulture, $"On both by the journal: {count}; {OnBoth(journal.Scope().Source, NextCommand.Journal(invocation))}")
        : null;

    /// <summary>Devices of a journal that are on the target and still at their source. A list of devices (a CSV file) is no network that could still serve them.</summary>
    public static long CountOnBoth(JournalReader journal)
    {
        var name = journal.Scope().Source;
        return SourceRegistry.All.FirstOrDefault(source => source.Name == name)?.Journal is null ? 0 : journal.CountOnBoth();
    }

    /// <summary>What a state asks for; null when nothing.</summary>
    /// <param name="state">The state.</param>
    /// <param name="source">Name of the source.</param>
    /// <param name="journal">What commands have to be told about the journal; may be empty.</param>
    public static string? Next(DeviceState state, string source, string journal) => state switch
    {
        DeviceState.Read => "run the export again: they have no line yet",
        DeviceState.Written => $"they are still alive at the source: run the export again, or retire them once they are imported (`ttn-lw-migrate {source} retire{journal}`)",
        DeviceState.RetireIntended => "run the export (or retire) again: it looks at the source and finishes what was begun",
        DeviceState.RestoreIntended => $"run `ttn-lw-migrate rollback{journal}` again: it looks at the source and finishes what was begun",
        DeviceState.Retired => $"import their lines into The Things Stack; `ttn-lw-migrate rollback{journal}` puts them back",
        DeviceState.Rejected => $"solve the reason (`ttn-lw-migrate journal show ID{journal}`) and export them again",
        DeviceState.Restored => "they are alive at the source; export them again when the time has come",
        _ => null,
    };
}
