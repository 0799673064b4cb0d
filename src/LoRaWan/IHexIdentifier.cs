using System.Numerics;

namespace LoRaWan;

/// <summary>
/// A value of the <see cref="IHexValue{TSelf}"/> family that may be shown and sorted (all but keys). Formats: <c>X</c> upper case (default),
/// <c>x</c> lower case, <c>-</c> and <c>:</c> upper case with that separator between bytes.
/// </summary>
/// <typeparam name="TSelf">The type itself.</typeparam>
public interface IHexIdentifier<TSelf>
    : IHexValue<TSelf>, ISpanFormattable, IUtf8SpanFormattable, IComparable<TSelf>, IComparisonOperators<TSelf, TSelf, bool>
    where TSelf : struct, IHexIdentifier<TSelf>;

/// <summary>What the identifiers have in common behind their members.</summary>
internal static class HexIdentifier
{
    public static byte[] ToByteArray<T>(T value) where T : struct, IHexValue<T>
    {
        var bytes = new byte[T.SizeInBytes];
        value.CopyTo(bytes);
        return bytes;
    }

    public static string ToString<T>(T value, string? format) where T : struct, IHexIdentifier<T>
    {
        Span<byte> bytes = stackalloc byte[T.SizeInBytes];
        value.CopyTo(bytes);
        return HexText.Write(bytes, format);
    }

    public static bool TryFormat<T, TChar>(T value, Span<TChar> destination, out int written, ReadOnlySpan<char> format)
        where T : struct, IHexIdentifier<T>
        where TChar : unmanaged, IBinaryInteger<TChar>
    {
        Span<byte> bytes = stackalloc byte[T.SizeInBytes];
        value.CopyTo(bytes);
        return HexText.TryWrite(bytes, destination, out written, format);
    }
}
