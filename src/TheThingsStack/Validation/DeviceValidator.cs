using System.Buffers;
using Google.Protobuf;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace TheThingsStack.Validation;

/// <summary>A field that breaks a rule.</summary>
/// <param name="Field">Path without oneof names, e.g. <c>ids.device_id</c>, <c>locations[user].latitude</c>; the name of a oneof stands only
/// where one of its members is missing.</param>
/// <param name="Reason">The rule in words, as The Things Stack says it.</param>
public readonly record struct FieldViolation(string Field, string Reason);

/// <summary>The field rules of The Things Stack (facts/tts-api.md section 12), from the annotations of the .proto files.</summary>
public static class DeviceValidator
{
    /// <summary>Gives the first violation in declaration order, or null when the device is valid.</summary>
    public static FieldViolation? Validate(EndDevice device) => ValidateMessage(device);

    /// <summary>Gives the first violation of any annotated message, such as a request; null when it is valid.</summary>
    public static FieldViolation? ValidateMessage(IMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        // The rules look at the wire bytes: what is not there is zero or unset, and no property needs reflection.
        var size = message.CalculateSize();
        var rented = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            var bytes = rented.AsSpan(0, size);
            message.WriteTo(bytes);
            return MessageChecks.Of(TtsJson.TableOf(message.Descriptor)).Validate(new WireBytes(bytes), 0, size);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
