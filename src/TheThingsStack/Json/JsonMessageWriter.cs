using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using TheThingsStack.Api;

namespace TheThingsStack.Json;

/// <summary>
/// Turns the wire bytes of a message into JSON. The tables say what each field looks like; members come in the order of declaration, maps
/// sorted by key.
/// </summary>
internal ref struct JsonMessageWriter(ReadOnlySpan<byte> wire, Trail trail, ref WireBuffer output)
{
    private static readonly SearchValues<byte> Escaped = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(i => (byte)i), (byte)'"', (byte)'\\']);

    private readonly WireBytes wire = new(wire);
    private readonly Trail trail = trail;
    private ref WireBuffer output = ref output;

    /// <summary>Writes one message as an object.</summary>
    public void Message(MessageTable table) => Object(table, 0, wire.Length, 1);

    private void Object(MessageTable table, int start, int end, int depth)
    {
        CheckDepth(depth);
        output.Byte((byte)'{');
        var first = true;
        if (table.IsInWireOrder)
        {
            for (var at = start; at < end;)
            {
                var tag = (uint)wire.Varint(ref at);
                if (table.ByNumber((int)(tag >> 3)) is { } field)
                    Member(field, tag, ref at, end, ref first, table.IsStandard, depth);
                else
                    wire.Skip(tag, ref at);
            }
        }
        else
        {
            Span<int> places = stackalloc int[table.Fields.Length];
            places.Clear();
            wire.Index(table, start, end, places);
            for (var i = 0; i < places.Length; i++)
            {
                if (places[i] == 0)
                    continue;
                var at = places[i] - 1;
                var tag = (uint)wire.Varint(ref at);
                Member(table.Fields[i], tag, ref at, end, ref first, table.IsStandard, depth);
            }
        }
        trail.Leave(depth);
        output.Byte((byte)'}');
    }

    private void Member(FieldTable field, uint tag, ref int at, int end, ref bool first, bool standard, int depth)
    {
        if (!field.HasPresence && IsNegativeZero(field, tag, at))
        {
            wire.Skip(tag, ref at);
            return;
        }
        if (first)
            first = false;
        else
            output.Byte((byte)',');
        output.Bytes(field.Member);
        trail.Enter(depth, field);
        if (field.IsMap)
            Map(field, tag, ref at, end, standard, depth);
        else if (field.IsRepeated)
            List(field, tag, ref at, end, standard, depth);
        else
            Value(field, ref at, standard, depth);
    }

    // Zero does not reach the wire, negative zero may, and counts as zero here.
    private readonly bool IsNegativeZero(FieldTable field, uint tag, int at) => (tag & 7) switch
    {
        5 when field.Form == ValueForm.Float => wire.Float(at) == 0,
        1 when field.Form == ValueForm.Double => wire.Double(at) == 0,
        _ => false,
    };

    private void List(FieldTable field, uint tag, ref int at, int end, bool standard, int depth)
    {
        CheckDepth(depth + 1);
        trail.Leave(depth + 1);
        output.Byte((byte)'[');
        var last = end;
        if (field.IsPacked)
        {
            last = (int)wire.Varint(ref at);
            last += at;
        }
        for (var index = 0; ; index++)
        {
            trail.At(depth, index);
            Value(field, ref at, standard, depth + 1);
            var next = at;
            if (at >= last || (!field.IsPacked && (uint)wire.Varint(ref next) != tag))
                break;
            at = next;
            output.Byte((byte)',');
        }
        output.Byte((byte)']');
    }

    private void Value(FieldTable field, ref int at, bool standard, int depth)
    {
        switch (field.Form)
        {
            case ValueForm.Text:
                Text(wire.Block(ref at), standard);
                break;
            case ValueForm.EnumName:
                EnumValue(field.Names!, (int)wire.Varint(ref at), standard);
                break;
            case ValueForm.UInt32:
                Number((uint)wire.Varint(ref at));
                break;
            case ValueForm.Int32:
                Number((int)wire.Varint(ref at));
                break;
            case ValueForm.UInt64:
                output.Byte((byte)'"');
                Number(wire.Varint(ref at));
                output.Byte((byte)'"');
                break;
            case ValueForm.Int64:
                output.Byte((byte)'"');
                Number((long)wire.Varint(ref at));
                output.Byte((byte)'"');
                break;
            case ValueForm.Bool:
                output.Bytes(wire.Varint(ref at) != 0 ? "true"u8 : "false"u8);
                break;
            case ValueForm.Float:
                Float(wire.Float(at));
                at += 4;
                break;
            case ValueForm.Double:
                Double(wire.Double(at));
                at += 8;
                break;
            case ValueForm.Bytes:
                BytesValue(field.Text, wire.Block(ref at));
                break;
            case ValueForm.Message:
                {
                    var length = (int)wire.Varint(ref at);
                    Object(field.Message, at, at + length, depth + 1);
                    at += length;
                    break;
                }
            case ValueForm.Wrapper:
                Wrapper(field.Value!, ref at, standard, depth);
                break;
            case ValueForm.Timestamp or ValueForm.Duration:
                Time(field.Form, ref at, standard, depth);
                break;
            case ValueForm.Struct:
                {
                    var length = (int)wire.Varint(ref at);
                    Struct(at, at + length, depth + 1);
                    at += length;
                    break;
                }
            case ValueForm.FieldMask:
                FieldMask(ref at, standard);
                break;
            default:
                throw Fail("has no JSON form", depth);
        }
    }

    private void Wrapper(FieldTable value, ref int at, bool standard, int depth)
    {
        var length = (int)wire.Varint(ref at);
        var end = at + length;
        while (at < end)
        {
            var tag = (uint)wire.Varint(ref at);
            if (tag >> 3 == 1)
            {
                Value(value, ref at, standard, depth);
                at = end;
                return;
            }
            wire.Skip(tag, ref at);
        }
        Zero(value, standard);
    }

    private void Zero(FieldTable value, bool standard)
    {
        switch (value.Form)
        {
            case ValueForm.Bool:
                output.Bytes("false"u8);
                break;
            case ValueForm.Int64 or ValueForm.UInt64:
                output.Bytes("\"0\""u8);
                break;
            case ValueForm.Text or ValueForm.Bytes:
                output.Bytes("\"\""u8);
                break;
            case ValueForm.EnumName:
                EnumValue(value.Names!, 0, standard);
                break;
            default:
                output.Byte((byte)'0');
                break;
        }
    }

    private void EnumValue(EnumTable names, int number, bool standard)
    {
        if (standard || names.IsNumber)
        {
            Number(number);
        }
        else if (names.Quoted(number) is { } name)
        {
            output.Bytes(name);
        }
        else
        {
            output.Byte((byte)'"');
            Number(number);
            output.Byte((byte)'"');
        }
    }

    private void BytesValue(BytesText form, scoped ReadOnlySpan<byte> value)
    {
        if (form == BytesText.Base64 || (form == BytesText.DevAddrPrefix && value.Length != 5))
        {
            JsonBytes.WriteBase64(ref output, value);
            return;
        }
        if (form == BytesText.Hex)
        {
            JsonBytes.WriteHex(ref output, value);
            return;
        }
        JsonBytes.WriteHex(ref output, value[..4]);
        output.Length--;
        output.Byte((byte)'/');
        Number(value[4]);
        output.Byte((byte)'"');
    }

    private void Time(ValueForm form, ref int at, bool standard, int depth)
    {
        ReadTime(ref at, out var seconds, out var nanos);
        if (form == ValueForm.Timestamp)
        {
            if (!JsonTime.WriteTimestamp(ref output, seconds, nanos, strict: standard))
                throw Fail("the time is not within the years 1 to 9999", depth);
        }
        else if (!standard)
        {
            JsonTime.WriteDuration(ref output, seconds, nanos);
        }
        else if (!JsonTime.WriteStandardDuration(ref output, seconds, nanos))
        {
            throw Fail("the duration is out of range", depth);
        }
    }

    private readonly void ReadTime(ref int at, out long seconds, out int nanos)
    {
        seconds = 0;
        nanos = 0;
        var length = (int)wire.Varint(ref at);
        for (var end = at + length; at < end;)
        {
            var tag = (uint)wire.Varint(ref at);
            if (tag == 8)
                seconds = (long)wire.Varint(ref at);
            else if (tag == 16)
                nanos = (int)wire.Varint(ref at);
            else
                wire.Skip(tag, ref at);
        }
    }

    private void FieldMask(ref int at, bool standard)
    {
        var length = (int)wire.Varint(ref at);
        output.Bytes(standard ? "\""u8 : "{\"paths\":["u8);
        var first = true;
        for (var end = at + length; NextEntry(ref at, end, ref first);)
        {
            if (standard)
                CamelPath(wire.Block(ref at));
            else
                Text(wire.Block(ref at), standard);
        }
        // The original leaves an empty list out.
        if (first && !standard)
            output.Length -= "\"paths\":["u8.Length;
        output.Bytes(standard ? "\""u8 : first ? "}"u8 : "]}"u8);
    }

    private void CamelPath(scoped ReadOnlySpan<byte> path)
    {
        for (var i = 0; i < path.Length; i++)
        {
            if (path[i] == (byte)'_' && i + 1 < path.Length)
                output.Byte((byte)char.ToUpperInvariant((char)path[++i]));
            else
                output.Byte(path[i]);
        }
    }

    private void Map(FieldTable field, uint tag, ref int at, int end, bool standard, int depth)
    {
        CheckDepth(depth + 1);
        var count = CountEntries(tag, at, end);
        var entries = ArrayPool<EntryPlace>.Shared.Rent(count);
        try
        {
            for (var i = 0; i < count; i++)
            {
                if (i > 0)
                    _ = wire.Varint(ref at);
                entries[i] = ReadEntry(ref at);
            }
            if (count > 1)
                Sort(entries.AsSpan(0, count), field.Key!.Form == ValueForm.Text);
            output.Byte((byte)'{');
            for (var i = 0; i < count; i++)
            {
                if (i > 0)
                    output.Byte((byte)',');
                Entry(field, entries[i], standard, depth);
            }
            output.Byte((byte)'}');
        }
        finally
        {
            ArrayPool<EntryPlace>.Shared.Return(entries);
        }
    }

    // Key and value as places in the wire bytes; -1 when absent (zero).
    [StructLayout(LayoutKind.Auto)]
    private struct EntryPlace
    {
        public int KeyStart;
        public int KeyLength;
        public ulong Key;
        public int Value;
    }

    private readonly int CountEntries(uint tag, int at, int end)
    {
        var count = 1;
        wire.Skip(tag, ref at);
        while (at < end && (uint)wire.Varint(ref at) == tag)
        {
            count++;
            wire.Skip(tag, ref at);
        }
        return count;
    }

    private readonly EntryPlace ReadEntry(ref int at)
    {
        var entry = new EntryPlace { Value = -1 };
        var length = (int)wire.Varint(ref at);
        for (var end = at + length; at < end;)
        {
            var tag = (uint)wire.Varint(ref at);
            if (tag == 10)
            {
                entry.KeyLength = (int)wire.Varint(ref at);
                entry.KeyStart = at;
                at += entry.KeyLength;
            }
            else if (tag == 8)
            {
                entry.Key = wire.Varint(ref at);
            }
            else
            {
                if (tag >> 3 == 2)
                    entry.Value = at;
                wire.Skip(tag, ref at);
            }
        }
        return entry;
    }

    // Insertion sort: maps have a handful of entries; the rare large one is sorted by the library.
    private readonly void Sort(Span<EntryPlace> entries, bool byText)
    {
        if (entries.Length > 32)
        {
            var bytes = wire.All.ToArray();
            entries.Sort((a, b) => byText ? bytes.AsSpan(a.KeyStart, a.KeyLength).SequenceCompareTo(bytes.AsSpan(b.KeyStart, b.KeyLength)) : a.Key.CompareTo(b.Key));
            return;
        }
        for (var i = 1; i < entries.Length; i++)
        {
            var entry = entries[i];
            var j = i;
            for (; j > 0 && Compare(entries[j - 1], entry, byText) > 0; j--)
                entries[j] = entries[j - 1];
            entries[j] = entry;
        }
    }

    private readonly int Compare(in EntryPlace a, in EntryPlace b, bool byText) => byText
        ? wire.Slice(a.KeyStart, a.KeyLength).SequenceCompareTo(wire.Slice(b.KeyStart, b.KeyLength))
        : a.Key.CompareTo(b.Key);

    private void Entry(FieldTable field, in EntryPlace entry, bool standard, int depth)
    {
        if (field.Key!.Form == ValueForm.Text)
        {
            Text(wire.Slice(entry.KeyStart, entry.KeyLength), standard);
        }
        else
        {
            output.Byte((byte)'"');
            Number(entry.Key);
            output.Byte((byte)'"');
        }
        output.Byte((byte)':');
        // The map is a level of its own.
        trail.Leave(depth + 1);
        trail.EnterName(depth, entry.KeyStart, entry.KeyLength);
        var value = field.Value!;
        if (entry.Value >= 0)
        {
            var at = entry.Value;
            Value(value, ref at, standard, depth + 1);
        }
        else if (value.WireType == 2 && value.Form is not (ValueForm.Text or ValueForm.Bytes))
        {
            output.Bytes("{}"u8);
        }
        else
        {
            Zero(value, standard);
        }
    }

    private void Struct(int start, int end, int depth)
    {
        CheckDepth(depth);
        if (start == end)
        {
            output.Bytes("{}"u8);
            return;
        }
        output.Byte((byte)'{');
        var at = start;
        var tag = (uint)wire.Varint(ref at);
        while (tag != 10 && at < end)
        {
            wire.Skip(tag, ref at);
            tag = at < end ? (uint)wire.Varint(ref at) : 0;
        }
        if (tag == 10)
            StructFields(at, end, depth);
        output.Byte((byte)'}');
    }

    private void StructFields(int at, int end, int depth)
    {
        var count = CountEntries(10, at, end);
        var entries = ArrayPool<EntryPlace>.Shared.Rent(count);
        try
        {
            for (var i = 0; i < count; i++)
            {
                if (i > 0)
                    _ = wire.Varint(ref at);
                entries[i] = ReadEntry(ref at);
            }
            Sort(entries.AsSpan(0, count), byText: true);
            for (var i = 0; i < count; i++)
            {
                if (i > 0)
                    output.Byte((byte)',');
                trail.Enter(depth, field: null);
                trail.EnterName(depth, entries[i].KeyStart, entries[i].KeyLength);
                Text(wire.Slice(entries[i].KeyStart, entries[i].KeyLength), standard: true);
                output.Byte((byte)':');
                if (entries[i].Value < 0)
                    throw Fail("holds a value without a kind", depth);
                var value = entries[i].Value;
                StructValue(ref value, depth);
            }
        }
        finally
        {
            ArrayPool<EntryPlace>.Shared.Return(entries);
        }
    }

    // google.protobuf.Value: 1 null, 2 number, 3 text, 4 bool, 5 object, 6 list.
    private void StructValue(ref int at, int depth)
    {
        var length = (int)wire.Varint(ref at);
        var end = at + length;
        if (length == 0)
            throw Fail("holds a value without a kind", depth);
        var tag = (uint)wire.Varint(ref at);
        switch (tag)
        {
            case 8:
                _ = wire.Varint(ref at);
                output.Bytes("null"u8);
                break;
            case 17:
                var number = wire.Double(at);
                at += 8;
                if (!double.IsFinite(number))
                    throw Fail("holds a number that is not finite", depth);
                JsonNumber.Write(ref output, number, shortExponent: true);
                break;
            case 26:
                Text(wire.Block(ref at), standard: true);
                break;
            case 32:
                output.Bytes(wire.Varint(ref at) != 0 ? "true"u8 : "false"u8);
                break;
            case 42:
                var size = (int)wire.Varint(ref at);
                Struct(at, at + size, depth + 1);
                break;
            case 50:
                StructList(ref at, depth + 1);
                break;
            default:
                throw Fail("holds a value without a kind", depth);
        }
        at = end;
    }

    private void StructList(ref int at, int depth)
    {
        CheckDepth(depth);
        trail.Leave(depth);
        output.Byte((byte)'[');
        var length = (int)wire.Varint(ref at);
        var first = true;
        for (var end = at + length; NextEntry(ref at, end, ref first);)
            StructValue(ref at, depth);
        output.Byte((byte)']');
    }

    /// <summary>Goes to the next entry of a list that is field 1 of its message, and writes the comma before it; false at the end.</summary>
    private readonly bool NextEntry(ref int at, int end, ref bool first)
    {
        while (at < end)
        {
            var tag = (uint)wire.Varint(ref at);
            if (tag == 10)
            {
                if (!first)
                    output.Byte((byte)',');
                first = false;
                return true;
            }
            wire.Skip(tag, ref at);
        }
        return false;
    }

    private void Text(scoped ReadOnlySpan<byte> value, bool standard)
    {
        var room = output.Room(value.Length + 2);
        room[0] = (byte)'"';
        var special = value.IndexOfAny(Escaped);
        if (special < 0)
        {
            value.CopyTo(room[1..]);
            room[value.Length + 1] = (byte)'"';
            output.Length += value.Length + 2;
            return;
        }
        output.Length++;
        do
        {
            output.Bytes(value[..special]);
            Escape(value[special], standard);
            value = value[(special + 1)..];
            special = value.IndexOfAny(Escaped);
        }
        while (special >= 0);
        output.Bytes(value);
        output.Byte((byte)'"');
    }

    private void Escape(byte c, bool standard)
    {
        var letter = c switch
        {
            (byte)'"' => '"',
            (byte)'\\' => '\\',
            (byte)'\n' => 'n',
            (byte)'\r' => 'r',
            (byte)'\t' => 't',
            (byte)'\b' when standard => 'b',
            (byte)'\f' when standard => 'f',
            _ => '\0',
        };
        output.Byte((byte)'\\');
        if (letter != '\0')
        {
            output.Byte((byte)letter);
            return;
        }
        output.Bytes("u00"u8);
        output.Byte((byte)(c < 16 ? '0' : '1'));
        output.Byte("0123456789abcdef"u8[c & 15]);
    }

    private void Float(float value)
    {
        if (float.IsFinite(value))
            JsonNumber.Write(ref output, value);
        else
            NotFinite(value);
    }

    private void Double(double value)
    {
        if (double.IsFinite(value))
            JsonNumber.Write(ref output, value, shortExponent: false);
        else
            NotFinite(value);
    }

    private void NotFinite(double value) =>
        output.Bytes(double.IsNaN(value) ? "\"NaN\""u8 : value > 0 ? "\"Infinity\""u8 : "\"-Infinity\""u8);

    private void Number(ulong value)
    {
        if (value < 10)
        {
            output.Byte((byte)('0' + value));
            return;
        }
        value.TryFormat(output.Room(20), out var length, default, CultureInfo.InvariantCulture);
        output.Length += length;
    }

    private void Number(long value)
    {
        if (value >= 0)
        {
            Number((ulong)value);
            return;
        }
        value.TryFormat(output.Room(20), out var length, default, CultureInfo.InvariantCulture);
        output.Length += length;
    }

    private void Number(uint value) => Number((ulong)value);

    private void Number(int value) => Number((long)value);

    private readonly void CheckDepth(int depth)
    {
        if (depth > Trail.MaxDepth)
            throw Fail($"nested more than {Trail.MaxDepth} levels", depth - 1, "R7");
    }

    private readonly TtsJsonException Fail(string reason, int depth, string? rule = null) =>
        new(reason, trail.Path(Math.Min(depth, Trail.MaxDepth), wire.All), rule: rule);
}
