using System.Globalization;
using Google.Protobuf.Reflection;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Validation;

namespace Migration;

/// <summary>The field rules of The Things Stack as a failure in the form of the Go tool (facts/cli-surface.md section 6).</summary>
internal static class FieldRules
{
    /// <summary>Says what is wrong with a device that is ready to be written; null when nothing is.</summary>
    public static Failure? Check(EndDevice device)
    {
        if (DeviceValidator.Validate(device) is not { } violation)
            return null;
        var id = device.Ids?.DeviceId ?? "";
        return Failure.Named("export", "invalid_fields", $"invalid fields for device `{id}`") with
        {
            Attributes = new Dictionary<string, string>
            {
                ["device_id"] = id,
                ["dev_eui"] = $"[{string.Join(' ', (device.Ids?.DevEui.ToByteArray() ?? []).Select(b => b.ToString(CultureInfo.InvariantCulture)))}]",
            },
            Cause = Nested(EndDevice.Descriptor, violation.Field, violation.Reason),
            Advice = Advice(id, violation),
        };
    }

    /// <summary>One failure for each message on the path, outermost first.</summary>
    private static Failure Nested(MessageDescriptor message, string path, string reason)
    {
        var (field, inner, child) = Split(message, path);
        return new Failure($"invalid `{field}`: {(inner is null ? reason : "embedded message failed validation")}")
        {
            Namespace = "pkg/errors",
            Name = "validation",
            Attributes = new Dictionary<string, string>
            {
                ["field"] = field,
                ["name"] = message.Name + "ValidationError",
                ["reason"] = inner is null ? reason : "embedded message failed validation",
            },
            Cause = inner is null ? null : Nested(child!, inner, reason),
        };
    }

    /// <summary>Takes the first field off a path; a map key in brackets may hold any character.</summary>
    private static (string Field, string? Inner, MessageDescriptor? Child) Split(MessageDescriptor message, string path)
    {
        var end = path.AsSpan().IndexOfAny('.', '[');
        var descriptor = message.FindFieldByName(end < 0 ? path : path[..end]);
        if (end < 0 || descriptor is null || descriptor.FieldType != FieldType.Message)
            return (path, null, null);
        if (path[end] == '[')
        {
            var close = path.LastIndexOf("].", StringComparison.Ordinal);
            if (close < 0)
                return (path, null, null);
            end = close + 1;
        }
        var child = descriptor.MessageType;
        if (descriptor.IsMap)
        {
            var value = child.FindFieldByNumber(2);
            if (value.FieldType != FieldType.Message)
                return (path, null, null);
            child = value.MessageType;
        }
        return (path[..end], path[(end + 1)..], child);
    }

    private static string Advice(string id, FieldViolation violation) => violation.Field switch
    {
        "ids.device_id" => $"The Things Stack wants at most 36 lower case letters, digits and single dashes, with at least 3 letters or digits; `{DeviceNaming.Propose(id)}` would do. Register the device under that ID at the source, or use --dev-id-prefix",
        "ids.application_ids.application_id" => "The Things Stack wants at most 36 lower case letters, digits and single dashes, with at least 3 letters or digits; name the application so",
        _ => $"change `{violation.Field}` at the source and export the device again",
    };
}
