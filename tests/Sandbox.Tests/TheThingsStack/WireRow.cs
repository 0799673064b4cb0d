using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;

namespace Sandbox.Tests.TheThingsStack;

/// <summary>One recorded call of golden/tts-wire.</summary>
public sealed class WireRow
{
    private static readonly Dictionary<string, MessageParser> Requests = new(StringComparer.Ordinal)
    {
        ["Create"] = CreateEndDeviceRequest.Parser,
        ["Update"] = UpdateEndDeviceRequest.Parser,
        ["Set"] = SetEndDeviceRequest.Parser,
        ["Get"] = GetEndDeviceRequest.Parser,
        ["Delete"] = EndDeviceIdentifiers.Parser,
        ["EndDeviceRegistry/List"] = ListEndDevicesRequest.Parser,
        ["ApplicationRegistry/Get"] = GetApplicationRequest.Parser,
        ["ListRights"] = ApplicationIdentifiers.Parser,
        ["EndDeviceBatchRegistry/Get"] = BatchGetEndDevicesRequest.Parser,
        ["EndDeviceBatchRegistry/Delete"] = BatchDeleteEndDevicesRequest.Parser,
        ["NsEndDeviceBatchRegistry/Delete"] = BatchDeleteEndDevicesRequest.Parser,
        ["AsEndDeviceBatchRegistry/Delete"] = BatchDeleteEndDevicesRequest.Parser,
        ["JsEndDeviceBatchRegistry/Delete"] = BatchDeleteEndDevicesRequest.Parser,
    };

    private static readonly Dictionary<string, MessageParser> Responses = new(StringComparer.Ordinal)
    {
        ["Create"] = EndDevice.Parser,
        ["Update"] = EndDevice.Parser,
        ["Set"] = EndDevice.Parser,
        ["Get"] = EndDevice.Parser,
        ["ResetFactoryDefaults"] = EndDevice.Parser,
        ["Delete"] = Empty.Parser,
        ["GetIdentifiersForEUIs"] = EndDeviceIdentifiers.Parser,
        ["EndDeviceRegistry/List"] = EndDevices.Parser,
        ["EndDeviceBatchRegistry/Get"] = EndDevices.Parser,
        ["ApplicationRegistry/Get"] = Application.Parser,
        ["ApplicationRegistry/List"] = Applications.Parser,
        ["ListRights"] = Rights.Parser,
        ["AuthInfo"] = AuthInfoResponse.Parser,
        ["IssueDevEUI"] = IssueDevEUIResponse.Parser,
        ["GenerateDevAddr"] = GenerateDevAddrResponse.Parser,
        ["GetDefaultMACSettings"] = MACSettings.Parser,
        ["GetNetID"] = GetNetIDResponse.Parser,
        ["GetDeviceAddressPrefixes"] = GetDeviceAdressPrefixesResponse.Parser,
        ["GetJoinEUIPrefixes"] = JoinEUIPrefixes.Parser,
        ["GetDefaultJoinEUI"] = GetDefaultJoinEUIResponse.Parser,
        ["ListFrequencyPlans"] = ListFrequencyPlansResponse.Parser,
        ["GetInfoByJoinEUI"] = GetInfoByJoinEUIResponse.Parser,
        ["GetInfoByJoinEUIs"] = GetInfoByJoinEUIsResponse.Parser,
        ["ListFormats"] = EndDeviceTemplateFormats.Parser,
    };

    private readonly JsonElement json;

    public WireRow(GoldenRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        json = row.Json;
        Number = row.Number;
        Kind = row.Text("kind") ?? "";
        Scenario = row.Text("scenario") ?? "";
        Path = row.Text("method") ?? "";
        if (Kind != "call")
            return;
        Method = Path["/ttn.lorawan.v3.".Length..];
        RequestBytes = Convert.FromBase64String(row.Text("request") ?? "");
        Request = ParseRequest(Method, RequestBytes);
        Status = json.GetProperty("status").GetInt32();
        Message = row.Text("message") ?? "";
        if (Status == 0)
            Response = ParserOf(Responses, Method)?.ParseFrom(Convert.FromBase64String(row.Text("response") ?? ""));
        if (row.Text("details") is { } details)
            Details = TtsError.DetailsOf(new Sandbox.Grpc.GrpcStatus((Sandbox.Grpc.GrpcCode)Status, Message, Convert.FromBase64String(details)));
    }

    public int Number { get; }

    public string Kind { get; }

    public string Scenario { get; }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>Service and method.</summary>
    public string Method { get; } = "";

    public byte[] RequestBytes { get; } = [];

    /// <summary>The request of the calls that depend on state; null for others.</summary>
    public IMessage? Request { get; }

    public int Status { get; }

    public string Message { get; } = "";

    /// <summary>The answer; null when the call failed.</summary>
    public IMessage? Response { get; }

    /// <summary>The answer as it was recorded in JSON; null when the call failed.</summary>
    public JsonElement? ResponseJson => json.TryGetProperty("response_json", out var response) && response.ValueKind == JsonValueKind.Object ? response : null;

    public ErrorDetails? Details { get; }

    /// <summary>Namespace and name of the error; empty for none.</summary>
    public string Error => Details is null ? "" : $"{Details.Namespace}:{Details.Name}";

    public string? Authorization => json.GetProperty("metadata").TryGetProperty("authorization", out var values) ? values[0].GetString() : null;

    /// <summary>ID and secret of the key; null when the header is missing or holds no token.</summary>
    public (string Id, string Secret)? Key => Authorization?.Split(' ') is [_, var token] && token.Split('.') is [_, var id, var secret] ? (id, secret) : null;

    /// <summary>When it was served: the request ID starts with the time.</summary>
    public DateTimeOffset? At
    {
        get
        {
            if (Header("x-request-id") is not { Length: 26 } id)
                return null;
            long time = 0;
            foreach (var letter in id.AsSpan(0, 10))
                time = (time << 5) | (uint)"0123456789ABCDEFGHJKMNPQRSTVWXYZ".IndexOf(letter, StringComparison.Ordinal);
            return DateTimeOffset.FromUnixTimeMilliseconds(time);
        }
    }

    /// <summary>Headers of the answer.</summary>
    public IEnumerable<(string Name, string Value)> Headers =>
        json.GetProperty("header").EnumerateObject().Select(pair => (pair.Name, string.Join(", ", pair.Value.EnumerateArray().Select(value => value.GetString()))));

    /// <summary>Identifiers of the device that the call is about; null when it is about none or several.</summary>
    public EndDeviceIdentifiers? Ids => IdsOf(Request);

    /// <summary>Paths of the field mask.</summary>
    public IReadOnlyList<string> Paths => PathsOf(Request);

    /// <summary>Identifiers of the device that a request is about; null when it is about none or several.</summary>
    public static EndDeviceIdentifiers? IdsOf(IMessage? request) => request switch
    {
        CreateEndDeviceRequest create => create.EndDevice?.Ids,
        UpdateEndDeviceRequest update => update.EndDevice?.Ids,
        SetEndDeviceRequest set => set.EndDevice?.Ids,
        GetEndDeviceRequest get => get.EndDeviceIds,
        EndDeviceIdentifiers ids => ids,
        _ => null,
    };

    /// <summary>Application that the call is about.</summary>
    public string? ApplicationId => Ids?.ApplicationIds?.ApplicationId ?? Request switch
    {
        ListEndDevicesRequest request => request.ApplicationIds?.ApplicationId,
        GetApplicationRequest request => request.ApplicationIds?.ApplicationId,
        ApplicationIdentifiers ids => ids.ApplicationId,
        BatchGetEndDevicesRequest request => request.ApplicationIds?.ApplicationId,
        BatchDeleteEndDevicesRequest request => request.ApplicationIds?.ApplicationId,
        _ => null,
    };

    /// <summary>Paths of the field mask of a request.</summary>
    public static IReadOnlyList<string> PathsOf(IMessage? request) => request switch
    {
        UpdateEndDeviceRequest update => update.FieldMask?.Paths,
        SetEndDeviceRequest set => set.FieldMask?.Paths,
        GetEndDeviceRequest get => get.FieldMask?.Paths,
        ListEndDevicesRequest list => list.FieldMask?.Paths,
        BatchGetEndDevicesRequest batch => batch.FieldMask?.Paths,
        _ => null,
    } ?? (IReadOnlyList<string>)[];

    /// <summary>Which server's devices it is about.</summary>
    public TtsServers Server => Method[..Method.IndexOf('/', StringComparison.Ordinal)] switch
    {
        "NsEndDeviceRegistry" or "NsEndDeviceBatchRegistry" => TtsServers.Network,
        "AsEndDeviceRegistry" or "AsEndDeviceBatchRegistry" => TtsServers.Application,
        "JsEndDeviceRegistry" or "JsEndDeviceBatchRegistry" => TtsServers.Join,
        _ => TtsServers.Identity,
    };

    public string? Header(string name) => Headers.Where(header => header.Name == name).Select(header => header.Value).FirstOrDefault();

    public IMessage? Parse(byte[] response) => ParserOf(Responses, Method)?.ParseFrom(response);

    /// <summary>Reads a request of one of the methods that depend on state; null for others.</summary>
    /// <param name="method">Service and method.</param>
    /// <param name="request">Its bytes.</param>
    public static IMessage? ParseRequest(string method, byte[] request) => ParserOf(Requests, method)?.ParseFrom(request);

    public override string ToString() => $"row {Number} \"{Scenario}\" {Method}";

    private static MessageParser? ParserOf(Dictionary<string, MessageParser> parsers, string method)
    {
        ArgumentNullException.ThrowIfNull(method);
        return parsers.TryGetValue(method, out var exact) ? exact : parsers.GetValueOrDefault(method[(method.IndexOf('/', StringComparison.Ordinal) + 1)..]);
    }
}
