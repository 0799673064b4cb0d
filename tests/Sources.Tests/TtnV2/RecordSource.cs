using Google.Protobuf;
using Migration;
using Sources.TtnV2;
using TheThingsStack.FrequencyPlans;

namespace Sources.Tests.TtnV2;

/// <summary>V2 records at hand in place of a V2 cluster: the mapping and the path of a device without a network.</summary>
internal sealed class RecordSource(TtnV2MappingOptions options) : IDeviceSource
{
    private readonly Dictionary<string, TtnV2Device> devices = new(StringComparer.Ordinal);

    public IReadOnlyList<string> DecidedByDefault => [];

    public List<(string Id, RetireScope Scope)> Retired { get; } = [];

    public void Add(string application, string id, byte[] record) =>
        devices[id] = TtnV2Device.Decode(application, id, record, hasCounters: true);

    public string? Guide(string noteCode) => TtnV2Mapping.Guide(noteCode);

    public DeviceReference Refer(string id) => new(devices[id].Application, id);

    public IAsyncEnumerable<DeviceReference> ListAsync(string application, CancellationToken cancellation) =>
        devices.Values.Where(d => d.Application == application).Select(d => Refer(d.Id)).ToAsyncEnumerable();

    public Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation) =>
        Task.FromResult<SourceDevice>(devices[device.Id]);

    public MapResult Map(SourceDevice device) => TtnV2Mapping.Map(
        (TtnV2Device)device,
        options,
        new TtnV2SessionContext(() => ByteString.CopyFrom(new byte[16]), DateTimeOffset.UnixEpoch.AddDays(20_000), EmbeddedFrequencyPlanStore.Find(options.FrequencyPlanId)));

    public Task RetireAsync(SourceDevice device, RetireScope scope, CancellationToken cancellation)
    {
        Retired.Add((device.Id, scope));
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
