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

    public SourceDevice FromRecord(string application, string id, ReadOnlyMemory<byte> record) => throw new NotSupportedException();

    public RetireWay DefaultWay(SourceDevice device) => throw new NotSupportedException();

    public RetirePlan PlanRetirement(SourceDevice device, RetireScope scope, RetireWay way) => throw new NotSupportedException();

    public RecordMatch Compare(SourceDevice now, SourceDevice exported, RetirePlan plan) => throw new NotSupportedException();

    public Task<ChangeOutcome> RetireAsync(SourceDevice expected, RetirePlan plan, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<IReadOnlyList<ChangeOutcome>> ConfirmAsync(IReadOnlyList<AcceptedRetirement> accepted, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<ChangeOutcome> RestoreAsync(SourceDevice original, RetirePlan plan, bool dryRun, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
