using System.Globalization;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Rpc;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace TheThingsStack.Registries;

/// <summary>What the errors of The Things Stack say and mean (facts/tts-api.md sections 10 and 11).</summary>
public static class RegistryErrors
{
    private const string DetailsType = "type.googleapis.com/ttn.lorawan.v3.ErrorDetails";
    private const string FieldMaskPaths = "pkg/rpcmiddleware/validator:field_mask_paths";
    private const int DeepestChain = 16;

    /// <summary>Makes the failure of a call: the server's own words with their causes and attributes, the server, and what to do.</summary>
    public static Failure Describe(RpcException call)
    {
        ArgumentNullException.ThrowIfNull(call);
        if (call.Origin != RpcFailureOrigin.Server)
            return new Failure($"The Things Stack at {call.Target}: {call.Detail}") { Advice = AdviceOnTheWay(call) };
        if (FindDetails(call.StatusDetails) is { } details)
        {
            var failure = FromDetails(details, 0);
            return failure with
            {
                Attributes = new Dictionary<string, string>(failure.Attributes) { ["server"] = call.Target.ToString() },
                Advice = Advice($"{details.Namespace}:{details.Name}", call),
                NotAuthorised = IsRefusedCaller(call) || details is { Namespace: "pkg/auth", Name: "token" },
            };
        }
        return new Failure(string.Create(CultureInfo.InvariantCulture, $"The Things Stack at {call.Target}: {call.StatusCode}: {call.Detail}"))
        {
            Advice = AdviceByStatus(call),
            NotAuthorised = IsRefusedCaller(call),
        };
    }

    /// <summary>Name of the server's error with its namespace, e.g. <c>pkg/redis:not_found</c>; empty when it gave no details.</summary>
    public static string NameOf(RpcException call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return FindDetails(call.StatusDetails) is { } details ? $"{details.Namespace}:{details.Name}" : "";
    }

    /// <summary>Paths that a server does not take, which made it refuse the call; none when that was not the reason.</summary>
    public static IReadOnlyCollection<string> ForbiddenPaths(RegistryException failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        return failure.ErrorName == FieldMaskPaths && failure.Failure.Attributes.TryGetValue("forbidden_paths", out var list)
            ? list.Trim('[', ']').Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : [];
    }

    /// <summary>Makes a failure of error details, causes included. Placeholders in the text are filled from the attributes.</summary>
    public static Failure FromDetails(ErrorDetails details) => FromDetails(details, 0);

    /// <summary>The call was refused for its rate: it may be made again when the server says. Other limits (of a message's size) have the same status.</summary>
    internal static bool IsRateLimit(RpcException call) =>
        call is { Origin: RpcFailureOrigin.Server, StatusCode: StatusCode.ResourceExhausted }
        && (call.Headers.Get("x-rate-limit-limit") is not null || NameOf(call) == "pkg/ratelimit:rate_limit_exceeded");

    internal static bool IsOverload(RpcException call) =>
        call.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded
        || call is { Origin: RpcFailureOrigin.Server or RpcFailureOrigin.Transport, StatusCode: StatusCode.ResourceExhausted };

    /// <summary>The same call may succeed later.</summary>
    /// <param name="call">The failed call.</param>
    /// <param name="answered">False when the server has never answered: then a failure to connect is the user's to solve.</param>
    internal static bool IsTransient(RpcException call, bool answered) => call.Origin switch
    {
        RpcFailureOrigin.Server => call.StatusCode switch
        {
            StatusCode.Unavailable or StatusCode.ResourceExhausted or StatusCode.DeadlineExceeded => true,
            StatusCode.Aborted => NameOf(call) == "pkg/redis:transaction_failed",
            _ => false,
        },
        RpcFailureOrigin.Connect or RpcFailureOrigin.Deadline => answered,
        RpcFailureOrigin.Transport => true,
        RpcFailureOrigin.Protocol => call.StatusCode == StatusCode.Unavailable && answered,
        _ => false,
    };

    internal static bool ConcernsAll(RpcException call, string name) => call.Origin switch
    {
        RpcFailureOrigin.Connect or RpcFailureOrigin.Handshake => true,
        RpcFailureOrigin.Server => call.StatusCode is StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.Unimplemented
            || name is "pkg/auth:token" or "pkg/identityserver/store:application_not_found"
            // What is read is the same for every device, what is written is not.
            || (name == FieldMaskPaths && call.Method.EndsWith("/Get", StringComparison.Ordinal)),
        _ => false,
    };

    private static bool IsRefusedCaller(RpcException call) => call.StatusCode is StatusCode.Unauthenticated or StatusCode.PermissionDenied;

    private static Failure FromDetails(ErrorDetails details, int depth)
    {
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in details.Attributes?.Fields ?? [])
            attributes[key] = Text(value);
        return new Failure(Fill(details.MessageFormat, attributes))
        {
            Namespace = details.Namespace,
            Name = details.Name,
            Attributes = attributes,
            CorrelationId = details.CorrelationId.Length > 0 ? details.CorrelationId : null,
            Cause = details.Cause is { } cause && depth < DeepestChain ? FromDetails(cause, depth + 1) : null,
        };
    }

    /// <summary>Reads google.rpc.Status: field 3 holds the details as Any.</summary>
    private static ErrorDetails? FindDetails(ReadOnlyMemory<byte> status)
    {
        if (status.IsEmpty)
            return null;
        try
        {
            using var input = new CodedInputStream(status.ToArray());
            while (input.ReadTag() is not 0 and var tag)
            {
                const uint details = (3 << 3) | 2;
                if (tag != details)
                {
                    input.SkipLastField();
                    continue;
                }
                var any = Any.Parser.ParseFrom(input.ReadBytes());
                if (any.TypeUrl == DetailsType)
                    return ErrorDetails.Parser.ParseFrom(any.Value);
            }
        }
        catch (InvalidProtocolBufferException)
        {
            // Broken details: the status and its text remain.
        }
        return null;
    }

    private static string Fill(string format, Dictionary<string, string> attributes)
    {
        if (!format.Contains('{', StringComparison.Ordinal))
            return format;
        var text = new StringBuilder(format.Length + 32);
        var rest = format.AsSpan();
        while (rest.IndexOf('{') is >= 0 and var open)
        {
            text.Append(rest[..open]);
            rest = rest[open..];
            var close = rest.IndexOf('}');
            if (close < 0)
                break;
            var name = rest[1..close].ToString();
            text.Append(attributes.TryGetValue(name, out var value) ? value : rest[..(close + 1)]);
            rest = rest[(close + 1)..];
        }
        return text.Append(rest).ToString();
    }

    private static string Text(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.StringValue => value.StringValue,
        Value.KindOneofCase.NumberValue => value.NumberValue.ToString("R", CultureInfo.InvariantCulture),
        Value.KindOneofCase.BoolValue => value.BoolValue ? "true" : "false",
        Value.KindOneofCase.ListValue => $"[{string.Join(' ', value.ListValue.Values.Select(Text))}]",
        Value.KindOneofCase.StructValue => $"{{{string.Join(' ', value.StructValue.Fields.OrderBy(field => field.Key, StringComparer.Ordinal).Select(field => $"{field.Key}:{Text(field.Value)}"))}}}",
        _ => "null",
    };

    private const string Ports = "The Things Stack listens on port 8884 with TLS and on 1884 without it";

    private static string AdviceOnTheWay(RpcException call) => call switch
    {
        { Trouble: ConnectTrouble.PlaintextPort } => $"use the port with TLS; or, if the network in between is safe, --insecure. {Ports}",
        { Trouble: ConnectTrouble.TlsPort } => $"if this is the port with TLS, leave out --insecure; else check host and port. {Ports}",
        { Trouble: ConnectTrouble.NotGrpcPort, Origin: RpcFailureOrigin.Connect } => $"check that the server runs, and host and port. {Ports}",
        { Trouble: ConnectTrouble.NotGrpcPort } => $"this is not the gRPC port of the server, or a proxy stands before it: check host and port. {Ports}",
        { Trouble: ConnectTrouble.UnknownAuthority } =>
            "if the cluster is yours, give the certificate of its authority with --ca-file; if it is a public one, somebody stands in between: ask who runs the network",
        { Origin: RpcFailureOrigin.Deadline, ServerMayHaveActed: true } => "the server takes calls and does not answer them: see whether it is well, then run the command again; what is done is kept",
        { Origin: RpcFailureOrigin.Deadline } => $"check the address, and that no firewall stands between. {Ports}",
        { Advice: { } advice } => advice,
        _ => "run the command again: what is done is kept",
    };

    private static string? AdviceByStatus(RpcException call) => call.StatusCode switch
    {
        StatusCode.Unimplemented when call.Detail.StartsWith("unknown method", StringComparison.Ordinal) =>
            $"{call.Target} is of a version that does not have {call.Method}: upgrade it",
        StatusCode.Unimplemented => $"{call.Target} does not have {call.Method}: give the address of the right server, or of a cluster that has all of them",
        StatusCode.Unavailable or StatusCode.ResourceExhausted or StatusCode.DeadlineExceeded =>
            $"{call.Target} cannot serve calls now: see whether it is well, then run the command again; what is done is kept",
        StatusCode.Internal or StatusCode.Unknown or StatusCode.DataLoss => $"this went wrong inside the server: the log of {call.Target} says more",
        _ => call.Advice,
    };

    private static string? Advice(string name, RpcException call) => name switch
    {
        "pkg/identityserver:api_key_not_found" =>
            $"the cluster at {call.Target} does not know this API key: it belongs to another cluster or was deleted; make one in the Console under the application, API keys",
        "pkg/identityserver:invalid_authorization" => "the secret of the API key is wrong: copy the whole key again",
        "pkg/identityserver:api_key_expired" => "make a new API key in the Console under the application, API keys",
        "pkg/auth:token" or "pkg/identityserver:unsupported_authorization" => "that is not an API key of The Things Stack: it starts with NNSXS. and has three parts",
        "pkg/identityserver:unauthenticated" or "pkg/rpcmetadata:unauthenticated" => "no API key was sent: give one",
        "pkg/auth/rights:no_application_rights" =>
            "there is no such application at this cluster, or the API key belongs to another one: check the application ID and that the key was made in it",
        "pkg/auth/rights:insufficient_application_rights" =>
            "make an API key with the missing rights in the Console under the application, API keys",
        "pkg/identityserver/store:application_not_found" => $"check the application ID, and that {call.Target} is the cluster that has it",
        FieldMaskPaths =>
            $"{call.Target} is of a version that does not know the fields named in forbidden_paths: upgrade it, or leave these fields out",
        "pkg/ratelimit:rate_limit_exceeded" => "the limit did not recover in time: run the command again later, what is done is kept",
        "pkg/identityserver:end_device_euis_taken" or "pkg/internal/registry:end_device_euis_taken" or "pkg/util/store:eui_taken" =>
            "JoinEUI and DevEUI belong to another device of this cluster: delete that one first (it may be in an application you cannot see; then ask who runs the cluster)",
        "pkg/util/store:id_taken" => "the application has a device of this ID: see --on-conflict",
        _ when call.StatusCode is StatusCode.InvalidArgument or StatusCode.FailedPrecondition => null,
        _ => AdviceByStatus(call),
    };
}
