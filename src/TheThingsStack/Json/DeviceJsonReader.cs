using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TheThingsStack.Api;
using TheThingsStack.Validation;

namespace TheThingsStack.Json;

/// <summary>One object of a devices file.</summary>
/// <param name="Index">Place in the file, from 0.</param>
/// <param name="Line">Line on which the object starts, from 1.</param>
/// <param name="Device">The device; null when <paramref name="Problem"/> says what is wrong with it.</param>
/// <param name="Problem">A member that can not be taken, with its own line; the file goes on after the object. Null when the device is fine.</param>
/// <param name="Raw">The bytes of the object as they stand in the file; empty unless asked for.</param>
public sealed record DeviceLine(long Index, long Line, EndDevice? Device, TtsJsonException? Problem, ReadOnlyMemory<byte> Raw)
{
    /// <summary>The device keeps all field rules. False when it breaks one, and when the reader was not asked to look.</summary>
    public bool IsValid { get; init; }

    /// <summary>The device, or the problem as an exception.</summary>
    /// <exception cref="TtsJsonException">The object is no device.</exception>
    public EndDevice Require() => Device ?? throw Problem!;
}

/// <summary>
/// Reads a file of devices as the importers of The Things Stack do (facts/tts-json.md sections 7 and 10.18): objects one after the other
/// with any white space between them, or one list of objects. Memory does not grow with the file: it holds the object in hand. Where the
/// importers stop at the first bad value, this reader says what is wrong with that device and goes on: the caller decides. One pass.
/// </summary>
/// <param name="stream">The file; read from where it stands, and left open.</param>
/// <param name="keepRaw">Give the bytes of each object.</param>
/// <param name="validate">Say whether each device keeps the field rules: cheaper here than later, for the bytes to look at are there.</param>
public sealed class DeviceJsonReader(Stream stream, bool keepRaw = false, bool validate = false)
{
    /// <summary>Bytes of the largest object: 16 MiB. A picture of a device has at most 8 MiB.</summary>
    public const int MaxObject = 16 << 20;

    private const int BlockSize = 256 << 10;

    private readonly MessageChecks? checks = validate ? MessageChecks.Of(MessageTable.Of(EndDevice.Descriptor)) : null;
    private byte[] buffer = [];
    private int start;
    private int end;
    private bool isEnd;
    private long line = 1;
    private long index;
    private bool isList;

    // Objects over several lines, and those of a list, need their end found first; the search goes on where it stopped.
    private bool findEnd;
    private JsonFraming framing;

    /// <summary>Reads device after device.</summary>
    /// <exception cref="TtsJsonException">
    /// The file is not JSON at that place, so that the end of the object can not be known. The devices given before are fine.
    /// </exception>
    public async IAsyncEnumerable<DeviceLine> ReadAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        buffer = ArrayPool<byte>.Shared.Rent(BlockSize);
        try
        {
            await OpenAsync(cancellation).ConfigureAwait(false);
            while (await NextObjectAsync(cancellation).ConfigureAwait(false))
            {
                DeviceLine? next;
                while (!TryRead(out next))
                    await FillAsync(cancellation).ConfigureAwait(false);
                yield return next!;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = [];
        }
    }

    // Finds out what kind of file it is.
    private async ValueTask OpenAsync(CancellationToken cancellation)
    {
        while (!isEnd && end < 4)
            await FillAsync(cancellation).ConfigureAwait(false);
        var first = buffer.AsSpan(0, end);
        if (first.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
            throw Bad("the file starts with a byte order mark; save it as UTF-8 without one");
        if (first.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || first.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
            throw Bad("the file is UTF-16; save it as UTF-8 (in PowerShell write it with Out-File -Encoding utf8NoBOM)");
        if (!await SkipSpaceAsync(cancellation).ConfigureAwait(false) || buffer[start] != (byte)'[')
            return;
        isList = true;
        findEnd = true;
        start++;
    }

    // Moves to the next object; false at the end of the file.
    private async ValueTask<bool> NextObjectAsync(CancellationToken cancellation)
    {
        var more = await SkipSpaceAsync(cancellation).ConfigureAwait(false);
        if (!isList)
        {
            if (more && buffer[start] != (byte)'{')
                throw Bad("expected the object of a device");
            return more;
        }
        if (!more)
            throw Bad("the list is not closed");
        if (buffer[start] == (byte)']' && index > 0)
        {
            start++;
            if (await SkipSpaceAsync(cancellation).ConfigureAwait(false))
                throw Bad("text follows after the list");
            return false;
        }
        if (index > 0)
        {
            if (buffer[start] != (byte)',')
                throw Bad("expected , or ] after a device");
            start++;
            if (!await SkipSpaceAsync(cancellation).ConfigureAwait(false))
                throw Bad("the list is not closed");
        }
        if (buffer[start] != (byte)'{')
            throw Bad(index == 0 && buffer[start] == (byte)']' ? "the list is empty" : "expected the object of a device");
        return true;
    }

    // Reads the object at the start of the buffer; false when more bytes are needed.
    private bool TryRead(out DeviceLine? next)
    {
        next = null;
        var available = buffer.AsSpan(start, end - start);
        var length = findEnd ? framing.EndOfObject(available) : available.IndexOf((byte)'\n');
        if (length < 0 && !isEnd)
        {
            // A long line may hold many objects.
            if (!findEnd && available.Length >= BlockSize)
            {
                findEnd = true;
                return TryRead(out next);
            }
            if (available.Length >= MaxObject)
                throw Bad($"an object is larger than {MaxObject >> 20} MiB");
            return false;
        }
        // A file that ends within an object, or without a line end.
        if (length < 0)
            length = available.Length;
        if (length > MaxObject)
            throw Bad($"an object is larger than {MaxObject >> 20} MiB");
        var text = available[..length];
        try
        {
            var device = TtsJson.ReadObject<EndDevice>(text, line, checks, out var used, out var isValid);
            next = Line(text[..used], device, problem: null, isValid);
        }
        catch (TtsJsonException e) when (e.IsIncomplete && !findEnd)
        {
            // An object over several lines.
            findEnd = true;
            return TryRead(out next);
        }
        catch (TtsJsonException e)
        {
            var used = default(JsonFraming).EndOfObject(text);
            if (used < 0 && !findEnd)
            {
                findEnd = true;
                return TryRead(out next);
            }
            if (used < 0 || !JsonMessageReader.IsJson(text[..used]))
                throw new TtsJsonException(e.Reason + Before(), e.Path, e.Line, e.Rule);
            next = Line(text[..used], device: null, e, isValid: false);
        }
        return true;
    }

    private DeviceLine Line(ReadOnlySpan<byte> text, EndDevice? device, TtsJsonException? problem, bool isValid)
    {
        var result = new DeviceLine(index, line, device, problem, keepRaw ? text.ToArray() : default) { IsValid = isValid };
        index++;
        if (findEnd)
            line += text.Count((byte)'\n');
        start += text.Length;
        framing = default;
        return result;
    }

    private TtsJsonException Bad(string reason) => new(reason + Before(), "", line, "R4");

    private string Before() => index == 0 ? "" : $" (the {index} {(index == 1 ? "object" : "objects")} before it could be read)";

    private async ValueTask<bool> SkipSpaceAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var rest = buffer.AsSpan(start, end - start);
            var space = rest.IndexOfAnyExcept(" \t\r\n"u8);
            var passed = space < 0 ? rest.Length : space;
            line += rest[..passed].Count((byte)'\n');
            start += passed;
            if (space >= 0)
                return true;
            if (isEnd)
                return false;
            await FillAsync(cancellation).ConfigureAwait(false);
        }
    }

    private async ValueTask FillAsync(CancellationToken cancellation)
    {
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            end -= start;
            start = 0;
        }
        if (end == buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
            buffer.AsSpan(0, end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }
        var read = await stream.ReadAsync(buffer.AsMemory(end), cancellation).ConfigureAwait(false);
        isEnd = read == 0;
        end += read;
    }
}

/// <summary>Finds where a JSON object ends, without looking at what is in it. Can go on when more bytes came behind the same start.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct JsonFraming
{
    private static readonly SearchValues<byte> Marks = SearchValues.Create("\"{}[]"u8);
    private int at;
    private int depth;

    /// <summary>Gives the length of the object that starts the text; -1 when it does not end there.</summary>
    public int EndOfObject(ReadOnlySpan<byte> text)
    {
        while (true)
        {
            var next = text[at..].IndexOfAny(Marks);
            if (next < 0)
            {
                at = text.Length;
                return -1;
            }
            at += next;
            var c = text[at];
            if (c == (byte)'"')
            {
                // A text that is not complete is looked at again from its start.
                var length = EndOfText(text[(at + 1)..]);
                if (length < 0)
                    return -1;
                at += length;
            }
            else if (c is (byte)'{' or (byte)'[')
            {
                depth++;
            }
            else if (--depth <= 0)
            {
                return ++at;
            }
            at++;
        }
    }

    private static int EndOfText(ReadOnlySpan<byte> text)
    {
        for (var i = 0; ;)
        {
            var next = text[i..].IndexOfAny((byte)'"', (byte)'\\');
            if (next < 0)
                return -1;
            i += next + 1;
            if (text[i - 1] == (byte)'"')
                return i;
            if (++i > text.Length)
                return -1;
        }
    }
}
