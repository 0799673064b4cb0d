using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace LoRaWan;

/// <summary>
/// Text form of all values of the <see cref="IHexValue{TSelf}"/> family: gives each of them <c>Parse</c> and <c>TryParse</c>
/// (<c>DevEui.Parse("70B3D57ED0000001")</c>).
/// </summary>
public static class HexText
{
    private const int LargestSize = 16;

    extension<T>(T) where T : struct, IHexValue<T>
    {
        /// <summary>Reads text in one of the accepted forms (see <see cref="IHexValue{TSelf}"/>).</summary>
        /// <exception cref="FormatException">The text is in none of them; the message says why and never repeats the text.</exception>
        public static T Parse(ReadOnlySpan<char> text) => ParseOrThrow<T, char>(text);

        /// <inheritdoc cref="Parse{T}(ReadOnlySpan{char})"/>
        public static T Parse(ReadOnlySpan<byte> utf8Text) => ParseOrThrow<T, byte>(utf8Text);

        /// <summary>Reads text in one of the accepted forms (see <see cref="IHexValue{TSelf}"/>).</summary>
        public static bool TryParse(ReadOnlySpan<char> text, out T value) => TryParse<T, char>(text, out value, out _);

        /// <inheritdoc cref="TryParse{T}(ReadOnlySpan{char}, out T)"/>
        public static bool TryParse(ReadOnlySpan<byte> utf8Text, out T value) => TryParse<T, byte>(utf8Text, out value, out _);

        /// <summary>
        /// Reads text in one of the accepted forms, or says why it cannot: a phrase to put behind the name of the field
        /// (<c>has 15 hex digits, not 16</c>) that never repeats any of the text, so it is safe for keys.
        /// </summary>
        public static bool TryParse(ReadOnlySpan<char> text, out T value, [NotNullWhen(false)] out string? reason) =>
            TryParse<T, char>(text, out value, out reason);

        /// <inheritdoc cref="TryParse{T}(ReadOnlySpan{char}, out T, out string)"/>
        public static bool TryParse(ReadOnlySpan<byte> utf8Text, out T value, [NotNullWhen(false)] out string? reason) =>
            TryParse<T, byte>(utf8Text, out value, out reason);
    }

    internal static T ParseOrThrow<T, TChar>(ReadOnlySpan<TChar> text)
        where T : struct, IHexValue<T>
        where TChar : unmanaged, IBinaryInteger<TChar> =>
        TryParse<T, TChar>(text, out var value, out var reason) ? value : throw new FormatException($"{T.TermName} {reason}");

    internal static bool TryParse<T, TChar>(ReadOnlySpan<TChar> text, out T value, [NotNullWhen(false)] out string? reason)
        where T : struct, IHexValue<T>
        where TChar : unmanaged, IBinaryInteger<TChar>
    {
        Span<byte> bytes = stackalloc byte[LargestSize];
        bytes = bytes[..T.SizeInBytes];
        reason = TryReadBytes(text, bytes) ? null : Explain(text, bytes.Length);
        value = reason is null ? T.FromBytes(bytes) : default;
        return reason is null;
    }

    /// <summary>Writes bytes as <c>X</c> (upper case, also null or empty), <c>x</c> (lower case), <c>-</c> or <c>:</c> (upper case, separated).</summary>
    internal static bool TryWrite<TChar>(ReadOnlySpan<byte> bytes, Span<TChar> destination, out int written, ReadOnlySpan<char> format)
        where TChar : unmanaged, IBinaryInteger<TChar>
    {
        var kind = format is [] or "G" ? 'X' : format is ['X' or 'x' or '-' or ':'] ? format[0]
            : throw new FormatException("The format is one of X, x, - and :.");
        var separated = kind is '-' or ':';
        written = 0;
        if (destination.Length < bytes.Length * 2 + (separated ? bytes.Length - 1 : 0))
            return false;
        var digits = kind == 'x' ? "0123456789abcdef" : "0123456789ABCDEF";
        foreach (var value in bytes)
        {
            if (separated && written > 0)
                destination[written++] = TChar.CreateTruncating(kind);
            destination[written++] = TChar.CreateTruncating(digits[value >> 4]);
            destination[written++] = TChar.CreateTruncating(digits[value & 0xF]);
        }
        return true;
    }

    internal static string Write(ReadOnlySpan<byte> bytes, ReadOnlySpan<char> format)
    {
        Span<char> text = stackalloc char[LargestSize * 3];
        TryWrite(bytes, text, out var written, format);
        return new string(text[..written]);
    }

    /// <summary>Gives the bytes back when there are exactly <paramref name="size"/> of them.</summary>
    internal static ReadOnlySpan<byte> Exactly(ReadOnlySpan<byte> bytes, int size, string termName) =>
        bytes.Length == size ? bytes : throw new ArgumentException($"{termName} has {size} bytes, not {bytes.Length}.", nameof(bytes));

    private static bool TryReadBytes<TChar>(ReadOnlySpan<TChar> text, Span<byte> bytes)
        where TChar : unmanaged, IBinaryInteger<TChar>
    {
        var step = text.Length == bytes.Length * 2 ? 2 : 3;
        if (step == 3 && (text.Length != bytes.Length * 3 - 1 || (text.Length > 2 && !IsSeparator(text[2]))))
            return false;
        for (var i = 0; i < bytes.Length; i++)
        {
            var high = Digit(text[i * step]);
            var low = Digit(text[i * step + 1]);
            if ((high | low) < 0 || (step == 3 && i > 0 && text[i * 3 - 1] != text[2]))
                return false;
            bytes[i] = (byte)((high << 4) | low);
        }
        return true;
    }

    /// <summary>Finds the first thing wrong with text that could not be read. Positions count from 1; no character is repeated.</summary>
    private static string Explain<TChar>(ReadOnlySpan<TChar> text, int size)
        where TChar : unmanaged, IBinaryInteger<TChar>
    {
        if (text.IsEmpty)
            return "is empty";
        var digits = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (Digit(text[i]) >= 0)
                digits++;
            else if (!IsSeparator(text[i]))
                return string.Create(CultureInfo.InvariantCulture, $"has something other than a hex digit (0-9, A-F) at position {i + 1}");
        }
        return digits != size * 2
            ? string.Create(CultureInfo.InvariantCulture, $"has {digits} hex digits, not {size * 2}")
            : "has its separators in the wrong places: none at all, or the same one (- or :) between all bytes";
    }

    private static bool IsSeparator<TChar>(TChar c) where TChar : unmanaged, IBinaryInteger<TChar> =>
        c == TChar.CreateTruncating('-') || c == TChar.CreateTruncating(':');

    private static int Digit<TChar>(TChar c) where TChar : unmanaged, IBinaryInteger<TChar>
    {
        var code = uint.CreateTruncating(c);
        if (code - '0' <= 9)
            return (int)(code - '0');
        code |= 0x20;
        return code - 'a' <= 5 ? (int)(code - 'a' + 10) : -1;
    }
}
