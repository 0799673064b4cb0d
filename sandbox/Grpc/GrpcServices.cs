using Google.Protobuf;

namespace Sandbox.Grpc;

/// <summary>The methods a server answers. Texts for unknown ones are those of grpc-go, which the real servers use.</summary>
public sealed class GrpcServices
{
    private readonly Dictionary<string, Func<GrpcCall, Task<byte[]>>> methods = new(StringComparer.Ordinal);
    private readonly HashSet<string> services = new(StringComparer.Ordinal);

    /// <summary>Adds a unary method.</summary>
    /// <param name="path">Full path, <c>/package.Service/Method</c>.</param>
    /// <param name="parser">Parser of the request message.</param>
    /// <param name="handle">The work; ends a call with <see cref="GrpcStatusException"/>.</param>
    /// <param name="refuseBytes">Says why the encoded request cannot be decoded by the real server, or null when it can.</param>
    public GrpcServices Unary<TRequest, TResponse>(
        string path,
        MessageParser<TRequest> parser,
        Func<GrpcCall, TRequest, Task<TResponse>> handle,
        Func<byte[], string?>? refuseBytes = null)
        where TRequest : IMessage<TRequest>
        where TResponse : IMessage<TResponse>
    {
        services.Add(path[1..path.LastIndexOf('/')]);
        methods.Add(path, async call =>
        {
            if (refuseBytes?.Invoke(call.Request) is { } refusal)
                throw new GrpcStatusException(GrpcCode.Internal, $"grpc: error unmarshalling request: {refusal}");
            TRequest request;
            try
            {
                request = parser.ParseFrom(call.Request);
            }
            catch (InvalidProtocolBufferException e)
            {
                throw new GrpcStatusException(GrpcCode.Internal, $"grpc: error unmarshalling request: {e.Message}");
            }
            return (await handle(call, request)).ToByteArray();
        });
        return this;
    }

    internal Task<byte[]> DispatchAsync(GrpcCall call)
    {
        if (methods.TryGetValue(call.Method, out var handle))
            return handle(call);
        var slash = call.Method.LastIndexOf('/');
        if (slash < 1)
            throw new GrpcStatusException(GrpcCode.Unimplemented, $"malformed method name: \"{call.Method}\"");
        var service = call.Method[1..slash];
        throw new GrpcStatusException(
            GrpcCode.Unimplemented,
            services.Contains(service) ? $"unknown method {call.Method[(slash + 1)..]} for service {service}" : $"unknown service {service}");
    }
}
