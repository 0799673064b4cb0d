using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using TheThingsStack.Errors;

namespace Migration.Journal;

/// <summary>
/// Looks into a journal without changing it, also while a run writes to it. Each answer is one consistent state of the file.
/// Memory does not grow with the number of devices.
/// </summary>
public sealed class JournalReader : IDisposable
{
    /// <summary>Detail of a line that was written by a run that imports it too, before the target's name.</summary>
    internal const string ToBeImported = "to be imported into ";

    /// <summary>Detail of a device that the target has lost in part, before the target's name: what is left there may still answer it.</summary>
    private const string InPart = "no longer complete in ";

    private readonly SqliteConnection database;
    private readonly Lock gate = new();
    private readonly SqliteCommand find;

    private JournalReader(string file, SqliteConnection connection)
    {
        File = file;
        database = connection;
        find = Query(connection, $"SELECT {JournalRows.Columns} FROM device WHERE source = $source AND application = $application AND device_id = $device_id");
    }

    /// <summary>Path of the journal.</summary>
    public string File { get; }

    /// <summary>Opens an existing journal.</summary>
    /// <exception cref="FailureException">There is none, it is not a journal, too new, or cannot be read.</exception>
    public static JournalReader Open(string file) => Open(file, JournalSchema.Steps);

    internal static JournalReader Open(string file, IReadOnlyList<string> steps) => Guard(file, () =>
    {
        if (!System.IO.File.Exists(file))
            throw JournalFailures.NotFound(file);
        var connection = Connect(file);
        try
        {
            JournalSchema.Bring(connection, file, steps, mayWrite: false);
            return new JournalReader(file, connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    });

    /// <summary>Whether a file has the form of a journal; false for what cannot be read. Not for a journal that this process has open: SQLite would lose its locks.</summary>
    public static bool IsJournal(string file)
    {
        var form = "SQLite format 3\0"u8;
        Span<byte> beginning = stackalloc byte[form.Length];
        if (!System.IO.File.Exists(file))
            return false;
        try
        {
            using var handle = System.IO.File.OpenHandle(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return RandomAccess.Read(handle, beginning, 0) == form.Length && beginning.SequenceEqual(form);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>The migration this journal belongs to.</summary>
    public JournalScope Scope() => Guard(File, () =>
    {
        lock (gate)
        {
            using var query = Query(database, "SELECT source, server FROM migration");
            using var row = query.ExecuteReader();
            return row.Read() ? new JournalScope(row.GetString(0), row.GetString(1)) : throw JournalFailures.NotAJournal(File);
        }
    });

    /// <summary>The entry of one device, or null.</summary>
    /// <exception cref="FailureException">The entry is damaged or the file cannot be read.</exception>
    public JournalEntry? Find(JournalDeviceId device) => Guard(File, () =>
    {
        lock (gate)
        {
            find.Parameters.Clear();
            find.Parameters.AddWithValue("$source", device.Source);
            find.Parameters.AddWithValue("$application", device.Application);
            find.Parameters.AddWithValue("$device_id", device.DeviceId);
            using var row = find.ExecuteReader();
            return row.Read() ? JournalRows.Entry(row, File) : null;
        }
    });

    /// <summary>The names under which a device ID is known, one for each application, in the order of the journal; <c>APPLICATION/ID</c> means one of them.</summary>
    public IReadOnlyList<JournalDeviceId> NamesOf(string deviceId) => Guard(File, () =>
    {
        lock (gate)
        {
            using var query = Query(database, """
                SELECT source, application, device_id FROM device
                WHERE device_id = $device_id OR (device_id = substr($device_id, instr($device_id, '/') + 1) AND application || '/' || device_id = $device_id) ORDER BY ordinal
                """);
            query.Parameters.AddWithValue("$device_id", deviceId);
            using var row = query.ExecuteReader();
            var names = new List<JournalDeviceId>();
            while (row.Read())
                names.Add(new JournalDeviceId(row.GetString(0), row.GetString(1), row.GetString(2)));
            return names;
        }
    });

    /// <summary>Where an import has brought a device to, or a verification has found it, the last of them; null when neither says. A rollback may have undone it.</summary>
    public string? LastPlace(JournalDeviceId device) => History(device).LastOrDefault(static step => step.IsPlace)?.Detail;

    /// <summary>Where a verification has found a part of a device that an import had brought there; null when none has, or an import has come since.</summary>
    public string? LastPart(JournalDeviceId device) =>
        History(device).LastOrDefault(static step => step.State is DeviceState.Imported or DeviceState.Verified || step.Detail?.StartsWith(InPart, StringComparison.Ordinal) == true)
            is { State: not (DeviceState.Imported or DeviceState.Verified), Detail: { } part }
            ? part[InPart.Length..]
            : null;

    /// <summary>What is noted about a device of which a verification has found a part.</summary>
    public static string PartAt(string place) => InPart + place;

    /// <summary>Number of the latest step of any device; later ones have greater numbers.</summary>
    public long LastStep() => Guard(File, () =>
    {
        lock (gate)
            return JournalSchema.Number(database, "SELECT coalesce(max(number), 0) FROM event");
    });

    /// <summary>Whether a device has had a step after that of a number, of whatever run.</summary>
    public bool HasChangedSince(JournalDeviceId device, long step) => Guard(File, () =>
    {
        lock (gate)
        {
            using var query = Query(database, """
                SELECT EXISTS (SELECT 1 FROM event JOIN device USING (ordinal)
                WHERE source = $source AND application = $application AND device_id = $device_id AND number > $step)
                """);
            query.Parameters.AddWithValue("$source", device.Source);
            query.Parameters.AddWithValue("$application", device.Application);
            query.Parameters.AddWithValue("$device_id", device.DeviceId);
            query.Parameters.AddWithValue("$step", step);
            return (long)query.ExecuteScalar()! != 0;
        }
    });

    /// <summary>Whether the run that wrote the line of a device was to import it too.</summary>
    public bool IsToBeImported(JournalDeviceId device) => History(device)
        .LastOrDefault(static step => step.State == DeviceState.Written && step.Detail?.StartsWith(ToBeImported, StringComparison.Ordinal) != false) is { Detail: not null };

    /// <summary>What happened to a device, first step first.</summary>
    public IReadOnlyList<JournalEvent> History(JournalDeviceId device) => Guard(File, () =>
    {
        lock (gate)
        {
            using var query = Query(database, """
                SELECT event.state, event.time, event.attempt, event.detail FROM event JOIN device USING (ordinal)
                WHERE source = $source AND application = $application AND device_id = $device_id ORDER BY number
                """);
            query.Parameters.AddWithValue("$source", device.Source);
            query.Parameters.AddWithValue("$application", device.Application);
            query.Parameters.AddWithValue("$device_id", device.DeviceId);
            using var row = query.ExecuteReader();
            var events = new List<JournalEvent>();
            while (row.Read())
                events.Add(new JournalEvent(Enum.TryParse<DeviceState>(row.GetString(0), out var state) ? state : throw JournalFailures.Damaged(File, device), JournalRows.Time(row.GetInt64(1)), row.GetInt32(2), row.IsDBNull(3) ? null : row.GetString(3)));
            return events;
        }
    });

    /// <summary>Every entry in the order in which the devices were met. A damaged entry ends the reading.</summary>
    public async IAsyncEnumerable<JournalEntry> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        // Pages instead of one long query: a long query would hold back the clean-up of the write-ahead log of a run.
        const int PageSize = 256;
        var after = 0L;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var page = Page(after, PageSize);
            foreach (var entry in page)
                yield return entry;
            if (page.Count < PageSize)
                yield break;
            after = page[^1].Ordinal;
            await Task.Yield();
        }
    }

    /// <summary>Names of the devices, in the order of the journal. Reads no record and checks no checksum.</summary>
    /// <param name="onlyWritten">Only devices with a line.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public async IAsyncEnumerable<JournalDeviceId> NamesAsync(bool onlyWritten, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        const int PageSize = 4096;
        var after = 0L;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var page = Names(onlyWritten, after, PageSize);
            foreach (var (_, device) in page)
                yield return device;
            if (page.Count < PageSize)
                yield break;
            after = page[^1].Ordinal;
            await Task.Yield();
        }
    }

    /// <summary>Devices by state, in the order of <see cref="DeviceState"/>; states without devices are left out.</summary>
    public IReadOnlyList<StateCount> Counts() => Guard(File, () =>
    {
        lock (gate)
        {
            using var query = Query(database, """
                SELECT source_side, target_side, rejected_code IS NOT NULL, line IS NOT NULL, count(*) FROM device GROUP BY 1, 2, 3, 4
                """);
            using var row = query.ExecuteReader();
            var counts = new SortedDictionary<DeviceState, long>();
            while (row.Read())
            {
                var state = new JournalEntry
                {
                    Device = default,
                    SourceSide = Enum.Parse<SourceSide>(row.GetString(0)),
                    TargetSide = Enum.Parse<TargetSide>(row.GetString(1)),
                    RejectedCode = row.GetInt64(2) != 0 ? "" : null,
                    Line = row.GetInt64(3) != 0 ? ReadOnlyMemory<byte>.Empty : (ReadOnlyMemory<byte>?)null,
                }.State;
                counts[state] = counts.GetValueOrDefault(state) + row.GetInt64(4);
            }
            return (IReadOnlyList<StateCount>)[.. counts.Select(pair => new StateCount(pair.Key, pair.Value))];
        }
    });

    /// <summary>Says that the journal does not have a device.</summary>
    public Failure DoesNotKnow(string id) => Failure.Named("journal", "unknown_device", $"device `{id}` is not in journal `{File}`") with
    {
        Attributes = new Dictionary<string, string> { ["device_id"] = id },
        Advice = "check the ID (`journal list` shows them), or name the journal of the run that exported it with --journal FILE",
    };

    /// <summary>Number of devices that The Things Stack has and that were not retired, or were put back, at their source.</summary>
    public long CountOnBoth() => Guard(File, () =>
    {
        lock (gate)
            return JournalSchema.Number(database, "SELECT count(*) FROM device WHERE source_side IN ('Untouched', 'Restored') AND target_side <> 'Unknown'");
    });

    /// <summary>Whether any device is or was known to be on The Things Stack, so that of the others it means something that they are not.</summary>
    public bool KnowsImports() => Guard(File, () =>
    {
        lock (gate)
            return JournalSchema.Number(database, "SELECT EXISTS (SELECT 1 FROM event WHERE state IN ('Imported', 'Verified'))") != 0;
    });

    /// <summary>Number of devices that were retired and are not known to be on The Things Stack: this file may hold the only copy of their keys.</summary>
    public long CountOnNeither() => Guard(File, () =>
    {
        lock (gate)
            return JournalSchema.Number(database, "SELECT count(*) FROM device WHERE source_side = 'Retired' AND target_side = 'Unknown'");
    });

    /// <summary>Number of devices with something left to do, see <see cref="JournalEntry.IsUnfinished"/>.</summary>
    public long CountUnfinished() => Guard(File, () =>
    {
        lock (gate)
        {
            return JournalSchema.Number(database, """
                SELECT count(*) FROM device WHERE source_side IN ('RetireIntended', 'RestoreIntended') OR (source_side = 'Untouched' AND rejected_code IS NULL)
                """);
        }
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        find.Dispose();
        database.Dispose();
    }

    /// <summary>Who began the latest run, e.g. <c>process 4711 since 2026-01-02 03:04:05 UTC</c>; null when that cannot be read now.</summary>
    internal static string? LastRun(string file)
    {
        try
        {
            using var connection = Connect(file);
            using var query = Query(connection, "SELECT process, started FROM run ORDER BY number DESC LIMIT 1");
            using var row = query.ExecuteReader();
            return row.Read()
                ? string.Create(CultureInfo.InvariantCulture, $"process {row.GetInt64(0)} since {JournalRows.Time(row.GetInt64(1)):yyyy-MM-dd HH:mm:ss} UTC")
                : null;
        }
        catch (SqliteException)
        {
            return null;
        }
    }

    internal static SqliteConnection Connect(string file, SqliteOpenMode mode = SqliteOpenMode.ReadOnly)
    {
        SQLitePCL.Batteries_V2.Init();
        // No pool: a pooled connection would keep the file open after `journal destroy`.
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Mode = mode, Pooling = false, ForeignKeys = true, DefaultTimeout = 10 }.ToString());
        try
        {
            connection.Open();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private List<(long Ordinal, JournalDeviceId Device)> Names(bool onlyWritten, long after, int size) => Guard(File, () =>
    {
        lock (gate)
        {
            using var query = Query(database, "SELECT ordinal, source, application, device_id FROM device WHERE ordinal > $after AND (line IS NOT NULL OR NOT $only) ORDER BY ordinal LIMIT $size");
            query.Parameters.AddWithValue("$only", onlyWritten);
            query.Parameters.AddWithValue("$after", after);
            query.Parameters.AddWithValue("$size", size);
            using var row = query.ExecuteReader();
            var page = new List<(long, JournalDeviceId)>();
            while (row.Read())
                page.Add((row.GetInt64(0), new JournalDeviceId(row.GetString(1), row.GetString(2), row.GetString(3))));
            return page;
        }
    });

    private List<JournalEntry> Page(long after, int size) => Guard(File, () =>
    {
        lock (gate)
        {
            using var query = Query(database, $"SELECT {JournalRows.Columns} FROM device WHERE ordinal > $after ORDER BY ordinal LIMIT $size");
            query.Parameters.AddWithValue("$after", after);
            query.Parameters.AddWithValue("$size", size);
            using var row = query.ExecuteReader();
            var page = new List<JournalEntry>(size);
            while (row.Read())
                page.Add(JournalRows.Entry(row, File));
            return page;
        }
    });

    private static SqliteCommand Query(SqliteConnection connection, string sql)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Only constants of this file come here.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command;
    }

    private static T Guard<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (SqliteException e)
        {
            throw e.SqliteErrorCode == 26 ? JournalFailures.NotAJournal(file) : JournalFailures.Unreadable(file, e);
        }
    }
}
