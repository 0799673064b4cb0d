using System.Globalization;
using Testing;

namespace LoRaWan.Tests.Regional;

/// <summary>One row of a table of the repository, read apart from the reader under test.</summary>
public sealed record RegionalRow(string Table, int Number, IReadOnlyDictionary<string, string> Cells)
{
    public string this[string column] => Cells[column];

    public ulong? Number64(string column) =>
        this[column].Length == 0 ? null : ulong.Parse(this[column], CultureInfo.InvariantCulture);

    public override string ToString() => $"{Table}:{Number}";
}

public static class RegionalTable
{
    public static IReadOnlyList<RegionalRow> Rows(string table)
    {
        var lines = File.ReadAllLines(Path.Combine(Golden.RepositoryRoot, "src", "LoRaWan", "Regional", "Tables", table));
        var columns = lines[0].Split('\t');
        return [.. lines.Skip(1).Select((line, i) => new RegionalRow(table, i + 2, columns.Zip(line.Split('\t')).ToDictionary(c => c.First, c => c.Second)))];
    }

    /// <summary>Compares what the model says with the cells of its row.</summary>
    public static void AssertCells(RegionalRow row, IReadOnlyDictionary<string, object?> model, params string[] columnsNotInTheModel)
    {
        Assert.Equal(row.Cells.Keys.Except(columnsNotInTheModel).Order(), model.Keys.Order());
        foreach (var (column, value) in model)
        {
            var text = value switch
            {
                null => "",
                bool flag => flag ? "true" : "false",
                IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
                IEnumerable<object> list => string.Join(';', list.Select(item => Convert.ToString(item, CultureInfo.InvariantCulture))),
                _ => value.ToString(),
            };
            Assert.True(row[column] == text, $"{row} {column}: the table has '{row[column]}', the model '{text}'");
        }
    }
}
