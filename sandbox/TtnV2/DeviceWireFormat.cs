using Google.Protobuf;

namespace Sandbox.TtnV2;

/// <summary>
/// What the V2 servers refuse while decoding a device: byte fields of a wrong length, zero length included. The generated classes cannot
/// tell (an empty app_eui and an absent one look the same), so this reads the bytes.
/// </summary>
public static class DeviceWireFormat
{
    /// <summary>Says why the real server cannot decode this encoded handler.Device, or null.</summary>
    public static string? Refuse(byte[] message)
    {
        try
        {
            var input = new CodedInputStream(message);
            while (input.ReadTag() is var tag && tag != 0)
            {
                if (WireFormat.GetTagFieldNumber(tag) == 3 && WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited)
                {
                    if (RefuseLoRaWan(input.ReadBytes()) is { } refusal)
                        return refusal;
                }
                else
                {
                    input.SkipLastField();
                }
            }
            return null;
        }
        catch (InvalidProtocolBufferException)
        {
            return "unexpected EOF";
        }
    }

    private static string? RefuseLoRaWan(ByteString message)
    {
        var input = message.CreateCodedInput();
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagWireType(tag) != WireFormat.WireType.LengthDelimited)
            {
                input.SkipLastField();
                continue;
            }
            (int Length, string Type)? expected = WireFormat.GetTagFieldNumber(tag) switch
            {
                1 or 2 => (8, "EUI64"),
                5 => (4, "DevAddr"),
                6 or 7 or 8 => (16, "AES128Key"),
                14 => (2, "DevNonce"),
                15 => (3, "AppNonce"),
                _ => null,
            };
            var value = input.ReadBytes();
            if (expected is { } e && value.Length != e.Length)
                return $"ttn/core: Invalid length for {e.Type}";
        }
        return null;
    }
}
