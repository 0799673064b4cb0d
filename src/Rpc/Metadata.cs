using System.Buffers;
using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Rpc;

/// <summary>
/// The metadata of a call: a list of names and values, in order, in which a name may come several times.
/// Names are lower case ASCII (letters, digits, <c>-_.</c>) and are lowered when added; those that end in <c>-bin</c> have bytes as value,
/// the others printable ASCII. Values never appear in error texts: they may be keys.
/// </summary>
public sealed class Metadata : IReadOnlyList<Metadata.Entry>
{
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyz-_.");

    private readonly List<Entry> entries;

    /// <summary>Makes an empty list.</summary>
    public Metadata() => entries = [];

    private Metadata(int capacity) => entries = new(capacity);

    /// <summary>The list without entries that failures and answers without metadata share; it cannot be added to.</summary>
    internal static Metadata Empty { get; } = new(0) { IsReadOnly = true };

    private bool IsReadOnly { get; init; }

    /// <summary>Number of entries.</summary>
    public int Count => entries.Count;

    /// <summary>The entry at a position, in order of adding or of arrival.</summary>
    public Entry this[int index] => entries[index];

    /// <summary>Adds a text value.</summary>
    /// <exception cref="ArgumentException">The name is not one, is reserved for gRPC, or ends in -bin; or the value is not printable ASCII.</exception>
    public void Add(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        key = CheckedName(key);
        if (IsBinary(key))
            throw new ArgumentException($"metadata {key} has bytes as value, as its name ends in -bin", nameof(key));
        if (value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            throw new ArgumentException($"the value of metadata {key} has a character that is not printable ASCII", nameof(value));
        Append(new Entry(key, value, null));
    }

    /// <summary>Adds a binary value, of any length.</summary>
    /// <exception cref="ArgumentException">The name is not one, is reserved for gRPC, or does not end in -bin.</exception>
    public void Add(string key, byte[] value)
    {
        ArgumentNullException.ThrowIfNull(value);
        key = CheckedName(key);
        if (!IsBinary(key))
            throw new ArgumentException($"metadata {key} has text as value: only names that end in -bin take bytes", nameof(key));
        Append(new Entry(key, Convert.ToBase64String(value).TrimEnd('='), value));
    }

    /// <summary>The first text value of a name, or null.</summary>
    public string? Get(string key)
    {
        foreach (var entry in entries)
        {
            if (entry.Is(key))
                return entry.Value;
        }
        return null;
    }

    /// <summary>The first binary value of a name that ends in -bin, or null.</summary>
    [SuppressMessage("Performance", "CA1819", Justification = "the shape of Grpc.Core")]
    public byte[]? GetBytes(string key)
    {
        foreach (var entry in entries)
        {
            if (entry.Is(key) && entry.IsBinary)
                return entry.ValueBytes;
        }
        return null;
    }

    /// <summary>All entries of a name, in order.</summary>
    public IEnumerable<Entry> GetAll(string key) => entries.Where(entry => entry.Is(key));

    /// <inheritdoc/>
    public IEnumerator<Entry> GetEnumerator() => entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => entries.GetEnumerator();

    internal static bool IsBinary(string name) => name.EndsWith("-bin", StringComparison.Ordinal);

    /// <summary>
    /// Adds what came off the wire. Nothing is refused here: a text with odd characters is kept, a binary value that is not base64 has no bytes
    /// and keeps its text. Several binary values may come in one header, with commas between.
    /// </summary>
    internal void AddReceived(string name, string value)
    {
        if (!IsBinary(name))
        {
            Append(new Entry(name, value, null));
            return;
        }
        foreach (var part in value.Split(',', StringSplitOptions.TrimEntries))
            Append(new Entry(name, part, DecodeBinary(part)));
    }

    /// <summary>Reads base64 with or without its padding, of either alphabet; null when it is neither.</summary>
    internal static byte[]? DecodeBinary(string text)
    {
        var bare = text.AsSpan().TrimEnd('=');
        Span<char> padded = bare.Length <= 512 ? stackalloc char[bare.Length + 3] : new char[bare.Length + 3];
        bare.CopyTo(padded);
        padded[..bare.Length].Replace('-', '+');
        padded[..bare.Length].Replace('_', '/');
        var length = bare.Length;
        while (length % 4 != 0)
        {
            if (length == padded.Length)
                return null;
            padded[length++] = '=';
        }
        var bytes = new byte[length / 4 * 3];
        if (!Convert.TryFromBase64Chars(padded[..length], bytes, out var written))
            return null;
        return bytes.AsSpan(0, written).ToArray();
    }

    private static string CheckedName(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        var name = key.ToLowerInvariant();
        if (name.AsSpan().ContainsAnyExcept(NameCharacters))
            throw new ArgumentException($"\"{key}\" cannot be a metadata name: only letters, digits, '-', '_' and '.' can stand in one", nameof(key));
        if (name.StartsWith("grpc-", StringComparison.Ordinal) || name is "te" or "content-type" or "user-agent" or "host" or "connection")
            throw new ArgumentException($"metadata {name} is set by the call itself", nameof(key));
        return name;
    }

    private void Append(Entry entry)
    {
        if (IsReadOnly)
            throw new InvalidOperationException("this list cannot be added to");
        entries.Add(entry);
    }

    /// <summary>One name and its value.</summary>
    public readonly struct Entry
    {
        private readonly byte[]? bytes;

        internal Entry(string key, string value, byte[]? bytes)
        {
            Key = key;
            Value = value;
            this.bytes = bytes;
        }

        /// <summary>The name, in lower case.</summary>
        public string Key { get; }

        /// <summary>The text value; for a binary value its base64 without padding, as it travels.</summary>
        public string Value { get; }

        /// <summary>Whether the value is bytes.</summary>
        public bool IsBinary => Metadata.IsBinary(Key);

        /// <summary>The bytes of a binary value; empty when what came was not base64.</summary>
        /// <exception cref="InvalidOperationException">The value is text.</exception>
        [SuppressMessage("Performance", "CA1819", Justification = "the shape of Grpc.Core")]
        public byte[] ValueBytes => IsBinary ? bytes ?? [] : throw new InvalidOperationException($"metadata {Key} has text as value");

        /// <summary>The name only: a value may be a key.</summary>
        public override string ToString() => Key;

        internal bool Is(string key) => Key.Equals(key, StringComparison.OrdinalIgnoreCase);
    }
}
