using LoRaWan;
using Migration;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;

namespace Sources.Wanesy;

/// <summary>A device of Wanesy: one row of the file.</summary>
internal sealed class WanesyDevice : SourceDevice
{
    private readonly ReadOnlyMemory<byte> header;
    private readonly ReadOnlyMemory<byte> row;
    private readonly string[] values;

    /// <summary>Takes a row.</summary>
    /// <param name="application">Application that the device goes to.</param>
    /// <param name="id">DevEUI as 16 upper-case hex digits, or the place of the row when it has none.</param>
    /// <param name="file">Name of the file, for messages.</param>
    /// <param name="line">Line of the file where the row begins, from 1.</param>
    /// <param name="header">The header line as it stands in the file, in UTF-8.</param>
    /// <param name="row">The row as it stands in the file, in UTF-8.</param>
    /// <param name="values">A value for each <see cref="WanesyColumn"/>, without blanks around it; empty when absent.</param>
    public WanesyDevice(string application, string id, string file, long line, ReadOnlyMemory<byte> header, ReadOnlyMemory<byte> row, string[] values)
        : base(application, id)
    {
        File = file;
        Line = line;
        this.header = header;
        this.row = row;
        this.values = values;
    }

    /// <summary>Name of the file.</summary>
    public string File { get; }

    /// <summary>Line of the file where the row begins, from 1.</summary>
    public long Line { get; }

    /// <summary>The DevEUI; null when the row has none that can be read.</summary>
    public DevEui? DevEui { get; init; }

    /// <summary>Number of columns that the row lacks at its end.</summary>
    public int ColumnsShort { get; init; }

    /// <summary>Why the row cannot be trusted as a whole (quotes, too many values, DevEUI of another row too); null when it can.</summary>
    public Failure? Problem { get; init; }

    /// <summary>Plan for its MAC state; set by the source when it reads a device that needs one.</summary>
    public FrequencyPlanResult Plan { get; set; }

    /// <summary>Header and row as two lines of CSV.</summary>
    public override ReadOnlyMemory<byte> Record => (byte[])[.. header.Span, (byte)'\n', .. row.Span, (byte)'\n'];

    /// <summary>The text in a column without blanks around it; empty when the column or the value is absent, or says NULL.</summary>
    public string this[WanesyColumn column] => values[(int)column];

    /// <summary>Whether the column has a value.</summary>
    public bool Has(WanesyColumn column) => values[(int)column].Length > 0;

    /// <summary>Says where a value stands.</summary>
    public string Where(WanesyColumn column) => string.Create(null, $"{File}:{Line}, column `{WanesyColumns.NameOf(column)}`");

    /// <summary>The same device with a reason to refuse it.</summary>
    public WanesyDevice With(Failure problem) =>
        new(Application, Id, File, Line, header, row, values) { DevEui = DevEui, ColumnsShort = ColumnsShort, Problem = Problem ?? problem };
}
