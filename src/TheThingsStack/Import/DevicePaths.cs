using Google.Protobuf;
using Google.Protobuf.Reflection;
using TheThingsStack.Api;

namespace TheThingsStack.Import;

/// <summary>
/// The field paths of a device, as field masks name them: the deepest paths that hold something, with the names of oneofs, without the
/// <c>value</c> of wrappers. A message that is present but empty is a path of its own; lists and maps are not looked into.
/// </summary>
public static class DevicePaths
{
    /// <summary>Gives the paths that hold something, in field order.</summary>
    public static IEnumerable<string> NonZero(IMessage message, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(message);
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (!Holds(message, field))
                continue;
            var path = Join(prefix, field.RealContainingOneof is { } choice ? $"{choice.Name}.{field.Name}" : field.Name);
            if (!IsLeaf(field) && field.Accessor.GetValue(message) is IMessage inner && inner.CalculateSize() > 0)
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

    /// <summary>
    /// Says whether a field of a validation report is absent or zero, and whether the message around it is empty, so that the message is the path sent.
    /// </summary>
    /// <param name="root">The device.</param>
    /// <param name="path">Path without oneof names; an index or key in brackets ends the walk, for lists and maps are sent whole.</param>
    internal static (bool IsZero, bool ParentIsEmpty) Look(IMessage root, string path)
    {
        var message = root;
        foreach (var segment in path.Split('.'))
        {
            if (segment.Contains('[', StringComparison.Ordinal))
                return (false, false);
            var field = message.Descriptor.FindFieldByName(segment);
            // A oneof is named only where none of its members is set.
            if (field is null)
                return (!message.Descriptor.Oneofs.Any(choice => choice.Name == segment && choice.Accessor.GetCaseFieldDescriptor(message) is not null), message.CalculateSize() == 0);
            if (!Holds(message, field))
                return (true, message.CalculateSize() == 0);
            if (field.IsRepeated || field.IsMap || field.Accessor.GetValue(message) is not IMessage inner)
                return (false, false);
            message = inner;
        }
        return (false, false);
    }

    /// <summary>Gives the field values that differ between two messages of a kind.</summary>
    internal static IEnumerable<string> Different(IMessage left, IMessage right)
    {
        foreach (var field in left.Descriptor.Fields.InFieldNumberOrder())
        {
            if (!Equals(field.Accessor.GetValue(left), field.Accessor.GetValue(right)))
                yield return field.Name;
        }
    }

    internal static bool Holds(IMessage message, FieldDescriptor field)
    {
        if (field.HasPresence)
            return field.Accessor.HasValue(message);
        return field.Accessor.GetValue(message) switch
        {
            System.Collections.ICollection items => items.Count > 0,
            string text => text.Length > 0,
            // The client takes a DevAddr of zeros for none; of keys it does not.
            ByteString bytes => bytes.Length > 0 && (field.Name != "dev_addr" || !ImportCheck.IsZero(bytes)),
            bool flag => flag,
            uint number => number != 0,
            int number => number != 0,
            ulong number => number != 0,
            long number => number != 0,
            float number => number != 0,
            double number => number != 0,
            Enum value => Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture) != 0,
            var other => other is not null,
        };
    }

    /// <summary>Lists, maps, scalars, wrappers (bare in JSON) and the well-known types are sent as one path.</summary>
    private static bool IsLeaf(FieldDescriptor field) =>
        field.IsRepeated || field.IsMap || field.FieldType != FieldType.Message
        || field.MessageType.File.Package != "ttn.lorawan.v3"
        || field.MessageType.GetOptions()?.GetExtension(AnnotationsExtensions.Bare) == true;

    private static string Join(string prefix, string name) => prefix.Length == 0 ? name : $"{prefix}.{name}";
}
