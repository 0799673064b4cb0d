using System.Buffers.Binary;
using System.Numerics;

namespace LoRaWan;

/// <summary>
/// DevAddr: the 32-bit address of a device within a session. Its leading bits name the network
/// (LoRaWAN Backend Interfaces 1.0, section 13; see <see cref="NetId"/>).
/// </summary>
/// <param name="Value">The value as a number.</param>
public readonly record struct DevAddr(uint Value) : IHexIdentifier<DevAddr>
{
    /// <inheritdoc/>
    public static int SizeInBytes => sizeof(uint);

    /// <inheritdoc/>
    public static string TermName => "DevAddr";

    /// <inheritdoc/>
    public static DevAddr Zero => default;

    /// <inheritdoc/>
    public bool IsZero => Value == 0;

    /// <summary>Type (0-7) of the NetID that hands out this address; null for FF000000 and above, which belongs to none.</summary>
    public int? NetIdType => BitOperations.LeadingZeroCount(~Value) is var type and <= NetId.LargestType ? type : null;

    /// <summary>NwkID: the bits that the network shares with its NetID; null where <see cref="NetIdType"/> is null.</summary>
    public uint? NwkId => NetIdType is { } type ? (Value << (type + 1)) >> (32 - NetId.NwkIdBits(type)) : null;

    /// <summary>NwkAddr: the bits that the network is free to choose; null where <see cref="NetIdType"/> is null.</summary>
    public uint? NwkAddr => NetIdType is { } type ? Value & (uint.MaxValue >> (type + 1 + NetId.NwkIdBits(type))) : null;

    /// <inheritdoc/>
    public static DevAddr FromBytes(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(HexText.Exactly(bytes, SizeInBytes, TermName)));

    /// <inheritdoc/>
    public void CopyTo(Span<byte> destination) => BinaryPrimitives.WriteUInt32BigEndian(destination, Value);

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
