using Google.Protobuf;
using Migration.Import;
using Migration.Journal;
using Migration.Verify;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;
using TheThingsStack.Registries;

namespace Migration;

/// <summary>Takes devices away from The Things Stack that go back to their source, so that none is on both sides.</summary>
/// <param name="cluster">The target.</param>
/// <param name="application">Application at the target; null: the one that the journal names for each device.</param>
public sealed class TargetRemoval(ClusterClient cluster, string? application)
{
    private static readonly Right[] Needed = [Right.ApplicationDevicesRead, Right.ApplicationDevicesWrite];

    private static readonly Right[] NeededToCompare = [.. Needed, Right.ApplicationDevicesReadKeys];

    private readonly Dictionary<(string Target, int Rights), Task<Failure?>> rights = [];

    /// <summary>Address of the target's Identity Server.</summary>
    public string Server => cluster.Identity.Address.ToString();

    /// <summary>Whether devices are looked for that the journal does not know as imported.</summary>
    public bool NamesApplication => application is not null;

    /// <summary>
    /// Removes a device from all four servers, the Identity Server last: as long as it lists the device, a later run can finish. A device of
    /// the same ID with other EUIs is somebody else's and stays, and so does one with other keys that no import of this migration has made: its
    /// keys may be nowhere else.
    /// </summary>
    /// <param name="entry">The device, with its line.</param>
    /// <param name="importedTo">Application that the journal says it was imported to; null when it does not.</param>
    /// <param name="dryRun">Only look.</param>
    /// <returns>The application it was removed from; null when it is not there.</returns>
    /// <exception cref="FailureException">It is not removed, or perhaps only in part.</exception>
    public async Task<string?> RemoveAsync(JournalEntry entry, string? importedTo, bool dryRun)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (entry.Line is not { } line || (application ?? importedTo) is not { Length: > 0 } target)
            return null;
        var isOurs = entry.TargetSide != TargetSide.Unknown || importedTo is not null;
        if (await RightsAsync(target, isOurs ? Needed : NeededToCompare) is { } missing)
            throw new SourceUnavailableException(missing);
        var device = TtsJson.Read<EndDevice>(line.Span);
        var sent = device.Ids ?? new EndDeviceIdentifiers();
        var ids = new EndDeviceIdentifiers { DeviceId = sent.DeviceId, ApplicationIds = new ApplicationIdentifiers { ApplicationId = target } };
        try
        {
            var found = await cluster.Identity.FindAsync(ids, [], CancellationToken.None);
            if (found?.Ids is { } there && !(Agree(there.DevEui, sent.DevEui) && Agree(there.JoinEui, sent.JoinEui)))
                throw new FailureException(AnotherDevice(sent.DeviceId, target));
            if (found is null && await FindElsewhereAsync(entry.Device, sent) is { } elsewhere)
                throw new FailureException(Elsewhere(sent.DeviceId, elsewhere));
            if (found is not null && !isOurs && !await HasKeysOfAsync(ids, device))
                throw new FailureException(OtherKeys(sent.DeviceId, target));
            if (dryRun)
                return found is null ? null : target;
            var removed = await cluster.Application.DeleteAsync(ids, CancellationToken.None);
            removed |= await cluster.Network.DeleteAsync(ids, CancellationToken.None);
            removed |= await cluster.Join.DeleteAsync(ids, CancellationToken.None);
            removed |= await cluster.Identity.DeleteAsync(ids, CancellationToken.None);
            return removed ? target : null;
        }
        catch (RegistryException e) when (e.ConcernsAll)
        {
            throw new SourceUnavailableException(e.Failure, e);
        }
    }

    /// <summary>The target may fill in EUIs that a line does not have.</summary>
    private static bool Agree(ByteString there, ByteString sent) => sent.IsEmpty || there.Equals(sent);

    /// <summary>Deleted and registered anew under another ID, or in another application: the same device all the same.</summary>
    private async Task<EndDeviceIdentifiers?> FindElsewhereAsync(JournalDeviceId source, EndDeviceIdentifiers sent)
    {
        if (sent is not { DevEui.Length: 8, JoinEui.Length: 8 })
            return null;
        var owner = await cluster.Identity.FindByEuisAsync(sent.JoinEui, sent.DevEui, CancellationToken.None);
        // Within one cluster that is its source, where an earlier rollback has put it back.
        return (owner?.ApplicationIds?.ApplicationId, owner?.DeviceId) == (source.Application, source.DeviceId) ? null : owner;
    }

    private async Task<bool> HasKeysOfAsync(EndDeviceIdentifiers ids, EndDevice sent) =>
        await FormerDevice.ReadAsync(cluster, ids) is { } there && KeyMarks.Of(there).Answer(KeyMarks.Of(sent));

    private Task<Failure?> RightsAsync(string target, Right[] needed)
    {
        lock (rights)
        {
            if (!rights.TryGetValue((target, needed.Length), out var known))
                rights[(target, needed.Length)] = known = AskAsync(target, needed);
            return known;
        }
    }

    private async Task<Failure?> AskAsync(string target, Right[] needed)
    {
        try
        {
            return (await ApplicationRights.AskAsync(cluster.Identity, target, CancellationToken.None)).Missing("rollback", needed);
        }
        catch (RegistryException e)
        {
            return e.Failure;
        }
    }

    private static Failure Elsewhere(string id, EndDeviceIdentifiers owner) =>
        Failure.Named("rollback", "under_another_name", $"device `{id}` is on The Things Stack as `{owner.DeviceId}` of application `{owner.ApplicationIds?.ApplicationId}`, which has its EUIs") with
        {
            Advice = "nothing was changed on either side; delete it there first, or it would be on both sides",
        };

    private static Failure OtherKeys(string id, string target) =>
        Failure.Named("rollback", "other_keys_at_target", $"the journal does not know that device `{id}` was imported, and the one of application `{target}` has other keys") with
        {
            Advice = "nothing was changed on either side; find out which keys the device itself has. When those of the journal: delete the other one in the Console, and run the rollback again",
        };

    private static Failure AnotherDevice(string id, string target) =>
        Failure.Named("rollback", "another_device", $"device `{id}` of application `{target}` has other EUIs than the one that was exported") with
        {
            Advice = "nothing was changed on either side; it is another device: give it another ID, or roll back without the target's address",
        };
}
