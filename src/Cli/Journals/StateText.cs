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
    public static string OnBoth(string source) =>
        $"they are on The Things Stack and still alive at the source: run the command with --import-to again, or retire them (`ttn-lw-migrate {source} retire`)";

    /// <summary>What a state asks for; null when nothing.</summary>
    public static string? Next(DeviceState state) => state switch
    {
        DeviceState.Read => "run the export again: they have no line yet",
        DeviceState.Written => "they are still alive at the source: run the export again, or retire them once they are imported (`ttn-lw-migrate ttnv2 retire`)",
        DeviceState.RetireIntended => "run the export (or retire) again: it looks at the source and finishes what was begun",
        DeviceState.RestoreIntended => "run `ttn-lw-migrate rollback` again: it looks at the source and finishes what was begun",
        DeviceState.Retired => "import their lines into The Things Stack; `ttn-lw-migrate rollback` puts them back",
        DeviceState.Rejected => "solve the reason (`ttn-lw-migrate journal show ID`) and export them again",
        DeviceState.Restored => "they are alive at the source; export them again when the time has come",
        _ => null,
    };
}
