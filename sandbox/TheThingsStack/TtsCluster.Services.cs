using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace Sandbox.TheThingsStack;

public sealed partial class TtsCluster
{
    private readonly Services dispatch;

    /// <summary>
    /// The methods of all servers. Each is served in the order of the real one: request ID, validation, rate limit, authentication and rights,
    /// handler (facts/tts-api.md section 1).
    /// </summary>
    private sealed class Services
    {
        private const string Package = "/ttn.lorawan.v3.";

        private readonly TtsCluster cluster;
        private readonly TtsState state;
        private readonly IdentityServer identity;
        private readonly NetworkServer network;
        private readonly ApplicationServer application;
        private readonly JoinServer join;
        private readonly RequestChecks checks;
        private readonly List<(TtsServers Server, Action<GrpcServices> Add)> methods = [];
        private readonly Dictionary<string, Func<byte[], string?>> items = new(StringComparer.Ordinal);

        public Services(TtsCluster cluster)
        {
            this.cluster = cluster;
            state = cluster.state;
            identity = new IdentityServer(state);
            network = new NetworkServer(state);
            application = new ApplicationServer(state);
            join = new JoinServer(state);
            checks = new RequestChecks(cluster.options);
            AddIdentityServer();
            AddRegistry(
                TtsServers.Network, "NsEndDeviceRegistry", MaskedCall.NetworkServerGet, MaskedCall.NetworkServerSet,
                (caller, ids, mask, _) => network.Get(caller, ids, mask), network.Set, network.Delete, state.Network);
            AddRegistry(
                TtsServers.Application, "AsEndDeviceRegistry", MaskedCall.ApplicationServerGet, MaskedCall.ApplicationServerSet,
                (caller, ids, mask, _) => application.Get(caller, ids, mask), application.Set, application.Delete, state.ApplicationServer);
            AddRegistry(
                TtsServers.Join, "JsEndDeviceRegistry", MaskedCall.JoinServerGet, MaskedCall.JoinServerSet,
                join.Get, join.Set, join.Delete, state.Join);
            AddNetworkServer();
            AddJoinServer();
            Everything = ServicesOf(TtsServers.All & ~cluster.options.Absent);
        }

        /// <summary>The methods of every server that is there.</summary>
        public GrpcServices Everything { get; }

        public GrpcServices ServicesOf(TtsServers which)
        {
            var services = new GrpcServices();
            foreach (var (server, add) in methods)
            {
                if (which.HasFlag(server))
                    add(services);
            }
            return services;
        }

        public string? ItemOf(string method, byte[] request) => items.TryGetValue(method, out var itemOf) ? itemOf(request) : null;

        public MACState NewMacState(EndDevice device) => network.NewMacState(device);

        private static string? Entity(EndDeviceIdentifiers? ids) => ids is null ? null : $"end device:{DeviceId.Of(ids)}";

        private static string? Entity(ApplicationIdentifiers? ids) => ids is null ? null : $"application:{ids.ApplicationId}";

        private void AddIdentityServer()
        {
            const TtsServers Server = TtsServers.Identity;
            Add<CreateEndDeviceRequest, EndDevice>(Server, "EndDeviceRegistry/Create", CreateEndDeviceRequest.Parser, request => Entity(request.EndDevice?.Ids), request => request.EndDevice?.Ids, (request, _) =>
            {
                RequestChecks.Valid(request);
                return caller => identity.Create(caller, request);
            });
            Add<GetEndDeviceRequest, EndDevice>(Server, "EndDeviceRegistry/Get", GetEndDeviceRequest.Parser, request => Entity(request.EndDeviceIds), request => request.EndDeviceIds, (request, _) =>
            {
                var mask = checks.Mask(MaskedCall.IdentityServerGet, request.FieldMask);
                RequestChecks.Valid(request);
                return caller => identity.Get(caller, request.EndDeviceIds, mask);
            });
            Add<GetEndDeviceIdentifiersForEUIsRequest, EndDeviceIdentifiers>(Server, "EndDeviceRegistry/GetIdentifiersForEUIs", GetEndDeviceIdentifiersForEUIsRequest.Parser, _ => null, _ => null, (request, _) =>
            {
                RequestChecks.Valid(request);
                return caller => identity.GetIdentifiersForEuis(caller, request);
            });
            Add<ListEndDevicesRequest, EndDevices>(Server, "EndDeviceRegistry/List", ListEndDevicesRequest.Parser, request => Entity(request.ApplicationIds), _ => null, (request, call) =>
            {
                var mask = checks.Mask(MaskedCall.IdentityServerGet, request.FieldMask);
                RequestChecks.Valid(request);
                return caller => identity.List(caller, request, mask, call);
            });
            Add<UpdateEndDeviceRequest, EndDevice>(Server, "EndDeviceRegistry/Update", UpdateEndDeviceRequest.Parser, request => Entity(request.EndDevice?.Ids), request => request.EndDevice?.Ids, (request, _) =>
            {
                var mask = checks.MaskedDevice(MaskedCall.IdentityServerUpdate, request.EndDevice, request.FieldMask, UpdateEndDeviceRequest.Descriptor);
                return caller => identity.Update(caller, request.EndDevice, mask);
            });
            Add<BatchUpdateEndDeviceLastSeenRequest, Empty>(Server, "EndDeviceRegistry/BatchUpdateLastSeen", BatchUpdateEndDeviceLastSeenRequest.Parser, _ => null, _ => null, (request, _) =>
            {
                RequestChecks.Valid(request);
                return caller => identity.BatchUpdateLastSeen(caller, request);
            });
            Add<EndDeviceIdentifiers, Empty>(Server, "EndDeviceRegistry/Delete", EndDeviceIdentifiers.Parser, Entity, ids => ids, (ids, _) =>
            {
                RequestChecks.ValidIdentifiers(ids);
                return caller => identity.Delete(caller, ids);
            });
            Add<BatchGetEndDevicesRequest, EndDevices>(Server, "EndDeviceBatchRegistry/Get", BatchGetEndDevicesRequest.Parser, request => Entity(request.ApplicationIds), _ => null, (request, _) =>
            {
                var mask = checks.Mask(MaskedCall.IdentityServerGet, request.FieldMask);
                RequestChecks.Valid(request);
                return caller => identity.BatchGet(caller, request, mask);
            });
            AddBatchDelete(Server, "EndDeviceBatchRegistry", state.Identity);
            Add<GetApplicationRequest, Application>(Server, "ApplicationRegistry/Get", GetApplicationRequest.Parser, request => Entity(request.ApplicationIds), _ => null, (request, _) =>
            {
                ApplicationPaths(request.FieldMask);
                RequestChecks.Valid(request);
                return caller => identity.GetApplication(caller, request);
            });
            Add<ListApplicationsRequest, Applications>(Server, "ApplicationRegistry/List", ListApplicationsRequest.Parser, _ => null, _ => null, (request, call) =>
            {
                ApplicationPaths(request.FieldMask);
                RequestChecks.Valid(request);
                return caller => identity.ListApplications(caller, request, call);
            });
            Add<ApplicationIdentifiers, IssueDevEUIResponse>(Server, "ApplicationRegistry/IssueDevEUI", ApplicationIdentifiers.Parser, Entity, _ => null, (ids, _) =>
            {
                RequestChecks.ValidIdentifiers(ids);
                return caller => identity.IssueDevEui(caller, ids);
            });
            Add<ApplicationIdentifiers, Rights>(Server, "ApplicationAccess/ListRights", ApplicationIdentifiers.Parser, Entity, _ => null, (ids, _) =>
            {
                RequestChecks.ValidIdentifiers(ids);
                return caller => IdentityServer.ListRights(caller, ids);
            });
            Add<Empty, AuthInfoResponse>(Server, "EntityAccess/AuthInfo", Empty.Parser, _ => null, _ => null, (_, _) => AccessControl.AuthInfo);
            AddOpen(Server, "Configuration/ListFrequencyPlans", ListFrequencyPlansRequest.Parser, ListFrequencyPlans);
            AddOpen(Server, "EndDeviceClaimingServer/GetInfoByJoinEUI", GetInfoByJoinEUIRequest.Parser, InfoOf);
            AddOpen(Server, "EndDeviceBatchClaimingServer/GetInfoByJoinEUIs", GetInfoByJoinEUIsRequest.Parser, request => new GetInfoByJoinEUIsResponse { Infos = { request.Requests.Select(InfoOf) } });
            AddOpen(Server, "EndDeviceTemplateConverter/ListFormats", Empty.Parser, _ => new EndDeviceTemplateFormats
            {
                Formats =
                {
                    ["the-things-stack"] = new EndDeviceTemplateFormat
                    {
                        Name = "The Things Stack JSON", Description = "File containing end devices in The Things Stack JSON format.", FileExtensions = { ".json" },
                    },
                    ["the-things-stack-csv"] = new EndDeviceTemplateFormat
                    {
                        Name = "The Things Stack CSV", Description = "File containing end devices in The Things Stack CSV format.", FileExtensions = { ".csv" },
                    },
                },
            });
        }

        private void AddRegistry(
            TtsServers server,
            string service,
            MaskedCall get,
            MaskedCall set,
            Func<Caller, EndDeviceIdentifiers, MessageMask, GrpcCall, EndDevice> onGet,
            Func<Caller, EndDevice, MessageMask, EndDevice> onSet,
            Func<Caller, EndDeviceIdentifiers, Empty> onDelete,
            RecordStore store)
        {
            Add<GetEndDeviceRequest, EndDevice>(server, service + "/Get", GetEndDeviceRequest.Parser, request => Entity(request.EndDeviceIds), request => request.EndDeviceIds, (request, call) =>
            {
                var mask = checks.Mask(get, request.FieldMask);
                RequestChecks.Valid(request);
                return caller => onGet(caller, request.EndDeviceIds, mask, call);
            });
            Add<SetEndDeviceRequest, EndDevice>(server, service + "/Set", SetEndDeviceRequest.Parser, request => Entity(request.EndDevice?.Ids), request => request.EndDevice?.Ids, (request, _) =>
            {
                var mask = checks.MaskedDevice(set, request.EndDevice, request.FieldMask, SetEndDeviceRequest.Descriptor);
                return caller => onSet(caller, request.EndDevice, mask);
            });
            Add<EndDeviceIdentifiers, Empty>(server, service + "/Delete", EndDeviceIdentifiers.Parser, Entity, ids => ids, (ids, _) =>
            {
                RequestChecks.ValidIdentifiers(ids);
                return caller => onDelete(caller, ids);
            });
            AddBatchDelete(server, service.Replace("DeviceRegistry", "DeviceBatchRegistry", StringComparison.Ordinal), store);
        }

        private void AddBatchDelete(TtsServers server, string service, RecordStore store) =>
            Add<BatchDeleteEndDevicesRequest, Empty>(server, service + "/Delete", BatchDeleteEndDevicesRequest.Parser, request => Entity(request.ApplicationIds), _ => null, (request, _) =>
            {
                RequestChecks.Valid(request);
                return caller =>
                {
                    caller.Require(request.ApplicationIds.ApplicationId, Right.ApplicationDevicesWrite);
                    foreach (var device in request.DeviceIds)
                        store.Remove(new DeviceId(request.ApplicationIds.ApplicationId, device));
                    return new Empty();
                };
            });

        private void AddNetworkServer()
        {
            const TtsServers Server = TtsServers.Network;
            Add<ResetAndGetEndDeviceRequest, EndDevice>(Server, "NsEndDeviceRegistry/ResetFactoryDefaults", ResetAndGetEndDeviceRequest.Parser, request => Entity(request.EndDeviceIds), request => request.EndDeviceIds, (request, _) =>
            {
                var mask = checks.Mask(MaskedCall.NetworkServerGet, request.FieldMask);
                RequestChecks.Valid(request);
                return caller => network.ResetFactoryDefaults(caller, request.EndDeviceIds, mask);
            });
            AddOpen(Server, "Ns/GenerateDevAddr", Empty.Parser, _ => new GenerateDevAddrResponse { DevAddr = state.NewDevAddr() });
            AddOpen(Server, "Ns/GetDefaultMACSettings", GetDefaultMACSettingsRequest.Parser, network.GetDefaultMacSettings);
            AddOpen(Server, "Ns/GetNetID", Empty.Parser, _ => new GetNetIDResponse { NetId = cluster.options.NetId });
            AddOpen(Server, "Ns/GetDeviceAddressPrefixes", Empty.Parser, _ =>
            {
                var prefix = new byte[5];
                System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(prefix, cluster.options.DevAddrPrefix);
                prefix[4] = (byte)cluster.options.DevAddrPrefixLength;
                return new GetDeviceAdressPrefixesResponse { DevAddrPrefixes = { ByteString.CopyFrom(prefix) } };
            });
        }

        private void AddJoinServer()
        {
            var zero = ByteString.CopyFrom(new byte[8]);
            AddOpen(TtsServers.Join, "Js/GetJoinEUIPrefixes", Empty.Parser, _ => new JoinEUIPrefixes { Prefixes = { new JoinEUIPrefix { JoinEui = zero } } });
            AddOpen(TtsServers.Join, "Js/GetDefaultJoinEUI", Empty.Parser, _ => new GetDefaultJoinEUIResponse { JoinEui = zero });
        }

        private static void ApplicationPaths(FieldMask? mask)
        {
            var forbidden = mask?.Paths.Where(path => !MessageMask.Exists(Application.Descriptor, path)).ToList();
            if (forbidden is { Count: > 0 })
                throw RequestChecks.ForbiddenPaths(forbidden);
        }

        private static ListFrequencyPlansResponse ListFrequencyPlans(ListFrequencyPlansRequest request)
        {
            var answer = new ListFrequencyPlansResponse();
            foreach (var plan in LoRaWan.Regional.FrequencyPlans.Embedded.All)
            {
                if ((request.BaseFrequency != 0 && plan.BaseFrequencyMegahertz != request.BaseFrequency)
                    || (request.BandId.Length > 0 && plan.BandId != request.BandId) || (request.GatewaysOnly && plan.Gateways == false))
                {
                    continue;
                }
                answer.FrequencyPlans.Add(new FrequencyPlanDescription
                {
                    Id = plan.Id,
                    BaseId = plan.BaseId ?? "",
                    Name = plan.Name,
                    BaseFrequency = (uint)(plan.BaseFrequencyMegahertz ?? 0),
                    BandId = plan.BandId,
                });
            }
            return answer;
        }

        private GetInfoByJoinEUIResponse InfoOf(GetInfoByJoinEUIRequest request) =>
            new() { JoinEui = request.JoinEui, SupportsClaiming = cluster.options.ClaimableJoinEuis.Contains(request.JoinEui) };

        /// <summary>Adds a method that asks nobody who calls.</summary>
        private void AddOpen<TRequest, TResponse>(TtsServers server, string method, MessageParser<TRequest> parser, Func<TRequest, TResponse> handle)
            where TRequest : IMessage<TRequest>
            where TResponse : IMessage<TResponse> =>
            Add<TRequest, TResponse>(server, method, parser, _ => null, _ => null, (request, _) =>
            {
                RequestChecks.Valid(request);
                return _ => handle(request);
            }, open: true);

        private void Add<TRequest, TResponse>(
            TtsServers server,
            string method,
            MessageParser<TRequest> parser,
            Func<TRequest, string?> entity,
            Func<TRequest, EndDeviceIdentifiers?> device,
            Func<TRequest, GrpcCall, Func<Caller, TResponse>> prepare,
            bool open = false)
            where TRequest : IMessage<TRequest>
            where TResponse : IMessage<TResponse>
        {
            items[Package + method] = bytes =>
            {
                try
                {
                    return device(parser.ParseFrom(bytes))?.DeviceId;
                }
                catch (InvalidProtocolBufferException)
                {
                    return null;
                }
            };
            methods.Add((server, services => services.Unary<TRequest, TResponse>(Package + method, parser, async (call, request) =>
            {
                call.SendHeadersOnFailure = true;
                call.ResponseHeaders["x-request-id"] = call.First("x-request-id") ?? state.NewUlid();
                await cluster.pace.TravelAsync().WaitAsync(call.Cancellation);
                if (!open)
                    await cluster.pace.WorkAsync().WaitAsync(call.Cancellation);
                var handle = prepare(request, call);
                cluster.limiter.Take(call, entity(request));
                var caller = open ? new Caller(null) : cluster.access.Authenticate(call);
                lock (state.Gate)
                    return handle(caller);
            })));
        }
    }
}
