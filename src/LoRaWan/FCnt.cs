namespace LoRaWan;

/// <summary>
/// Frame counter (FCntUp, NFCntDown, AFCntDown, FCntDown): the full 32 bits, of which a frame carries the low 16. Networks count in two ways:
/// some keep the <em>next</em> counter they will use or expect, others (The Things Stack) the <em>last</em> one used.
/// </summary>
/// <param name="Value">The full counter.</param>
public readonly record struct FCnt(uint Value) : IComparable<FCnt>
{
    /// <summary>The 16 bits that a frame carries.</summary>
    public ushort OnAir => (ushort)Value;

    /// <summary>The counter after this one; null after the last one, when the session is used up.</summary>
    public FCnt? Next => Value == uint.MaxValue ? null : new FCnt(Value + 1);

    /// <summary>The last counter used in a network that keeps the next one; null when no frame was sent yet.</summary>
    /// <param name="next">The counter that network will use or expect next.</param>
    public static FCnt? LastBefore(FCnt next) => next.Value == 0 ? null : new FCnt(next.Value - 1);

    /// <summary>The full counter of a frame: the smallest one that is higher than the last and carries these 16 bits; null when there is none.</summary>
    /// <param name="onAir">The 16 bits in the frame.</param>
    /// <param name="last">The last full counter seen; null when the frame is the first of the session.</param>
    public static FCnt? FromOnAir(ushort onAir, FCnt? last)
    {
        if (last is not { Value: var seen })
            return new FCnt(onAir);
        var full = (seen & 0xFFFF_0000uL) | onAir;
        if (full <= seen)
            full += 0x1_0000;
        return full > uint.MaxValue ? null : new FCnt((uint)full);
    }

    /// <summary>Orders by the full counter.</summary>
    public int CompareTo(FCnt other) => Value.CompareTo(other.Value);

    /// <summary>Decimal digits.</summary>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Compares the full counters.</summary>
    public static bool operator <(FCnt left, FCnt right) => left.Value < right.Value;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >(FCnt left, FCnt right) => left.Value > right.Value;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator <=(FCnt left, FCnt right) => left.Value <= right.Value;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >=(FCnt left, FCnt right) => left.Value >= right.Value;
}
