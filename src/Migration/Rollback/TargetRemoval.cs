using Google.Protobuf;
using Migration.Journal;
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

    private readonly Dictionary<string, Task<Failure?>> rights = new(StringComparer.Ordinal);

    /// <summary>Address of the target's Identity Server.</summary>
    public string Server => cluster.Identity.Address.ToString();

    /// <summary>Whether devices are looked for that the journal does not know as imported.</summary>
    public bool NamesApplication => application is not null;

    /// <summary>
    /// Removes a device from all four servers, the Identity Server last: as long as it lists the device, a later run can finish. A device of
    /// the same ID with other EUIs is somebody else's and stays.
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
        if (await RightsAsync(target) is { } missing)
            throw new SourceUnavailableException(missing);
        var sent = TtsJson.Read<EndDevice>(line.Span).Ids ?? new EndDeviceIdentifiers();
        var ids = new EndDeviceIdentifiers { DeviceId = sent.DeviceId, ApplicationIds = new ApplicationIdentifiers { ApplicationId = target } };
        try
        {
            var found = await cluster.Identity.FindAsync(ids, [], CancellationToken.None);
            if (found?.Ids is { } there && !(Agree(there.DevEui, sent.DevEui) && Agree(there.JoinEui, sent.JoinEui)))
                throw new FailureException(AnotherDevice(sent.DeviceId, target));
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

    private Task<Failure?> RightsAsync(string target)
    {
        lock (rights)
        {
            if (!rights.TryGetValue(target, out var known))
                rights[target] = known = AskAsync(target);
            return known;
        }
    }

    private async Task<Failure?> AskAsync(string target)
    {
        try
        {
            return (await ApplicationRights.AskAsync(cluster.Identity, target, CancellationToken.None)).Missing("rollback", Needed);
        }
        catch (RegistryException e)
        {
            return e.Failure;
        }
    }

    private static Failure AnotherDevice(string id, string target) =>
        Failure.Named("rollback", "another_device", $"device `{id}` of application `{target}` has other EUIs than the one that was exported") with
        {
            Advice = "nothing was changed on either side; it is another device: give it another ID, or roll back without the target's address",
        };
}
