using System.Buffers;
using System.Buffers.Text;

namespace TheThingsStack.Json;

/// <summary>What a text of bytes turned out to be.</summary>
internal enum BytesResult
{
    Ok,

    /// <summary>Neither hexadecimal nor base64 of the right length.</summary>
    Malformed,

    /// <summary>Hexadecimal digits of the wrong length, which the original would read as base64 (R1).</summary>
    Ambiguous,
}

/// <summary>Hexadecimal and base64 texts (facts/tts-json.md sections 3, 7, 10.6, 10.7, 10.17).</summary>
internal static class JsonBytes
{
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);
    private static readonly SearchValues<byte> LineEnds = SearchValues.Create("\r\n"u8);

    public static void WriteHex(ref WireBuffer output, ReadOnlySpan<byte> value)
    {
        var room = output.Room((value.Length * 2) + 2);
        room[0] = (byte)'"';
        Convert.TryToHexString(value, room[1..], out var written);
        room[written + 1] = (byte)'"';
        output.Length += written + 2;
    }

    public static void WriteBase64(ref WireBuffer output, ReadOnlySpan<byte> value)
    {
        var room = output.Room(Base64.GetMaxEncodedToUtf8Length(value.Length) + 2);
        room[0] = (byte)'"';
        Base64.EncodeToUtf8(value, room[1..], out _, out var written);
        room[written + 1] = (byte)'"';
        output.Length += written + 2;
    }

    /// <summary>Appends the bytes of a fixed-length field: hexadecimal of that length, or base64 of it. Empty text gives no bytes.</summary>
    public static BytesResult ReadHex(ReadOnlySpan<byte> text, int length, ref WireBuffer output)
    {
        var digits = text.TrimEnd((byte)'=');
        if (digits.IsEmpty)
            return BytesResult.Ok;
        if (digits.Length == length * 2)
        {
            var room = output.Room(length);
            if (Convert.FromHexString(digits, room, out _, out var written) != OperationStatus.Done || written != length)
                return BytesResult.Malformed;
            output.Length += length;
            return BytesResult.Ok;
        }
        if (digits.Length != ((length * 8) + 5) / 6)
            return BytesResult.Malformed;
        if (digits.IndexOfAnyExcept(HexDigits) < 0)
            return BytesResult.Ambiguous;
        var start = output.Length;
        if (ReadBase64(text, standard: false, ref output) && output.Length - start == length)
            return BytesResult.Ok;
        output.Length = start;
        return BytesResult.Malformed;
    }

    /// <summary>Appends the bytes of a base64 text: standard or URL alphabet, padded or not.</summary>
    /// <param name="text">The text.</param>
    /// <param name="standard">Standard protobuf JSON: alphabets do not mix, padding is none or the right one.</param>
    /// <param name="output">Gets the bytes.</param>
    public static bool ReadBase64(ReadOnlySpan<byte> text, bool standard, ref WireBuffer output)
    {
        var room = output.Room(Base64.GetMaxDecodedFromUtf8Length(text.Length) + 3);
        if (text.Length % 4 == 0 && Base64.IsValid(text) && text.IndexOfAny(LineEnds) < 0 && !text.ContainsAny((byte)' ', (byte)'\t')
            && Base64.DecodeFromUtf8(text, room, out _, out var fast) == OperationStatus.Done)
        {
            output.Length += fast;
            return true;
        }
        var url = text.IndexOfAny((byte)'-', (byte)'_') >= 0;
        var body = text;
        var padded = false;
        if (standard)
        {
            if (url && text.IndexOfAny((byte)'+', (byte)'/') >= 0)
                return false;
            padded = text.Length % 4 == 0;
        }
        else
        {
            body = text.TrimEnd((byte)'=');
        }
        uint bits = 0;
        var count = 0;
        var padding = 0;
        var written = 0;
        foreach (var c in body)
        {
            if (c is (byte)'\r' or (byte)'\n')
                continue;
            if (c == (byte)'=' && padded)
            {
                padding++;
                continue;
            }
            var six = Six(c);
            if (six < 0 || padding > 0)
                return false;
            bits = (bits << 6) | (uint)six;
            if (++count % 4 == 0)
            {
                room[written++] = (byte)(bits >> 16);
                room[written++] = (byte)(bits >> 8);
                room[written++] = (byte)bits;
            }
        }
        var rest = count % 4;
        if (rest == 1 || (padded && (rest == 0 ? padding != 0 : padding != 4 - rest)))
            return false;
        if (rest >= 2)
        {
            bits <<= 6 * (4 - rest);
            room[written++] = (byte)(bits >> 16);
            if (rest == 3)
                room[written++] = (byte)(bits >> 8);
        }
        output.Length += written;
        return true;
    }

    private static int Six(byte c) => c switch
    {
        >= (byte)'A' and <= (byte)'Z' => c - 'A',
        >= (byte)'a' and <= (byte)'z' => c - 'a' + 26,
        >= (byte)'0' and <= (byte)'9' => c - '0' + 52,
        (byte)'+' or (byte)'-' => 62,
        (byte)'/' or (byte)'_' => 63,
        _ => -1,
    };
}
