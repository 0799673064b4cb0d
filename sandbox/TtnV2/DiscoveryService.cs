using System.Collections.Concurrent;
using Sandbox.Grpc;
using Sources.TtnV2.Api.Discovery;

namespace Sandbox.TtnV2;

/// <summary>The discovery server: which handler serves an application (facts/ttnv2.md section 1.3). Asks for no credentials.</summary>
public sealed class DiscoveryService
{
    private const string Service = "/discovery.Discovery/";

    private readonly ConcurrentDictionary<string, string> handlerOfApplication = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Announcement> handlers = new(StringComparer.Ordinal);

    /// <summary>Announces a handler, or replaces its announcement.</summary>
    public void Announce(Announcement announcement) => handlers[announcement.Id] = announcement;

    /// <summary>A copy of a handler's announcement.</summary>
    public Announcement Announcement(string handler) => handlers[handler].Clone();

    /// <summary>Registers an application to a handler.</summary>
    public void Register(string app, string handler) => handlerOfApplication[app] = handler;

    public void Unregister(string app) => handlerOfApplication.TryRemove(app, out _);

    public bool Knows(string app) => handlerOfApplication.ContainsKey(app);

    internal void AddTo(GrpcServices services) => services
        .Unary<GetByAppIDRequest, Announcement>(Service + "GetByAppID", GetByAppIDRequest.Parser, (_, request) => Task.FromResult(
            handlerOfApplication.TryGetValue(request.AppId, out var handler)
                ? Find(handler)
                : throw new GrpcStatusException(GrpcCode.NotFound, $"discovery:app_id:{request.AppId} not found")))
        .Unary<GetRequest, Announcement>(Service + "Get", GetRequest.Parser, (_, request) => Task.FromResult(
            request.ServiceName == "handler"
                ? WithMetadata(Find(request.Id))
                : throw new GrpcStatusException(GrpcCode.NotFound, $"discovery:announcement:{request.ServiceName}:{request.Id} not found")))
        .Unary<GetServiceRequest, AnnouncementsResponse>(Service + "GetAll", GetServiceRequest.Parser, (_, request) => Task.FromResult(
            request.ServiceName == "handler"
                ? new AnnouncementsResponse { Services = { handlers.Keys.Order(StringComparer.Ordinal).Select(id => WithMetadata(Find(id))) } }
                : new AnnouncementsResponse()));

    private Announcement Find(string handler) => handlers.TryGetValue(handler, out var announcement)
        ? announcement.Clone()
        : throw new GrpcStatusException(GrpcCode.NotFound, $"discovery:announcement:handler:{handler} not found");

    private Announcement WithMetadata(Announcement announcement)
    {
        announcement.Metadata.Add(handlerOfApplication
            .Where(pair => pair.Value == announcement.Id)
            .Select(pair => pair.Key)
            .Order(StringComparer.Ordinal)
            .Select(app => new Metadata { AppId = app }));
        return announcement;
    }
}
