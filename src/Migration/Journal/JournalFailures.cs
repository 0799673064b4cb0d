using Microsoft.Data.Sqlite;
using TheThingsStack.Errors;

namespace Migration.Journal;

/// <summary>Expected failures of the journal, each with the file and what to do.</summary>
internal static class JournalFailures
{
    /// <summary>Name of the failure of one entry; the others are well.</summary>
    public const string DamagedName = "damaged";

    public static FailureException Unwritable(string file, Exception cause) => new(Failure.Named("journal", "unwritable", $"journal `{file}` cannot be written: {Why(cause, file)}") with
    {
        Advice = "The source is only changed when the journal is safe. Make room or fix the permissions and run the same command again, "
            + "choose another place with --journal FILE, or add --dry-run to export without changing the source.",
    }, cause);

    public static FailureException Unreadable(string file, Exception cause) => new(Failure.Named("journal", "unreadable", $"journal `{file}` cannot be read: {Why(cause, file)}"), cause);

    public static FailureException NotFound(string file) => new(Failure.Named("journal", "not_found", $"no journal at `{file}`") with
    {
        Advice = "Name the journal of the earlier run with --journal FILE; `journal list` shows those in the usual place.",
    });

    public static FailureException NotAJournal(string file) => new(Failure.Named("journal", "not_a_journal", $"`{file}` is not a journal of this tool") with
    {
        Advice = "Name another file with --journal FILE.",
    });

    public static FailureException InUse(string file, string? holder) => new(Failure.Named("journal", "in_use", $"journal `{file}` is in use by another run{(holder is null ? "" : $" ({holder})")}") with
    {
        Advice = "Wait until that run has ended, or stop it, and run the same command again. Two runs must not change the same devices.",
    });

    public static FailureException Newer(string file, long version, int known) => new(Failure.Named("journal", "newer", $"journal `{file}` has format {version}, this version knows formats up to {known}") with
    {
        Advice = "Use the version of this tool that wrote the journal, or a newer one.",
    });

    public static FailureException OtherMigration(string file, JournalScope found, JournalScope wanted) => new(Failure.Named(
        "journal", "other_migration", $"journal `{file}` belongs to {Text(found)}, not to {Text(wanted)}") with
    {
        Advice = "Leave --journal out to use the journal of this network, or name another file.",
    });

    public static FailureException Damaged(string file, JournalDeviceId device) => new(Failure.Named("journal", DamagedName, $"the entry of device `{device.DeviceId}` in journal `{file}` is damaged: its checksum does not match") with
    {
        Advice = "The device is left as it is. Restore the journal from a copy of the file, or look at the device at the source by hand.",
        Attributes = new Dictionary<string, string> { ["application_id"] = device.Application, ["device_id"] = device.DeviceId },
    });

    public static FailureException Unfinished(string file, long count) => new(Failure.Named("journal", "unfinished", $"journal `{file}` has {count} unfinished device{(count == 1 ? "" : "s")}") with
    {
        Advice = "It may hold the only copy of their keys. Run the export again, retire them or roll them back first; `status` lists what is left.",
    });

    public static FailureException NoStateFolder() => new(Failure.Named("journal", "no_state_folder", "no folder for the journal: neither XDG_STATE_HOME nor HOME is set") with
    {
        Advice = "Set HOME, or name a file with --journal FILE.",
    });

    private static string Text(JournalScope scope) => scope.Server.Length == 0 ? $"`{scope.Source}`" : $"`{scope.Source}` at `{scope.Server}`";

    /// <summary>SQLite's result codes in words of a file system: https://sqlite.org/rescode.html.</summary>
    private static string Why(Exception cause, string file) => cause is not SqliteException sqlite ? SystemReason.Of(cause, file) : sqlite.SqliteErrorCode switch
    {
        8 => "it is read-only",
        10 => "the disk reports an error",
        11 => "the file is damaged",
        13 => "the disk is full",
        14 => "it cannot be opened (does the folder exist, and may you write there?)",
        _ => sqlite.Message,
    };
}
