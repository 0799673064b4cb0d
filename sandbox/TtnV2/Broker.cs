using Sandbox.Grpc;

namespace Sandbox.TtnV2;

/// <summary>The broker, through which the handler asks the network server. Each step wraps the error of the next in its own words.</summary>
public sealed class Broker(TimeProvider clock, RateLimitProfile limits, NetworkServer networkServer)
{
    /// <summary>Limit by the token's subject.</summary>
    public RateLimiter Clients { get; } = new(clock, limits, "client");

    /// <summary>When set, the broker cannot be reached and this is gRPC's text of the failure.</summary>
    public string? Unreachable { get; set; }

    internal Task<NetworkServerRecord> GetAsync(StoredDevice device, string subject, CancellationToken cancellation) =>
        AskAsync("did not return device", subject, () => networkServer.GetAsync(device, subject, cancellation), cancellation);

    /// <summary>Registers a device with its counters; "again" when the handler repairs a record that went missing (other error text).</summary>
    internal Task SetAsync(StoredDevice device, uint fCntUp, uint fCntDown, string subject, CancellationToken cancellation, bool again = false) =>
        AskAsync("did not set device", subject, async () =>
        {
            await networkServer.SetAsync(device, fCntUp, fCntDown, subject, cancellation);
            return true;
        }, cancellation, again ? "Could not re-register missing device to Broker" : null);

    internal Task DeleteAsync(StoredDevice device, string subject, CancellationToken cancellation) =>
        AskAsync("did not delete device", subject, async () =>
        {
            await networkServer.DeleteAsync(device, subject, cancellation);
            return true;
        }, cancellation);

    /// <summary>
    /// A component's error seen by its caller: permission, existence and availability keep their code, with one more "kind:" in front of
    /// the text; everything else becomes Internal and names the code.
    /// </summary>
    internal static GrpcStatusException Wrap(string prefix, GrpcStatus status)
    {
        var (code, text) = status.Code switch
        {
            GrpcCode.NotFound => (GrpcCode.NotFound, status.Message),
            GrpcCode.Unavailable => (GrpcCode.Unavailable, Kind("unavailable: ", status.Message)),
            GrpcCode.PermissionDenied => (GrpcCode.PermissionDenied, Kind("permission denied: ", status.Message)),
            GrpcCode.Internal => (GrpcCode.Internal, Kind("Internal error: ", status.Message)),
            _ => (GrpcCode.Internal, $"Internal error: [{status.Code}] {status.Message}"),
        };
        return new GrpcStatusException(code, $"{prefix}{text}");
    }

    private static string Kind(string kind, string text) => text.StartsWith(kind, StringComparison.Ordinal) ? text : kind + text;

    private async Task<T> AskAsync<T>(string failure, string subject, Func<Task<T>> work, CancellationToken cancellation, string? brokerFailure = null)
    {
        try
        {
            if (Unreachable is { } brokerDown)
                throw new GrpcStatusException(GrpcCode.Unavailable, brokerDown);
            await Clients.TakeAsync(subject, cancellation);
            try
            {
                if (networkServer.Unreachable is { } down)
                    throw new GrpcStatusException(GrpcCode.Unavailable, down);
                return await work();
            }
            catch (GrpcStatusException e)
            {
                throw Wrap($"NetworkServer {failure}: ", e.Status);
            }
        }
        catch (GrpcStatusException e)
        {
            throw Wrap($"{brokerFailure ?? $"Broker {failure}"}: ", e.Status);
        }
    }
}
