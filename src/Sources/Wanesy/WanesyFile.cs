using System.Runtime.CompilerServices;
using CsvHelper;
using LoRaWan;
using TheThingsStack.Errors;

namespace Sources.Wanesy;

/// <summary>
/// The CSV file of the Wanesy Management Center, read as a stream: memory does not grow with its rows. Takes commas, semicolons and tabs;
/// UTF-8, and UTF-16 with a byte order mark; short rows; rows of nothing but separators, which spreadsheets leave at the end; quotes inside unquoted values (facts/wanesy.md section 1).
/// </summary>
internal sealed class WanesyFile
{
    private const string Package = "source/wanesy";

    /// <summary>A row of known exports has about 600 bytes; a quote that is never closed must not swallow a large file.</summary>
    private const int LargestRow = 1 << 20;

    private readonly Func<Stream> open;
    private readonly string application;
    private readonly byte[] header;

    private WanesyFile(string name, Func<Stream> open, string application, WanesyColumns columns, byte[] header)
    {
        Name = name;
        this.open = open;
        this.application = application;
        Columns = columns;
        this.header = header;
    }

    /// <summary>Name of the file without its folder.</summary>
    public string Name { get; }

    /// <summary>Where the columns stand.</summary>
    public WanesyColumns Columns { get; }

    /// <summary>Reads the header and looks for a row.</summary>
    /// <exception cref="FailureException">The file cannot be read, has no row, or lacks a column without which nothing can be exported.</exception>
    public static WanesyFile Open(WanesyOptions options)
    {
        var name = Path.GetFileName(options.CsvPath);
        try
        {
            // The header as a record of its own shows how it stands in the file.
            using var reader = CsvReader.Create(options.OpenCsv(), ReaderOptions(hasHeader: false), leaveOpen: false);
            if (!reader.Read())
                throw new FailureException(NoValues(name));
            var names = new string[reader.FieldCount];
            for (var i = 0; i < names.Length; i++)
                names[i] = reader.GetString(i);
            var firstLine = reader.RawRecord.ToArray();
            var columns = WanesyColumns.Of(names);
            do
            {
                if (!reader.Read())
                    throw new FailureException(NoValues(name));
            }
            while (IsBlank(reader));
            if (columns.Missing.ToList() is { Count: > 0 } missing)
                throw new FailureException(MissingColumns(name, missing));
            return new WanesyFile(name, options.OpenCsv, options.ApplicationId, columns, firstLine);
        }
        catch (Exception e) when (Unreadable(e))
        {
            throw new FailureException(CannotRead(name, e), e);
        }
    }

    /// <summary>Reads a header and a row that <see cref="WanesyDevice.Record"/> gave.</summary>
    public static WanesyDevice FromRecord(string application, ReadOnlyMemory<byte> record)
    {
        var file = Open(new WanesyOptions(application, "", "journal", () => new MemoryStream(record.ToArray(), writable: false)));
        using var reader = CsvReader.Create(record, ReaderOptions(hasHeader: true));
        reader.Read();
        return file.Take(reader, malformed: null);
    }

    /// <summary>Gives the rows in the order of the file.</summary>
    /// <exception cref="FailureException">The file cannot be read any further.</exception>
    public async IAsyncEnumerable<WanesyDevice> RowsAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        using var pass = new Pass(this);
        while (await pass.NextAsync(cancellation))
            yield return Take(pass.Reader, pass.Malformed);
    }

    /// <summary>Gives DevEUI and line of each row that has a DevEUI, as cheaply as can be.</summary>
    /// <exception cref="FailureException">The file cannot be read any further.</exception>
    public async IAsyncEnumerable<(DevEui DevEui, long Line)> DevEuisAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        using var pass = new Pass(this);
        while (await pass.NextAsync(cancellation))
        {
            if (ReadDevEui(Value(pass.Reader, WanesyColumn.DevEui)) is { } devEui)
                yield return (devEui, pass.Reader.LineNumber);
        }
    }

    private static CsvReaderOptions ReaderOptions(bool hasHeader, Action<CsvMalformedRecord>? onMalformed = null) => new()
    {
        HasHeader = hasHeader,
        TrackLineNumbers = true,
        TrimWhitespace = true,
        MaxRecordSize = LargestRow,
        IncludeValuesInExceptions = false,
        // The same few values fill most columns.
        PoolStrings = true,
        OnMalformedRecord = onMalformed,
    };

    private WanesyDevice Take(CsvReader reader, CsvMalformedReason? malformed)
    {
        var values = new string[WanesyColumns.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = Value(reader, (WanesyColumn)i);
        var line = reader.LineNumber;
        var devEui = ReadDevEui(values[(int)WanesyColumn.DevEui]);
        return new WanesyDevice(
            application, devEui?.ToString() ?? string.Create(null, $"{Name}:{line}"), Name, line, header, reader.RawRecord.ToArray(), values)
        {
            DevEui = devEui,
            ColumnsShort = Math.Max(0, Columns.Width - reader.FieldCount),
            Problem = Malformed(malformed, line) ?? TooLong(reader, line),
        };
    }

    private string Value(CsvReader reader, WanesyColumn column)
    {
        var position = Columns[column];
        if (position < 0 || position >= reader.FieldCount)
            return "";
        var text = reader.GetString(position).Trim();
        return text.Equals("null", StringComparison.OrdinalIgnoreCase) ? "" : text;
    }

    /// <summary>Whether a row has no value at all; such a row is no device.</summary>
    private static bool IsBlank(CsvReader reader)
    {
        for (var i = 0; i < reader.FieldCount; i++)
        {
            if (reader.GetSpan(i).ContainsAnyExcept((byte)' ', (byte)'\t'))
                return false;
        }
        return true;
    }

    /// <summary>All zeros is no DevEUI.</summary>
    private static DevEui? ReadDevEui(string text) =>
        text.Length > 0 && WanesyHex.TryRead(text, out DevEui devEui, out _, out _) && !devEui.IsZero ? devEui : null;

    /// <summary>Values moved into other columns are worse than no values.</summary>
    private Failure? TooLong(CsvReader reader, long line)
    {
        for (var i = Columns.Width; i < reader.FieldCount; i++)
        {
            if (reader.GetSpan(i).IsEmpty)
                continue;
            return Failure.Named(Package, "wrong_number_of_fields", $"the row has {reader.FieldCount} values, the header {Columns.Width}") with
            {
                Advice = $"{Name}:{line}: a value with a separator in it needs double quotes around it",
            };
        }
        return null;
    }

    private Failure? Malformed(CsvMalformedReason? reason, long line) => reason switch
    {
        CsvMalformedReason.UnterminatedQuote => Failure.Named(Package, "malformed_row", "a double quote is never closed") with
        {
            Advice = $"{Name}:{line}: close the quote; this row and all after it count as one until then",
        },
        CsvMalformedReason.TextAfterClosingQuote => Failure.Named(Package, "malformed_row", "text follows a closing double quote") with
        {
            Advice = $"{Name}:{line}: double the quotes inside a quoted value, or close the quote where the value ends; rows may have run together",
        },
        // A quote inside an unquoted value is a character like any other.
        _ => null,
    };

    private static Failure NoValues(string name) => Failure.Named(Package, "no_values_in_csv", "no values in CSV file") with
    {
        Advice = $"{name} has no row under its header; export it again, or name the right file",
    };

    private static Failure MissingColumns(string name, IReadOnlyList<string> missing) =>
        Failure.Named(Package, "missing_columns", $"the file has no column {string.Join(" and no column ", missing.Select(m => $"`{m}`"))}") with
        {
            Advice = $"{name}:1: the first line must name the columns, separated by commas, semicolons or tabs; ask Kerlink for the export with keys and sessions",
        };

    private static bool Unreadable(Exception e) => e is CsvFormatException or IOException or UnauthorizedAccessException or System.Text.DecoderFallbackException;

    private static Failure CannotRead(string name, Exception e) => new($"read {name}: {e.Message}")
    {
        Advice = e is CsvFormatException { LineNumber: > 0 } at ? $"look at {name}:{at.LineNumber}; a double quote may never be closed" : "copy the file to this computer and try again",
    };

    /// <summary>One way through the file.</summary>
    private sealed class Pass : IDisposable
    {
        private readonly WanesyFile file;

        public Pass(WanesyFile file)
        {
            this.file = file;
            try
            {
                Reader = CsvReader.Create(file.open(), ReaderOptions(hasHeader: true, record => Malformed = record.Reason), leaveOpen: false);
            }
            catch (Exception e) when (Unreadable(e))
            {
                throw new FailureException(CannotRead(file.Name, e), e);
            }
        }

        public CsvReader Reader { get; }

        /// <summary>What is wrong with the quotes of the current row.</summary>
        public CsvMalformedReason? Malformed { get; private set; }

        public async ValueTask<bool> NextAsync(CancellationToken cancellation)
        {
            try
            {
                do
                {
                    Malformed = null;
                    if (!await Reader.ReadAsync(cancellation))
                        return false;
                }
                while (Malformed is null && IsBlank(Reader));
                return true;
            }
            catch (Exception e) when (Unreadable(e))
            {
                throw new FailureException(CannotRead(file.Name, e), e);
            }
        }

        public void Dispose() => Reader.Dispose();
    }
}
