using Rpc;
using Sources.Tts.Api;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Sources.Tts;

/// <summary>The servers of a cluster over gRPC.</summary>
internal sealed class ClusterServers(ClusterClient client, IReadOnlySet<TtsServer> present) : ITtsServers
{
    /// <summary>Fields of a list: the devices are read one by one.</summary>
    private static readonly string[] Listed = ["ids.device_id"];

    private static readonly string[] ProfilePaths = ["mac_settings"];

    private static readonly Method<GetProfileRequest, GetProfileResponse> ProfileGet = new("/ttn.lorawan.v3.NsMACSettingsProfileRegistry/Get");

    public bool Has(TtsServer server) => present.Contains(server);

    public async Task<(IReadOnlyList<string> Ids, int? Total)> ListAsync(string application, int page, CancellationToken cancellation)
    {
        var answer = await client.Identity.ListAsync(application, page, IdentityServerClient.PageSize, Listed, cancellation);
        return ([.. answer.Devices.Select(device => device.Ids.DeviceId)], answer.Total);
    }

    public async Task<string?> AtAsync(string application, int place, CancellationToken cancellation) =>
        (await client.Identity.ListAsync(application, place, 1, Listed, cancellation)).Devices is [var device, ..] ? device.Ids.DeviceId : null;

    public async Task<Failure?> MissingRightsAsync(string application, IReadOnlyCollection<Right> needed, CancellationToken cancellation) =>
        (await ApplicationRights.AskAsync(client.Identity, application, cancellation)).Missing("source/tts", needed);

    public async Task<TtsAnswer> GetAsync(TtsServer server, EndDeviceIdentifiers ids, IReadOnlyList<string> paths, CancellationToken cancellation)
    {
        var answer = server == TtsServer.Identity
            ? await client.Identity.GetAsync(ids, paths, cancellation)
            : await Registry(server).GetAsync(ids, paths, cancellation);
        return new TtsAnswer(answer.Response, [.. answer.Headers.GetAll("warning").Select(warning => warning.Value)]);
    }

    public Task CreateAsync(EndDevice device, CancellationToken cancellation) => client.Identity.CreateAsync(device, cancellation);

    public Task<EndDevice> SetAsync(TtsServer server, EndDevice device, IReadOnlyList<string> paths, CancellationToken cancellation) =>
        Registry(server).SetAsync(device, paths, cancellation);

    public Task<bool> DeleteAsync(TtsServer server, EndDeviceIdentifiers ids, CancellationToken cancellation) =>
        server == TtsServer.Identity ? client.Identity.DeleteAsync(ids, cancellation) : Registry(server).DeleteAsync(ids, cancellation);

    public async Task<Profile> GetProfileAsync(ProfileIdentifiers ids, CancellationToken cancellation)
    {
        var request = new GetProfileRequest { Ids = ids, FieldMask = new Mask() };
        request.FieldMask.Paths.AddRange(ProfilePaths);
        var answer = await client.Network.CallAsync(ProfileGet, request, ids.ApplicationIds?.ApplicationId ?? "", cancellation);
        return answer.Response.Profile ?? new Profile();
    }

    public ValueTask DisposeAsync() => client.DisposeAsync();

    private DeviceRegistry Registry(TtsServer server) => server switch
    {
        TtsServer.Join => client.Join,
        TtsServer.Application => client.Application,
        TtsServer.Network => client.Network,
        _ => throw new ArgumentOutOfRangeException(nameof(server)),
    };
}
