using System.Numerics;

namespace LoRaWan;

/// <summary>
/// A value of the <see cref="IHexValue{TSelf}"/> family that may be shown (all but keys). Formats: <c>X</c> upper case (default),
/// <c>x</c> lower case, <c>-</c> and <c>:</c> upper case with that separator between bytes.
/// </summary>
/// <typeparam name="TSelf">The type itself.</typeparam>
public interface IHexIdentifier<TSelf>
    : IHexValue<TSelf>, ISpanFormattable, IUtf8SpanFormattable
    where TSelf : struct, IHexIdentifier<TSelf>;

/// <summary>What values and identifiers have in common behind and beside their members.</summary>
public static class HexIdentifier
{
    /// <summary>Gives the bytes, most significant first.</summary>
    public static byte[] ToByteArray<T>(this T value) where T : struct, IHexValue<T>
    {
        var bytes = new byte[T.SizeInBytes];
        value.CopyTo(bytes);
        return bytes;
    }

    /// <summary>Hex digits in the given format: <c>X</c>, <c>x</c>, <c>-</c> or <c>:</c>.</summary>
    /// <exception cref="FormatException">The format is another.</exception>
    public static string ToString<T>(this T value, string? format) where T : struct, IHexIdentifier<T>
    {
        Span<byte> bytes = stackalloc byte[T.SizeInBytes];
        value.CopyTo(bytes);
        return HexText.Write(bytes, format);
    }

    internal static bool TryFormat<T, TChar>(T value, Span<TChar> destination, out int written, ReadOnlySpan<char> format)
        where T : struct, IHexIdentifier<T>
        where TChar : unmanaged, IBinaryInteger<TChar>
    {
        Span<byte> bytes = stackalloc byte[T.SizeInBytes];
        value.CopyTo(bytes);
        return HexText.TryWrite(bytes, destination, out written, format);
    }
}
