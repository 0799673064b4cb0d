using System.Buffers.Binary;
using System.Security.Cryptography;

namespace LoRaWan;

/// <summary>
/// AES-128 key (AppKey, NwkKey, AppSKey, ...). Never shows itself: <see cref="ToString"/> gives <c>***</c> and reasons of failed parsing
/// repeat nothing of the text; <see cref="Reveal"/> is the only way to its text. An all-zero key means "none" in most networks.
/// </summary>
public readonly record struct AesKey : IHexValue<AesKey>
{
    private readonly ulong high;
    private readonly ulong low;

    private AesKey(ulong high, ulong low)
    {
        this.high = high;
        this.low = low;
    }

    /// <inheritdoc/>
    public static int SizeInBytes => 16;

    /// <inheritdoc/>
    public static string TermName => "AES-128 key";

    /// <inheritdoc/>
    public static AesKey Zero => default;

    /// <inheritdoc/>
    public bool IsZero => (high | low) == 0;

    /// <inheritdoc/>
    public static AesKey FromBytes(ReadOnlySpan<byte> bytes)
    {
        bytes = HexText.Exactly(bytes, SizeInBytes, TermName);
        return new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
    }

    /// <inheritdoc/>
    public void CopyTo(Span<byte> destination)
    {
        if (destination.Length < SizeInBytes)
            throw new ArgumentException("An AES-128 key has 16 bytes.", nameof(destination));
        BinaryPrimitives.WriteUInt64BigEndian(destination, high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], low);
    }

    /// <summary>Gives the key as 32 upper-case hex digits. Only for where the key has to go, never for messages.</summary>
    public string Reveal()
    {
        Span<byte> bytes = stackalloc byte[SizeInBytes];
        CopyTo(bytes);
        var text = HexText.Write(bytes, default);
        CryptographicOperations.ZeroMemory(bytes);
        return text;
    }

    /// <summary>Compares in constant time.</summary>
    public bool Equals(AesKey other) => ((high ^ other.high) | (low ^ other.low)) == 0;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(high, low);

    /// <summary>Gives <c>***</c>.</summary>
    public override string ToString() => "***";
}
