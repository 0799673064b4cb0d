namespace Rpc;

/// <summary>The status codes of gRPC, by their wire numbers.</summary>
public enum StatusCode
{
    /// <summary>Success.</summary>
    OK = 0,
    /// <summary>The call was cancelled, here or by the server.</summary>
    Cancelled = 1,
    /// <summary>An error without a better code; also what servers give for errors that have no type.</summary>
    Unknown = 2,
    /// <summary>The request is wrong whatever the state of the server.</summary>
    InvalidArgument = 3,
    /// <summary>The time for the call ran out.</summary>
    DeadlineExceeded = 4,
    /// <summary>What was asked for does not exist.</summary>
    NotFound = 5,
    /// <summary>What was to be created exists.</summary>
    AlreadyExists = 6,
    /// <summary>The caller is known but has no right to do this.</summary>
    PermissionDenied = 7,
    /// <summary>A rate, quota or size limit was reached.</summary>
    ResourceExhausted = 8,
    /// <summary>The server is not in the state that the request needs.</summary>
    FailedPrecondition = 9,
    /// <summary>A conflict with another request; safe to repeat at a higher level.</summary>
    Aborted = 10,
    /// <summary>Past the valid range.</summary>
    OutOfRange = 11,
    /// <summary>The server does not have this method.</summary>
    Unimplemented = 12,
    /// <summary>Something is broken at the server or on the way.</summary>
    Internal = 13,
    /// <summary>The server cannot be reached or cannot serve now.</summary>
    Unavailable = 14,
    /// <summary>Data was lost or corrupted beyond repair.</summary>
    DataLoss = 15,
    /// <summary>The caller is not known: no, wrong or expired credentials.</summary>
    Unauthenticated = 16,
}
