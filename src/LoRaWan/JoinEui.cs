using System.Buffers.Binary;

namespace LoRaWan;

/// <summary>JoinEUI: the EUI-64 of the join server, called AppEUI up to LoRaWAN 1.0.3. Zero is a usable JoinEUI.</summary>
/// <param name="Value">The value as a number.</param>
public readonly record struct JoinEui(ulong Value) : IHexIdentifier<JoinEui>
{
    /// <inheritdoc/>
    public static int SizeInBytes => sizeof(ulong);

    /// <inheritdoc/>
    public static string TermName => "JoinEUI";

    /// <inheritdoc/>
    public static JoinEui Zero => default;

    /// <inheritdoc/>
    public bool IsZero => Value == 0;

    /// <inheritdoc/>
    public static JoinEui FromBytes(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(HexText.Exactly(bytes, SizeInBytes, TermName)));

    /// <inheritdoc/>
    public void CopyTo(Span<byte> destination) => BinaryPrimitives.WriteUInt64BigEndian(destination, Value);

    /// <summary>Upper-case hex digits without separators.</summary>
    public override string ToString() => HexIdentifier.ToString(this, null);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => HexIdentifier.ToString(this, format);

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format = default, IFormatProvider? provider = null) =>
        HexIdentifier.TryFormat(this, destination, out charsWritten, format);

    /// <inheritdoc/>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format = default, IFormatProvider? provider = null) =>
        HexIdentifier.TryFormat(this, utf8Destination, out bytesWritten, format);
}
