using LoRaWan;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Import;
using TheThingsStack.Registries;

namespace Migration.Verify;

/// <summary>
/// Watches devices that have not arrived. A round costs few calls: pages of a thousand with the time each device was last seen, or twenty
/// devices a call, whichever is fewer; then one call for each device that was seen since the last round. Every tenth round asks for all
/// sessions, for clusters that do not note when devices are seen, and for a new list of the old network. Rounds follow each other quickly while
/// devices arrive, more slowly while none does, and never so that they make more than five calls a second.
/// </summary>
/// <param name="target">The cluster.</param>
/// <param name="clock">Clock.</param>
/// <param name="source">The old network; null when it is not asked.</param>
/// <param name="waiting">The devices; those that arrive are taken out.</param>
/// <param name="prefixes">Addresses that the target's network routes; null when it does not say.</param>
internal sealed class Watch(ITargetDevices target, TimeProvider clock, OldNetwork? source, List<WaitingDevice> waiting, IReadOnlyList<DevAddrPrefix>? prefixes)
{
    private const int RoundsBetweenFullLooks = 10;
    private const int SessionsAtOnce = 256;
    private const int SightingsAtOnce = 16;

    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan PerCall = TimeSpan.FromSeconds(0.2);

    private readonly Dictionary<string, int> totals = new(StringComparer.Ordinal);
    private int calls;
    private int nextSighting;

    /// <summary>Runs rounds until all have arrived or the time is up; those left stay in the list, with what was last known.</summary>
    public async Task RunAsync(DateTimeOffset deadline, Func<WaitingDevice, ValueTask> settled, Action<DateTimeOffset, Failure?> progress, CancellationToken cancellation)
    {
        var pause = Shortest;
        Failure? trouble = null;
        for (var round = 1; waiting.Count > 0; round++)
        {
            var left = deadline - clock.GetUtcNow();
            if (left <= TimeSpan.Zero)
                return;
            var wait = pause < left ? pause : left;
            progress(clock.GetUtcNow() + wait, trouble);
            await Task.Delay(wait, clock, cancellation);
            calls = 0;
            trouble = null;
            var before = waiting.Count;
            var askAll = round % RoundsBetweenFullLooks == 0 || wait < pause;
            try
            {
                await AskTargetAsync(askAll, cancellation);
                if (source is not null)
                    await AskSourceAsync(source, askAll, pause / 2, cancellation);
            }
            catch (FailureException e) when (!Verifier.IsRefused(e))
            {
                // A network that is away for an hour must not end a watch of a day.
                trouble = e.Failure;
            }
            finally
            {
                // Also after a failure: whoever was seen to arrive has arrived.
                foreach (var device in waiting.Where(static device => !CutOver.MayStillArrive(device.Device.State)))
                    await settled(device);
                waiting.RemoveAll(static device => !CutOver.MayStillArrive(device.Device.State));
            }
            pause = waiting.Count < before ? Shortest : TimeSpan.FromTicks(Math.Min(Longest.Ticks, pause.Ticks * 3 / 2));
            var polite = PerCall * calls;
            pause = pause < polite ? polite : pause;
        }
    }

    private async Task AskTargetAsync(bool askAll, CancellationToken cancellation)
    {
        var places = new Dictionary<(string, string), int>(waiting.Count);
        for (var i = 0; i < waiting.Count; i++)
            places[(waiting[i].Device.Application, waiting[i].Device.DeviceId)] = i;
        var asked = new List<(int Place, DateTimeOffset? LastSeen)>();
        var unlisted = askAll ? Enumerable.Range(0, waiting.Count).ToHashSet() : [];
        foreach (var application in waiting.Select(static device => device.Device.Application).Distinct(StringComparer.Ordinal).ToList())
        {
            await foreach (var identity in IdentitiesAsync(application, cancellation))
            {
                if (!places.TryGetValue((application, identity.Ids.DeviceId), out var place))
                    continue;
                unlisted.Remove(place);
                var lastSeen = identity.LastSeenAt?.ToDateTimeOffset();
                if (askAll || lastSeen != waiting[place].Device.LastSeenAt)
                    asked.Add((place, lastSeen));
            }
        }
        foreach (var chunk in asked.Chunk(SessionsAtOnce))
            await Task.WhenAll(chunk.Select(device => AskAsync(device.Place, device.LastSeen, cancellation)));
        foreach (var chunk in unlisted.GroupBy(place => waiting[place].Device.Application, StringComparer.Ordinal).SelectMany(static places => places.Chunk(DeviceRegistry.BatchSize)))
            await AskForDeletedAsync(chunk, cancellation);
    }

    /// <summary>Devices that a list did not show: pages shift while devices come and go, so each is asked for by its ID.</summary>
    private async Task AskForDeletedAsync(int[] places, CancellationToken cancellation)
    {
        calls++;
        var ids = places.Select(place => waiting[place].Device.DeviceId).ToList();
        var found = (await target.IdentitiesAsync(waiting[places[0]].Device.Application, ids, cancellation)).Select(static device => device.Ids.DeviceId).ToHashSet(StringComparer.Ordinal);
        foreach (var place in places.Where(place => !found.Contains(waiting[place].Device.DeviceId)))
            waiting[place] = waiting[place] with { Device = waiting[place].Device with { Missing = DeviceServers.IdentityServer } };
    }

    /// <summary>A new list now and then; and in turn as many single devices as there is time for, since an old network may allow few calls.</summary>
    private async Task AskSourceAsync(OldNetwork network, bool again, TimeSpan time, CancellationToken cancellation)
    {
        if (again)
        {
            network.Forget();
            for (var i = 0; i < waiting.Count; i++)
                waiting[i] = await network.LookAsync(waiting[i], cancellation);
        }
        var end = clock.GetUtcNow() + time;
        for (var asked = 0; asked < waiting.Count && clock.GetUtcNow() < end; asked += SightingsAtOnce)
        {
            var places = Enumerable.Range(0, Math.Min(SightingsAtOnce, waiting.Count - asked)).Select(_ => nextSighting = (nextSighting + 1) % waiting.Count)
                .Where(place => OldNetwork.IsWorthAsking(waiting[place])).ToList();
            await Task.WhenAll(places.Select(async place => waiting[place] = await network.AskAsync(waiting[place], cancellation)));
        }
    }

    private async IAsyncEnumerable<EndDevice> IdentitiesAsync(
        string application, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var ids = waiting.Where(device => device.Device.Application == application).Select(static device => device.Device.DeviceId).ToList();
        var batches = (ids.Count + DeviceRegistry.BatchSize - 1) / DeviceRegistry.BatchSize;
        var pages = totals.TryGetValue(application, out var total) ? (total + IdentityServerClient.PageSize - 1) / IdentityServerClient.PageSize : 1;
        if (batches <= pages)
        {
            foreach (var chunk in ids.Chunk(DeviceRegistry.BatchSize))
            {
                calls++;
                foreach (var device in await target.IdentitiesAsync(application, chunk, cancellation))
                    yield return device;
            }
            yield break;
        }
        for (var page = 1; ; page++)
        {
            calls++;
            var found = await target.LastSeenAsync(application, page, cancellation);
            if (found.Total is { } number)
                totals[application] = number;
            foreach (var device in found.Devices)
                yield return device;
            if (found.Devices.Count < IdentityServerClient.PageSize)
                yield break;
        }
    }

    /// <summary>That it was seen is only taken down once it was asked: a round that breaks off in between is made up for by the next one.</summary>
    private async Task AskAsync(int place, DateTimeOffset? lastSeen, CancellationToken cancellation)
    {
        var (device, mark) = waiting[place];
        var ids = new EndDeviceIdentifiers { ApplicationIds = new ApplicationIdentifiers { ApplicationId = device.Application }, DeviceId = device.DeviceId };
        try
        {
            Interlocked.Increment(ref calls);
            var network = await target.SessionAsync(ids, cancellation);
            waiting[place] = waiting[place] with { Device = CutOver.Heard(device, mark, network?.Session, lastSeen, prefixes, multicast: false) };
        }
        catch (RegistryException e) when (!e.ConcernsAll)
        {
            // Asked again in the next round.
        }
    }
}
