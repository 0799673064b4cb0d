using System.Diagnostics.CodeAnalysis;

namespace Rpc;

/// <summary>Why no connection came to be. An IOException, so that it passes through streams and HTTP unharmed.</summary>
[SuppressMessage("Design", "CA1064", Justification = "becomes an RpcException before it leaves")]
internal sealed class ConnectFailure(RpcFailureOrigin origin, string detail, string? advice, Exception? inner = null) : IOException(detail, inner)
{
    public RpcFailureOrigin Origin { get; } = origin;

    public string Detail => Message;

    public string? Advice { get; } = advice;

    public ConnectTrouble Trouble { get; init; }

    /// <summary>Finds the failure among the causes of what HTTP reports.</summary>
    public static ConnectFailure? In(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is ConnectFailure failure)
                return failure;
        }
        return null;
    }
}
