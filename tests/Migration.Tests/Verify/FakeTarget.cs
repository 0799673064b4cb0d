using LoRaWan;
using Migration.Verify;
using Rpc;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Migration.Tests.Verify;

/// <summary>A cluster in memory; things happen to its devices as its clock goes on.</summary>
public sealed class FakeTarget(TimeProvider clock) : ITargetDevices
{
    private readonly SortedDictionary<string, TargetRecords> devices = new(StringComparer.Ordinal);
    private readonly List<(DateTimeOffset At, Action What)> events = [];

    public IDictionary<string, int> Calls { get; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>Fails a call; null lets it through. Gets the name of the call and the device or application.</summary>
    public Func<string, string, FailureException?> Fault { get; set; } = (_, _) => null;

    public TargetRecords this[string id] => devices[id];

    public void Add(EndDevice sent) => devices[sent.Ids.DeviceId] = SampleDevices.Import(sent);

    public void Remove(string id, Func<TargetRecords, TargetRecords> what) => devices[id] = what(devices[id]);

    public void JoinsAt(string id, DateTimeOffset at) => events.Add((at, () => SampleDevices.Join(devices[id], at)));

    public void SendsAt(string id, DateTimeOffset at) => events.Add((at, () => SampleDevices.Uplink(devices[id], at)));

    public Task<Failure?> MissingRightsAsync(string application, CancellationToken cancellation) => Call<Failure?>("rights", application, () => null);

    public bool Tells(global::TheThingsStack.Import.DeviceServers server, string path) => true;

    public Task<IReadOnlyList<EndDevice>> IdentitiesAsync(string application, IReadOnlyList<string> deviceIds, CancellationToken cancellation) =>
        Call<IReadOnlyList<EndDevice>>("identities", application, () =>
        {
            Assert.InRange(deviceIds.Count, 1, DeviceRegistry.BatchSize);
            return [.. deviceIds.Where(devices.ContainsKey).Select(id => devices[id].Identity).OfType<EndDevice>()];
        });

    public Task<EndDevice?> NetworkAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => Call("network", ids.DeviceId, () => Find(ids)?.Network);

    public Task<EndDevice?> ApplicationAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => Call("application", ids.DeviceId, () => Find(ids)?.Application);

    public Task<EndDevice?> JoinAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => Call("join", ids.DeviceId, () => Find(ids)?.Join);

    public Task<EndDevice?> SessionAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => Call("session", ids.DeviceId, () => Find(ids)?.Network);

    public Task<DevicePage> LastSeenAsync(string application, int page, CancellationToken cancellation) => Call("page", application, () =>
        new DevicePage([.. devices.Values.Select(device => device.Identity).OfType<EndDevice>().Skip((page - 1) * IdentityServerClient.PageSize).Take(IdentityServerClient.PageSize)], devices.Count));

    public Task<IReadOnlyList<DevAddrPrefix>> PrefixesAsync(CancellationToken cancellation) =>
        Call<IReadOnlyList<DevAddrPrefix>>("prefixes", "", () => [DevAddrPrefix.Parse("260B0000/16")]);

    public int CallsOf(string name) => Calls.TryGetValue(name, out var count) ? count : 0;

    /// <summary>A failure as the clients give it.</summary>
    public static RegistryException Failure(StatusCode code, bool notAuthorised = false)
    {
        var cause = new RpcException(new HostPort("tts.example", 8884), code, "no answer", RpcFailureOrigin.Server);
        return new RegistryException(new Failure($"{code}") { NotAuthorised = notAuthorised }, cause);
    }

    private TargetRecords? Find(EndDeviceIdentifiers ids) => devices.GetValueOrDefault(ids.DeviceId);

    private Task<T> Call<T>(string name, string what, Func<T> answer)
    {
        lock (devices)
        {
            Calls[name] = CallsOf(name) + 1;
            foreach (var due in events.Where(entry => entry.At <= clock.GetUtcNow()).ToList())
            {
                events.Remove(due);
                due.What();
            }
            return Fault(name, what) is { } failure ? Task.FromException<T>(failure) : Task.FromResult(answer());
        }
    }
}

/// <summary>A clock on which every wait is over at once, and time goes on by as much.</summary>
internal sealed class JumpClock(DateTimeOffset start) : TimeProvider
{
    private long skipped;

    public override DateTimeOffset GetUtcNow() => start.AddTicks(Interlocked.Read(ref skipped));

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero)
            Interlocked.Add(ref skipped, dueTime.Ticks);
        return System.CreateTimer(callback, state, dueTime == Timeout.InfiniteTimeSpan ? dueTime : TimeSpan.Zero, period);
    }
}
