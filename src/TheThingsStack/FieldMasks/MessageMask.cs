using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace TheThingsStack.FieldMasks;

/// <summary>
/// A field mask made for one message type: copies, selects, clears and compares the fields that its paths name. A path that ends at a message
/// means all of it; names of oneofs are segments of their own (<c>mac_settings.adr.mode.dynamic</c>); a wrapper may end in <c>value</c>.
/// Immutable and safe to share; make one per set of paths, not one per message.
/// </summary>
public sealed class MessageMask
{
    private readonly Node root;
    private readonly HashSet<string> paths;

    private MessageMask(MessageDescriptor type, HashSet<string> paths, Node root)
    {
        Type = type;
        this.paths = paths;
        this.root = root;
    }

    /// <summary>The message type.</summary>
    public MessageDescriptor Type { get; }

    /// <summary>The paths, without repetitions, in no order.</summary>
    public IReadOnlyCollection<string> Paths => paths;

    /// <summary>Makes a mask.</summary>
    /// <param name="type">Type of the messages.</param>
    /// <param name="paths">Paths such as <c>session.keys.f_nwk_s_int_key.key</c>; repetitions and paths below others do no harm.</param>
    /// <exception cref="ArgumentException">The type has no such path.</exception>
    public static MessageMask Create(MessageDescriptor type, IEnumerable<string> paths) =>
        TryCreate(type, paths, out var mask, out var unknown) ? mask : throw new ArgumentException($"{type.Name} has no field `{unknown}`", nameof(paths));

    /// <summary>Makes a mask, or tells the first path that the type does not have.</summary>
    public static bool TryCreate(
        MessageDescriptor type, IEnumerable<string> paths, [NotNullWhen(true)] out MessageMask? mask, [NotNullWhen(false)] out string? unknown)
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(paths);
        mask = null;
        unknown = null;
        var top = new Node(null);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in paths)
        {
            if (!names.Add(path))
                continue;
            if (!Add(top, type, path))
            {
                unknown = path;
                return false;
            }
        }
        mask = new MessageMask(type, names, top);
        return true;
    }

    /// <summary>Whether a message type has a path.</summary>
    public static bool Exists(MessageDescriptor type, string path) => Add(new Node(null), type, path);

    /// <summary>Whether the path itself or one above it is in the mask.</summary>
    public bool Covers(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        for (var end = path.Length; end > 0; end = path.LastIndexOf('.', end - 1))
        {
            if (paths.Contains(path[..end]))
                return true;
        }
        return false;
    }

    /// <summary>Whether the path itself is in the mask.</summary>
    public bool Names(string path) => paths.Contains(path);

    /// <summary>Whether the path, one above it or one below it is in the mask.</summary>
    public bool Touches(string path) => Covers(path) || paths.Any(other => FieldPath.IsBelow(other, path));

    /// <summary>
    /// Makes the masked fields of <paramref name="target"/> those of <paramref name="source"/>, absent ones included; the others stay. Messages on
    /// the way are created only where the source has them.
    /// </summary>
    public void Copy<T>(T source, T target)
        where T : IMessage<T>
    {
        ArgumentNullException.ThrowIfNull(source);
        Copy(root, source.Clone(), target);
    }

    /// <summary>Gives a new message with nothing but the masked fields.</summary>
    public T Select<T>(T source)
        where T : IMessage<T>, new()
    {
        var result = new T();
        Copy(source, result);
        return result;
    }

    /// <summary>Takes the masked fields away; messages around them stay.</summary>
    public void Clear(IMessage target)
    {
        ArgumentNullException.ThrowIfNull(target);
        Copy(root, source: null, target);
    }

    /// <summary>
    /// Gives the paths of the masked fields in which two messages differ: the deepest ones, lists, maps and wrappers as a whole. An absent
    /// message and one that holds nothing are not told apart.
    /// </summary>
    public IEnumerable<string> Differences(IMessage left, IMessage right) => Differences(root, left, right, "");

    private static IEnumerable<string> Differences(Node node, IMessage? left, IMessage? right, string prefix)
    {
        foreach (var child in node.Children)
        {
            var field = child.Field!;
            var one = left is null ? null : FieldPath.ValueOf(left, field);
            var other = right is null ? null : FieldPath.ValueOf(right, field);
            if (Equals(one, other))
                continue;
            var path = FieldPath.Join(prefix, FieldPath.NameOf(field));
            if (!FieldPath.IsLeaf(field))
            {
                foreach (var deeper in Differences(child.IsWhole ? Node.All(field.MessageType) : child, one as IMessage, other as IMessage, path))
                    yield return deeper;
            }
            else if (!(FieldPath.IsZero(one) && FieldPath.IsZero(other)))
            {
                yield return path;
            }
        }
    }

    private static void Copy(Node node, IMessage? source, IMessage target)
    {
        foreach (var child in node.Children)
        {
            var field = child.Field!;
            var value = source is null ? null : FieldPath.ValueOf(source, field);
            if (child.IsWhole)
            {
                Put(field, value, target);
                continue;
            }
            var inner = FieldPath.ValueOf(target, field) as IMessage;
            if (inner is null)
            {
                if (value is null)
                    continue;
                inner = field.MessageType.Parser.ParseFrom(ByteString.Empty);
                field.Accessor.SetValue(target, inner);
            }
            Copy(child, value as IMessage, inner);
        }
    }

    private static void Put(FieldDescriptor field, object? value, IMessage target)
    {
        // To clear one member of a oneof clears whichever is set.
        if (value is null && field.RealContainingOneof is not null && !field.Accessor.HasValue(target))
            return;
        field.Accessor.Clear(target);
        if (value is null)
            return;
        if (field.IsMap)
        {
            var map = (IDictionary)field.Accessor.GetValue(target);
            foreach (DictionaryEntry entry in (IDictionary)value)
                map.Add(entry.Key, entry.Value);
        }
        else if (field.IsRepeated)
        {
            var list = (IList)field.Accessor.GetValue(target);
            foreach (var item in (IList)value)
                list.Add(item);
        }
        else
        {
            field.Accessor.SetValue(target, value);
        }
    }

    private static bool Add(Node top, MessageDescriptor type, string path)
    {
        var node = top;
        var segments = path.Split('.');
        for (var i = 0; i < segments.Length; i++)
        {
            var last = i == segments.Length - 1;
            var choice = type.Oneofs.FirstOrDefault(oneof => !oneof.IsSynthetic && oneof.Name == segments[i]);
            if (choice is not null)
            {
                if (last)
                {
                    foreach (var option in choice.Fields)
                        node.Child(option).IsWhole = true;
                    return true;
                }
                i++;
                last = i == segments.Length - 1;
            }
            var field = type.FindFieldByName(segments[i]);
            if (field is null || field.RealContainingOneof != choice)
                return false;
            node = node.Child(field);
            if (last)
            {
                node.IsWhole = true;
                return true;
            }
            if (field.IsMap || field.IsRepeated || field.FieldType != FieldType.Message)
                return false;
            type = field.MessageType;
            // Wrappers of google.protobuf are plain values here.
            if (type.File.Package != "ttn.lorawan.v3")
            {
                node.IsWhole = true;
                return i == segments.Length - 2 && segments[i + 1] == "value";
            }
        }
        return false;
    }

    private sealed class Node(FieldDescriptor? field)
    {
        private static readonly System.Collections.Concurrent.ConcurrentDictionary<MessageDescriptor, Node> Everything = new();

        public FieldDescriptor? Field { get; } = field;

        public bool IsWhole { get; set; }

        public List<Node> Children { get; } = [];

        public static Node All(MessageDescriptor type) => Everything.GetOrAdd(type, static type =>
        {
            var node = new Node(null);
            foreach (var field in type.Fields.InFieldNumberOrder())
                node.Child(field).IsWhole = true;
            return node;
        });

        public Node Child(FieldDescriptor field)
        {
            var child = Children.Find(existing => existing.Field == field);
            if (child is null)
            {
                child = new Node(field);
                Children.Add(child);
            }
            return child;
        }
    }
}
