using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace Sandbox.TheThingsStack;

/// <summary>The Join Server's device registry (facts/tts-api.md section 6).</summary>
internal sealed class JoinServer(TtsState state)
{
    private const string Name = "joinserver";
    private const string KnownProvisioner = "microchip";

    private static readonly string[] Keys = ["root_keys.app_key.key", "root_keys.nwk_key.key"];
    private static readonly string[] KeysAndIds = [.. Keys, "root_keys.root_key_id"];

    public EndDevice Get(Caller caller, EndDeviceIdentifiers ids, MessageMask mask, GrpcCall call)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, TtsState.Rights(mask, Right.ApplicationDevicesRead, (Keys, Right.ApplicationDevicesReadKeys)));
        if (mask.Touches("claim_authentication_code"))
            call.ResponseHeaders["warning"] = "Storage of claim authentication code in the Join Server registry is deprecated. Use the Identity Server registry instead";
        var answer = TtsState.Answer(state.Join.Find(id) ?? throw TtsError.DeviceNotFound(Name), mask);
        if (mask.Touches("root_keys"))
            answer.RootKeys ??= new RootKeys();
        return answer;
    }

    public EndDevice Set(Caller caller, EndDevice device, MessageMask mask)
    {
        var id = DeviceId.Of(device.Ids);
        if (device.Ids.JoinEui.IsEmpty)
            throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/" + Name, "no_join_eui", "no JoinEUI specified");
        if (TtsState.IsZero(device.Ids.DevEui))
            throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/" + Name, "no_dev_eui", "no DevEUI specified");
        caller.Require(id.Application, TtsState.Rights(mask, Right.ApplicationDevicesWrite, (KeysAndIds, Right.ApplicationDevicesWriteKeys)));
        if (mask.Covers("root_keys.app_key.key") && FieldPath.IsZero(device, "root_keys.app_key.key", zeroBytes: true))
            throw TtsError.FieldValue(Name, "root_keys.app_key.key");
        var stored = state.Join.Find(id);
        if (stored is null && !TtsState.IsZero(device.Ids.DevAddr))
            throw TtsError.FieldValue(Name, "ids.dev_addr");
        var record = state.Merge(state.Join, stored, device, mask, Name);
        if (record.ProvisionerId.Length > 0 && record.ProvisionerId != KnownProvisioner)
            throw TtsError.Make(GrpcCode.NotFound, "pkg/joinserver/redis", "provisioner_not_found", "provisioner `{id}` not found", [("id", record.ProvisionerId)]);
        if (stored is { ProvisionerId.Length: > 0 })
        {
            if (record.ProvisionerId != stored.ProvisionerId)
                throw TtsError.ReadOnlyField(Name, "provisioner_id");
            if (!Equals(record.ProvisioningData, stored.ProvisioningData))
                throw TtsError.ReadOnlyField(Name, "provisioning_data");
        }
        if (mask.Covers("root_keys.nwk_key.key") && TtsState.IsZero(record.RootKeys?.NwkKey?.Key) && record.RootKeys is { } keys)
            keys.NwkKey = null;
        return TtsState.Answer(TtsState.Keep(state.Join, record), mask);
    }

    public Empty Delete(Caller caller, EndDeviceIdentifiers ids)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, Right.ApplicationDevicesWrite);
        return state.Join.Remove(id) ? new Empty() : throw TtsError.DeviceNotFound(Name);
    }
}
