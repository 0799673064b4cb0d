using System.Buffers;
using System.Globalization;

namespace TheThingsStack.FrequencyPlans;

/// <summary>Durations as plan files write them: <c>400ms</c>, <c>1m30.5s</c>, or a bare number of nanoseconds.</summary>
internal static class GoDuration
{
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    private static readonly (string Unit, decimal Nanoseconds)[] Units =
    [
        ("ns", 1m), ("us", 1e3m), ("µs", 1e3m), ("μs", 1e3m), ("ms", 1e6m), ("s", 1e9m), ("m", 60e9m), ("h", 3600e9m),
    ];

    /// <summary>Parses a duration of zero or more; fractions of 100 ns are cut.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = default;
        if (text.Length is 0 or > 64)
            return false;
        if (!text.ContainsAnyExceptInRange('0', '9'))
            return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var bare) && TryMake(bare, out duration);
        decimal nanoseconds = 0;
        while (text.Length > 0)
        {
            var digits = text.IndexOfAnyExcept(NumberCharacters);
            if (digits <= 0 || !decimal.TryParse(text[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                return false;
            text = text[digits..];
            var letters = text.IndexOfAny(NumberCharacters);
            var unit = letters < 0 ? text : text[..letters];
            text = text[unit.Length..];
            var scale = 0m;
            foreach (var (name, value) in Units)
            {
                if (unit.SequenceEqual(name))
                    scale = value;
            }
            if (scale == 0 || number > long.MaxValue / scale)
                return false;
            nanoseconds += number * scale;
        }
        return TryMake(nanoseconds, out duration);
    }

    private static bool TryMake(decimal nanoseconds, out TimeSpan duration)
    {
        var fits = nanoseconds <= long.MaxValue;
        duration = fits ? TimeSpan.FromTicks((long)(nanoseconds / TimeSpan.NanosecondsPerTick)) : default;
        return fits;
    }
}
