using Google.Protobuf;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Migration.Tests.Export;

/// <summary>A network in memory. Devices are named; what goes wrong is said for each.</summary>
internal sealed class FakeSource : IDeviceSource
{
    private readonly Lock gate = new();
    private readonly List<string> retired = [];
    private readonly List<string> read = [];

    public Dictionary<string, string[]> Applications { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, FailureException> ReadFailures { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, FailureException> RetireFailures { get; } = new(StringComparer.Ordinal);

    /// <summary>Devices that cannot be mapped, with the name of the failure.</summary>
    public Dictionary<string, string> Unmappable { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, Note[]> Notes { get; } = new(StringComparer.Ordinal);

    /// <summary>What each device retires; root keys when not said.</summary>
    public Dictionary<string, RetireScope> Scopes { get; } = new(StringComparer.Ordinal);

    /// <summary>Makes the end device of an application and an ID.</summary>
    public Func<string, string, EndDevice> Make { get; set; } = EndDeviceNamed;

    public Func<string, CancellationToken, Task> BeforeRead { get; set; } = (_, _) => Task.CompletedTask;

    public Func<string, CancellationToken, Task> BeforeRetire { get; set; } = (_, _) => Task.CompletedTask;

    public FailureException? ListFailure { get; set; }

    public int Lists { get; private set; }

    public IReadOnlyList<string> DecidedByDefault { get; set; } = [];

    public IReadOnlyList<string> Retired
    {
        get
        {
            lock (gate)
                return [.. retired];
        }
    }

    public IReadOnlyList<string> Read
    {
        get
        {
            lock (gate)
                return [.. read];
        }
    }

    public string? Guide(string noteCode) => noteCode == "guided" ? "do it" : null;

    public DeviceReference Refer(string id) => new("my-app", id);

    public async IAsyncEnumerable<DeviceReference> ListAsync(string application, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        Lists++;
        foreach (var id in Applications[application])
        {
            cancellation.ThrowIfCancellationRequested();
            await Task.Yield();
            yield return new DeviceReference(application, id);
        }
        if (ListFailure is not null)
            throw ListFailure;
    }

    public async Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation)
    {
        await BeforeRead(device.Id, cancellation);
        lock (gate)
            read.Add(device.Id);
        return ReadFailures.TryGetValue(device.Id, out var failure) ? throw failure : new FakeDevice(device.Application, device.Id);
    }

    public MapResult Map(SourceDevice device) =>
        Unmappable.TryGetValue(device.Id, out var name)
            ? new MapResult.Rejected(Failure.Named("source/fake", name, name.Replace('_', ' ')))
            : new MapResult.Mapped(Make(device.Application, device.Id), Scopes.GetValueOrDefault(device.Id, RetireScope.RootKeys), Notes.GetValueOrDefault(device.Id, []));

    public SourceDevice FromRecord(string application, string id, ReadOnlyMemory<byte> record) => new FakeDevice(application, id);

    public RetireWay DefaultWay(SourceDevice device) => RetireWay.Rotate;

    public RetirePlan PlanRetirement(SourceDevice device, RetireScope scope, RetireWay way) => new(way, "retired"u8.ToArray());

    public RecordMatch Compare(SourceDevice now, SourceDevice exported, RetirePlan plan) =>
        Retired.Contains(now.Id) ? RecordMatch.Replaced : RecordMatch.Original;

    public async Task<ChangeOutcome> RetireAsync(SourceDevice expected, RetirePlan plan, CancellationToken cancellation)
    {
        await BeforeRetire(expected.Id, cancellation);
        if (RetireFailures.TryGetValue(expected.Id, out var failure))
            return new ChangeOutcome(ChangeResult.Unknown) { Failure = failure.Failure, SourceFailed = failure is SourceUnavailableException };
        lock (gate)
            retired.Add(expected.Id);
        return new ChangeOutcome(ChangeResult.Accepted);
    }

    public Task<IReadOnlyList<ChangeOutcome>> ConfirmAsync(IReadOnlyList<AcceptedRetirement> accepted, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<ChangeOutcome>>([.. accepted.Select(a => new ChangeOutcome(Retired.Contains(a.Exported.Id) ? ChangeResult.Done : ChangeResult.Unknown))]);

    public Task<ChangeOutcome> RestoreAsync(SourceDevice original, RetirePlan plan, bool dryRun, CancellationToken cancellation)
    {
        lock (gate)
            retired.Remove(original.Id);
        return Task.FromResult(new ChangeOutcome(ChangeResult.Done));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public static EndDevice EndDeviceNamed(string application, string id)
    {
        var eui = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(id)).AsSpan(0, 8).ToArray();
        return new EndDevice
        {
            Ids = new EndDeviceIdentifiers
            {
                DeviceId = id,
                ApplicationIds = new ApplicationIdentifiers { ApplicationId = application },
                DevEui = ByteString.CopyFrom(eui),
                JoinEui = ByteString.CopyFrom(new byte[8]),
            },
        };
    }

    private sealed class FakeDevice(string application, string id) : SourceDevice(application, id)
    {
        public override ReadOnlyMemory<byte> Record { get; } = System.Text.Encoding.UTF8.GetBytes("record of " + id);
    }
}

/// <summary>Takes a number of bytes or of lines, then fails as a full disk or a closed pipe does.</summary>
internal sealed class FailingStream(int writes = int.MaxValue, int flushes = int.MaxValue) : MemoryStream
{
    private int written;
    private int flushed;

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        ++written > writes ? throw new IOException("No space left on device") : base.WriteAsync(buffer, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) =>
        ++flushed > flushes ? throw new IOException("Broken pipe") : Task.CompletedTask;
}

internal sealed class EventList : IProgress<ExportEvent>
{
    private readonly List<ExportEvent> events = [];

    public Action<ExportEvent> Reported { get; set; } = _ => { };

    public void Report(ExportEvent value)
    {
        events.Add(value);
        Reported(value);
    }

    public void Clear() => events.Clear();

    /// <summary>What happened to a device, by the names of the events.</summary>
    public IReadOnlyList<string> NamesOf(string id) => [.. events.Where(e => IdOf(e) == id).Select(static e => e.GetType().Name)];

    private static string? IdOf(ExportEvent value) => value switch
    {
        ExportEvent.Exported e => e.Device.Id,
        ExportEvent.Imported e => e.Device.Id,
        ExportEvent.ImportFailed e => e.Device.Id,
        ExportEvent.Retired e => e.Device.Id,
        ExportEvent.RetireFailed e => e.Device.Id,
        ExportEvent.Rejected e => e.Device.Id,
        _ => null,
    };

    public IReadOnlyList<T> Of<T>()
        where T : ExportEvent => [.. events.OfType<T>()];
}

/// <summary>Keeps what was flushed, and can be looked at from any thread.</summary>
internal sealed class FlushedStream : MemoryStream
{
    private volatile byte[] flushed = [];

    public string Flushed => System.Text.Encoding.UTF8.GetString(flushed);

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        flushed = ToArray();
        return Task.CompletedTask;
    }
}
