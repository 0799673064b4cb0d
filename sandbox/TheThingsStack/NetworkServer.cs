using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FieldMasks;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Mac;

namespace Sandbox.TheThingsStack;

/// <summary>
/// The Network Server's device registry (facts/tts-api.md section 5). What is asked of a device are the import rules; here is what depends on
/// the mask and on what is stored.
/// </summary>
internal sealed class NetworkServer(TtsState state)
{
    private const string Name = "networkserver";
    private const string FNwkSIntKey = "session.keys.f_nwk_s_int_key.key";

    private static readonly string[] OtherKeys = ["session.keys.nwk_s_enc_key.key", "session.keys.s_nwk_s_int_key.key"];
    private static readonly string[] KeyNames = ["f_nwk_s_int_key.key", "s_nwk_s_int_key.key", "nwk_s_enc_key.key"];
    private static readonly string[] Holders =
        ["session.keys.", "pending_session.keys.", "mac_state.queued_join_accept.keys.", "pending_mac_state.queued_join_accept.keys."];

    private static readonly string[] Keys = [.. Holders.SelectMany(holder => KeyNames.Append("app_s_key.key").Select(name => holder + name))];
    private static readonly string[] KeysAndIds = [.. Keys, .. Holders.Select(holder => holder + "session_key_id")];
    private static readonly string[] Downlinks = ["queued_application_downlinks", "session.queued_application_downlinks", "pending_session.queued_application_downlinks"];
    private static readonly MessageMask KeysOfOldVersions = MessageMask.Create(EndDevice.Descriptor, ["session.keys.nwk_s_enc_key", "session.keys.s_nwk_s_int_key"]);

    public EndDevice Get(Caller caller, EndDeviceIdentifiers ids, MessageMask mask)
    {
        var id = DeviceId.Of(ids);
        caller.Require(
            id.Application,
            TtsState.Rights(mask, Right.ApplicationDevicesRead, (Downlinks, Right.ApplicationTrafficRead), (Keys, Right.ApplicationDevicesReadKeys)));
        return TtsState.Answer(state.Network.Find(id) ?? throw TtsError.EntityNotFound(), mask);
    }

    public EndDevice Set(Caller caller, EndDevice device, MessageMask mask)
    {
        var id = DeviceId.Of(device.Ids);
        caller.Require(id.Application, TtsState.Rights(mask, Right.ApplicationDevicesWrite, (KeysAndIds, Right.ApplicationDevicesWriteKeys)));
        var stored = state.Network.Find(id);
        CheckMasked(device, mask);
        if (stored is not null)
        {
            if (mask.Covers("supports_join") && device.SupportsJoin != stored.SupportsJoin)
                throw TtsError.FieldValue(Name, device.SupportsJoin && device.Ids.JoinEui.IsEmpty ? "ids.join_eui" : "supports_join");
            if (mask.Covers("multicast") && device.Multicast != stored.Multicast)
                throw TtsError.FieldValue(Name, "multicast");
        }
        CheckRules(stored, device, mask);
        var record = state.Merge(state.Network, stored, device, mask, Name);
        if (record.Session is not null && stored?.MacState is null && !mask.Names("mac_state"))
            BuildMacState(record, device, mask);
        if (record.Session is { } session)
        {
            if (stored is null)
                session.StartedAt = record.UpdatedAt;
            CopyKeys(record, session);
        }
        record.Ids.DevAddr = record.Session?.DevAddr ?? ByteString.Empty;
        if ((record.Session is not null && record.MacState is null) || (record.PendingSession is not null && record.PendingMacState is null))
            throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/networkserver/redis", "invalid_device", "device is invalid");
        return TtsState.Answer(TtsState.Keep(state.Network, record), mask);
    }

    public EndDevice ResetFactoryDefaults(Caller caller, EndDeviceIdentifiers ids, MessageMask mask)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, TtsState.Rights(mask, Right.ApplicationDevicesWrite, (Keys, Right.ApplicationDevicesReadKeys)));
        var record = state.Network.Find(id)?.Clone() ?? throw TtsError.EntityNotFound();
        record.PendingSession = null;
        record.PendingMacState = null;
        record.MacState = null;
        record.UpdatedAt = state.Now();
        if (record.SupportsJoin)
        {
            record.Session = null;
            record.Ids.DevAddr = ByteString.Empty;
        }
        else if (record.Session is { } session)
        {
            record.Session = new Session { DevAddr = session.DevAddr, Keys = session.Keys, StartedAt = record.UpdatedAt };
            record.MacState = NewMacState(record);
        }
        return TtsState.Answer(TtsState.Keep(state.Network, record), mask);
    }

    public Empty Delete(Caller caller, EndDeviceIdentifiers ids)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, Right.ApplicationDevicesWrite);
        return state.Network.Remove(id) ? new Empty() : throw TtsError.DeviceNotFound(Name);
    }

    public MACSettings GetDefaultMacSettings(GetDefaultMACSettingsRequest request)
    {
        var plan = PlanOf(request.FrequencyPlanId);
        if (plan.Plan is null)
            throw ErrorOf(plan.Failure!);
        if (!BandVersions.TryGet(plan.Plan, request.LorawanPhyVersion, out _, out var failure))
            throw ErrorOf(failure);
        return state.Options.MacSettings.Clone();
    }

    /// <summary>The MAC state of a device that has a session and nothing else.</summary>
    public MACState NewMacState(EndDevice device)
    {
        var plan = PlanOf(device.FrequencyPlanId);
        if (plan.Plan is null)
            throw ErrorOf(plan.Failure!);
        return MacStateBuilder.TryBuild(device, plan.Plan, state.Options.MacSettings, out var built, out var failure) ? built : throw ErrorOf(failure);
    }

    private static FrequencyPlanResult PlanOf(string id) => EmbeddedFrequencyPlanStore.Find(id);

    /// <summary>Rules about what the mask names, N1 to N4, N16, N19 and N20; they look at the request only.</summary>
    private static void CheckMasked(EndDevice device, MessageMask mask)
    {
        if (mask.Names("frequency_plan_id") && device.FrequencyPlanId.Length == 0)
            throw TtsError.FieldValue(Name, "frequency_plan_id");
        if (mask.Names("lorawan_phy_version") && device.LorawanPhyVersion == PHYVersion.PhyUnknown)
            throw OutOfBounds("lorawan_phy_version");
        if (mask.Names("lorawan_version") && device.LorawanVersion == MACVersion.MacUnknown)
            throw OutOfBounds("lorawan_version");
        if (mask.Names("mac_state") && device.MacState is null)
            throw TtsError.FieldValue(Name, "mac_state");
        if (mask.Covers("mac_state.lorawan_version") && device.MacState is { LorawanVersion: MACVersion.MacUnknown })
            throw OutOfBounds("mac_state.lorawan_version");
        if (device.Session is not { } session)
            return;
        if (mask.Covers("session.dev_addr") && TtsState.IsZero(session.DevAddr))
            throw TtsError.FieldValue(Name, "session.dev_addr");
        if (mask.Covers(FNwkSIntKey) && TtsState.IsZero(session.Keys?.FNwkSIntKey?.Key))
            throw TtsError.FieldValue(Name, FNwkSIntKey);
        var version = device.MacState is { LorawanVersion: not MACVersion.MacUnknown } macState && mask.Covers("mac_state.lorawan_version")
            ? macState.LorawanVersion
            : mask.Covers("lorawan_version") ? device.LorawanVersion : MACVersion.MacUnknown;
        if (version is MACVersion.MacUnknown or MACVersion.MacV11)
            return;
        foreach (var path in OtherKeys)
        {
            if (mask.Covers(path) && !Equals(FieldPath.Find(device, path) ?? ByteString.Empty, session.Keys?.FNwkSIntKey?.Key))
                throw TtsError.FieldValue(Name, path);
        }
    }

    private static GrpcStatusException OutOfBounds(string field) => TtsError.FieldValue(
        Name, field, TtsError.Details(GrpcCode.InvalidArgument, "pkg/ttnpb", "field_bound", "`{field}` should be between `{min}` and `{max}`", [("field", field)]));

    private static GrpcStatusException ErrorOf(Failure failure)
    {
        if (failure is { Namespace: "pkg/frequencyplans", Name: "not_found" })
        {
            var id = failure.Attributes.GetValueOrDefault("id") ?? "";
            return TtsError.Make(GrpcCode.NotFound, failure.Namespace, failure.Name, "frequency plan `{id}` not found", [("id", id)]);
        }
        if (failure.Name == "no_band_version")
        {
            return TtsError.Make(
                GrpcCode.InvalidArgument, failure.Namespace!, failure.Name, "specified version `{ver}` of band `{id}` does not exist",
                [.. failure.Attributes.Select(pair => (pair.Key, (object)pair.Value))]);
        }
        return failure.Namespace is "pkg/networkserver/mac"
            ? TtsError.Make(GrpcCode.InvalidArgument, failure.Namespace, failure.Name!, failure.Message)
            : Panic();
    }

    private static GrpcStatusException Panic() => TtsError.Make(GrpcCode.Internal, "pkg/rpcserver", "rpc_recovered", "Internal Server Error");

    /// <summary>The import rules, for what the device would be; what was already so before is not asked again.</summary>
    private static void CheckRules(EndDevice? stored, EndDevice device, MessageMask mask)
    {
        if (mask.Paths.Count == 0)
            return;
        var candidate = stored?.Clone() ?? new EndDevice();
        mask.Copy(device, candidate);
        candidate.Ids = device.Ids.Clone();
        if (stored is not null)
        {
            if (candidate.Ids.DevEui.IsEmpty)
                candidate.Ids.DevEui = stored.Ids.DevEui;
            if (candidate.Ids.JoinEui.IsEmpty)
                candidate.Ids.JoinEui = stored.Ids.JoinEui;
            // Before 1.1 the other keys follow this one where the request leaves them out.
            if (mask.Covers(FNwkSIntKey) && !OtherKeys.Any(mask.Covers) && candidate.LorawanVersion != MACVersion.MacV11)
                KeysOfOldVersions.Clear(candidate);
        }
        var plan = PlanOf(candidate.FrequencyPlanId);
        var known = stored is null ? [] : ErrorsOf(stored, plan, ImportWay.OfficialCli).Select(finding => (finding.Rule, finding.Field)).ToHashSet();
        var way = mask.Covers("mac_state.current_parameters") || mask.Covers("mac_state.desired_parameters") ? ImportWay.WholeParameters : ImportWay.OfficialCli;
        // Crashes come before any answer.
        foreach (var finding in ErrorsOf(candidate, plan, way).OrderBy(finding => finding.Rule != "N26"))
        {
            // Rules about devices that do not join ask only who says so.
            if (known.Contains((finding.Rule, finding.Field)) || (finding.Rule is "N6" or "N7" or "N8" && stored is null && !mask.Covers("supports_join")))
                continue;
            throw ErrorOf(finding, candidate, plan);
        }
        if (candidate is { SupportsJoin: true, Ids.JoinEui.IsEmpty: true } && mask.Covers("supports_join"))
            throw TtsError.FieldValue(Name, "ids.join_eui");
    }

    private static IEnumerable<ImportFinding> ErrorsOf(EndDevice device, FrequencyPlanResult plan, ImportWay way) =>
        ImportRules.Check(device, plan, way).Where(finding => finding is { Severity: ImportSeverity.Error, Step: ImportStep.NetworkServer });

    private static GrpcStatusException ErrorOf(ImportFinding finding, EndDevice device, FrequencyPlanResult plan)
    {
        switch (finding.Error)
        {
            case "pkg/rpcserver:rpc_recovered":
                return Panic();
            case "pkg/networkserver:field_value":
                return TtsError.FieldValue(Name, finding.Field, CauseOf(finding, device, plan));
            default:
                if (plan.Failure is { } failure)
                    return ErrorOf(failure);
                return BandVersions.TryGet(plan.Plan!, device.LorawanPhyVersion, out _, out var noBand) ? Panic() : ErrorOf(noBand);
        }
    }

    private static ErrorDetails? CauseOf(ImportFinding finding, EndDevice device, FrequencyPlanResult plan) => finding.Rule switch
    {
        "N6" or "N11" => TtsError.Details(GrpcCode.InvalidArgument, "pkg/networkserver", "field_not_zero", "field `{name}` is not zero", [("name", finding.Field)]),
        "N7" => TtsError.Details(GrpcCode.InvalidArgument, "pkg/networkserver", "field_is_zero", "field `{name}` is zero", [("name", finding.Field)]),
        "N14a" => TtsError.Details(
            GrpcCode.InvalidArgument, "pkg/networkserver", "device_and_frequency_plan_band_mismatch",
            "device band ID `{dev_band_id}` and frequency plan band ID `{fp_band_id}` do not match",
            [("dev_band_id", device.VersionIds.BandId), ("fp_band_id", plan.Plan!.BandId)]),
        _ => null,
    };

    /// <summary>Before 1.1 the three network session keys are one.</summary>
    private static void CopyKeys(EndDevice record, Session session)
    {
        var version = record.MacState is { LorawanVersion: not MACVersion.MacUnknown } macState ? macState.LorawanVersion : record.LorawanVersion;
        if (version == MACVersion.MacV11 || session.Keys?.FNwkSIntKey is not { } key)
            return;
        session.Keys.SNwkSIntKey = key.Clone();
        session.Keys.NwkSEncKey = key.Clone();
    }

    /// <summary>A session without MAC state gets one; the masked parts of the request are laid over it.</summary>
    private void BuildMacState(EndDevice record, EndDevice device, MessageMask mask)
    {
        record.MacState = NewMacState(record);
        MessageMask.Create(EndDevice.Descriptor, mask.Paths.Where(path => FieldPath.IsBelow(path, "mac_state"))).Copy(device, record);
    }
}
