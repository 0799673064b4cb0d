using System.Text;

namespace Sandbox.Grpc;

/// <summary>Status codes of gRPC. Not those of Rpc: the emulators share nothing with the client they test.</summary>
public enum GrpcCode
{
    Ok = 0,
    Canceled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// <summary>How a call ended.</summary>
/// <param name="Code">Status code.</param>
/// <param name="Message">Text for people; may be empty.</param>
/// <param name="Details">Encoded google.rpc.Status for grpc-status-details-bin, or null.</param>
public sealed record GrpcStatus(GrpcCode Code, string Message = "", byte[]? Details = null)
{
    public static GrpcStatus Ok { get; } = new(GrpcCode.Ok);
}

/// <summary>Ends a call with a status other than OK.</summary>
public sealed class GrpcStatusException(GrpcStatus status) : Exception($"{status.Code}: {status.Message}")
{
    public GrpcStatusException(GrpcCode code, string message, byte[]? details = null)
        : this(new GrpcStatus(code, message, details))
    {
    }

    public GrpcStatus Status { get; } = status;
}

/// <summary>The percent encoding of grpc-message: printable ASCII except '%' stays, all other bytes of the UTF-8 text become %XX.</summary>
public static class GrpcMessageEncoding
{
    public static string Encode(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var result = new StringBuilder(bytes.Length);
        foreach (var b in bytes)
        {
            if (b is >= 0x20 and <= 0x7E and not (byte)'%')
                result.Append((char)b);
            else
                result.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return result.ToString();
    }
}
