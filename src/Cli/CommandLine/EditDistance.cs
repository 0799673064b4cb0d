namespace Cli.CommandLine;

/// <summary>How far two words are from each other.</summary>
internal static class EditDistance
{
    /// <summary>Number of letters to insert, delete or replace, letter case ignored.</summary>
    public static int Between(string left, string right)
    {
        Span<int> row = right.Length < 128 ? stackalloc int[right.Length + 1] : new int[right.Length + 1];
        for (var column = 0; column < row.Length; column++)
            row[column] = column;
        for (var line = 1; line <= left.Length; line++)
        {
            var diagonal = row[0];
            row[0] = line;
            for (var column = 1; column < row.Length; column++)
            {
                var same = char.ToLowerInvariant(left[line - 1]) == char.ToLowerInvariant(right[column - 1]);
                var cost = same ? diagonal : 1 + Math.Min(diagonal, Math.Min(row[column], row[column - 1]));
                (diagonal, row[column]) = (row[column], cost);
            }
        }
        return row[^1];
    }
}
