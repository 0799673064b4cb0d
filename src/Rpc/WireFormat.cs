using System.Globalization;
using System.Text;

namespace Rpc;

/// <summary>The text forms of gRPC over HTTP/2: timeouts and percent-encoded messages.</summary>
internal static class WireFormat
{
    /// <summary>
    /// A timeout as grpc-timeout has it: at most eight digits and a unit, the finest unit that fits, rounded up so that the server never gives up
    /// before the client.
    /// </summary>
    public static string Timeout(TimeSpan timeout)
    {
        const long most = 99_999_999;
        ReadOnlySpan<(long Ticks, char Unit)> units =
        [
            (TimeSpan.TicksPerMicrosecond, 'u'),
            (TimeSpan.TicksPerMillisecond, 'm'),
            (TimeSpan.TicksPerSecond, 'S'),
            (TimeSpan.TicksPerMinute, 'M'),
            (TimeSpan.TicksPerHour, 'H'),
        ];
        foreach (var (ticks, unit) in units)
        {
            var value = timeout.Ticks / ticks + (timeout.Ticks % ticks == 0 ? 0 : 1);
            if (value <= most)
                return string.Create(CultureInfo.InvariantCulture, $"{value}{unit}");
        }
        return "99999999H";
    }

    /// <summary>Decodes a grpc-message. What is not a valid escape stays as it is; bytes that are not UTF-8 become U+FFFD.</summary>
    public static string DecodeMessage(string encoded)
    {
        if (!encoded.Contains('%', StringComparison.Ordinal))
            return encoded;
        var bytes = Encoding.UTF8.GetBytes(encoded);
        var length = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] == '%' && i + 2 < bytes.Length && Char.IsAsciiHexDigit((char)bytes[i + 1]) && Char.IsAsciiHexDigit((char)bytes[i + 2]))
            {
                bytes[length++] = (byte)(Hex(bytes[i + 1]) << 4 | Hex(bytes[i + 2]));
                i += 2;
            }
            else
            {
                bytes[length++] = bytes[i];
            }
        }
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static int Hex(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
