using Google.Protobuf;
using Google.Protobuf.Reflection;
using TheThingsStack.Api;
using TheThingsStack.Validation;

namespace TheThingsStack.Import;

/// <summary>
/// Every broken field rule of a device, where <see cref="DeviceValidator"/> stops at the first: each violation is taken out of a copy, which
/// is then asked again. Only devices with a violation pay for it.
/// </summary>
internal static class AllViolations
{
    /// <summary>More than this in one device is noise.</summary>
    private const int Limit = 100;

    public static IReadOnlyList<FieldViolation> Of(EndDevice device)
    {
        if (DeviceValidator.Validate(device) is not { } violation)
            return [];
        var found = new List<FieldViolation>();
        var rest = device.Clone();
        for (var i = 0; i < Limit; i++)
        {
            // A part that was taken out may be missed afterwards; that is not the device's fault.
            if (DevicePaths.Look(device, violation.Field).IsZero == DevicePaths.Look(rest, violation.Field).IsZero)
                found.Add(violation);
            TakeOut(rest, violation.Field);
            if (DeviceValidator.Validate(rest) is not { } next)
                break;
            violation = next;
        }
        return found;
    }

    /// <summary>Clears the field or, where it is missing, the smallest message around it; parameters that a server fills in are filled in.</summary>
    private static void TakeOut(EndDevice device, string path)
    {
        IMessage message = device;
        var above = new Stack<(IMessage Message, FieldDescriptor Field)>();
        foreach (var segment in path.Split('.'))
        {
            var bracket = segment.IndexOf('[', StringComparison.Ordinal);
            var field = message.Descriptor.FindFieldByName(bracket < 0 ? segment : segment[..bracket]);
            if (field is null || !DevicePaths.Holds(message, field))
                break;
            above.Push((message, field));
            if (field.IsRepeated || field.IsMap || field.Accessor.GetValue(message) is not IMessage inner)
            {
                field.Accessor.Clear(message);
                return;
            }
            message = inner;
        }
        switch (message)
        {
            case EndDevice or EndDeviceIdentifiers or ApplicationIdentifiers:
                device.Ids = new EndDeviceIdentifiers { DeviceId = "abc", ApplicationIds = new ApplicationIdentifiers { ApplicationId = "abc" } };
                break;
            case MACState state when path.EndsWith("_parameters", StringComparison.Ordinal):
                state.CurrentParameters ??= Valid();
                state.DesiredParameters ??= Valid();
                break;
            case MACParameters parameters when path.EndsWith(".rx2_frequency", StringComparison.Ordinal):
                parameters.Rx2Frequency = 100_000;
                break;
            case MACParameters parameters when path.EndsWith(".channels", StringComparison.Ordinal):
                parameters.Channels.Add(Valid().Channels);
                break;
            default:
                var (owner, part) = above.Pop();
                part.Accessor.Clear(owner);
                break;
        }
    }

    private static MACParameters Valid() => new() { Rx2Frequency = 100_000, Channels = { new MACParameters.Types.Channel { DownlinkFrequency = 100_000 } } };
}
