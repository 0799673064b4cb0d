using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using TheThingsStack.Api;

namespace TheThingsStack.FieldMasks;

/// <summary>Paths of fields as field masks write them: segments with dots, names of oneofs included.</summary>
public static class FieldPath
{
    /// <summary>Whether <paramref name="path"/> lies below <paramref name="parent"/>; not when they are equal.</summary>
    public static bool IsBelow(string path, string parent)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(parent);
        return path.Length > parent.Length && path[parent.Length] == '.' && path.StartsWith(parent, StringComparison.Ordinal);
    }

    /// <summary>Gives the paths without those that lie below another one of them.</summary>
    public static IEnumerable<string> TopMost(IReadOnlyCollection<string> paths) =>
        paths.Where(path => !paths.Any(other => IsBelow(path, other)));

    /// <summary>Gives the paths without those that lie above another one of them.</summary>
    public static IEnumerable<string> Deepest(IReadOnlyCollection<string> paths) =>
        paths.Where(path => !paths.Any(other => IsBelow(other, path)));

    /// <summary>
    /// Gives the deepest paths that hold something, in field order: a message that is present but empty is a path of its own; lists, maps and
    /// wrappers are not looked into. This is what the official CLI and Console send for a device (facts/tts-api.md section 7).
    /// </summary>
    public static IEnumerable<string> NonZero(IMessage message, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(message);
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            var value = ValueOf(message, field);
            if (value is null || (!field.HasPresence && IsZero(value)))
                continue;
            var path = Join(prefix, NameOf(field));
            if (!IsLeaf(field) && value is IMessage inner && inner.CalculateSize() > 0)
            {
                foreach (var deeper in NonZero(inner, path))
                    yield return deeper;
            }
            else
            {
                yield return path;
            }
        }
    }

    /// <summary>Gives the value at a path, null where it or a message around it is absent. A path that ends at a oneof gives the member set.</summary>
    /// <exception cref="ArgumentException">The message has no such path.</exception>
    public static object? Find(IMessage message, string path)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(path);
        object? value = message;
        var type = message.Descriptor;
        foreach (var segment in path.Split('.'))
        {
            if (type?.Oneofs.FirstOrDefault(oneof => !oneof.IsSynthetic && oneof.Name == segment) is { } choice)
            {
                if (value is IMessage owner && choice.Accessor.GetCaseFieldDescriptor(owner) is null)
                    value = null;
                continue;
            }
            // A wrapper's value: the wrapper itself is a plain value here.
            if (type is null && segment == "value")
                continue;
            var field = type?.FindFieldByName(segment) ?? throw new ArgumentException($"{message.Descriptor.Name} has no field `{path}`", nameof(path));
            value = value is IMessage holder ? ValueOf(holder, field) : null;
            type = field.FieldType == FieldType.Message && !field.IsMap && !field.IsRepeated && field.MessageType.File.Package == "ttn.lorawan.v3"
                ? field.MessageType
                : null;
        }
        return value;
    }

    /// <summary>
    /// Whether the value at a path is absent or zero. A message is zero when it is absent; an empty one that is there is not. A key or
    /// identifier of zero bytes is zero when <paramref name="zeroBytes"/> says so.
    /// </summary>
    public static bool IsZero(IMessage message, string path, bool zeroBytes = false)
    {
        var value = Find(message, path);
        return IsZero(value) || (zeroBytes && value is ByteString bytes && !bytes.Span.ContainsAnyExcept((byte)0));
    }

    internal static bool IsZero(object? value) => value switch
    {
        null => true,
        string text => text.Length == 0,
        ByteString bytes => bytes.IsEmpty,
        IMessage => false,
        ICollection items => items.Count == 0,
        bool flag => !flag,
        uint number => number == 0,
        int number => number == 0,
        ulong number => number == 0,
        long number => number == 0,
        float number => number == 0,
        double number => number == 0,
        Enum number => Convert.ToInt32(number, System.Globalization.CultureInfo.InvariantCulture) == 0,
        _ => false,
    };

    /// <summary>The value of a field; null for an absent message and for a member of a oneof that is not set.</summary>
    internal static object? ValueOf(IMessage message, FieldDescriptor field) =>
        field.RealContainingOneof is not null && !field.Accessor.HasValue(message) ? null : field.Accessor.GetValue(message);

    /// <summary>Lists, maps, scalars, wrappers (bare in JSON) and well-known types are one path.</summary>
    internal static bool IsLeaf(FieldDescriptor field) =>
        field.IsRepeated || field.IsMap || field.FieldType != FieldType.Message
        || field.MessageType.File.Package != "ttn.lorawan.v3"
        || field.MessageType.GetOptions()?.GetExtension(AnnotationsExtensions.Bare) == true;

    internal static string NameOf(FieldDescriptor field) => field.RealContainingOneof is { } choice ? $"{choice.Name}.{field.Name}" : field.Name;

    internal static string Join(string prefix, string name) => prefix.Length == 0 ? name : $"{prefix}.{name}";
}
