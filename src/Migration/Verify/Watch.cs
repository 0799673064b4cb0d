using LoRaWan;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Migration.Verify;

/// <summary>
/// Watches devices that have not arrived. A round costs few calls: pages of a thousand with the time each device was last seen, or twenty
/// devices a call, whichever is fewer; then one call for each device that was seen since the last round. Every tenth round asks for all
/// sessions, for clusters that do not note when devices are seen. Rounds follow each other quickly while devices arrive, more slowly while none
/// does, and never so that they make more than five calls a second.
/// </summary>
internal sealed record Watch(ITargetDevices Target, VerifyOptions Options, List<WaitingDevice> Waiting, IReadOnlyList<DevAddrPrefix>? Prefixes)
{
    private const int RoundsBetweenFullLooks = 10;
    private const int SessionsAtOnce = 256;

    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan PerCall = TimeSpan.FromSeconds(0.2);

    private int calls;

    /// <summary>Runs rounds until all have arrived or the time is up; those left stay in <see cref="Waiting"/>, with what was last known.</summary>
    public async Task RunAsync(DateTimeOffset deadline, Func<WaitingDevice, ValueTask> settled, Action<DateTimeOffset, Failure?> progress, CancellationToken cancellation)
    {
        var pause = Shortest;
        var totals = new Dictionary<string, int>(StringComparer.Ordinal);
        Failure? trouble = null;
        for (var round = 1; Waiting.Count > 0; round++)
        {
            var now = Options.Clock.GetUtcNow();
            var left = deadline - now;
            if (left <= TimeSpan.Zero)
                return;
            var wait = pause < left ? pause : left;
            progress(now + wait, trouble);
            await Task.Delay(wait, Options.Clock, cancellation);
            calls = 0;
            trouble = null;
            var before = Waiting.Count;
            try
            {
                await RoundAsync(totals, round % RoundsBetweenFullLooks == 0 || wait < pause, settled, cancellation);
            }
            catch (FailureException e) when (!Verifier.IsRefused(e))
            {
                // A network that is away for an hour must not end a watch of a day.
                trouble = e.Failure;
            }
            pause = Waiting.Count < before ? Shortest : TimeSpan.FromTicks(Math.Min(Longest.Ticks, pause.Ticks * 3 / 2));
            var polite = PerCall * calls;
            pause = pause < polite ? polite : pause;
        }
    }

    private async Task RoundAsync(Dictionary<string, int> totals, bool askAll, Func<WaitingDevice, ValueTask> settled, CancellationToken cancellation)
    {
        var places = new Dictionary<(string, string), int>(Waiting.Count);
        for (var i = 0; i < Waiting.Count; i++)
            places[(Waiting[i].Device.Application, Waiting[i].Device.DeviceId)] = i;
        var asked = new List<int>();
        foreach (var application in Waiting.Select(static device => device.Device.Application).Distinct(StringComparer.Ordinal).ToList())
        {
            await foreach (var identity in IdentitiesAsync(application, totals, cancellation))
            {
                if (!places.TryGetValue((application, identity.Ids.DeviceId), out var place))
                    continue;
                var lastSeen = identity.LastSeenAt?.ToDateTimeOffset();
                var device = Waiting[place].Device;
                if (askAll || lastSeen != device.LastSeenAt)
                    asked.Add(place);
                Waiting[place] = Waiting[place] with { Device = device with { LastSeenAt = lastSeen } };
            }
        }
        try
        {
            foreach (var chunk in asked.Chunk(SessionsAtOnce))
                await Task.WhenAll(chunk.Select(place => AskAsync(place, cancellation)));
        }
        finally
        {
            // Also after a failure: whoever was seen to arrive has arrived.
            foreach (var device in Waiting.Where(static device => !CutOver.MayStillArrive(device.Device.State)))
                await settled(device);
            Waiting.RemoveAll(static device => !CutOver.MayStillArrive(device.Device.State));
        }
    }

    private async IAsyncEnumerable<EndDevice> IdentitiesAsync(
        string application, Dictionary<string, int> totals, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var waiting = Waiting.Where(device => device.Device.Application == application).Select(static device => device.Device.DeviceId).ToList();
        var batches = (waiting.Count + DeviceRegistry.BatchSize - 1) / DeviceRegistry.BatchSize;
        var pages = totals.TryGetValue(application, out var total) ? (total + IdentityServerClient.PageSize - 1) / IdentityServerClient.PageSize : 1;
        if (batches <= pages)
        {
            foreach (var chunk in waiting.Chunk(DeviceRegistry.BatchSize))
            {
                calls++;
                foreach (var device in await Target.IdentitiesAsync(application, chunk, cancellation))
                    yield return device;
            }
            yield break;
        }
        for (var page = 1; ; page++)
        {
            calls++;
            var found = await Target.LastSeenAsync(application, page, cancellation);
            if (found.Total is { } number)
                totals[application] = number;
            foreach (var device in found.Devices)
                yield return device;
            if (found.Devices.Count < IdentityServerClient.PageSize)
                yield break;
        }
    }

    private async Task AskAsync(int place, CancellationToken cancellation)
    {
        var waiting = Waiting[place];
        var ids = new EndDeviceIdentifiers { ApplicationIds = new ApplicationIdentifiers { ApplicationId = waiting.Device.Application }, DeviceId = waiting.Device.DeviceId };
        try
        {
            Interlocked.Increment(ref calls);
            var source = waiting.Journal is { } name && Options.SeenAtSource is { } ask ? await ask(name, cancellation) : waiting.Device.SeenAtSource;
            var network = await Target.SessionAsync(ids, cancellation);
            Waiting[place] = waiting with
            {
                Device = CutOver.Heard(waiting.Device with { SeenAtSource = source }, waiting.Mark, network?.Session, waiting.Device.LastSeenAt, Prefixes, multicast: false),
            };
        }
        catch (RegistryException e) when (!e.ConcernsAll)
        {
            // Asked again when it is seen again, at the latest in the next full look.
            Waiting[place] = waiting with { Device = waiting.Device with { LastSeenAt = null } };
        }
    }
}
