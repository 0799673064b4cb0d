using System.Globalization;
using System.Numerics;

namespace TheThingsStack.Json;

/// <summary>Numbers as The Things Stack prints and reads them (facts/tts-json.md sections 3, 7, 10.1, 10.2, 10.8, 10.9).</summary>
internal static class JsonNumber
{
    /// <summary>NaN with the bits that The Things Stack stores, so that messages compare equal.</summary>
    public const ulong DoubleNaN = 0x7FF8000000000001;

    /// <summary>NaN of single precision.</summary>
    public const uint FloatNaN = 0x7FC00000;

    /// <summary>
    /// Writes the shortest number that reads back equal. The exponent form starts below 1e-6 and at 1e21; it has at least two digits of
    /// exponent (<c>1e-07</c>) unless <paramref name="shortExponent"/>. The value is finite.
    /// </summary>
    public static void Write(ref WireBuffer output, double value, bool shortExponent)
    {
        var room = output.Room(64);
        value.TryFormat(room, out var length, default, CultureInfo.InvariantCulture);
        output.Length += Layout(room, length, shortExponent);
    }

    /// <summary>The same for single precision: digits enough for a float.</summary>
    public static void Write(ref WireBuffer output, float value)
    {
        var room = output.Room(64);
        value.TryFormat(room, out var length, default, CultureInfo.InvariantCulture);
        output.Length += Layout(room, length, shortExponent: false);
    }

    // .NET and Go agree on the digits; only where the exponent form starts and how it looks differ.
    private static int Layout(Span<byte> text, int length, bool shortExponent)
    {
        var mark = text[..length].IndexOf((byte)'E');
        if (mark < 0)
            return length;
        var exponent = int.Parse(text[(mark + 1)..length], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        Span<byte> digits = stackalloc byte[32];
        var count = 0;
        var negative = text[0] == (byte)'-';
        foreach (var c in text[(negative ? 1 : 0)..mark])
        {
            if (c != (byte)'.')
                digits[count++] = c;
        }
        var at = negative ? 1 : 0;
        if (exponent is < -6 or >= 21)
        {
            text[at++] = digits[0];
            if (count > 1)
            {
                text[at++] = (byte)'.';
                digits[1..count].CopyTo(text[at..]);
                at += count - 1;
            }
            text[at++] = (byte)'e';
            text[at++] = exponent < 0 ? (byte)'-' : (byte)'+';
            if (Math.Abs(exponent) < 10 && !shortExponent)
                text[at++] = (byte)'0';
            Math.Abs(exponent).TryFormat(text[at..], out var written, default, CultureInfo.InvariantCulture);
            return at + written;
        }
        if (exponent < 0)
        {
            text[at++] = (byte)'0';
            text[at++] = (byte)'.';
            for (var i = -1; i > exponent; i--)
                text[at++] = (byte)'0';
            digits[..count].CopyTo(text[at..]);
            return at + count;
        }
        // 1e15 <= value < 1e21: shortest digits never reach beyond the point here.
        digits[..count].CopyTo(text[at..]);
        at += count;
        for (var i = count; i <= exponent; i++)
            text[at++] = (byte)'0';
        return at;
    }

    /// <summary>True when a JSON number has a fraction or an exponent.</summary>
    public static bool HasFractionOrExponent(ReadOnlySpan<byte> number) => number.IndexOfAny((byte)'.', (byte)'e', (byte)'E') >= 0;

    /// <summary>Reads the double nearest to a JSON number; false when it is too large.</summary>
    public static bool TryReadDouble(ReadOnlySpan<byte> number, out double value) =>
        double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);

    /// <summary>Reads the float nearest to a JSON number; false when it is too large.</summary>
    public static bool TryReadFloat(ReadOnlySpan<byte> number, out float value) =>
        float.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && float.IsFinite(value);

    /// <summary>
    /// Reads the text of a floating-point number inside a JSON string: decimal or hexadecimal (<c>0x1p-2</c>), underscores between digits,
    /// <c>inf</c>, <c>infinity</c>, <c>nan</c> in any case. False when it is malformed or out of range of a double.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="single">Round to single precision; out of its range is false.</param>
    /// <param name="value">The value.</param>
    public static bool TryReadText(ReadOnlySpan<byte> text, bool single, out double value)
    {
        value = 0;
        var rest = text;
        var negative = false;
        var signed = rest.Length > 0 && rest[0] is (byte)'+' or (byte)'-';
        if (signed)
        {
            negative = rest[0] == (byte)'-';
            rest = rest[1..];
        }
        if (System.Text.Ascii.EqualsIgnoreCase(rest, "inf"u8) || System.Text.Ascii.EqualsIgnoreCase(rest, "infinity"u8))
        {
            value = negative ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }
        if (!signed && System.Text.Ascii.EqualsIgnoreCase(rest, "nan"u8))
        {
            value = double.NaN;
            return true;
        }
        if (rest.Length is 0 or > 400)
            return false;
        var hex = rest.Length > 2 && rest[0] == (byte)'0' && (rest[1] | 0x20) == 'x';
        Span<byte> digits = stackalloc byte[400];
        var count = 0;
        // A base prefix counts as a digit before an underscore.
        for (var i = hex ? 2 : 0; i < rest.Length; i++)
        {
            if (rest[i] != (byte)'_')
            {
                digits[count++] = rest[i];
                continue;
            }
            var after = i + 1 < rest.Length && IsDigit(rest[i + 1], hex);
            var before = i > 0 && (IsDigit(rest[i - 1], hex) || (hex && i == 2));
            if (!after || !before)
                return false;
        }
        var clean = digits[..count];
        if (!(hex ? TryReadHex(clean, single, out value) : TryReadDecimal(clean, single, out value)) || !double.IsFinite(value))
            return false;
        if (negative)
            value = -value;
        return true;
    }

    private static bool IsDigit(byte c, bool hex) => hex ? char.IsAsciiHexDigit((char)c) : char.IsAsciiDigit((char)c);

    private static bool TryReadDecimal(ReadOnlySpan<byte> text, bool single, out double value)
    {
        value = 0;
        var exponent = text.IndexOfAny((byte)'e', (byte)'E');
        var mantissa = exponent < 0 ? text : text[..exponent];
        var digits = 0;
        var points = 0;
        foreach (var c in mantissa)
        {
            if (c == (byte)'.')
                points++;
            else if (char.IsAsciiDigit((char)c))
                digits++;
            else
                return false;
        }
        if (digits == 0 || points > 1 || (exponent >= 0 && !IsExponent(text[(exponent + 1)..])))
            return false;
        if (!single)
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
        var read = float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var rounded);
        value = rounded;
        return read;
    }

    private static bool IsExponent(ReadOnlySpan<byte> text)
    {
        if (text.Length > 0 && text[0] is (byte)'+' or (byte)'-')
            text = text[1..];
        return text.Length > 0 && text.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;
    }

    private static bool TryReadHex(ReadOnlySpan<byte> text, bool single, out double value)
    {
        value = 0;
        var mark = text.IndexOfAny((byte)'p', (byte)'P');
        if (mark < 0 || !IsExponent(text[(mark + 1)..]))
            return false;
        var mantissa = BigInteger.Zero;
        var digits = 0;
        var scale = 0;
        var point = false;
        foreach (var c in text[..mark])
        {
            if (c == (byte)'.' && !point)
            {
                point = true;
                continue;
            }
            if (!char.IsAsciiHexDigit((char)c))
                return false;
            mantissa = (mantissa << 4) + Convert.ToInt32(((char)c).ToString(), 16);
            digits++;
            scale += point ? 4 : 0;
        }
        if (digits == 0)
            return false;
        if (!int.TryParse(text[(mark + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent))
            exponent = text[mark + 1] == (byte)'-' ? -100_000 : 100_000;
        exponent = Math.Clamp(exponent, -100_000, 100_000) - scale;
        // Keep 64 bits; a double needs 53, the lowest kept bit remembers whether anything below was set. For single precision so few that a
        // double holds them all: the value is rounded once.
        var excess = (int)Math.Max(0, (long)mantissa.GetBitLength() - (single ? 40 : 64));
        var low = mantissa & ((BigInteger.One << excess) - 1);
        var kept = (ulong)(mantissa >> excess) | (low.IsZero ? 0ul : 1ul);
        value = Math.ScaleB((double)kept, exponent + excess);
        if (single)
            value = (float)value;
        return true;
    }

    /// <summary>
    /// Reads the exact whole value of a JSON number that may have a fraction of zeros or an exponent (standard protobuf JSON).
    /// False when it is not whole or its magnitude is beyond 64 bits.
    /// </summary>
    public static bool TryReadWhole(ReadOnlySpan<byte> number, out bool negative, out ulong magnitude)
    {
        magnitude = 0;
        negative = number.Length > 0 && number[0] == (byte)'-';
        if (negative)
            number = number[1..];
        long exponent = 0;
        var mark = number.IndexOfAny((byte)'e', (byte)'E');
        if (mark >= 0)
        {
            if (!int.TryParse(number[(mark + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var given))
                given = number[mark + 1] == (byte)'-' ? int.MinValue : int.MaxValue;
            exponent = given;
            number = number[..mark];
        }
        var zeros = 0L;
        var point = false;
        foreach (var c in number)
        {
            if (c == (byte)'.')
            {
                point = true;
                continue;
            }
            if (point)
                exponent--;
            // Zeros wait until a digit follows them, so that a fraction of zeros costs nothing.
            if (c == (byte)'0')
            {
                zeros++;
                continue;
            }
            if (!TryShift(ref magnitude, zeros))
                return false;
            zeros = 0;
            if (!TryAppend(ref magnitude, c - (byte)'0'))
                return false;
        }
        if (magnitude == 0)
            return true;
        exponent += zeros;
        return exponent >= 0 && TryShift(ref magnitude, exponent);
    }

    private static bool TryShift(ref ulong value, long places)
    {
        if (value == 0)
            return true;
        for (; places > 0; places--)
        {
            if (!TryAppend(ref value, 0))
                return false;
        }
        return true;
    }

    private static bool TryAppend(ref ulong value, int digit)
    {
        var next = ((UInt128)value * 10) + (uint)digit;
        value = (ulong)next;
        return next <= ulong.MaxValue;
    }

    /// <summary>True when the text is one JSON number and nothing else.</summary>
    public static bool IsJsonNumber(ReadOnlySpan<byte> text) => Scan(text, 0, out var end) && end == text.Length;

    /// <summary>Finds the end of the JSON number at <paramref name="start"/>; false when there is none.</summary>
    public static bool Scan(ReadOnlySpan<byte> text, int start, out int end)
    {
        var at = start;
        end = start;
        if (at < text.Length && text[at] == (byte)'-')
            at++;
        if (at >= text.Length || !char.IsAsciiDigit((char)text[at]))
        {
            end = at;
            return false;
        }
        if (text[at] == (byte)'0')
            at++;
        else
            at = Digits(text, at);
        if (at < text.Length && text[at] == (byte)'.')
        {
            var fraction = Digits(text, at + 1);
            end = fraction;
            if (fraction == at + 1)
                return false;
            at = fraction;
        }
        if (at < text.Length && text[at] is (byte)'e' or (byte)'E')
        {
            at++;
            if (at < text.Length && text[at] is (byte)'+' or (byte)'-')
                at++;
            var exponent = Digits(text, at);
            end = exponent;
            if (exponent == at)
                return false;
            at = exponent;
        }
        end = at;
        // 01, 1x, 1.2.3: a number ends before punctuation or white space.
        return at >= text.Length || !(char.IsAsciiLetterOrDigit((char)text[at]) || text[at] is (byte)'.' or (byte)'+' or (byte)'-' or (byte)'_');
    }

    private static int Digits(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && char.IsAsciiDigit((char)text[at]))
            at++;
        return at;
    }
}
