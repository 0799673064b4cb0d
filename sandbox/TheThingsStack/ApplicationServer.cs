using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace Sandbox.TheThingsStack;

/// <summary>The Application Server's device registry (facts/tts-api.md section 6).</summary>
internal sealed class ApplicationServer(TtsState state)
{
    private const string Name = "applicationserver";
    private const string AppSKey = "session.keys.app_s_key.key";
    private const int LongestScript = 40_960;

    private static readonly string[] Keys = [AppSKey, "pending_session.keys.app_s_key.key"];
    private static readonly string[] KeysAndIds = [.. Keys, "session.keys.session_key_id", "pending_session.keys.session_key_id"];

    public EndDevice Get(Caller caller, EndDeviceIdentifiers ids, MessageMask mask)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, TtsState.Rights(mask, Right.ApplicationDevicesRead, (Keys, Right.ApplicationDevicesReadKeys)));
        var record = state.ApplicationServer.Find(id) ?? throw TtsError.EntityNotFound();
        var answer = TtsState.Answer(record, mask);
        // The override is shown as the old flag too.
        if (mask.Covers("skip_payload_crypto") && record.SkipPayloadCryptoOverride is { } skips)
            answer.SkipPayloadCrypto = skips;
        return answer;
    }

    public EndDevice Set(Caller caller, EndDevice device, MessageMask mask)
    {
        var id = DeviceId.Of(device.Ids);
        if (mask.Covers("session.dev_addr") && FieldPath.IsZero(device, "session.dev_addr", zeroBytes: true))
            throw TtsError.FieldValue(Name, "session.dev_addr");
        if (mask.Covers(AppSKey) && FieldPath.IsZero(device, AppSKey, zeroBytes: true))
            throw TtsError.FieldValue(Name, AppSKey);
        caller.Require(id.Application, TtsState.Rights(mask, Right.ApplicationDevicesWrite, (KeysAndIds, Right.ApplicationDevicesWriteKeys)));
        Script(mask, "formatters.up_formatter_parameter", device.Formatters?.UpFormatterParameter);
        Script(mask, "formatters.down_formatter_parameter", device.Formatters?.DownFormatterParameter);
        var stored = state.ApplicationServer.Find(id);
        if (stored is null && !TtsState.IsZero(device.Ids.DevAddr) && (!mask.Covers("session.dev_addr") || device.Session?.DevAddr != device.Ids.DevAddr))
            throw TtsError.FieldValue(Name, "ids.dev_addr");
        var record = state.Merge(state.ApplicationServer, stored, device, mask, Name);
        record.Ids.DevAddr = ByteString.Empty;
        if (TtsState.IsZero(record.Ids.DevEui))
            record.Ids.DevEui = ByteString.Empty;
        return TtsState.Answer(TtsState.Keep(state.ApplicationServer, record), mask);
    }

    public Empty Delete(Caller caller, EndDeviceIdentifiers ids)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, Right.ApplicationDevicesWrite);
        return state.ApplicationServer.Remove(id)
            ? new Empty()
            : throw TtsError.Make(GrpcCode.NotFound, "pkg/" + Name, "device_not_found", "device `{device_uid}` not found", [("device_uid", id.ToString())]);
    }

    private static void Script(MessageMask mask, string path, string? script)
    {
        if (script is null || !mask.Covers(path) || script.Length <= LongestScript)
            return;
        var cause = TtsError.Details(
            GrpcCode.InvalidArgument, "pkg/" + Name, "formatter_script_too_large", "formatter script size exceeds maximum allowed size",
            [("max_size", LongestScript), ("size", script.Length)]);
        throw TtsError.FieldValue(Name, path, cause);
    }
}
