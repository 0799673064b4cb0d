namespace LoRaWan.Regional;

/// <summary>Finds the names that somebody who wrote an unknown one may have meant.</summary>
public static class NearestNames
{
    /// <summary>
    /// Names spelled like the unknown one, nearest first: by the fewest characters put in, left out, changed or swapped with their neighbour,
    /// and names that begin with it. Case and separators (<c>_ - . blank</c>) do not matter. Names that need more than a third changed are no help
    /// and left out.
    /// </summary>
    /// <param name="unknown">What was written.</param>
    /// <param name="known">The names there are; equally near ones keep their order.</param>
    /// <param name="count">How many at most.</param>
    public static IReadOnlyList<string> Of(string unknown, IEnumerable<string> known, int count = 3)
    {
        var written = Letters(unknown);
        if (written.Length == 0)
            return [];
        return
        [
            .. known.Select(name => (Name: name, Distance: Distance(written, Letters(name))))
                .Where(entry => entry.Distance <= Math.Max(2, written.Length / 3))
                .OrderBy(entry => entry.Distance)
                .Take(count)
                .Select(entry => entry.Name),
        ];
    }

    /// <summary>Letters and digits in upper case, without what people write in between.</summary>
    internal static string Letters(ReadOnlySpan<char> name)
    {
        Span<char> letters = stackalloc char[Math.Min(name.Length, 64)];
        var length = 0;
        foreach (var c in name[..letters.Length])
        {
            if (c is not ('_' or '-' or '.' or ' '))
                letters[length++] = char.ToUpperInvariant(c);
        }
        return new string(letters[..length]);
    }

    /// <summary>A name that goes on where the written one ends counts as one step away.</summary>
    private static int Distance(string written, string name) =>
        written.Length > 2 && name.Length > written.Length && name.StartsWith(written, StringComparison.Ordinal) ? 1 : EditDistance(written, name);

    /// <summary>Optimal string alignment distance, with three rows of the usual table.</summary>
    private static int EditDistance(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        var beforeLast = new int[b.Length + 1];
        var last = new int[b.Length + 1];
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
            last[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                row[j] = Math.Min(Math.Min(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    row[j] = Math.Min(row[j], beforeLast[j - 2] + 1);
            }
            (beforeLast, last, row) = (last, row, beforeLast);
        }
        return last[b.Length];
    }
}
