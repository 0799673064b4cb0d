using System.Diagnostics.CodeAnalysis;

namespace LoRaWan;

/// <summary>
/// A LoRaWAN value of a fixed number of bytes, most significant byte first, that people write as hex digits
/// (<see cref="DevEui"/>, <see cref="JoinEui"/>, <see cref="DevAddr"/>, <see cref="NetId"/>, <see cref="AesKey"/>).
/// </summary>
/// <remarks>
/// Accepted text: hex digits of any case, plain (<c>70B3D57ED0000001</c>) or with one kind of separator, <c>-</c> or <c>:</c>,
/// between all bytes (<c>70-b3-d5-7e-d0-00-00-01</c>). Nothing else: no blanks, no <c>0x</c>, no leading zeros left out.
/// Parsing itself lives in <see cref="HexText"/>.
/// </remarks>
/// <typeparam name="TSelf">The type itself.</typeparam>
public interface IHexValue<TSelf> : ISpanParsable<TSelf>, IUtf8SpanParsable<TSelf>, IEquatable<TSelf>
    where TSelf : struct, IHexValue<TSelf>
{
    /// <summary>Number of bytes.</summary>
    static abstract int SizeInBytes { get; }

    /// <summary>What the field calls it, for messages: <c>DevEUI</c>, <c>AES-128 key</c>.</summary>
    static abstract string TermName { get; }

    /// <summary>All bits zero. Most networks mean "none" by it: an unset value is <c>null</c>, never this.</summary>
    static abstract TSelf Zero { get; }

    /// <summary>True when all bits are zero.</summary>
    bool IsZero { get; }

    /// <summary>Reads <see cref="SizeInBytes"/> bytes, most significant first.</summary>
    /// <exception cref="ArgumentException">The number of bytes is another.</exception>
    static abstract TSelf FromBytes(ReadOnlySpan<byte> bytes);

    /// <summary>Writes <see cref="SizeInBytes"/> bytes, most significant first.</summary>
    /// <exception cref="ArgumentException">The destination is shorter.</exception>
    void CopyTo(Span<byte> destination);

    static TSelf IParsable<TSelf>.Parse(string s, IFormatProvider? provider) => HexText.ParseOrThrow<TSelf, char>(s);

    static bool IParsable<TSelf>.TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out TSelf result) =>
        HexText.TryParse<TSelf, char>(s, out result, out _);

    static TSelf ISpanParsable<TSelf>.Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => HexText.ParseOrThrow<TSelf, char>(s);

    static bool ISpanParsable<TSelf>.TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out TSelf result) =>
        HexText.TryParse<TSelf, char>(s, out result, out _);

    static TSelf IUtf8SpanParsable<TSelf>.Parse(ReadOnlySpan<byte> utf8Text, IFormatProvider? provider) =>
        HexText.ParseOrThrow<TSelf, byte>(utf8Text);

    static bool IUtf8SpanParsable<TSelf>.TryParse(ReadOnlySpan<byte> utf8Text, IFormatProvider? provider, out TSelf result) =>
        HexText.TryParse<TSelf, byte>(utf8Text, out result, out _);
}
