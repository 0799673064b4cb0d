using System.Globalization;
using System.Text;
using System.Text.Json;
using Rpc;
using Sources.Tts;
using Sources.Tts.Api;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FieldMasks;
using TheThingsStack.Json;
using TheThingsStack.Registries;
using EndDevice = TheThingsStack.Api.EndDevice;

namespace Sources.Tests.Tts;

/// <summary>
/// Recorded devices in place of a cluster. Answers hold what a mask asks for, and IDs and times, as on the real servers; paths that the recorded
/// version does not know are refused.
/// </summary>
internal sealed class RecordedServers : ITtsServers
{
    private readonly SortedDictionary<string, Dictionary<TtsServer, EndDevice>> devices = new(StringComparer.Ordinal);

    public HashSet<TtsServer> Absent { get; } = [];

    /// <summary>Paths that these servers refuse beside those no server of the recorded version takes.</summary>
    public HashSet<string> Refused { get; } = [];

    /// <summary>Profiles by ID; with any, the servers take the path of profiles.</summary>
    public Dictionary<string, MACSettings> Profiles { get; } = [];

    /// <summary>Devices that use a profile.</summary>
    public Dictionary<string, string> ProfileOf { get; } = [];

    public List<string> Warnings { get; } = [];

    /// <summary>Every call: <c>NS Get dev</c>.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Called before each call is served; throws what the server would answer.</summary>
    public Action<string> Before { get; set; } = _ => { };

    public int PageSize { get; init; } = 1000;

    /// <summary>The number of devices that a list tells, from that of the devices.</summary>
    public Func<int, int> Counts { get; init; } = static count => count;

    public IReadOnlyDictionary<string, Dictionary<TtsServer, EndDevice>> Devices => devices;

    public static EndDevice Device(string json) => TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(json));

    public void Add(string id, TtsServer server, EndDevice record)
    {
        record.Ids ??= new EndDeviceIdentifiers();
        if (record.Ids.DeviceId.Length == 0)
            record.Ids.DeviceId = id;
        record.Ids.ApplicationIds ??= new ApplicationIdentifiers { ApplicationId = "source-app" };
        if (!devices.TryGetValue(id, out var records))
            devices[id] = records = [];
        records[server] = record;
    }

    /// <summary>Adds the records of a golden row: <c>{is, js, as, ns}</c>, each a device or <c>{error}</c>.</summary>
    public void Add(string id, JsonElement records)
    {
        foreach (var (name, server) in new[] { ("is", TtsServer.Identity), ("js", TtsServer.Join), ("as", TtsServer.Application), ("ns", TtsServer.Network) })
        {
            if (records.TryGetProperty(name, out var record) && !record.TryGetProperty("error", out _))
                Add(id, server, Device(record.GetRawText()));
        }
    }

    public void Remove(string id) => devices.Remove(id);

    public bool Has(TtsServer server) => !Absent.Contains(server);

    public Task<(IReadOnlyList<string> Ids, int? Total)> ListAsync(string application, int page, CancellationToken cancellation) => Serve($"IS List {page.ToString(CultureInfo.InvariantCulture)}", () =>
    {
        var ids = IdsOf(application);
        return ((IReadOnlyList<string>)[.. ids.Skip((page - 1) * PageSize).Take(PageSize)], (int?)Counts(ids.Count));
    });

    private List<string> IdsOf(string application) =>
        [.. devices.Where(d => d.Value.TryGetValue(TtsServer.Identity, out var record) && record.Ids.ApplicationIds.ApplicationId == application).Select(d => d.Key)];

    public Task<string?> AtAsync(string application, int place, CancellationToken cancellation) =>
        Serve($"IS List at {place.ToString(CultureInfo.InvariantCulture)}", () => IdsOf(application).ElementAtOrDefault(place - 1));

    public Task<Failure?> MissingRightsAsync(string application, IReadOnlyCollection<Right> needed, CancellationToken cancellation) => Task.FromResult<Failure?>(null);

    public Task<TtsAnswer> GetAsync(TtsServer server, EndDeviceIdentifiers ids, IReadOnlyList<string> paths, CancellationToken cancellation) => Serve($"{Name(server)} Get {ids.DeviceId}", () =>
    {
        var forbidden = paths.Where(path => Refused.Contains(path) || (path == TtsMasks.ProfilePath && Profiles.Count == 0)).ToList();
        if (forbidden.Count > 0)
            throw Error(StatusCode.InvalidArgument, "pkg/rpcmiddleware/validator", "field_mask_paths", "forbidden path(s) in field mask", ("forbidden_paths", $"[{string.Join(' ', forbidden)}]"));
        if (Find(server, ids) is not { } record)
            throw NotFound(server);
        var answer = MessageMask.Create(EndDevice.Descriptor, paths.Where(path => path != TtsMasks.ProfilePath)).Select(record);
        answer.Ids = record.Ids.Clone();
        if (server == TtsServer.Identity)
            answer.Ids.DevAddr = Google.Protobuf.ByteString.Empty;
        answer.CreatedAt = record.CreatedAt;
        answer.UpdatedAt = record.UpdatedAt;
        if (server == TtsServer.Network && ProfileOf.TryGetValue(ids.DeviceId, out var profile))
        {
            answer.MacSettings = null;
            answer = WithField57(answer, new ProfileIdentifiers { ApplicationIds = new ApplicationIds { ApplicationId = ids.ApplicationIds.ApplicationId }, ProfileId = profile });
        }
        return new TtsAnswer(answer, [.. Warnings]);
    });

    public Task CreateAsync(EndDevice device, CancellationToken cancellation) => Serve($"IS Create {device.Ids.DeviceId}", () =>
    {
        Add(device.Ids.DeviceId, TtsServer.Identity, device.Clone());
        return true;
    });

    public Task<EndDevice> SetAsync(TtsServer server, EndDevice device, IReadOnlyList<string> paths, CancellationToken cancellation) => Serve($"{Name(server)} Set {device.Ids.DeviceId}", () =>
    {
        var record = Find(server, device.Ids)?.Clone() ?? new EndDevice { Ids = device.Ids.Clone() };
        MessageMask.Create(EndDevice.Descriptor, paths).Copy(device, record);
        Add(device.Ids.DeviceId, server, record);
        return record;
    });

    public Task<bool> DeleteAsync(TtsServer server, EndDeviceIdentifiers ids, CancellationToken cancellation) => Serve($"{Name(server)} Delete {ids.DeviceId}", () =>
    {
        var found = devices.TryGetValue(ids.DeviceId, out var records) && records.Remove(server);
        if (records is { Count: 0 })
            devices.Remove(ids.DeviceId);
        return found;
    });

    public Task<Profile> GetProfileAsync(ProfileIdentifiers ids, CancellationToken cancellation) => Serve($"NS GetProfile {ids.ProfileId}", () =>
        Profiles.TryGetValue(ids.ProfileId, out var settings)
            ? new Profile { Ids = ids, MacSettings = Google.Protobuf.MessageExtensions.ToByteString(settings) }
            : throw Error(StatusCode.NotFound, "pkg/redis", "not_found", "entity not found"));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public static RegistryException Error(StatusCode code, string space, string name, string message, params (string Name, string Value)[] attributes) => new(
        new Failure(message) { Namespace = space, Name = name, Attributes = attributes.ToDictionary(a => a.Name, a => a.Value) },
        new RpcException(new HostPort("localhost", 1884), code, message, RpcFailureOrigin.Server));

    private static RegistryException NotFound(TtsServer server) => server switch
    {
        TtsServer.Identity => Error(StatusCode.NotFound, "pkg/identityserver/store", "end_device_not_found", "end device not found"),
        TtsServer.Join => Error(StatusCode.NotFound, "pkg/joinserver", "device_not_found", "device not found"),
        _ => Error(StatusCode.NotFound, "pkg/redis", "not_found", "entity not found"),
    };

    private static EndDevice WithField57(EndDevice device, ProfileIdentifiers ids)
    {
        using var stream = new MemoryStream();
        Google.Protobuf.MessageExtensions.WriteTo(device, stream);
        using (var output = new Google.Protobuf.CodedOutputStream(stream, leaveOpen: true))
        {
            output.WriteTag(57, Google.Protobuf.WireFormat.WireType.LengthDelimited);
            output.WriteMessage(ids);
        }
        return EndDevice.Parser.ParseFrom(stream.ToArray());
    }

    private static string Name(TtsServer server) => server switch
    {
        TtsServer.Identity => "IS",
        TtsServer.Join => "JS",
        TtsServer.Application => "AS",
        _ => "NS",
    };

    private EndDevice? Find(TtsServer server, EndDeviceIdentifiers ids) =>
        devices.TryGetValue(ids.DeviceId, out var records) && records.TryGetValue(server, out var record)
        && (server != TtsServer.Identity || record.Ids.ApplicationIds.ApplicationId == ids.ApplicationIds.ApplicationId)
            ? record
            : null;

    private Task<T> Serve<T>(string call, Func<T> serve)
    {
        lock (devices)
        {
            Calls.Add(call);
            try
            {
                Before(call);
                return Task.FromResult(serve());
            }
            catch (RegistryException e)
            {
                return Task.FromException<T>(e);
            }
        }
    }
}
