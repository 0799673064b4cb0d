using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using TheThingsStack.Errors;

namespace Migration.Journal;

/// <summary>What a run hands to its journal.</summary>
/// <param name="File">Path of the file; a missing folder is created, private.</param>
/// <param name="Scope">The migration it must belong to; null accepts an existing journal whatever it belongs to.</param>
/// <param name="ToolVersion">Version of this tool, noted with each change.</param>
/// <param name="Clock">Times of the history. Nothing depends on their order.</param>
public sealed record JournalOptions(string File, JournalScope? Scope, string ToolVersion, TimeProvider Clock);

/// <summary>
/// The journal of one migration, held by one run. What <see cref="RecordAsync"/> has completed survives the death of the process
/// and of the machine: SQLite with a write-ahead log, synchronised at each commit. Callers that record at the same time share one
/// commit, so that many devices in flight cost few synchronisations; a lone caller waits for one.
/// After the first failed write nothing more is recorded: a disk that lost one write may have lost others.
/// </summary>
public sealed class DeviceJournal : IAsyncDisposable
{
    /// <summary>Most requests in one commit: bounds the time until the first of them is safe.</summary>
    private const int MaxBatch = 512;

    private readonly JournalLock lockFile;
    private readonly SqliteConnection database;
    private readonly JournalWriteStatements statements;
    private readonly JournalOptions options;
    private readonly Channel<Request> requests;
    private readonly Task writer;
    private readonly long run;
    private long nextOrdinal;
    private FailureException? failure;
    private int disposed;

    private DeviceJournal(JournalOptions options, JournalLock held, SqliteConnection connection, JournalReader reader, long run)
    {
        this.options = options;
        this.run = run;
        lockFile = held;
        database = connection;
        statements = new JournalWriteStatements(connection, options.File);
        nextOrdinal = 1 + JournalSchema.Number(connection, "SELECT coalesce(max(ordinal), 0) FROM device");
        Reader = reader;
        Scope = reader.Scope();
        requests = Channel.CreateBounded<Request>(new BoundedChannelOptions(4 * MaxBatch) { SingleReader = true });
        writer = Task.Run(WriteAsync);
    }

    /// <summary>Path of the file.</summary>
    public string File => options.File;

    /// <summary>The migration this journal belongs to.</summary>
    public JournalScope Scope { get; }

    /// <summary>Looks at what is recorded.</summary>
    public JournalReader Reader { get; }

    /// <summary>Opens the journal for this run alone; creates it when <see cref="JournalOptions.Scope"/> says for what.</summary>
    /// <exception cref="FailureException">
    /// Another run holds it, it cannot be written, belongs to another migration, is too new, or is no journal.
    /// </exception>
    public static DeviceJournal Open(JournalOptions options) => Open(options, JournalSchema.Steps);

    /// <summary>
    /// Records steps, all or none, and completes when they are on the disk. Steps of one call may build on each other.
    /// </summary>
    /// <exception cref="FailureException">The journal cannot be written, or the entry of the device is damaged. Do not change the source.</exception>
    /// <exception cref="InvalidOperationException">A step would put the original at risk, see <see cref="JournalChange"/>: an error in this program.</exception>
    public async Task RecordAsync(params IReadOnlyList<JournalChange> changes)
    {
        if (Volatile.Read(ref failure) is { } earlier)
            throw Again(earlier);
        var request = new Request(changes, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await requests.Writer.WriteAsync(request);
        await request.Done.Task;
    }

    /// <summary>Writes what is waiting, closes the file and lets other runs in.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
            return;
        requests.Writer.TryComplete();
        await writer;
        Reader.Dispose();
        statements.Dispose();
        try
        {
            await database.DisposeAsync();
        }
        catch (SqliteException)
        {
            // Tidying up the write-ahead log failed: it stays beside the file and holds what was promised.
        }
        lockFile.Dispose();
    }

    /// <summary>
    /// Overwrites and removes the journal. Refuses while a device is unfinished: the file may hold the only copy of its keys.
    /// A disk that writes elsewhere than it says (flash, copy on write) may keep the old bytes.
    /// </summary>
    /// <exception cref="FailureException">There is no journal, it is in use, or devices are unfinished.</exception>
    public static void Destroy(string file)
    {
        if (!System.IO.File.Exists(file))
            throw JournalFailures.NotFound(file);
        file = PrivateFile.Follow(file);
        using var held = JournalLock.Take(file);
        using (var reader = JournalReader.Open(file))
        {
            if (reader.CountUnfinished() is > 0 and var unfinished)
                throw JournalFailures.Unfinished(file, unfinished);
        }
        try
        {
            // The main file last: while it is there, the command can be given again.
            foreach (var path in (ReadOnlySpan<string>)[file + "-shm", file + "-wal", file])
                Erase(path);
            System.IO.File.Delete(JournalLock.PathOf(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw JournalFailures.Unwritable(file, e);
        }
    }

    internal static DeviceJournal Open(JournalOptions options, IReadOnlyList<string> steps)
    {
        var isNew = !System.IO.File.Exists(options.File);
        if (isNew && options.Scope is null)
            throw JournalFailures.NotFound(options.File);
        options = options with { File = PrivateFile.Follow(options.File) };
        JournalLock? held = null;
        SqliteConnection? connection = null;
        try
        {
            PrivateFile.CreateFolder(Path.GetDirectoryName(Path.GetFullPath(options.File))!);
            held = JournalLock.Take(options.File);
            PrivateFile.Prepare(options.File);
            connection = JournalReader.Connect(options.File, SqliteOpenMode.ReadWrite);
            JournalSchema.Bring(connection, options.File, steps, mayWrite: true);
            // FULL: each commit reaches the disk before it returns. fullfsync: macOS otherwise stops at the drive's cache.
            JournalSchema.Run(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
            Belong(connection, options);
            var number = Begin(connection, options);
            return new DeviceJournal(options, held, connection, JournalReader.Open(options.File, steps), number);
        }
        catch (Exception e)
        {
            connection?.Dispose();
            held?.Dispose();
            if (e is SqliteException sqlite)
                throw sqlite.SqliteErrorCode == 26 ? JournalFailures.NotAJournal(options.File) : JournalFailures.Unwritable(options.File, e);
            if (e is IOException or UnauthorizedAccessException)
                throw JournalFailures.Unwritable(options.File, e);
            throw;
        }
    }

    private static void Belong(SqliteConnection connection, JournalOptions options)
    {
        using (var query = connection.CreateCommand())
        {
            query.CommandText = "SELECT source, server FROM migration";
            using var row = query.ExecuteReader();
            if (row.Read())
            {
                var found = new JournalScope(row.GetString(0), row.GetString(1));
                if (options.Scope is { } wanted && wanted != found)
                    throw JournalFailures.OtherMigration(options.File, found, wanted);
                return;
            }
        }
        if (options.Scope is not { } scope)
            throw JournalFailures.NotAJournal(options.File);
        using var insert = connection.CreateCommand();
        insert.CommandText = "INSERT INTO migration (id, source, server, created) VALUES (1, $source, $server, $created)";
        insert.Parameters.AddWithValue("$source", scope.Source);
        insert.Parameters.AddWithValue("$server", scope.Server);
        insert.Parameters.AddWithValue("$created", options.Clock.GetUtcNow().ToUnixTimeMilliseconds());
        insert.ExecuteNonQuery();
    }

    /// <summary>Notes this run; gives its number.</summary>
    private static long Begin(SqliteConnection connection, JournalOptions options)
    {
        using var insert = connection.CreateCommand();
        insert.CommandText = "INSERT INTO run (started, process, tool_version) VALUES ($started, $process, $tool_version) RETURNING number";
        insert.Parameters.AddWithValue("$started", options.Clock.GetUtcNow().ToUnixTimeMilliseconds());
        insert.Parameters.AddWithValue("$process", Environment.ProcessId);
        insert.Parameters.AddWithValue("$tool_version", options.ToolVersion);
        return (long)insert.ExecuteScalar()!;
    }

    private static void Erase(string path)
    {
        if (!System.IO.File.Exists(path))
            return;
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.None))
        {
            var zeros = new byte[64 * 1024];
            for (var left = stream.Length; left > 0; left -= zeros.Length)
                stream.Write(zeros, 0, (int)Math.Min(left, zeros.Length));
            stream.Flush(flushToDisk: true);
        }
        System.IO.File.Delete(path);
    }

    private static FailureException Again(FailureException earlier) => new(earlier.Failure, earlier);

    private async Task WriteAsync()
    {
        var batch = new List<Request>(MaxBatch);
        while (await requests.Reader.WaitToReadAsync())
        {
            // No waiting for company: while this batch is synchronised the next one gathers by itself.
            while (batch.Count < MaxBatch && requests.Reader.TryRead(out var request))
                batch.Add(request);
            Commit(batch);
            batch.Clear();
        }
    }

    private void Commit(List<Request> batch)
    {
        if (failure is { } earlier)
        {
            foreach (var request in batch)
                request.Done.TrySetException(Again(earlier));
            return;
        }
        var ordinal = nextOrdinal;
        var accepted = new List<Request>(batch.Count);
        try
        {
            using (var transaction = database.BeginTransaction())
            {
                RequireOwn();
                foreach (var request in batch)
                {
                    if (Apply(request, transaction))
                        accepted.Add(request);
                }
                transaction.Commit();
            }
            foreach (var request in accepted)
                request.Done.TrySetResult();
        }
        catch (Exception e)
        {
            // Whatever it was: nobody may wait forever, and nothing of this batch is promised.
            nextOrdinal = ordinal;
            var unwritable = JournalFailures.Unwritable(options.File, e);
            Volatile.Write(ref failure, unwritable);
            foreach (var request in batch)
                request.Done.TrySetException(Again(unwritable));
        }
    }

    /// <summary>
    /// What is written into a file that was deleted or moved away is lost, and a lock file that somebody removes holds nobody off.
    /// </summary>
    private void RequireOwn()
    {
        if (!System.IO.File.Exists(options.File))
            throw new IOException("somebody has moved or deleted it during this run");
        if (JournalSchema.Number(database, "SELECT max(number) FROM run") != run)
            throw new IOException("another run has begun on it; was its .lock file removed?");
    }

    /// <summary>Checks all steps of a request before the first is written, so that a refused one leaves no trace.</summary>
    private bool Apply(Request request, SqliteTransaction transaction)
    {
        var now = options.Clock.GetUtcNow();
        var entries = new Dictionary<JournalDeviceId, JournalEntry>();
        var attempts = new int[request.Changes.Count];
        var ordinal = nextOrdinal;
        try
        {
            for (var i = 0; i < request.Changes.Count; i++)
            {
                var change = request.Changes[i];
                if (!entries.TryGetValue(change.Device, out var entry))
                    entry = statements.Find(change.Device, transaction) ?? new JournalEntry { Device = change.Device, Ordinal = ordinal++, Created = now };
                var next = change.ApplyTo(entry);
                entries[change.Device] = next;
                attempts[i] = next.Attempts;
            }
        }
        catch (Exception e) when (e is FailureException or InvalidOperationException)
        {
            request.Done.TrySetException(e);
            return false;
        }
        nextOrdinal = ordinal;
        foreach (var entry in entries.Values)
            statements.Save(entry with { Changed = now, ToolVersion = options.ToolVersion }, transaction);
        for (var i = 0; i < request.Changes.Count; i++)
        {
            var change = request.Changes[i];
            statements.Log(entries[change.Device].Ordinal, change.State, now, attempts[i], change.Detail, transaction);
        }
        return true;
    }

    private sealed record Request(IReadOnlyList<JournalChange> Changes, TaskCompletionSource Done);
}
