using System.Runtime.CompilerServices;
using Cli.CommandLine;
using Cli.Journals;
using Cli.Networks;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Migration;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Cli.Tests;

/// <summary>A network in memory: devices by ID, with what is to happen to them.</summary>
internal sealed class FakeNetwork : IDeviceSource
{
    private readonly Dictionary<string, Failure> _rejected = [];

    /// <summary>IDs of its one application.</summary>
    public List<string> Devices { get; init; } = [];

    /// <summary>Devices that were retired, in order.</summary>
    public List<string> Retired { get; } = [];

    /// <summary>Called before a device is read.</summary>
    public Func<string, Task> OnRead { get; init; } = _ => Task.CompletedTask;

    /// <summary>Called before a device is retired.</summary>
    public Func<string, Task> OnRetire { get; init; } = _ => Task.CompletedTask;

    public ILogger? Log { get; private set; }

    public IReadOnlyList<string> DecidedByDefault { get; init; } = [];

    public TimeSpan LeastTimeToRetire { get; init; }

    public string? Guide(string noteCode) => noteCode == "abp_left_running" ? "delete it there" : null;

    public void Reject(string id, Failure failure) => _rejected[id] = failure;

    /// <summary>The network as the command <c>fake</c>.</summary>
    public SourceDefinition Define() => new()
    {
        Name = "fake",
        Summary = "Export devices from a fake",
        Description = "Migrate from a fake",
        Flags = static () =>
        [
            new Flag("app-id", FlagKind.Text, "Application") { Variables = [new("FAKE_APP_ID")] },
            new Flag("key", FlagKind.Text, "Key") { Secret = true, Variables = [new("FAKE_KEY")] },
            new Flag("with-session", FlagKind.Switch, "Session") { Default = "true", Variables = [new("FAKE_SESSION")] },
        ],
        Check = static flags => flags.Require("app-id", "fake", "no_app_id", "no app id"),
        Open = (_, context) =>
        {
            Log = context.Log;
            return this;
        },
        Journal = new JournalSupport(static _ => "fake.example.com:1", static flags => flags.Text("app-id").Value, (_, _, _) => this) { IsServerGiven = static _ => false },
    };

    public DeviceReference Refer(string id) => new("app", id);

    public async IAsyncEnumerable<DeviceReference> ListAsync(string application, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await Task.Yield();
        foreach (var id in Devices)
            yield return new DeviceReference(application, id);
    }

    public async Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation)
    {
        await OnRead(device.Id);
        cancellation.ThrowIfCancellationRequested();
        return new Device(device);
    }

    public MapResult Map(SourceDevice device)
    {
        if (_rejected.TryGetValue(device.Id, out var failure))
            return new MapResult.Rejected(failure);
        var end = new EndDevice
        {
            Ids = new EndDeviceIdentifiers
            {
                DeviceId = device.Id,
                ApplicationIds = new ApplicationIdentifiers { ApplicationId = "app" },
                DevEui = ByteString.CopyFrom(1, 2, 3, 4, 5, 6, 7, (byte)device.Id.Length),
            },
        };
        var abp = device.Id.StartsWith("abp", StringComparison.Ordinal);
        return new MapResult.Mapped(
            end, abp ? RetireScope.None : RetireScope.RootKeys, abp ? [new Note("abp_left_running", "an ABP device is left running", NeedsPerson: true)] : []);
    }

    public SourceDevice FromRecord(string application, string id, ReadOnlyMemory<byte> record) => new Device(new DeviceReference(application, id));

    public RetireWay DefaultWay(SourceDevice device) => device.Id.StartsWith("abp", StringComparison.Ordinal) ? RetireWay.Delete : RetireWay.Rotate;

    public RetirePlan PlanRetirement(SourceDevice device, RetireScope scope, RetireWay way) => new(way, way == RetireWay.Delete ? null : "retired"u8.ToArray());

    public RecordMatch Compare(SourceDevice now, SourceDevice exported, RetirePlan plan) => Retired.Contains(now.Id) ? RecordMatch.Replaced : RecordMatch.Original;

    public async Task<ChangeOutcome> RetireAsync(SourceDevice expected, RetirePlan plan, CancellationToken cancellation)
    {
        await OnRetire(expected.Id);
        lock (Retired)
            Retired.Add(expected.Id);
        return new ChangeOutcome(ChangeResult.Accepted);
    }

    public Task<IReadOnlyList<ChangeOutcome>> ConfirmAsync(IReadOnlyList<AcceptedRetirement> accepted, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<ChangeOutcome>>([.. accepted.Select(_ => new ChangeOutcome(ChangeResult.Done))]);

    public Task<ChangeOutcome> RestoreAsync(SourceDevice original, RetirePlan plan, bool dryRun, CancellationToken cancellation)
    {
        if (!dryRun)
            Retired.Remove(original.Id);
        return Task.FromResult(new ChangeOutcome(ChangeResult.Done));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class Device(DeviceReference reference) : SourceDevice(reference.Application, reference.Id)
    {
        public override ReadOnlyMemory<byte> Record => "record"u8.ToArray();
    }
}
