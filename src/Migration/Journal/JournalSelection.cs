using System.Runtime.CompilerServices;
using TheThingsStack.Errors;

namespace Migration.Journal;

/// <summary>A device that a command is about: as the journal has it, or why it has not.</summary>
/// <param name="Id">Device ID at the source.</param>
internal sealed record SelectedDevice(string Id)
{
    /// <summary>The entry; null when <see cref="Failure"/> says why there is none.</summary>
    public JournalEntry? Entry { get; init; }

    /// <summary>Why there is no entry.</summary>
    public Failure? Failure { get; init; }
}

/// <summary>Chooses devices from a journal for a command; a damaged entry does not hide the others.</summary>
internal static class JournalSelection
{
    /// <summary>The devices with these IDs, in the order given; all of the journal when none are given. Ends early, without a fuss, when asked to.</summary>
    public static async IAsyncEnumerable<SelectedDevice> SelectAsync(this JournalReader reader, IReadOnlyList<string> ids, [EnumeratorCancellation] CancellationToken end)
    {
        if (ids.Count == 0)
        {
            await foreach (var device in reader.NamesAsync(onlyWritten: false, CancellationToken.None))
            {
                if (end.IsCancellationRequested)
                    yield break;
                yield return One(reader, device);
            }
            yield break;
        }
        foreach (var id in ids.Distinct(StringComparer.Ordinal))
        {
            if (end.IsCancellationRequested)
                yield break;
            var devices = reader.NamesOf(id);
            if (devices.Count == 0)
                yield return new SelectedDevice(id) { Failure = reader.DoesNotKnow(id) };
            if (devices.Count > 1)
                yield return new SelectedDevice(id) { Failure = Several(id, devices) };
            else if (devices.Count == 1)
                yield return One(reader, devices[0]);
        }
    }

    private static Failure Several(string id, IReadOnlyList<JournalDeviceId> devices) =>
        Failure.Named("journal", "several_devices", $"the journal has {devices.Count} devices `{id}`, of applications {string.Join(", ", devices.Select(static device => $"`{device.Application}`"))}") with
        {
            Attributes = new Dictionary<string, string> { ["device_id"] = id },
            Advice = $"nothing was changed; name the one that is meant with its application: {devices[0].Application}/{id}",
        };

    private static SelectedDevice One(JournalReader reader, JournalDeviceId device)
    {
        try
        {
            return new SelectedDevice(device.DeviceId) { Entry = reader.Find(device) };
        }
        catch (FailureException e)
        {
            return new SelectedDevice(device.DeviceId) { Failure = e.Failure };
        }
    }
}
