namespace LoRaWan;

/// <summary>
/// NetID: the 24-bit name of a network, given out by the LoRa Alliance. The top three bits are its type; the type says how many of the
/// low bits (the NwkID) stand in the DevAddrs of the network (LoRaWAN Backend Interfaces 1.0, section 13). The Things Network is <c>000013</c>.
/// </summary>
public readonly record struct NetId : IHexIdentifier<NetId>
{
    internal const int LargestType = 7;

    /// <summary>Makes a NetID of its number.</summary>
    /// <param name="value">0 to 0xFFFFFF.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number has more than 24 bits.</exception>
    public NetId(uint value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 0xFF_FFFFu);
        Value = value;
    }

    /// <summary>The value as a number, 0 to 0xFFFFFF.</summary>
    public uint Value { get; }

    /// <inheritdoc/>
    public static int SizeInBytes => 3;

    /// <inheritdoc/>
    public static string TermName => "NetID";

    /// <inheritdoc/>
    public static NetId Zero => default;

    /// <inheritdoc/>
    public bool IsZero => Value == 0;

    /// <summary>Type, 0 to 7.</summary>
    public int Type => (int)(Value >> 21);

    /// <summary>NwkID: the low 6 (types 0 and 1), 9, 11, 12, 13, 15 or 17 bits (types 2 to 7).</summary>
    public uint NwkId => Value & ((1u << NwkIdBits(Type)) - 1);

    /// <summary>The DevAddrs of the network: type 0 has 2^25, type 7 has 2^7 of them. NetID 000013 has <c>26000000/7</c>.</summary>
    public DevAddrPrefix DevAddrPrefix
    {
        get
        {
            // The address starts with as many ones as the type says and a zero, then comes the NwkID.
            var bits = NwkIdBits(Type);
            var typePrefix = ~(uint.MaxValue >> Type);
            return new DevAddrPrefix(new DevAddr(typePrefix | (NwkId << (31 - Type - bits))), Type + 1 + bits);
        }
    }

    /// <inheritdoc/>
    public static NetId FromBytes(ReadOnlySpan<byte> bytes)
    {
        bytes = HexText.Exactly(bytes, SizeInBytes, TermName);
        return new((uint)((bytes[0] << 16) | (bytes[1] << 8) | bytes[2]));
    }

    /// <inheritdoc/>
    public void CopyTo(Span<byte> destination)
    {
        if (destination.Length < SizeInBytes)
            throw new ArgumentException("A NetID has 3 bytes.", nameof(destination));
        destination[0] = (byte)(Value >> 16);
        destination[1] = (byte)(Value >> 8);
        destination[2] = (byte)Value;
    }

    /// <summary>Upper-case hex digits without separators.</summary>
    public override string ToString() => HexIdentifier.ToString(this, null);

    string IFormattable.ToString(string? format, IFormatProvider? formatProvider) => HexIdentifier.ToString(this, format);

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format = default, IFormatProvider? provider = null) =>
        HexIdentifier.TryFormat(this, destination, out charsWritten, format);

    /// <inheritdoc/>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format = default, IFormatProvider? provider = null) =>
        HexIdentifier.TryFormat(this, utf8Destination, out bytesWritten, format);

    internal static int NwkIdBits(int type) => type switch { 0 or 1 => 6, 2 => 9, 3 => 11, 4 => 12, 5 => 13, 6 => 15, _ => 17 };
}
