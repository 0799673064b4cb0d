using Rpc;
using TheThingsStack.Errors;

namespace Sources.TtnV2;

/// <summary>What the errors of V2 servers mean (facts/ttnv2.md sections 7.2 and 8).</summary>
internal static class TtnV2Errors
{
    /// <summary>The call was refused for its rate, by the handler or, wrapped in Internal, by the broker or the network server behind it.</summary>
    public static bool IsRateLimit(RpcException e) =>
        e.Origin == RpcFailureOrigin.Server
        && (e.StatusCode == StatusCode.ResourceExhausted || IsWrapped(e, "[ResourceExhausted]"));

    /// <summary>The same call may succeed later.</summary>
    /// <param name="e">The failed call.</param>
    /// <param name="reachedBefore">False when no call has reached the server yet: then a failure to connect is the user's to solve.</param>
    public static bool IsTransient(RpcException e, bool reachedBefore) => e.Origin switch
    {
        RpcFailureOrigin.Server => IsRateLimit(e)
            || e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded
            || IsWrapped(e, "[DeadlineExceeded]") || IsWrapped(e, "[Unavailable]"),
        RpcFailureOrigin.Connect => reachedBefore,
        RpcFailureOrigin.Transport or RpcFailureOrigin.Deadline => true,
        RpcFailureOrigin.Protocol => e.StatusCode == StatusCode.Unavailable,
        _ => false,
    };

    /// <summary>The handler does not know the device; the application is fine.</summary>
    public static bool IsDeviceNotFound(RpcException e) =>
        e.Origin == RpcFailureOrigin.Server && e.StatusCode == StatusCode.NotFound && e.Detail.StartsWith("handler:device:", StringComparison.Ordinal);

    /// <summary>Every other device would fail alike: no way to the server, or it does not accept the key or the application.</summary>
    public static bool ConcernsAll(RpcException e) => e.Origin switch
    {
        RpcFailureOrigin.Connect or RpcFailureOrigin.Handshake or RpcFailureOrigin.Protocol => true,
        RpcFailureOrigin.Server => e.StatusCode switch
        {
            StatusCode.Unauthenticated or StatusCode.Unimplemented => true,
            // The account server's refusals have no code. What has a code of its own here is about one device.
            StatusCode.Unknown => !e.Detail.StartsWith("Attribute ", StringComparison.Ordinal) && !e.Detail.StartsWith("Maximum number of custom attributes", StringComparison.Ordinal),
            StatusCode.PermissionDenied => e.Detail.StartsWith("permission denied", StringComparison.Ordinal),
            StatusCode.NotFound => e.Detail.StartsWith("Application not registered", StringComparison.Ordinal),
            StatusCode.InvalidArgument => e.Detail.Contains("AppID not valid", StringComparison.Ordinal) || e.Detail.StartsWith("Metadata not valid", StringComparison.Ordinal),
            _ => false,
        },
        _ => false,
    };

    /// <summary>A handler's error with its own text, in the form of the Go tool.</summary>
    public static Failure FromHandler(RpcException e, string application) => e.Origin switch
    {
        RpcFailureOrigin.Server => new Failure(e.Detail)
        {
            Namespace = "unknown",
            Name = "unknown",
            Attributes = new Dictionary<string, string> { ["server"] = e.Target.ToString() },
            Advice = Advice(e, application),
            NotAuthorised = ConcernsAll(e) && e.StatusCode is StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.Unknown,
        },
        _ => new Failure($"handler {e.Target}: {e.Detail}") { Advice = e.Advice ?? "see that the handler runs and can be reached from here, then run the command again" },
    };

    /// <summary>An error of the discovery server; the Go tool shows those as gRPC prints them.</summary>
    public static Failure FromDiscovery(RpcException e, string application) => e.Origin switch
    {
        RpcFailureOrigin.Server => new Failure($"rpc error: code = {e.StatusCode} desc = {e.Detail}")
        {
            Advice = e.StatusCode == StatusCode.NotFound
                ? $"the discovery server {e.Target} does not know application `{application}`: check the app ID; for a private cluster, check the discovery server address"
                : $"the discovery server {e.Target} said so",
        },
        _ => new Failure($"discovery server {e.Target}: {e.Detail}")
        {
            Advice = AdviceOnTheWay(e) ?? "check the discovery server address; the community network of V2 was closed in 2021, private clusters have one of their own",
        },
    };

    private static string? AdviceOnTheWay(RpcException e) => e.Trouble switch
    {
        ConnectTrouble.UnknownAuthority => "if the cluster is yours, give the certificate of its authority with --ca-cert, or name the file in TTNV2_CA_CERT",
        ConnectTrouble.TlsPort => "if this is the port with TLS, leave out --discovery-server-insecure and TTNV2_DISCOVERY_SERVER_INSECURE; else check host and port",
        ConnectTrouble.PlaintextPort => "use the port with TLS; or, if the network in between is safe, --discovery-server-insecure",
        _ => e.Advice,
    };

    private static bool IsWrapped(RpcException e, string code) =>
        e.StatusCode == StatusCode.Internal && e.Detail.Contains(code, StringComparison.Ordinal);

    private static string? Advice(RpcException e, string application) => e.StatusCode switch
    {
        StatusCode.Unknown when ConcernsAll(e) => $"the access key was not accepted for application `{application}`: check that app ID and access key belong together",
        StatusCode.PermissionDenied when e.Detail.Contains("rights", StringComparison.Ordinal) => "make an access key with the right `devices` in the V2 console",
        StatusCode.PermissionDenied => "the handler does not accept the access key's token: check the clocks, or make a new access key in the V2 console",
        StatusCode.NotFound when e.Detail.StartsWith("handler:device:", StringComparison.Ordinal) => "check the device ID; V2 device IDs are lower case",
        StatusCode.NotFound => $"application `{application}` is not at handler {e.Target}: check the app ID and the handler address",
        _ => null,
    };
}
