using Google.Protobuf;
using Google.Protobuf.Reflection;
using TheThingsStack.FieldMasks;

namespace TheThingsStack.Import;

/// <summary>Looks at fields of a device by the paths of validation reports.</summary>
internal static class DevicePaths
{
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
        return !FieldPath.IsZero(field.Accessor.GetValue(message));
    }
}
