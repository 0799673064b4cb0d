using Microsoft.Data.Sqlite;

namespace Migration.Journal;

/// <summary>The tables of a journal and how an older file becomes a newer one.</summary>
internal static class JournalSchema
{
    /// <summary>Marks the file as a journal of this tool (SQLite's application_id): "ttnj".</summary>
    private const int ApplicationId = 0x74746E6A;

    /// <summary>Step n takes a file of format n to n + 1. Never edit one that was released: add another.</summary>
    public static readonly IReadOnlyList<string> Steps =
    [
        """
        CREATE TABLE migration (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          source TEXT NOT NULL,
          server TEXT NOT NULL,
          created INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE run (
          number INTEGER PRIMARY KEY,
          started INTEGER NOT NULL,
          process INTEGER NOT NULL,
          tool_version TEXT NOT NULL
        ) STRICT;
        CREATE TABLE device (
          ordinal INTEGER PRIMARY KEY,
          source TEXT NOT NULL,
          application TEXT NOT NULL,
          device_id TEXT NOT NULL,
          record BLOB NOT NULL,
          line BLOB,
          replacement BLOB,
          source_side TEXT NOT NULL CHECK (source_side IN ('Untouched', 'RetireIntended', 'Retired', 'RestoreIntended', 'Restored')),
          target_side TEXT NOT NULL CHECK (target_side IN ('Unknown', 'Imported', 'Verified')),
          way TEXT CHECK (way IN ('Clear', 'Rotate', 'Delete', 'Mute')),
          rejected_code TEXT,
          rejected_reason TEXT,
          attempts INTEGER NOT NULL,
          created INTEGER NOT NULL,
          changed INTEGER NOT NULL,
          tool_version TEXT NOT NULL,
          checksum BLOB NOT NULL,
          UNIQUE (source, application, device_id),
          CHECK (source_side IN ('Untouched', 'Restored') OR (line IS NOT NULL AND length(record) > 0))
        ) STRICT;
        CREATE INDEX device_by_id ON device (device_id);
        CREATE TABLE event (
          number INTEGER PRIMARY KEY,
          ordinal INTEGER NOT NULL REFERENCES device (ordinal) ON DELETE CASCADE,
          state TEXT NOT NULL,
          time INTEGER NOT NULL,
          attempt INTEGER NOT NULL,
          detail TEXT
        ) STRICT;
        CREATE INDEX event_of_device ON event (ordinal, number);
        """,
    ];

    /// <summary>Refuses files that are no journals or too new; creates or upgrades the tables otherwise.</summary>
    public static void Bring(SqliteConnection connection, string file, IReadOnlyList<string> steps, bool mayWrite)
    {
        var version = Number(connection, "PRAGMA user_version");
        var tables = Number(connection, "SELECT count(*) FROM sqlite_master");
        if (tables > 0 && Number(connection, "PRAGMA application_id") != ApplicationId)
            throw JournalFailures.NotAJournal(file);
        if (version > steps.Count)
            throw JournalFailures.Newer(file, version, steps.Count);
        if (version == steps.Count)
            return;
        if (!mayWrite)
        {
            // An older format is only read by the version that upgrades it, and looking must not change the file.
            throw tables == 0 ? JournalFailures.NotFound(file) : JournalFailures.Unreadable(file, new IOException($"it has format {version}; run `status` of the version that wrote it, or continue the migration to upgrade it"));
        }
        using var transaction = connection.BeginTransaction();
        for (var step = (int)version; step < steps.Count; step++)
            Run(connection, steps[step]);
        Run(connection, $"PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {steps.Count}");
        transaction.Commit();
    }

    public static long Number(SqliteConnection connection, string sql)
    {
        using var command = Command(connection, sql);
        return (long)command.ExecuteScalar()!;
    }

    public static void Run(SqliteConnection connection, string sql)
    {
        using var command = Command(connection, sql);
        command.ExecuteNonQuery();
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Only constants of this folder come here.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command;
    }
}
