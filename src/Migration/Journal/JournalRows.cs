using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Migration.Journal;

/// <summary>Rows of the journal to entries and back, with the checksum that tells a damaged row.</summary>
internal static class JournalRows
{
    public const string Columns =
        "ordinal, source, application, device_id, record, line, replacement, source_side, target_side, way, rejected_code, rejected_reason, attempts, created, changed, tool_version, checksum";

    /// <summary>Gives the entry in the current row of a query for <see cref="Columns"/>.</summary>
    /// <exception cref="TheThingsStack.Errors.FailureException">The checksum does not match.</exception>
    public static JournalEntry Entry(SqliteDataReader row, string file)
    {
        var device = new JournalDeviceId(row.GetString(1), row.GetString(2), row.GetString(3));
        JournalEntry entry;
        try
        {
            entry = Read(row, file, device);
        }
        catch (Exception e) when (e is ArgumentException or ArithmeticException or InvalidCastException)
        {
            // A number that no entry has.
            throw JournalFailures.Damaged(file, device);
        }
        return Checksum(entry).AsSpan().SequenceEqual(row.GetFieldValue<byte[]>(16)) ? entry : throw JournalFailures.Damaged(file, device);
    }

    private static JournalEntry Read(SqliteDataReader row, string file, JournalDeviceId device) => new()
    {
        Device = device,
        Ordinal = row.GetInt64(0),
        Record = row.GetFieldValue<byte[]>(4),
        Line = Bytes(row, 5),
        Replacement = Bytes(row, 6),
        SourceSide = Enum.TryParse<SourceSide>(row.GetString(7), out var source) ? source : throw JournalFailures.Damaged(file, device),
        TargetSide = Enum.TryParse<TargetSide>(row.GetString(8), out var target) ? target : throw JournalFailures.Damaged(file, device),
        Way = row.IsDBNull(9) ? null : Enum.TryParse<RetireWay>(row.GetString(9), out var way) ? way : throw JournalFailures.Damaged(file, device),
        RejectedCode = Text(row, 10),
        RejectedReason = Text(row, 11),
        Attempts = row.GetInt32(12),
        Created = Time(row.GetInt64(13)),
        Changed = Time(row.GetInt64(14)),
        ToolVersion = row.GetString(15),
    };

    /// <summary>SHA-256 over every member, each with its length, so that no two entries share their bytes.</summary>
    public static byte[] Checksum(JournalEntry entry)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> number = stackalloc byte[8];
        foreach (var value in (ReadOnlySpan<long>)[entry.Ordinal, (long)entry.SourceSide, (long)entry.TargetSide, entry.Way is { } way ? (long)way : -1,
            entry.Attempts, entry.Created.ToUnixTimeMilliseconds(), entry.Changed.ToUnixTimeMilliseconds()])
        {
            BinaryPrimitives.WriteInt64BigEndian(number, value);
            hash.AppendData(number);
        }
        foreach (var text in (ReadOnlySpan<string?>)[entry.Device.Source, entry.Device.Application, entry.Device.DeviceId, entry.RejectedCode, entry.RejectedReason, entry.ToolVersion])
            Append(hash, number, text is null ? (ReadOnlyMemory<byte>?)null : Encoding.UTF8.GetBytes(text));
        Append(hash, number, entry.Record);
        Append(hash, number, entry.Line);
        Append(hash, number, entry.Replacement);
        return hash.GetHashAndReset();
    }

    public static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    private static void Append(IncrementalHash hash, Span<byte> number, ReadOnlyMemory<byte>? value)
    {
        BinaryPrimitives.WriteInt64BigEndian(number, value?.Length ?? -1);
        hash.AppendData(number);
        if (value is { } bytes)
            hash.AppendData(bytes.Span);
    }

    private static ReadOnlyMemory<byte>? Bytes(SqliteDataReader row, int column)
    {
        // Not a conditional expression: there `null` would become an empty memory.
        if (row.IsDBNull(column))
            return null;
        return row.GetFieldValue<byte[]>(column);
    }

    private static string? Text(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}

/// <summary>The statements that change a journal, prepared once.</summary>
internal sealed class JournalWriteStatements : IDisposable
{
    private readonly SqliteCommand find;
    private readonly SqliteCommand save;
    private readonly SqliteCommand log;
    private readonly string file;

    public JournalWriteStatements(SqliteConnection connection, string file)
    {
        this.file = file;
        find = Command(connection, $"SELECT {JournalRows.Columns} FROM device WHERE source = $source AND application = $application AND device_id = $device_id", "$source", "$application", "$device_id");
        save = Command(connection, $"""
            INSERT INTO device ({JournalRows.Columns}) VALUES ($ordinal, $source, $application, $device_id, $record, $line, $replacement, $source_side,
              $target_side, $way, $rejected_code, $rejected_reason, $attempts, $created, $changed, $tool_version, $checksum)
            ON CONFLICT (ordinal) DO UPDATE SET record = $record, line = $line, replacement = $replacement, source_side = $source_side, target_side = $target_side,
              way = $way, rejected_code = $rejected_code, rejected_reason = $rejected_reason, attempts = $attempts, changed = $changed,
              tool_version = $tool_version, checksum = $checksum
            """,
            "$ordinal", "$source", "$application", "$device_id", "$record", "$line", "$replacement", "$source_side", "$target_side", "$way", "$rejected_code",
            "$rejected_reason", "$attempts", "$created", "$changed", "$tool_version", "$checksum");
        log = Command(connection, "INSERT INTO event (ordinal, state, time, attempt, detail) VALUES ($ordinal, $state, $time, $attempt, $detail)",
            "$ordinal", "$state", "$time", "$attempt", "$detail");
    }

    public JournalEntry? Find(JournalDeviceId device, SqliteTransaction transaction)
    {
        find.Transaction = transaction;
        Set(find, device.Source, device.Application, device.DeviceId);
        using var row = find.ExecuteReader();
        return row.Read() ? JournalRows.Entry(row, file) : null;
    }

    public void Save(JournalEntry entry, SqliteTransaction transaction)
    {
        save.Transaction = transaction;
        Set(save, entry.Ordinal, entry.Device.Source, entry.Device.Application, entry.Device.DeviceId, entry.Record.ToArray(), entry.Line?.ToArray(),
            entry.Replacement?.ToArray(), entry.SourceSide.ToString(), entry.TargetSide.ToString(), entry.Way?.ToString(), entry.RejectedCode,
            entry.RejectedReason, entry.Attempts, entry.Created.ToUnixTimeMilliseconds(), entry.Changed.ToUnixTimeMilliseconds(), entry.ToolVersion,
            JournalRows.Checksum(entry));
        save.ExecuteNonQuery();
    }

    public void Log(long ordinal, DeviceState state, DateTimeOffset time, int attempt, string? detail, SqliteTransaction transaction)
    {
        log.Transaction = transaction;
        Set(log, ordinal, state.ToString(), time.ToUnixTimeMilliseconds(), attempt, detail);
        log.ExecuteNonQuery();
    }

    public void Dispose()
    {
        find.Dispose();
        save.Dispose();
        log.Dispose();
    }

    private static void Set(SqliteCommand command, params ReadOnlySpan<object?> values)
    {
        for (var i = 0; i < values.Length; i++)
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, params ReadOnlySpan<string> parameters)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Only constants of this file come here.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var name in parameters)
            command.Parameters.Add(new SqliteParameter { ParameterName = name });
        return command;
    }
}
