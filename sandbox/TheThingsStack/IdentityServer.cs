using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace Sandbox.TheThingsStack;

/// <summary>The Identity Server's device and application registries (facts/tts-api.md sections 6 and 9).</summary>
internal sealed class IdentityServer(TtsState state)
{
    private const int DefaultLimit = 100;

    private static readonly MessageMask Stored = MessageMask.Create(EndDevice.Descriptor, AllowedPaths.For(MaskedCall.IdentityServerUpdate));

    private uint issuedEuis;

    public EndDevice Create(Caller caller, CreateEndDeviceRequest request)
    {
        var ids = request.EndDevice.Ids;
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, Right.ApplicationDevicesWrite);
        var application = state.Application(id.Application) ?? throw TtsError.ApplicationNotFound(id.Application);
        SameHost("network_server_address", request.EndDevice.NetworkServerAddress, application.NetworkServerAddress);
        SameHost("application_server_address", request.EndDevice.ApplicationServerAddress, application.ApplicationServerAddress);
        SameHost("join_server_address", request.EndDevice.JoinServerAddress, application.JoinServerAddress);
        if (request.EndDevice.ClaimAuthenticationCode is { ValidFrom: { } from, ValidTo: { } to } && to < from)
            throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/identityserver", "claim_authentication_code", "invalid claim authentication code");
        var record = Stored.Select(request.EndDevice);
        record.Picture = StoredPicture(id, request.EndDevice.Picture);
        // The database holds no NUL.
        record.Name = record.Name.Replace("\0", "", StringComparison.Ordinal);
        record.Description = record.Description.Replace("\0", "", StringComparison.Ordinal);
        record.Ids = new EndDeviceIdentifiers
        {
            DeviceId = id.Device,
            ApplicationIds = new ApplicationIdentifiers { ApplicationId = id.Application },
            DevEui = ids.DevEui,
            JoinEui = ids.JoinEui,
        };
        record.CreatedAt = record.UpdatedAt = Now();
        if (state.Identity.Find(id) is not null)
        {
            throw TtsError.Make(
                GrpcCode.AlreadyExists, "pkg/util/store", "id_taken", "ID already taken, choose a different one and try again",
                cause: TtsError.Details(GrpcCode.AlreadyExists, "pkg/util/store", "already_exists", "already exists"));
        }
        if (state.Identity.OwnerOf(record.Ids) is { } owner)
            throw TtsError.EuisTaken("pkg/identityserver", record.Ids, owner);
        state.Identity.Put(record);
        var answer = record.Clone();
        answer.VersionIds ??= new();
        answer.LoraAllianceProfileIds ??= new();
        return answer;
    }

    public EndDevice Get(Caller caller, EndDeviceIdentifiers ids, MessageMask mask)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, Right.ApplicationDevicesRead);
        var record = state.Identity.Find(id);
        // EUIs in the request are further filters.
        if (record is null || (!ids.DevEui.IsEmpty && ids.DevEui != record.Ids.DevEui) || (!ids.JoinEui.IsEmpty && ids.JoinEui != record.Ids.JoinEui))
            throw TtsError.EndDeviceNotFound(id);
        return Answer(record, mask);
    }

    public EndDeviceIdentifiers GetIdentifiersForEuis(Caller caller, GetEndDeviceIdentifiersForEUIsRequest request)
    {
        if (caller.Key is null)
            throw TtsError.Unauthenticated();
        var wanted = new EndDeviceIdentifiers { DevEui = request.DevEui, JoinEui = request.JoinEui };
        if (state.Identity.OwnerOf(wanted) is not { } owner)
        {
            throw TtsError.Make(
                GrpcCode.NotFound, "pkg/identityserver/store", "end_device_not_found", "end device not found",
                [("dev_eui", Convert.ToHexString(request.DevEui.Span)), ("join_eui", Convert.ToHexString(request.JoinEui.Span))]);
        }
        return state.Identity.Find(owner)!.Ids.Clone();
    }

    public EndDevices List(Caller caller, ListEndDevicesRequest request, MessageMask mask, GrpcCall call)
    {
        if (request.ApplicationIds is not { } application)
        {
            throw TtsError.Make(
                GrpcCode.InvalidArgument, "pkg/auth/cluster", "auth_type", "cluster auth type `{auth_type}` is not supported", [("auth_type", "bearer")]);
        }
        caller.Require(application.ApplicationId, Right.ApplicationDevicesRead);
        if (state.Application(application.ApplicationId) is null)
            throw TtsError.ApplicationNotFound(application.ApplicationId);
        var all = state.Identity.List(application.ApplicationId);
        call.ResponseHeaders["x-total-count"] = all.Count.ToString(CultureInfo.InvariantCulture);
        var limit = request.Limit == 0 ? DefaultLimit : (int)request.Limit;
        var answer = new EndDevices();
        foreach (var record in Ordered(all, request.Order).Skip((int)Math.Max(request.Page, 1) * limit - limit).Take(limit))
            answer.EndDevices_.Add(Answer(record, mask));
        return answer;
    }

    public EndDevice Update(Caller caller, EndDevice device, MessageMask mask)
    {
        var id = DeviceId.Of(device.Ids);
        caller.Require(id.Application, Right.ApplicationDevicesWrite);
        if (state.Identity.Find(id) is not { } stored)
            throw TtsError.EndDeviceNotFound(id);
        var record = stored.Clone();
        mask.Copy(device, record);
        if (mask.Names("picture"))
            record.Picture = StoredPicture(id, device.Picture);
        record.ActivatedAt ??= stored.ActivatedAt;
        record.UpdatedAt = Now();
        state.Identity.Put(record);
        return Answer(record, mask);
    }

    public Empty BatchUpdateLastSeen(Caller caller, BatchUpdateEndDeviceLastSeenRequest request)
    {
        foreach (var update in request.Updates)
        {
            var id = DeviceId.Of(update.Ids);
            caller.Require(id.Application, Right.ApplicationDevicesWrite);
            state.Seen(id, update.LastSeenAt);
        }
        return new Empty();
    }

    public Empty Delete(Caller caller, EndDeviceIdentifiers ids)
    {
        var id = DeviceId.Of(ids);
        caller.Require(id.Application, Right.ApplicationDevicesWrite);
        return state.Identity.Remove(id) ? new Empty() : throw TtsError.EndDeviceNotFound(id);
    }

    public EndDevices BatchGet(Caller caller, BatchGetEndDevicesRequest request, MessageMask mask)
    {
        caller.Require(request.ApplicationIds.ApplicationId, Right.ApplicationDevicesRead);
        var answer = new EndDevices();
        foreach (var device in request.DeviceIds.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            if (state.Identity.Find(new(request.ApplicationIds.ApplicationId, device)) is { } record)
                answer.EndDevices_.Add(Answer(record, mask));
        }
        return answer;
    }

    public Application GetApplication(Caller caller, GetApplicationRequest request)
    {
        if (caller.Key is null)
            throw TtsError.Unauthenticated();
        var id = request.ApplicationIds.ApplicationId;
        caller.Require(id, Right.ApplicationInfo);
        var application = state.Application(id) ?? throw TtsError.ApplicationNotFound(id);
        return Answer(application, request.FieldMask);
    }

    public Applications ListApplications(Caller caller, ListApplicationsRequest request, GrpcCall call)
    {
        if (caller.Key is null)
            throw TtsError.Unauthenticated();
        var mine = state.Applications.Where(application => caller.RightsOn(application.Ids.ApplicationId).Contains(Right.ApplicationInfo))
            .OrderBy(application => application.Ids.ApplicationId, StringComparer.Ordinal).ToList();
        call.ResponseHeaders["x-total-count"] = mine.Count.ToString(CultureInfo.InvariantCulture);
        var limit = request.Limit == 0 ? DefaultLimit : (int)request.Limit;
        var answer = new Applications();
        answer.Applications_.Add(mine.Skip((int)Math.Max(request.Page, 1) * limit - limit).Take(limit).Select(application => Answer(application, request.FieldMask)));
        return answer;
    }

    public IssueDevEUIResponse IssueDevEui(Caller caller, ApplicationIdentifiers ids)
    {
        caller.Require(ids.ApplicationId, Right.ApplicationDevicesWrite);
        if (state.Options.DevEuiBlock is not { } block)
            throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/identityserver", "dev_eui_issuing_not_enabled", "DevEUI issuing not configured");
        var eui = new byte[8];
        block.CopyTo(eui, 0);
        var number = ++issuedEuis;
        for (var i = 7; i >= block.Length; i--, number >>= 8)
            eui[i] = (byte)number;
        return new IssueDevEUIResponse { DevEui = ByteString.CopyFrom(eui) };
    }

    public static Rights ListRights(Caller caller, ApplicationIdentifiers ids)
    {
        var rights = new Rights();
        rights.Rights_.Add(caller.RightsOn(ids.ApplicationId));
        return rights;
    }

    private static Application Answer(Application application, FieldMask? mask)
    {
        var answer = MessageMask.Create(Application.Descriptor, (mask?.Paths ?? []).Where(path => path != "administrative_contact" && path != "technical_contact")).Select(application);
        answer.Ids = application.Ids.Clone();
        answer.CreatedAt = application.CreatedAt;
        answer.UpdatedAt = application.UpdatedAt;
        return answer;
    }

    private static EndDevice Answer(EndDevice record, MessageMask mask)
    {
        var answer = mask.Select(record);
        answer.Ids = record.Ids.Clone();
        answer.CreatedAt = record.CreatedAt;
        answer.UpdatedAt = record.UpdatedAt;
        if (answer.VersionIds is null && mask.Touches("version_ids"))
            answer.VersionIds = new();
        if (answer.LoraAllianceProfileIds is null && mask.Touches("lora_alliance_profile_ids"))
            answer.LoraAllianceProfileIds = new();
        return answer;
    }

    private static IEnumerable<EndDevice> Ordered(IReadOnlyCollection<EndDevice> devices, string order)
    {
        var ordered = order.TrimStart('-') switch
        {
            "name" => devices.OrderBy(device => device.Name, StringComparer.Ordinal),
            "created_at" => devices.OrderBy(device => device.CreatedAt.ToDateTimeOffset()),
            "last_seen_at" => devices.OrderBy(device => device.LastSeenAt?.ToDateTimeOffset() ?? DateTimeOffset.MinValue),
            "join_eui" => devices.OrderBy(device => Convert.ToHexString(device.Ids.JoinEui.Span), StringComparer.Ordinal),
            "dev_eui" => devices.OrderBy(device => Convert.ToHexString(device.Ids.DevEui.Span), StringComparer.Ordinal),
            "description" => devices.OrderBy(device => device.Description, StringComparer.Ordinal),
            _ => (IEnumerable<EndDevice>)devices,
        };
        return order.StartsWith('-') ? ordered.Reverse() : ordered;
    }

    private static void SameHost(string field, string address, string registered)
    {
        if (address.Length == 0 || registered.Length == 0 || Host(address) == Host(registered))
            return;
        throw TtsError.Make(
            GrpcCode.InvalidArgument,
            "pkg/identityserver",
            field + "_mismatch",
            field.Replace('_', ' ') + " `{address}` does not match `{expected}`",
            [("address", address), ("expected", registered)]);
    }

    private static string Host(string address) => address.Split(':')[0];

    private Picture? StoredPicture(DeviceId id, Picture? picture)
    {
        if (picture is null)
            return null;
        // The server fetches what a size points to; in the sandbox there is nothing to fetch from.
        if (picture.Embedded is not { } embedded)
            throw new GrpcStatusException(GrpcCode.Unavailable, "no such host");
        var extension = embedded.MimeType[(embedded.MimeType.LastIndexOf('/') + 1)..];
        return new Picture { Sizes = { [0] = $"/assets/blob/end_device_pictures/{id}.{state.NewUlid()}/original.{extension}" } };
    }

    /// <summary>The database keeps microseconds.</summary>
    private Timestamp Now()
    {
        var now = state.Options.Clock.GetUtcNow();
        return Timestamp.FromDateTimeOffset(now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond)));
    }
}
