using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace LoRaWan;

/// <summary>A block of DevAddrs: those that agree in their first bits. Written <c>26000000/7</c>.</summary>
public readonly record struct DevAddrPrefix : ISpanParsable<DevAddrPrefix>, ISpanFormattable, IUtf8SpanFormattable
{
    /// <summary>Makes the block of addresses that agree with <paramref name="address"/> in the first <paramref name="length"/> bits.</summary>
    /// <param name="address">Any address of the block.</param>
    /// <param name="length">Number of bits, 0 (all addresses) to 32 (one address).</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is not 0 to 32.</exception>
    public DevAddrPrefix(DevAddr address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, 32);
        Length = length;
        First = new DevAddr(address.Value & Mask(length));
    }

    /// <summary>The lowest address of the block.</summary>
    public DevAddr First { get; }

    /// <summary>The highest address of the block.</summary>
    public DevAddr Last => new(First.Value | ~Mask(Length));

    /// <summary>Number of bits that the addresses share, 0 to 32.</summary>
    public int Length { get; }

    /// <summary>True when the address lies in the block.</summary>
    public bool Contains(DevAddr address) => (address.Value & Mask(Length)) == First.Value;

    /// <summary>Reads <c>26000000/7</c>, or says why it cannot: a phrase to put behind the name of the field.</summary>
    /// <remarks>Bits behind the length are dropped: <c>26012345/7</c> is <c>26000000/7</c>. Without a length it is one address (<c>/32</c>).</remarks>
    public static bool TryParse(ReadOnlySpan<char> text, out DevAddrPrefix value, [NotNullWhen(false)] out string? reason)
    {
        value = default;
        var slash = text.IndexOf('/');
        var length = 32;
        if (!HexText.TryParse<DevAddr, char>(slash < 0 ? text : text[..slash], out var address, out reason))
            return false;
        if (slash >= 0 && (!int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out length) || length > 32))
        {
            reason = "needs a number of bits from 0 to 32 behind the slash";
            return false;
        }
        value = new DevAddrPrefix(address, length);
        return true;
    }

    /// <summary>Reads <c>26000000/7</c>.</summary>
    /// <exception cref="FormatException">The text is no prefix; the message says why.</exception>
    public static DevAddrPrefix Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, out var value, out string? reason) ? value : throw new FormatException($"DevAddr prefix {reason}");

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider)"/>
    public static DevAddrPrefix Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out DevAddrPrefix result) =>
        TryParse(s, out result, out string? _);

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out DevAddrPrefix result) =>
        TryParse(s.AsSpan(), out result, out string? _);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{First}/{Length}");

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => ToString();

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format = default, IFormatProvider? provider = null) =>
        destination.TryWrite(CultureInfo.InvariantCulture, $"{First}/{Length}", out charsWritten);

    /// <inheritdoc/>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format = default, IFormatProvider? provider = null) =>
        System.Text.Unicode.Utf8.TryWrite(utf8Destination, CultureInfo.InvariantCulture, $"{First}/{Length}", out bytesWritten);

    private static uint Mask(int length) => length == 0 ? 0 : uint.MaxValue << (32 - length);
}
