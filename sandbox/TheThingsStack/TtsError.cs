using System.Globalization;
using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;

namespace Sandbox.TheThingsStack;

/// <summary>Errors as The Things Stack sends them: a status whose details carry name, attributes and causes (facts/tts-api.md section 10).</summary>
public static class TtsError
{
    /// <summary>Makes an error that ends a call.</summary>
    /// <param name="code">Status code.</param>
    /// <param name="space">Namespace, such as <c>pkg/networkserver</c>.</param>
    /// <param name="name">Name, such as <c>field_value</c>.</param>
    /// <param name="format">Text with <c>{attribute}</c> in place of values.</param>
    /// <param name="attributes">Values: texts, numbers or lists of texts.</param>
    /// <param name="cause">The error behind it.</param>
    public static GrpcStatusException Make(
        GrpcCode code, string space, string name, string format, (string Key, object Value)[]? attributes = null, ErrorDetails? cause = null)
    {
        var details = Details(code, space, name, format, attributes, cause);
        var message = $"error:{space}:{name} ({Formatted(details)})";
        return new GrpcStatusException(code, message, StatusBytes(code, message, details));
    }

    /// <summary>Makes the details of an error, for use as a cause.</summary>
    public static ErrorDetails Details(
        GrpcCode code, string space, string name, string format, (string Key, object Value)[]? attributes = null, ErrorDetails? cause = null)
    {
        var details = new ErrorDetails
        {
            Namespace = space,
            Name = name,
            MessageFormat = format,
            CorrelationId = RandomNumberGenerator.GetHexString(32, lowercase: true),
            Code = (uint)code,
            Cause = cause,
        };
        if (attributes is { Length: > 0 })
        {
            details.Attributes = new Struct();
            foreach (var (key, value) in attributes)
            {
                details.Attributes.Fields[key] = value switch
                {
                    string text => Value.ForString(text),
                    IEnumerable<string> texts => Value.ForList([.. texts.Select(Value.ForString)]),
                    _ => Value.ForNumber(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
                };
            }
        }
        return details;
    }

    /// <summary>Reads the details out of a status; null when it has none.</summary>
    public static ErrorDetails? DetailsOf(GrpcStatus status)
    {
        ArgumentNullException.ThrowIfNull(status);
        if (status.Details is null)
            return null;
        var input = new CodedInputStream(status.Details);
        while (input.ReadTag() is var tag and not 0)
        {
            if (tag != 26)
            {
                input.SkipLastField();
                continue;
            }
            var any = Any.Parser.ParseFrom(input.ReadBytes());
            if (any.Is(ErrorDetails.Descriptor))
                return any.Unpack<ErrorDetails>();
        }
        return null;
    }

    internal static GrpcStatusException Unauthenticated() =>
        Make(GrpcCode.Unauthenticated, "pkg/identityserver", "unauthenticated", "unauthenticated");

    internal static GrpcStatusException FieldValue(string server, string field, ErrorDetails? cause = null) =>
        Make(GrpcCode.InvalidArgument, $"pkg/{server}", "field_value", "invalid value of field `{field}`", [("field", field)], cause);

    internal static GrpcStatusException ReadOnlyField(string server, string field) =>
        Make(GrpcCode.InvalidArgument, $"pkg/{server}/redis", "read_only_field", "read-only field `{field}`", [("field", field)]);

    internal static GrpcStatusException EuisTaken(string space, EndDeviceIdentifiers wanted, DeviceId owner) => Make(
        GrpcCode.AlreadyExists,
        space,
        "end_device_euis_taken",
        "an end device with JoinEUI `{join_eui}` and DevEUI `{dev_eui}` is already registered as `{device_id}` in application `{application_id}`",
        [
            ("application_id", owner.Application),
            ("dev_eui", Convert.ToHexString(wanted.DevEui.Span)),
            ("device_id", owner.Device),
            ("join_eui", Convert.ToHexString(wanted.JoinEui.Span)),
        ]);

    internal static GrpcStatusException EndDeviceNotFound(DeviceId id) => Make(
        GrpcCode.NotFound,
        "pkg/identityserver/store",
        "end_device_not_found",
        "end device with id `{device_id}` not found in application with id `{application_id}`",
        [("application_id", id.Application), ("device_id", id.Device)]);

    internal static GrpcStatusException ApplicationNotFound(string application) => Make(
        GrpcCode.NotFound,
        "pkg/identityserver/store",
        "application_not_found",
        "application with id `{application_id}` not found",
        [("application_id", application)]);

    internal static GrpcStatusException EntityNotFound() => Make(GrpcCode.NotFound, "pkg/redis", "not_found", "entity not found");

    internal static GrpcStatusException DeviceNotFound(string server) =>
        Make(GrpcCode.NotFound, $"pkg/{server}", "device_not_found", "device not found");

    private static string Formatted(ErrorDetails details)
    {
        var text = details.MessageFormat;
        if (details.Attributes is null)
            return text;
        foreach (var (key, value) in details.Attributes.Fields)
        {
            var shown = value.KindCase switch
            {
                Value.KindOneofCase.StringValue => value.StringValue,
                Value.KindOneofCase.NumberValue => value.NumberValue.ToString(CultureInfo.InvariantCulture),
                _ => "",
            };
            text = text.Replace($"{{{key}}}", shown, StringComparison.Ordinal);
        }
        return text;
    }

    /// <summary>google.rpc.Status: code, message, details.</summary>
    private static byte[] StatusBytes(GrpcCode code, string message, ErrorDetails details)
    {
        using var memory = new MemoryStream();
        using (var output = new CodedOutputStream(memory, leaveOpen: true))
        {
            output.WriteRawTag(8);
            output.WriteInt32((int)code);
            output.WriteRawTag(18);
            output.WriteString(message);
            output.WriteRawTag(26);
            output.WriteMessage(Any.Pack(details));
        }
        return memory.ToArray();
    }
}
