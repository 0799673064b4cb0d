using System.Globalization;

namespace Cli.Verify;

/// <summary>A time to wait: numbers with <c>d</c>, <c>h</c>, <c>m</c> or <c>s</c>, e.g. <c>24h</c> or <c>1h30m</c>. At most a year.</summary>
internal static class WaitTime
{
    private static readonly TimeSpan Most = TimeSpan.FromDays(366);

    public static bool TryParse(string text, out TimeSpan time)
    {
        time = TimeSpan.Zero;
        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits <= 0 || !int.TryParse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return false;
            TimeSpan? unit = rest[digits] switch
            {
                'd' => TimeSpan.FromDays(1),
                'h' => TimeSpan.FromHours(1),
                'm' => TimeSpan.FromMinutes(1),
                's' => TimeSpan.FromSeconds(1),
                _ => null,
            };
            if (unit is not { } known || number > Most / known)
                return false;
            time += known * number;
            rest = rest[(digits + 1)..];
        }
        return text.Length > 0 && time <= Most;
    }
}
