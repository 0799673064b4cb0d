using System.Globalization;

namespace TheThingsStack.Json;

/// <summary>Timestamps and durations as The Things Stack prints and reads them (facts/tts-json.md sections 3, 10.4, 10.5, 10.14, 10.15).</summary>
internal static class JsonTime
{
    private const long SecondsPerDay = 86_400;
    private const long FirstSecond = -62_135_596_800; // 0001-01-01T00:00:00Z
    private const long LastSecond = 253_402_300_799; // 9999-12-31T23:59:59Z
    private const long NanosPerSecond = 1_000_000_000;

    /// <summary>Writes <c>"2024-05-06T07:08:09.120Z"</c>; false when <paramref name="strict"/> and the value is not one of the years 1 to 9999.</summary>
    public static bool WriteTimestamp(ref WireBuffer output, long seconds, int nanos, bool strict)
    {
        if (strict && (seconds is < FirstSecond or > LastSecond || nanos is < 0 or >= (int)NanosPerSecond))
            return false;
        var carry = Math.DivRem(nanos, NanosPerSecond, out var rest);
        if (rest < 0)
        {
            carry--;
            rest += NanosPerSecond;
        }
        var total = (Int128)seconds + carry;
        var day = (long)(total / SecondsPerDay);
        var second = (int)(total - ((Int128)day * SecondsPerDay));
        if (second < 0)
        {
            day--;
            second += (int)SecondsPerDay;
        }
        var (year, month, dayOfMonth) = Civil(day);
        var room = output.Room(64);
        var at = 0;
        room[at++] = (byte)'"';
        if (year < 0)
            room[at++] = (byte)'-';
        Math.Abs(year).TryFormat(room[at..], out var written, "D4", CultureInfo.InvariantCulture);
        at += written;
        at = Two(room, at, '-', month);
        at = Two(room, at, '-', dayOfMonth);
        at = Two(room, at, 'T', second / 3600);
        at = Two(room, at, ':', second / 60 % 60);
        at = Two(room, at, ':', second % 60);
        at = Fraction(room, at, (int)rest);
        room[at++] = (byte)'Z';
        room[at++] = (byte)'"';
        output.Length += at;
        return true;
    }

    /// <summary>Writes <c>"1.500s"</c>; the value passes through a double of seconds, as the original does.</summary>
    public static void WriteDuration(ref WireBuffer output, long seconds, int nanos)
    {
        // Seconds that are out of range alone stay so, whatever the nanoseconds take off.
        var exact = (Int128)seconds * NanosPerSecond;
        if (exact >= long.MinValue && exact <= long.MaxValue)
            exact += nanos;
        var total = (long)Int128.Clamp(exact, long.MinValue, long.MaxValue);
        var value = total / NanosPerSecond + (total % NanosPerSecond / 1e9);
        var room = output.Room(64);
        room[0] = (byte)'"';
        value.TryFormat(room[1..], out var length, "F9", CultureInfo.InvariantCulture);
        var at = 1 + length;
        while (room[..at].EndsWith("000"u8))
            at -= 3;
        if (room[at - 1] == (byte)'.')
            at--;
        room[at++] = (byte)'s';
        room[at++] = (byte)'"';
        output.Length += at;
    }

    /// <summary>Writes a duration of standard protobuf JSON; false when it is out of range or its signs differ.</summary>
    public static bool WriteStandardDuration(ref WireBuffer output, long seconds, int nanos)
    {
        if (seconds is < -315_576_000_000 or > 315_576_000_000 || nanos is <= -(int)NanosPerSecond or >= (int)NanosPerSecond || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
            return false;
        var room = output.Room(64);
        var at = 0;
        room[at++] = (byte)'"';
        if (seconds < 0 || nanos < 0)
            room[at++] = (byte)'-';
        Math.Abs(seconds).TryFormat(room[at..], out var written, default, CultureInfo.InvariantCulture);
        at = Fraction(room, at + written, Math.Abs(nanos));
        room[at++] = (byte)'s';
        room[at++] = (byte)'"';
        output.Length += at;
        return true;
    }

    /// <summary>
    /// Reads a timestamp. The plugin form must end in Z; the standard form may have a numeric offset, at most nine digits after a point,
    /// and a year from 1.
    /// </summary>
    public static bool TryReadTimestamp(ReadOnlySpan<byte> text, bool standard, out long seconds, out int nanos)
    {
        seconds = 0;
        nanos = 0;
        var at = 0;
        if (!Number(text, ref at, 4, out var year) || !Mark(text, ref at, '-') || !Number(text, ref at, 2, out var month) || !Mark(text, ref at, '-')
            || !Number(text, ref at, 2, out var day) || !Mark(text, ref at, 'T') || !Hour(text, ref at, out var hour) || !Mark(text, ref at, ':')
            || !Number(text, ref at, 2, out var minute) || !Mark(text, ref at, ':') || !Number(text, ref at, 2, out var second))
            return false;
        if (month is < 1 or > 12 || day < 1 || day > DaysIn(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;
        if (at + 1 < text.Length && text[at] is (byte)'.' or (byte)',' && char.IsAsciiDigit((char)text[at + 1]))
        {
            var point = text[at++] == (byte)'.';
            var digits = 0;
            for (; at < text.Length && char.IsAsciiDigit((char)text[at]); at++, digits++)
            {
                if (digits < 9)
                    nanos = (nanos * 10) + text[at] - (byte)'0';
            }
            for (var i = digits; i < 9; i++)
                nanos *= 10;
            if (standard && point && digits > 9)
                return false;
        }
        long offset = 0;
        if (at < text.Length && text[at] == (byte)'Z')
        {
            at++;
        }
        else
        {
            if (!standard || at >= text.Length || text[at] is not ((byte)'+' or (byte)'-'))
                return false;
            var sign = text[at++] == (byte)'-' ? -1 : 1;
            if (!Number(text, ref at, 2, out var offsetHour) || !Mark(text, ref at, ':') || !Number(text, ref at, 2, out var offsetMinute) || offsetHour > 24 || offsetMinute > 60)
                return false;
            offset = sign * ((offsetHour * 3600) + (offsetMinute * 60));
        }
        if (at != text.Length)
            return false;
        seconds = (Days(year, month, day) * SecondsPerDay) + (hour * 3600) + (minute * 60) + second - offset;
        return !standard || seconds is >= FirstSecond and <= LastSecond;
    }

    /// <summary>Reads a duration such as <c>1m</c>, <c>1.5s</c>, <c>1h2m3s</c>, <c>100ms</c>, within 64 bits of nanoseconds.</summary>
    public static bool TryReadDuration(ReadOnlySpan<byte> text, out long seconds, out int nanos)
    {
        seconds = 0;
        nanos = 0;
        var negative = false;
        if (text.Length > 0 && text[0] is (byte)'-' or (byte)'+')
        {
            negative = text[0] == (byte)'-';
            text = text[1..];
        }
        if (text.SequenceEqual("0"u8))
            return true;
        const ulong Limit = 1ul << 63;
        ulong total = 0;
        if (text.IsEmpty)
            return false;
        while (!text.IsEmpty)
        {
            if (!WholePart(ref text, out var whole, out var wholeDigits))
                return false;
            ulong fraction = 0;
            var scale = 1.0;
            var fractionDigits = 0;
            if (!text.IsEmpty && text[0] == (byte)'.')
            {
                text = text[1..];
                FractionPart(ref text, out fraction, out scale, out fractionDigits);
            }
            if (wholeDigits + fractionDigits == 0)
                return false;
            var end = text.IndexOfAny(UnitEnd);
            var unitText = end < 0 ? text : text[..end];
            if (Unit(unitText) is not { } unit || whole > Limit / unit)
                return false;
            text = text[unitText.Length..];
            whole *= unit;
            if (fraction > 0)
            {
                // The fraction passes through a double, as in the original.
                whole += (ulong)(fraction * (unit / scale));
                if (whole > Limit)
                    return false;
            }
            total += whole;
            if (total > Limit)
                return false;
        }
        if (!negative && total == Limit)
            return false;
        var value = negative ? (long)(0 - total) : (long)total;
        seconds = value / NanosPerSecond;
        nanos = (int)(value % NanosPerSecond);
        return true;
    }

    /// <summary>Reads a duration of standard protobuf JSON, <c>-1.5s</c>.</summary>
    public static bool TryReadStandardDuration(ReadOnlySpan<byte> text, out long seconds, out int nanos)
    {
        seconds = 0;
        nanos = 0;
        var negative = text.Length > 0 && text[0] == (byte)'-';
        if (text.Length > 0 && text[0] is (byte)'-' or (byte)'+')
            text = text[1..];
        if (text.Length < 2 || text[^1] != (byte)'s')
            return false;
        text = text[..^1];
        var point = text.IndexOf((byte)'.');
        var whole = point < 0 ? text : text[..point];
        var fraction = point < 0 ? [] : text[(point + 1)..];
        if (whole.Length + fraction.Length == 0 || fraction.Length > 9 || whole.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0
            || fraction.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0 || (whole.Length > 1 && whole[0] == (byte)'0'))
            return false;
        if (whole.Length > 0 && !long.TryParse(whole, NumberStyles.None, CultureInfo.InvariantCulture, out seconds))
            return false;
        for (var i = 0; i < 9; i++)
            nanos = (nanos * 10) + (i < fraction.Length ? fraction[i] - (byte)'0' : 0);
        if (negative)
            (seconds, nanos) = (-seconds, -nanos);
        return seconds is >= -315_576_000_000 and <= 315_576_000_000;
    }

    private static readonly System.Buffers.SearchValues<byte> UnitEnd = System.Buffers.SearchValues.Create(".0123456789"u8);

    private static ulong? Unit(ReadOnlySpan<byte> text)
    {
        if (text.SequenceEqual("s"u8))
            return NanosPerSecond;
        if (text.SequenceEqual("ms"u8))
            return 1_000_000;
        if (text.SequenceEqual("m"u8))
            return 60 * NanosPerSecond;
        if (text.SequenceEqual("h"u8))
            return 3600 * NanosPerSecond;
        // Both signs for micro: U+00B5 and U+03BC.
        if (text.SequenceEqual("us"u8) || text.SequenceEqual("\u00b5s"u8) || text.SequenceEqual("\u03bcs"u8))
            return 1_000;
        return text.SequenceEqual("ns"u8) ? 1ul : null;
    }

    private static bool WholePart(ref ReadOnlySpan<byte> text, out ulong value, out int digits)
    {
        value = 0;
        digits = 0;
        for (; digits < text.Length && char.IsAsciiDigit((char)text[digits]); digits++)
        {
            if (value > (1ul << 63) / 10)
                return false;
            value = (value * 10) + text[digits] - (byte)'0';
            if (value > 1ul << 63)
                return false;
        }
        text = text[digits..];
        return true;
    }

    private static void FractionPart(ref ReadOnlySpan<byte> text, out ulong value, out double scale, out int digits)
    {
        value = 0;
        scale = 1;
        digits = 0;
        var full = false;
        for (; digits < text.Length && char.IsAsciiDigit((char)text[digits]); digits++)
        {
            // Digits that no longer fit are cut.
            full = full || value > ((1ul << 63) - 1) / 10;
            var next = full ? 0 : (value * 10) + text[digits] - (byte)'0';
            full = full || next > 1ul << 63;
            if (full)
                continue;
            value = next;
            scale *= 10;
        }
        text = text[digits..];
    }

    private static bool Number(ReadOnlySpan<byte> text, ref int at, int digits, out int value)
    {
        value = 0;
        if (at + digits > text.Length)
            return false;
        for (var end = at + digits; at < end; at++)
        {
            if (!char.IsAsciiDigit((char)text[at]))
                return false;
            value = (value * 10) + text[at] - (byte)'0';
        }
        return true;
    }

    // One digit is enough for the hour.
    private static bool Hour(ReadOnlySpan<byte> text, ref int at, out int value) =>
        Number(text, ref at, at + 1 < text.Length && char.IsAsciiDigit((char)text[at + 1]) ? 2 : 1, out value);

    private static bool Mark(ReadOnlySpan<byte> text, ref int at, char mark) => at < text.Length && text[at++] == (byte)mark;

    private static int Two(Span<byte> room, int at, char mark, int value)
    {
        room[at] = (byte)mark;
        room[at + 1] = (byte)('0' + (value / 10));
        room[at + 2] = (byte)('0' + (value % 10));
        return at + 3;
    }

    // Nothing, or 3, 6 or 9 digits.
    private static int Fraction(Span<byte> room, int at, int nanos)
    {
        if (nanos == 0)
            return at;
        room[at++] = (byte)'.';
        nanos.TryFormat(room[at..], out _, "D9", CultureInfo.InvariantCulture);
        return at + (nanos % 1_000_000 == 0 ? 3 : nanos % 1_000 == 0 ? 6 : 9);
    }

    private static int DaysIn(int year, int month) => month switch
    {
        2 => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    // Days since 1970-01-01 in the proleptic Gregorian calendar; a year here starts in March, so that the leap day is its last.
    private static long Days(long year, int month, int day)
    {
        if (month <= 2)
            year--;
        var era = FloorDiv(year, 400);
        var yearOfEra = year - (era * 400);
        var dayOfYear = (((153 * (month + (month > 2 ? -3 : 9))) + 2) / 5) + day - 1;
        return (era * 146_097) + (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear - 719_468;
    }

    private static (long Year, int Month, int Day) Civil(long days)
    {
        days += 719_468;
        var era = FloorDiv(days, 146_097);
        var dayOfEra = days - (era * 146_097);
        var yearOfEra = (dayOfEra - (dayOfEra / 1_460) + (dayOfEra / 36_524) - (dayOfEra / 146_096)) / 365;
        var dayOfYear = (int)(dayOfEra - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100)));
        var march = ((5 * dayOfYear) + 2) / 153;
        var month = march < 10 ? march + 3 : march - 9;
        return ((era * 400) + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (((153 * march) + 2) / 5) + 1);
    }

    private static long FloorDiv(long value, long by) => (value / by) - (value % by < 0 ? 1 : 0);
}
