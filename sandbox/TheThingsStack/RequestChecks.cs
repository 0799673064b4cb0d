using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Validation;

namespace Sandbox.TheThingsStack;

/// <summary>What is checked before authentication: field masks, then the fields of the request (facts/tts-api.md section 3).</summary>
internal sealed class RequestChecks(TtsClusterOptions options)
{
    private const int MostMasks = 500;
    private const string EmbeddedMessage = "embedded message failed validation";

    private static readonly ConcurrentDictionary<(MaskedCall Call, string Path), ForbiddenPart> ForbiddenBelow = new();

    /// <summary>Paths that no call of this server takes for the given one, because of its version.</summary>
    private readonly HashSet<string> refused = [.. options.RefusedPaths];

    private readonly ConcurrentDictionary<(MaskedCall Call, string Paths), MessageMask> masks = new();

    /// <summary>Rule 1: every path is one that the call takes.</summary>
    public MessageMask Mask(MaskedCall call, FieldMask? mask)
    {
        var paths = mask?.Paths ?? [];
        // Clients send the same few masks over and over, some of hundreds of paths.
        var key = (call, string.Join(',', paths));
        if (masks.TryGetValue(key, out var known))
            return known;
        var allowed = AllowedPaths.For(call);
        List<string>? forbidden = null;
        foreach (var path in paths)
        {
            if ((allowed.Contains(path) && !refused.Contains(path)) || (options.TakesPathsOf334 && IsOf334(call, path)))
                continue;
            (forbidden ??= []).Add(path);
        }
        if (forbidden is not null)
            throw ForbiddenPaths(forbidden);
        // What came with 3.34.0 is nothing that our messages have.
        known = MessageMask.Create(EndDevice.Descriptor, paths.Where(allowed.Contains));
        if (masks.Count < MostMasks)
            masks[key] = known;
        return known;
    }

    public static GrpcStatusException ForbiddenPaths(IReadOnlyCollection<string> paths) => TtsError.Make(
        GrpcCode.InvalidArgument, "pkg/rpcmiddleware/validator", "field_mask_paths", "forbidden path(s) in field mask", [("forbidden_paths", paths)]);

    /// <summary>Rules 1 to 3 for a call that sets masked fields.</summary>
    public MessageMask MaskedDevice(MaskedCall call, EndDevice? device, FieldMask? fieldMask, MessageDescriptor request)
    {
        var mask = Mask(call, fieldMask);
        if (device is null)
            throw Invalid(request, new FieldViolation("end_device", "value is required"));
        NothingForbiddenBelow(call, mask, device);
        if (mask.Paths.Count == 0)
        {
            Valid(device, request, "end_device");
            return mask;
        }
        var part = mask.Select(device);
        part.Ids = device.Ids;
        if (DeviceValidator.Validate(part) is not null)
        {
            // What is missing beside the masked fields is nobody's fault; which violations there are, the import rules know.
            foreach (var finding in ImportRules.Check(part, new FrequencyPlanResult(null, null), ImportWay.WholeParameters))
            {
                if (finding.Rule == "validation" && (IsCovered(mask, finding.Field) || finding.Field.StartsWith("ids.", StringComparison.Ordinal) || finding.Field == "ids"))
                    throw Invalid(request, new FieldViolation($"end_device.{finding.Field}", finding.Message));
            }
        }
        return mask;
    }

    /// <summary>Checks a whole request, or one of its messages.</summary>
    public static void Valid(IMessage message, MessageDescriptor? outer = null, string? field = null)
    {
        if (DeviceValidator.ValidateMessage(message) is { } violation)
            throw Invalid(outer ?? message.Descriptor, field is null ? violation : violation with { Field = $"{field}.{violation.Field}" });
    }

    /// <summary>Checks a request that is nothing but identifiers.</summary>
    public static void ValidIdentifiers(IMessage ids)
    {
        if (DeviceValidator.ValidateMessage(ids) is { } violation)
            throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/ttnpb", "identifiers", "invalid identifiers", cause: Chain(ids.Descriptor, violation.Field.Split('.'), violation.Reason));
    }

    /// <summary>The error for a field of a message, with one cause for each message on the way to it.</summary>
    public static GrpcStatusException Invalid(MessageDescriptor message, FieldViolation violation)
    {
        var chain = Chain(message, violation.Field.Split('.'), violation.Reason);
        var attributes = chain.Attributes.Fields.Select(pair => (pair.Key, (object)pair.Value.StringValue)).ToArray();
        return TtsError.Make(GrpcCode.InvalidArgument, chain.Namespace, chain.Name, chain.MessageFormat, attributes, chain.Cause);
    }

    private static ErrorDetails Chain(MessageDescriptor message, ReadOnlySpan<string> segments, string reason)
    {
        var segment = segments[0];
        var last = segments.Length == 1;
        ErrorDetails? cause = null;
        if (!last)
        {
            var bracket = segment.IndexOf('[', StringComparison.Ordinal);
            var field = message.FindFieldByName(bracket < 0 ? segment : segment[..bracket]);
            var inner = field is { IsMap: true } ? field.MessageType.FindFieldByName("value").MessageType : field?.MessageType;
            cause = inner is null ? null : Chain(inner, segments[1..], reason);
        }
        return TtsError.Details(
            GrpcCode.InvalidArgument,
            "pkg/errors",
            "validation",
            "invalid `{field}`: {reason}",
            [("field", segment), ("name", GoName(message) + "ValidationError"), ("reason", last ? reason : EmbeddedMessage)],
            cause);
    }

    private static string GoName(MessageDescriptor message) =>
        message.ContainingType is { } outer ? $"{GoName(outer)}_{message.Name}" : message.Name;

    /// <summary>
    /// Rule 2: messages that the call does not take must not be there below a path of the mask. Single fields that it does not take (deprecated
    /// MAC parameters, encrypted keys) are dropped instead: measured, golden/tts-wire "probe-mask-errors" and "probe-ns-mac-state".
    /// </summary>
    private static void NothingForbiddenBelow(MaskedCall call, MessageMask mask, EndDevice device)
    {
        foreach (var path in mask.Paths)
        {
            var forbidden = ForbiddenBelow.GetOrAdd((call, path), static key => new ForbiddenPart(key.Call, key.Path));
            foreach (var below in forbidden.Messages)
            {
                if (!FieldPath.IsZero(device, below))
                    throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/rpcmiddleware/validator", "non_zero_path", "path `{path}` is not zero", [("path", below)]);
            }
            forbidden.Fields?.Clear(device);
        }
    }

    /// <summary>Violations name fields without oneofs and with indexes.</summary>
    private static bool IsCovered(MessageMask mask, string field)
    {
        var bracket = field.IndexOf('[', StringComparison.Ordinal);
        var path = bracket < 0 ? field : field[..bracket];
        foreach (var named in mask.Paths)
        {
            var plain = named.Replace(".mode", "", StringComparison.Ordinal);
            if (path == plain || FieldPath.IsBelow(path, plain))
                return true;
        }
        return false;
    }

    private static bool IsOf334(MaskedCall call, string path) =>
        call is MaskedCall.NetworkServerGet or MaskedCall.NetworkServerSet && AllowedPaths.NetworkServerSince334.Contains(path);

    /// <summary>What lies below a path and is not taken.</summary>
    private sealed class ForbiddenPart
    {
        public ForbiddenPart(MaskedCall call, string path)
        {
            var below = AllowedPaths.All.Where(other => FieldPath.IsBelow(other, path) && !AllowedPaths.For(call).Contains(other)).ToList();
            Messages = [.. below.Where(other => AllowedPaths.All.Any(deeper => FieldPath.IsBelow(deeper, other)))];
            var fields = below.Except(Messages, StringComparer.Ordinal).ToList();
            Fields = fields.Count == 0 ? null : MessageMask.Create(EndDevice.Descriptor, fields);
        }

        public string[] Messages { get; }

        public MessageMask? Fields { get; }
    }
}
