using System.Globalization;
using System.Text;

namespace Migration.Verify;

/// <summary>Joins over time as a rising line, in the units of a drawing of <see cref="Width"/> by <see cref="Height"/>.</summary>
/// <param name="From">Time at the left edge.</param>
/// <param name="To">Time at the right edge.</param>
/// <param name="Line">SVG path from the lower left to the right edge.</param>
/// <param name="Ticks">Times to write below, evenly from edge to edge.</param>
internal sealed record JoinCurve(DateTimeOffset From, DateTimeOffset To, string Line, IReadOnlyList<DateTimeOffset> Ticks)
{
    public const int Width = 400;
    public const int Height = 160;

    private const int TickCount = 4;

    /// <param name="joins">Times of joins, sorted; at least one.</param>
    /// <param name="start">When the first device was imported; null when not known.</param>
    /// <param name="end">Time of the last look.</param>
    /// <param name="all">Number at the top edge.</param>
    public static JoinCurve Of(IReadOnlyList<DateTimeOffset> joins, DateTimeOffset? start, DateTimeOffset end, long all)
    {
        var from = start < joins[0] ? start.Value : joins[0];
        var to = end > joins[^1] ? end : joins[^1];
        // Everything in one moment still needs a width.
        if (to - from < TimeSpan.FromMinutes(1))
            to = from + TimeSpan.FromMinutes(1);
        var line = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"M0 {Height}"));
        var done = 0;
        for (var x = 0; x <= Width; x++)
        {
            var time = from + ((to - from) * x / Width);
            var before = done;
            while (done < joins.Count && joins[done] <= time)
                done++;
            if (done == before)
                continue;
            line.Append(CultureInfo.InvariantCulture, $"H{x}V{Height - ((double)Height * done / all):0.##}");
        }
        line.Append(CultureInfo.InvariantCulture, $"H{Width}");
        return new JoinCurve(from, to, line.ToString(), [.. Enumerable.Range(0, TickCount).Select(i => from + ((to - from) * i / (TickCount - 1)))]);
    }
}
