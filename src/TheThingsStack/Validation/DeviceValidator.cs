using TheThingsStack.Api;

namespace TheThingsStack.Validation;

/// <summary>A field that breaks a rule.</summary>
/// <param name="Field">Path without oneof names, e.g. <c>ids.device_id</c>.</param>
/// <param name="Reason">The rule in words, as The Things Stack says it.</param>
public readonly record struct FieldViolation(string Field, string Reason);

/// <summary>The field rules of The Things Stack (facts/tts-api.md section 12), from the annotations of the .proto files.</summary>
public static class DeviceValidator
{
    /// <summary>Gives the first violation in declaration order, or null when the device is valid.</summary>
    public static FieldViolation? Validate(EndDevice device) => throw new NotSupportedException();
}
