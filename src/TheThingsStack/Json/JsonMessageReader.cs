using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using TheThingsStack.Api;

namespace TheThingsStack.Json;

/// <summary>
/// Turns JSON into the wire bytes of a message, in one pass. Accepts what the importers of The Things Stack accept (facts/tts-json.md
/// sections 7 and 10), strictly as JSON (RFC 8259), and refuses by the rules R1 to R8 what they would silently change.
/// </summary>
internal ref struct JsonMessageReader
{
    private static readonly SearchValues<byte> StringEnd = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(i => (byte)i), (byte)'"', (byte)'\\']);

    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    private readonly ReadOnlySpan<byte> text;
    private readonly long firstLine;
    private readonly Trail trail;
    private readonly ref WireBuffer wire;
    private WireBuffer scratch;
    private KeyPlace[] keys = [];
    private int keyCount;
    private int at;
    private int depth;
    private int deepest;

    public JsonMessageReader(ReadOnlySpan<byte> text, long firstLine, Trail trail, ref WireBuffer wire)
    {
        this.text = text;
        this.firstLine = firstLine;
        this.trail = trail;
        this.wire = ref wire;
        scratch = new WireBuffer(256);
    }

    // A key of a map in the wire bytes.
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct KeyPlace(int Start, int Length, ulong Number);

    /// <summary>Upper bound of the message levels in the wire bytes: a free-form object takes three per level.</summary>
    public readonly int WireDepth => deepest * 3;

    public void Dispose()
    {
        scratch.Dispose();
        if (keys.Length > 0)
            ArrayPool<KeyPlace>.Shared.Return(keys);
        keys = [];
    }

    /// <summary>Reads the object at the start of the text, after white space; gives the place after it.</summary>
    public int Read(MessageTable table)
    {
        SkipSpace();
        var start = at;
        if (Peek() != (byte)'{')
            throw Unexpected("an object");
        Object(table);
        if (!Utf8.IsValid(text[start..at]))
        {
            at = start + FirstInvalid(text[start..at]);
            depth = 0;
            throw Fail("is not valid UTF-8", "R5");
        }
        return at;
    }

    /// <summary>Checks that only white space follows.</summary>
    public static void RequireEnd(ReadOnlySpan<byte> text, int from, long firstLine)
    {
        var rest = text[from..].IndexOfAnyExcept(" \t\r\n"u8);
        if (rest >= 0)
            throw new TtsJsonException("text follows after the object", "", firstLine + text[..(from + rest)].Count((byte)'\n'), "R4");
    }

    /// <summary>True when the text is one JSON value by the grammar, whatever it means: numbers of any size, texts of any characters, any depth.</summary>
    public static bool IsJson(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = int.MaxValue });
        try
        {
            while (reader.Read())
            {
            }
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Object(MessageTable table)
    {
        if (OpensEmpty((byte)'}'))
            return;
        UInt128 seen = 0;
        var oneofs = 0;
        while (true)
        {
            var name = Name(out var start, out var length);
            if (table.ByName(name) is { } field)
            {
                trail.Enter(depth, field);
                var bit = UInt128.One << field.Index;
                if ((seen & bit) != 0)
                    throw Fail("the member stands here twice", "R6");
                seen |= bit;
                Member(field, table.IsStandard, ref oneofs);
            }
            else
            {
                trail.Enter(depth, field: null);
                trail.EnterName(depth, start, length);
                SkipValue();
            }
            if (Ends((byte)'}'))
                return;
        }
    }

    // Enters an object or list; true when it is empty and left again.
    private bool OpensEmpty(byte close)
    {
        if (depth >= Trail.MaxDepth)
            throw Fail($"nested more than {Trail.MaxDepth} levels", "R7");
        depth++;
        deepest = Math.Max(deepest, depth);
        trail.Leave(depth);
        at++;
        SkipSpace();
        if (Peek() != close)
            return false;
        at++;
        depth--;
        return true;
    }

    // After a member or element: a comma and the next one, or the end, which leaves the object or list.
    private bool Ends(byte close)
    {
        SkipSpace();
        var c = Peek();
        at++;
        if (c == close)
        {
            depth--;
            return true;
        }
        if (c != (byte)',')
        {
            at--;
            throw Fail($"expected , or {(char)close} and found {Describe()}", "R4");
        }
        SkipSpace();
        return false;
    }

    // A member name, its colon and the white space around it. Start and length are those of the raw text.
    private ReadOnlySpan<byte> Name(out int start, out int length)
    {
        if (Peek() != (byte)'"')
            throw Fail($"expected the name of a member in quotes and found {Describe()}", "R4");
        start = at + 1;
        var name = Text();
        length = at - 1 - start;
        SkipSpace();
        if (Peek() != (byte)':')
            throw Fail($"expected : after the name of a member and found {Describe()}", "R4");
        at++;
        SkipSpace();
        return name;
    }

    private void Member(FieldTable field, bool standard, ref int oneofs)
    {
        var c = Peek();
        if (c == (byte)'n')
        {
            Literal("null"u8);
            if (standard)
                return;
            if (field.Oneof is { } group)
                throw Fail($"null would select this member of {group.Name}; leave the member out", "R8");
            if (field is { IsRepeated: false, IsMap: false, Form: <= ValueForm.Double or ValueForm.EnumName })
                throw Fail("null is no value for a number, bool or enum; leave the member out");
            return;
        }
        if (field.Oneof is { } oneof)
        {
            var bit = 1 << oneof.Index;
            if ((oneofs & bit) != 0)
                throw Fail($"a second member of {oneof.Name}; only one can be set", "R8");
            oneofs |= bit;
        }
        if (field.IsMap)
        {
            if (c != (byte)'{')
                throw Unexpected("an object");
            Map(field, standard);
        }
        else if (field.IsRepeated)
        {
            if (c != (byte)'[')
                throw Unexpected("a list");
            List(field, standard);
        }
        else
        {
            wire.Varint(field.Tag);
            Value(field, standard);
        }
    }

    private void List(FieldTable field, bool standard)
    {
        if (OpensEmpty((byte)']'))
            return;
        var block = 0;
        if (field.IsPacked)
        {
            wire.Varint(field.Tag);
            block = wire.Open();
        }
        var index = 0;
        do
        {
            trail.At(depth - 1, index++);
            if (!field.IsPacked)
                wire.Varint(field.Tag);
            if (Peek() == (byte)'n')
                NullElement(field, standard);
            else
                Value(field, standard);
        }
        while (!Ends((byte)']'));
        if (field.IsPacked)
            wire.Close(block);
    }

    private void NullElement(FieldTable field, bool standard)
    {
        Literal("null"u8);
        if (standard || field.WireType != 2)
            throw Fail("null is no element of this list");
        wire.Byte(0);
    }

    private void Map(FieldTable field, bool standard)
    {
        if (OpensEmpty((byte)'}'))
            return;
        var key = field.Key!;
        var value = field.Value!;
        var known = new KnownKeys(keyCount);
        do
        {
            var name = Name(out var start, out var length);
            trail.EnterName(depth - 1, start, length);
            wire.Varint(field.Tag);
            var entry = wire.Open();
            wire.Varint(key.Tag);
            var keyStart = wire.Length;
            ulong number = 0;
            if (key.Form == ValueForm.Text)
            {
                wire.Varint((ulong)name.Length);
                wire.Bytes(name);
            }
            else
            {
                if (!TryDecimal(name, key.Form == ValueForm.UInt32 ? uint.MaxValue : ulong.MaxValue, out number))
                    throw Fail("the key is not a whole number");
                wire.Varint(number);
            }
            var keyLength = wire.Length - keyStart;
            if (Peek() == (byte)'n')
            {
                Literal("null"u8);
                if (standard || value.Form is not (ValueForm.Message or ValueForm.Text))
                    throw Fail("null is no value of this map");
            }
            else
            {
                wire.Varint(value.Tag);
                Value(value, standard);
            }
            keyStart += wire.Close(entry);
            AddKey(ref known, new KeyPlace(keyStart, keyLength, number));
        }
        while (!Ends((byte)'}'));
        keyCount = known.First;
    }

    // The keys of one map: compared one by one while few, by a set when many.
    private struct KnownKeys(int first)
    {
        public readonly int First = first;
        public HashSet<string>? Many;
    }

    private void AddKey(ref KnownKeys known, KeyPlace key)
    {
        var bytes = wire.Written.Slice(key.Start, key.Length);
        if (known.Many is not null)
        {
            if (!known.Many.Add(Encoding.Latin1.GetString(bytes)))
                throw Fail("the key stands here twice", "R6");
            return;
        }
        foreach (var other in keys.AsSpan(known.First, keyCount - known.First))
        {
            if (bytes.SequenceEqual(wire.Written.Slice(other.Start, other.Length)))
                throw Fail("the key stands here twice", "R6");
        }
        if (keyCount == keys.Length)
        {
            var larger = ArrayPool<KeyPlace>.Shared.Rent(Math.Max(16, keys.Length * 2));
            keys.CopyTo(larger, 0);
            if (keys.Length > 0)
                ArrayPool<KeyPlace>.Shared.Return(keys);
            keys = larger;
        }
        keys[keyCount++] = key;
        if (keyCount - known.First < 32)
            return;
        known.Many = new HashSet<string>(StringComparer.Ordinal);
        foreach (var other in keys.AsSpan(known.First, keyCount - known.First))
            known.Many.Add(Encoding.Latin1.GetString(wire.Written.Slice(other.Start, other.Length)));
    }

    private void Value(FieldTable field, bool standard)
    {
        switch (field.Form)
        {
            case ValueForm.Text:
                {
                    var value = TextToken();
                    wire.Varint((ulong)value.Length);
                    wire.Bytes(value);
                    break;
                }
            case ValueForm.EnumName:
                wire.Varint((ulong)Enum(field.Names!, standard));
                break;
            case ValueForm.Bool:
                wire.Byte(Bool() ? (byte)1 : (byte)0);
                break;
            case ValueForm.Int32:
                wire.Varint((ulong)Signed(int.MinValue, int.MaxValue, standard));
                break;
            case ValueForm.Int64:
                wire.Varint((ulong)Signed(long.MinValue, long.MaxValue, standard));
                break;
            case ValueForm.UInt32:
                wire.Varint(Unsigned(uint.MaxValue, standard));
                break;
            case ValueForm.UInt64:
                wire.Varint(Unsigned(ulong.MaxValue, standard));
                break;
            case ValueForm.Float:
                Float(standard);
                break;
            case ValueForm.Double:
                Double(standard);
                break;
            case ValueForm.Bytes:
                Bytes(field, standard);
                break;
            case ValueForm.Message:
                {
                    if (Peek() != (byte)'{')
                        throw Unexpected("an object");
                    var start = wire.Open();
                    Object(field.Message);
                    wire.Close(start);
                    break;
                }
            case ValueForm.Wrapper:
                Wrapper(field, standard);
                break;
            case ValueForm.Timestamp or ValueForm.Duration:
                Time(field.Form, standard);
                break;
            case ValueForm.Struct:
                {
                    if (Peek() != (byte)'{')
                        throw Unexpected("an object");
                    var start = wire.Open();
                    Struct();
                    wire.Close(start);
                    break;
                }
            case ValueForm.FieldMask:
                FieldMask(standard);
                break;
            default:
                throw Fail("can not be read from JSON");
        }
    }

    private void Wrapper(FieldTable field, bool standard)
    {
        var value = field.Value!;
        var start = wire.Open();
        wire.Varint(value.Tag);
        if (Peek() == (byte)'{' && field.IsGoogleWrapper && !standard)
        {
            if (OpensEmpty((byte)'}') || !Name(out _, out _).SequenceEqual("value"u8))
                throw Fail("an object here must hold \"value\" and nothing else");
            Value(value, standard);
            if (!Ends((byte)'}'))
                throw Fail("an object here must hold \"value\" and nothing else");
        }
        else
        {
            Value(value, standard);
        }
        wire.Close(start);
    }

    private bool Bool()
    {
        switch (Peek())
        {
            case (byte)'t':
                Literal("true"u8);
                return true;
            case (byte)'f':
                Literal("false"u8);
                return false;
            default:
                throw Unexpected("true or false");
        }
    }

    private long Enum(EnumTable names, bool standard)
    {
        if (Peek() != (byte)'"')
            return Signed(int.MinValue, int.MaxValue, standard, "the name or number of an enum value");
        var name = Text();
        if (names.TryFind(name, onlyDeclared: standard, out var number))
            return number;
        if (!standard && TrySigned(name, int.MinValue, int.MaxValue, out var value))
            return value;
        throw Fail($"unknown value \"{Short(name)}\"");
    }

    private long Signed(long min, long max, bool standard, string expected = "a whole number")
    {
        var c = Peek();
        if (c == (byte)'"')
        {
            var digits = Text();
            if (standard ? TryStandard(digits, min, max, out var value) : TrySigned(digits, min, max, out value))
                return value;
            throw Fail($"\"{Short(digits)}\" is not a whole number from {min} to {max}");
        }
        var number = Number(expected);
        if (!standard && JsonNumber.HasFractionOrExponent(number))
            throw Fail($"{Short(number)} is not a plain whole number", "R2");
        if (!TryStandard(number, min, max, out var whole, isNumber: true))
            throw Fail($"{Short(number)} is not a whole number from {min} to {max}", "R2");
        return whole;
    }

    private ulong Unsigned(ulong max, bool standard)
    {
        var c = Peek();
        if (c == (byte)'"')
        {
            var digits = Text();
            if (standard ? TryStandard(digits, max, out var value) : TryDecimal(digits, max, out value))
                return value;
            throw Fail($"\"{Short(digits)}\" is not a whole number from 0 to {max}");
        }
        var number = Number("a whole number");
        if (!standard && JsonNumber.HasFractionOrExponent(number))
            throw Fail($"{Short(number)} is not a plain whole number", "R2");
        if (!TryStandard(number, max, out var whole, isNumber: true))
            throw Fail($"{Short(number)} is not a whole number from 0 to {max}", "R2");
        return whole;
    }

    private static bool TryStandard(ReadOnlySpan<byte> number, long min, long max, out long value, bool isNumber = false)
    {
        value = 0;
        if ((!isNumber && !JsonNumber.IsJsonNumber(number)) || !JsonNumber.TryReadWhole(number, out var negative, out var magnitude))
            return false;
        if (magnitude > (negative ? (ulong)max + 1 : (ulong)max))
            return false;
        value = negative ? (long)(0 - magnitude) : (long)magnitude;
        return value >= min;
    }

    private static bool TryStandard(ReadOnlySpan<byte> number, ulong max, out ulong value, bool isNumber = false)
    {
        value = 0;
        return (isNumber || JsonNumber.IsJsonNumber(number)) && JsonNumber.TryReadWhole(number, out var negative, out value) && value <= max && (!negative || value == 0);
    }

    private static bool TrySigned(ReadOnlySpan<byte> digits, long min, long max, out long value)
    {
        value = 0;
        var negative = digits.Length > 0 && digits[0] == (byte)'-';
        if (digits.Length > 0 && digits[0] is (byte)'-' or (byte)'+')
            digits = digits[1..];
        if (!TryDecimal(digits, (ulong)max + (negative ? 1u : 0u), out var magnitude))
            return false;
        value = negative ? (long)(0 - magnitude) : (long)magnitude;
        return value >= min;
    }

    private static bool TryDecimal(ReadOnlySpan<byte> digits, ulong max, out ulong value)
    {
        value = 0;
        if (digits.IsEmpty)
            return false;
        foreach (var c in digits)
        {
            if (!char.IsAsciiDigit((char)c))
                return false;
            var digit = (uint)c - '0';
            if (value > (max - digit) / 10)
                return false;
            value = (value * 10) + digit;
        }
        return true;
    }

    private void Float(bool standard)
    {
        if (Peek() == (byte)'"')
        {
            var value = FloatText(standard, single: true);
            wire.Fixed32(double.IsNaN(value) ? JsonNumber.FloatNaN : BitConverter.SingleToUInt32Bits((float)value));
            return;
        }
        var number = Number("a number");
        if (!JsonNumber.TryReadFloat(number, out var read))
            throw Fail($"{Short(number)} is too large for single precision", "R3");
        wire.Fixed32(BitConverter.SingleToUInt32Bits(read));
    }

    private void Double(bool standard)
    {
        if (Peek() == (byte)'"')
        {
            var value = FloatText(standard, single: false);
            wire.Fixed64(double.IsNaN(value) ? JsonNumber.DoubleNaN : BitConverter.DoubleToUInt64Bits(value));
            return;
        }
        wire.Fixed64(BitConverter.DoubleToUInt64Bits(DoubleNumber()));
    }

    private double DoubleNumber()
    {
        var number = Number("a number");
        if (!JsonNumber.TryReadDouble(number, out var value))
            throw Fail($"{Short(number)} is too large", "R3");
        return value;
    }

    private double FloatText(bool standard, bool single)
    {
        var value = Text();
        var wellFormed = !standard || value.SequenceEqual("NaN"u8) || value.SequenceEqual("Infinity"u8) || value.SequenceEqual("-Infinity"u8) || JsonNumber.IsJsonNumber(value);
        if (!wellFormed || !JsonNumber.TryReadText(value, single, out var number))
            throw Fail($"\"{Short(value)}\" is not a number");
        return number;
    }

    private void Bytes(FieldTable field, bool standard)
    {
        var value = TextToken();
        var start = wire.Open();
        switch (field.Text)
        {
            case BytesText.Hex:
                var length = (int)((field.Rules?.Items ?? field.Rules)?.Len ?? (ulong)(value.Length / 2));
                switch (JsonBytes.ReadHex(value, length, ref wire))
                {
                    case BytesResult.Malformed:
                        throw Fail($"expected {length * 2} hexadecimal digits");
                    case BytesResult.Ambiguous:
                        throw Fail($"expected {length * 2} hexadecimal digits and found {value.Length}", "R1");
                    default:
                        break;
                }
                break;
            case BytesText.DevAddrPrefix:
                Prefix(value);
                break;
            default:
                if (!JsonBytes.ReadBase64(value, standard, ref wire))
                    throw Fail("is not base64");
                break;
        }
        wire.Close(start);
    }

    private void Prefix(ReadOnlySpan<byte> value)
    {
        var slash = value.IndexOf((byte)'/');
        if (slash != 8 || JsonBytes.ReadHex(value[..8], 4, ref wire) != BytesResult.Ok || !TryDecimal(value[9..], 32, out var length))
            throw Fail("is not a DevAddr prefix such as 26000000/7");
        wire.Byte((byte)length);
    }

    private void Time(ValueForm form, bool standard)
    {
        var value = TextToken();
        long seconds;
        int nanos;
        if (form == ValueForm.Timestamp)
        {
            if (!JsonTime.TryReadTimestamp(value, standard, out seconds, out nanos))
                throw Fail($"\"{Short(value)}\" is not a time such as 2024-05-06T07:08:09.123Z");
        }
        else if (!(standard ? JsonTime.TryReadStandardDuration(value, out seconds, out nanos) : JsonTime.TryReadDuration(value, out seconds, out nanos)))
        {
            throw Fail($"\"{Short(value)}\" is not a duration such as 1.5s");
        }
        var start = wire.Open();
        if (seconds != 0)
        {
            wire.Byte(8);
            wire.Varint((ulong)seconds);
        }
        if (nanos != 0)
        {
            wire.Byte(16);
            wire.Varint((ulong)nanos);
        }
        wire.Close(start);
    }

    private void FieldMask(bool standard)
    {
        var start = wire.Open();
        if (standard || Peek() == (byte)'"')
        {
            var paths = TextToken();
            foreach (var range in paths.Split((byte)','))
            {
                if (!paths.IsEmpty)
                    MaskPath(paths[range], camel: standard);
            }
            wire.Close(start);
            return;
        }
        if (Peek() != (byte)'{')
            throw Unexpected("an object with \"paths\"");
        if (!OpensEmpty((byte)'}'))
            MaskMembers();
        wire.Close(start);
    }

    private void MaskMembers()
    {
        do
        {
            if (!Name(out _, out _).SequenceEqual("paths"u8) || Peek() == (byte)'n')
            {
                SkipValue();
                continue;
            }
            if (Peek() != (byte)'[')
                throw Unexpected("a list");
            if (OpensEmpty((byte)']'))
                continue;
            do
                MaskPath(TextToken(), camel: false);
            while (!Ends((byte)']'));
        }
        while (!Ends((byte)'}'));
    }

    private readonly void MaskPath(ReadOnlySpan<byte> path, bool camel)
    {
        wire.Byte(10);
        var start = wire.Open();
        foreach (var c in path)
        {
            if (camel && char.IsAsciiLetterUpper((char)c))
            {
                wire.Byte((byte)'_');
                wire.Byte((byte)(c | 0x20));
            }
            else
            {
                wire.Byte(c);
            }
        }
        wire.Close(start);
    }

    // google.protobuf.Struct: field 1 is a map from text to Value.
    private void Struct()
    {
        if (OpensEmpty((byte)'}'))
            return;
        var known = new KnownKeys(keyCount);
        do
        {
            var name = Name(out var start, out var length);
            trail.Enter(depth, field: null);
            trail.EnterName(depth, start, length);
            wire.Byte(10);
            var entry = wire.Open();
            wire.Byte(10);
            var keyStart = wire.Length;
            wire.Varint((ulong)name.Length);
            wire.Bytes(name);
            var keyLength = wire.Length - keyStart;
            wire.Byte(18);
            StructValue();
            keyStart += wire.Close(entry);
            AddKey(ref known, new KeyPlace(keyStart, keyLength, 0));
        }
        while (!Ends((byte)'}'));
        keyCount = known.First;
    }

    private void StructValue()
    {
        var start = wire.Open();
        switch (Peek())
        {
            case (byte)'n':
                Literal("null"u8);
                wire.Byte(8);
                wire.Byte(0);
                break;
            case (byte)'t' or (byte)'f':
                var flag = Bool();
                wire.Byte(32);
                wire.Byte(flag ? (byte)1 : (byte)0);
                break;
            case (byte)'"':
                var value = Text();
                wire.Byte(26);
                wire.Varint((ulong)value.Length);
                wire.Bytes(value);
                break;
            case (byte)'{':
                wire.Byte(42);
                var inner = wire.Open();
                Struct();
                wire.Close(inner);
                break;
            case (byte)'[':
                wire.Byte(50);
                var list = wire.Open();
                StructList();
                wire.Close(list);
                break;
            default:
                var number = DoubleNumber();
                wire.Byte(17);
                wire.Fixed64(BitConverter.DoubleToUInt64Bits(number));
                break;
        }
        wire.Close(start);
    }

    private void StructList()
    {
        if (OpensEmpty((byte)']'))
            return;
        do
        {
            wire.Byte(10);
            StructValue();
        }
        while (!Ends((byte)']'));
    }

    // A value that no field takes: only checked as JSON.
    private void SkipValue()
    {
        switch (Peek())
        {
            case (byte)'"':
                _ = Text();
                break;
            case (byte)'t':
                Literal("true"u8);
                break;
            case (byte)'f':
                Literal("false"u8);
                break;
            case (byte)'n':
                Literal("null"u8);
                break;
            case (byte)'{':
                if (OpensEmpty((byte)'}'))
                    break;
                do
                {
                    _ = Name(out _, out _);
                    SkipValue();
                }
                while (!Ends((byte)'}'));
                break;
            case (byte)'[':
                if (OpensEmpty((byte)']'))
                    break;
                do
                    SkipValue();
                while (!Ends((byte)']'));
                break;
            default:
                var number = Number("a value");
                // The original refuses such numbers wherever they stand.
                if ((number.Length > 300 || number.IndexOfAny((byte)'e', (byte)'E') >= 0) && !JsonNumber.TryReadDouble(number, out _))
                    throw Fail($"{Short(number)} is too large", "R3");
                break;
        }
    }

    private ReadOnlySpan<byte> TextToken() => Peek() == (byte)'"' ? Text() : throw Unexpected("a text");

    // The text of a JSON string; valid until the next one is read.
    private ReadOnlySpan<byte> Text()
    {
        var rest = text[(at + 1)..];
        var end = rest.IndexOfAny(StringEnd);
        if (end >= 0 && rest[end] == (byte)'"')
        {
            at += end + 2;
            return rest[..end];
        }
        return EscapedText();
    }

    private ReadOnlySpan<byte> EscapedText()
    {
        scratch.Length = 0;
        at++;
        while (true)
        {
            var rest = text[at..];
            var end = rest.IndexOfAny(StringEnd);
            if (end < 0)
            {
                at = text.Length;
                throw Incomplete();
            }
            scratch.Bytes(rest[..end]);
            at += end;
            if (text[at] == (byte)'"')
            {
                at++;
                return scratch.Written;
            }
            if (text[at] != (byte)'\\')
                throw Fail($"a text holds {Describe()}, which must be escaped", "R4");
            at++;
            Escape();
        }
    }

    private void Escape()
    {
        var c = Peek();
        var plain = c switch
        {
            (byte)'"' or (byte)'\\' or (byte)'/' => c,
            (byte)'b' => (byte)'\b',
            (byte)'f' => (byte)'\f',
            (byte)'n' => (byte)'\n',
            (byte)'r' => (byte)'\r',
            (byte)'t' => (byte)'\t',
            _ => (byte)0,
        };
        at++;
        if (plain != 0)
        {
            scratch.Byte(plain);
            return;
        }
        if (c != (byte)'u')
        {
            at--;
            throw Fail("a text holds an escape that JSON does not know", "R4");
        }
        var unit = Hex4();
        var rune = unit;
        if (char.IsSurrogate((char)unit))
        {
            if (char.IsLowSurrogate((char)unit) || Peek() != (byte)'\\')
                throw Fail("a text holds half of a surrogate pair", "R5");
            at++;
            if (Peek() != (byte)'u')
                throw Fail("a text holds half of a surrogate pair", "R5");
            at++;
            var low = Hex4();
            if (!char.IsLowSurrogate((char)low))
                throw Fail("a text holds half of a surrogate pair", "R5");
            rune = char.ConvertToUtf32((char)unit, (char)low);
        }
        var room = scratch.Room(4);
        scratch.Length += new Rune(rune).EncodeToUtf8(room);
    }

    private int Hex4()
    {
        var value = 0;
        for (var i = 0; i < 4; i++)
        {
            var c = Peek();
            if (!char.IsAsciiHexDigit((char)c))
                throw Fail("a text holds \\u without four hexadecimal digits", "R4");
            value = (value << 4) | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
            at++;
        }
        return value;
    }

    private ReadOnlySpan<byte> Number(string expected)
    {
        var c = Peek();
        if (c != (byte)'-' && !char.IsAsciiDigit((char)c))
            throw Unexpected(expected);
        var start = at;
        var valid = JsonNumber.Scan(text, at, out var end);
        if (valid)
        {
            at = end;
            return text[start..end];
        }
        if (end >= text.Length)
        {
            at = text.Length;
            throw Incomplete();
        }
        throw Fail("a number is malformed", "R4");
    }

    private void Literal(ReadOnlySpan<byte> word)
    {
        var rest = text[at..];
        if (rest.StartsWith(word) && (rest.Length == word.Length || !char.IsAsciiLetterOrDigit((char)rest[word.Length])))
        {
            at += word.Length;
            return;
        }
        if (word.StartsWith(rest))
        {
            at = text.Length;
            throw Incomplete();
        }
        throw Fail($"expected {Encoding.ASCII.GetString(word)}", "R4");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SkipSpace()
    {
        while ((uint)at < (uint)text.Length && text[at] <= 0x20 && text[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            at++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly byte Peek() => (uint)at < (uint)text.Length ? text[at] : throw Incomplete();

    private readonly TtsJsonException Unexpected(string expected)
    {
        // Something that starts no JSON value at all is R4; a value of another kind is what the original refuses too.
        var c = text[at];
        var isValue = c is (byte)'{' or (byte)'[' or (byte)'"' or (byte)'-' or (byte)'t' or (byte)'f' or (byte)'n' || char.IsAsciiDigit((char)c);
        return Fail($"expected {expected} and found {Describe()}", isValue ? null : "R4");
    }

    private readonly TtsJsonException Incomplete() =>
        new("the text ends too early", trail.Path(depth, text), LineAt(text.Length), "R4") { IsIncomplete = true };

    private readonly TtsJsonException Fail(string reason, string? rule = null) =>
        new(reason, trail.Path(depth, text), LineAt(at), rule);

    private readonly long LineAt(int place) => firstLine + text[..Math.Min(place, text.Length)].Count((byte)'\n');

    // Never more than a character or a kind: the text may be a key.
    private readonly string Describe()
    {
        var c = text[at];
        return c switch
        {
            (byte)'"' => "a text",
            (byte)'{' => "an object",
            (byte)'[' => "a list",
            (byte)'t' or (byte)'f' => "a bool",
            (byte)'n' => "null",
            (byte)'-' or (>= (byte)'0' and <= (byte)'9') => "a number",
            > 0x20 and < 0x7f => ((char)c).ToString(),
            _ => "byte 0x" + c.ToString("X2", CultureInfo.InvariantCulture),
        };
    }

    // A value in a reason, cut; what looks like a key that got into the wrong member is not shown.
    private static string Short(ReadOnlySpan<byte> value)
    {
        if (value.Length >= 32 && value[..32].IndexOfAnyExcept(HexDigits) < 0)
            return "***";
        return value.Length <= 40 ? Encoding.UTF8.GetString(value) : Encoding.UTF8.GetString(value[..40]) + "...";
    }

    private static int FirstInvalid(ReadOnlySpan<byte> bytes)
    {
        var place = 0;
        while (Rune.DecodeFromUtf8(bytes[place..], out _, out var length) == OperationStatus.Done)
            place += length;
        return place;
    }
}
