using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Google.Protobuf;
using LoRaWan;
using Migration;
using TheThingsStack.Errors;

namespace Sources.Wanesy;

/// <summary>
/// The Wanesy Management Center of Kerlink, from its CSV file (facts/wanesy.md). Nothing is ever written there: devices have to be removed
/// by hand.
/// </summary>
public sealed class WanesySource : IDeviceSource
{
    private const string Package = "source/wanesy";
    private const int SessionKeyIdLength = 16;

    private readonly WanesyOptions options;
    private readonly SourceContext context;
    private readonly WanesyFile file;
    private readonly SemaphoreSlim reading = new(1);
    private readonly ConcurrentDictionary<DevEui, byte> wanted = new();
    private Dictionary<DevEui, List<long>>? duplicates;
    private Dictionary<DevEui, WanesyDevice> named = [];
    private int namedFor;

    private WanesySource(WanesyOptions options, SourceContext context, WanesyFile file)
    {
        this.options = options;
        this.context = context;
        this.file = file;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> DecidedByDefault => file.Columns.Unknown.Count == 0
        ? []
        : [$"{(file.Columns.Unknown.Count == 1 ? "the column" : "columns")} {string.Join(", ", file.Columns.Unknown.Select(c => $"`{c}`"))} of {file.Name} {(file.Columns.Unknown.Count == 1 ? "is" : "are")} not known and not used; correct the name in the first line if it should be"];

    /// <summary>Reads the first lines of the file.</summary>
    /// <exception cref="FailureException">The file cannot be used.</exception>
    public static WanesySource Open(WanesyOptions options, SourceContext context) => new(options, context, WanesyFile.Open(options));

    /// <inheritdoc/>
    public string? Guide(string noteCode) => WanesyMapping.Guide(noteCode);

    /// <inheritdoc/>
    public DeviceReference Refer(string id)
    {
        if (!WanesyHex.TryReadTyped(id, out var devEui, out _))
            return new DeviceReference(options.ApplicationId, id);
        wanted.TryAdd(devEui, 0);
        return new DeviceReference(options.ApplicationId, devEui.ToString());
    }

    /// <summary>All rows, whatever the application is called: the file is one.</summary>
    public async IAsyncEnumerable<DeviceReference> ListAsync(string application, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await FindDuplicatesAsync(cancellation);
        await foreach (var row in file.RowsAsync(cancellation))
        {
            var device = row.DevEui is { } devEui && duplicates!.TryGetValue(devEui, out var lines) ? row.With(Duplicate(lines)) : row;
            yield return new DeviceReference(device.Application, device.Id) { Listed = device };
        }
    }

    /// <inheritdoc/>
    public async Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation)
    {
        var found = device.Listed as WanesyDevice ?? await FindAsync(device.Id, cancellation);
        if (WanesyMapping.NeedsPlan(found))
            found.Plan = await context.FrequencyPlans.FindAsync(options.FrequencyPlanId, cancellation);
        return found;
    }

    /// <inheritdoc/>
    public MapResult Map(SourceDevice device)
    {
        var row = (WanesyDevice)device;
        return WanesyMapping.Map(row, options.FrequencyPlanId, new WanesyMappingContext(NewSessionKeyId, context.Clock.GetUtcNow(), row.Plan));
    }

    /// <inheritdoc/>
    public SourceDevice FromRecord(string application, string id, ReadOnlyMemory<byte> record) => WanesyFile.FromRecord(application, record);

    /// <summary>The only way there is, for people who do it by hand.</summary>
    public RetireWay DefaultWay(SourceDevice device) => RetireWay.Delete;

    /// <inheritdoc/>
    public RetirePlan PlanRetirement(SourceDevice device, RetireScope scope, RetireWay way) => throw new FailureException(NotFromHere);

    /// <inheritdoc/>
    public RecordMatch Compare(SourceDevice now, SourceDevice exported, RetirePlan plan) =>
        WanesyMapping.HaveSameKeys((WanesyDevice)now, (WanesyDevice)exported) ? RecordMatch.Original : RecordMatch.Other;

    /// <inheritdoc/>
    public Task<ChangeOutcome> RetireAsync(SourceDevice expected, RetirePlan plan, CancellationToken cancellation) => Task.FromResult(Refusal());

    /// <inheritdoc/>
    public Task<IReadOnlyList<ChangeOutcome>> ConfirmAsync(IReadOnlyList<AcceptedRetirement> accepted, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<ChangeOutcome>>([.. accepted.Select(_ => Refusal())]);

    /// <inheritdoc/>
    public Task<ChangeOutcome> RestoreAsync(SourceDevice original, RetirePlan plan, bool dryRun, CancellationToken cancellation) => Task.FromResult(Refusal());

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        reading.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Failure NotFromHere { get; } = Failure.Named(Package, "not_supported", "devices of Wanesy cannot be changed from here: only its file is known") with
    {
        Advice = "remove the device in the Wanesy Management Center",
    };

    private static ChangeOutcome Refusal() => new(ChangeResult.Unchanged) { Failure = NotFromHere };

    private Failure Duplicate(List<long> lines) =>
        Failure.Named(Package, "duplicate_dev_eui", $"{lines.Count} rows have its DevEUI") with
        {
            Advice = $"{file.Name}: look at lines {string.Join(", ", lines)} and keep the row that is right",
        };

    /// <summary>Finds DevEUIs that several rows have: 12 bytes a row while counting, then only those.</summary>
    private async Task FindDuplicatesAsync(CancellationToken cancellation)
    {
        await reading.WaitAsync(cancellation);
        try
        {
            if (duplicates is not null)
                return;
            var euis = new List<DevEui>();
            var lines = new List<int>();
            await foreach (var (devEui, line) in file.DevEuisAsync(cancellation))
            {
                euis.Add(devEui);
                lines.Add((int)line);
            }
            var keys = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(euis);
            var places = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(lines);
            keys.Sort(places, static (a, b) => a.Value.CompareTo(b.Value));
            var found = new Dictionary<DevEui, List<long>>();
            for (var i = 1; i < keys.Length; i++)
            {
                if (keys[i] != keys[i - 1])
                    continue;
                if (!found.TryGetValue(keys[i], out var together))
                    found[keys[i]] = together = [places[i - 1]];
                together.Add(places[i]);
            }
            foreach (var together in found.Values)
                together.Sort();
            duplicates = found;
        }
        finally
        {
            reading.Release();
        }
    }

    /// <summary>Gives a device that the user named: one pass over the file serves all that were named so far.</summary>
    private async Task<WanesyDevice> FindAsync(string id, CancellationToken cancellation)
    {
        if (!WanesyHex.TryReadTyped(id, out var devEui, out var failure))
            throw new FailureException(failure);
        wanted.TryAdd(devEui, 0);
        await reading.WaitAsync(cancellation);
        try
        {
            if (namedFor != wanted.Count)
                await FindNamedAsync(cancellation);
            return named.TryGetValue(devEui, out var device) ? device : throw new DeviceNotFoundException(NotFound(devEui));
        }
        finally
        {
            reading.Release();
        }
    }

    private async Task FindNamedAsync(CancellationToken cancellation)
    {
        var count = wanted.Count;
        var found = new Dictionary<DevEui, WanesyDevice>();
        var lines = new Dictionary<DevEui, List<long>>();
        await foreach (var row in file.RowsAsync(cancellation))
        {
            if (row.DevEui is not { } devEui || !wanted.ContainsKey(devEui))
                continue;
            if (found.TryAdd(devEui, row))
                continue;
            if (!lines.TryGetValue(devEui, out var together))
                lines[devEui] = together = [found[devEui].Line];
            together.Add(row.Line);
        }
        foreach (var (devEui, together) in lines)
            found[devEui] = found[devEui].With(Duplicate(together));
        named = found;
        namedFor = count;
    }

    private Failure NotFound(DevEui devEui) =>
        Failure.Named(Package, "no_device_found", $"no device with eui `{devEui}` found") with
        {
            Attributes = new Dictionary<string, string> { ["eui"] = devEui.ToString() },
            Advice = $"no row of {file.Name} has this DevEUI",
        };

    private ByteString NewSessionKeyId()
    {
        var id = new byte[SessionKeyIdLength];
        context.Entropy(id);
        return UnsafeByteOperations.UnsafeWrap(id);
    }
}
