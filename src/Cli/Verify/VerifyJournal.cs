using Migration.Import;
using Migration.Journal;
using TheThingsStack.Errors;
using TheThingsStack.Import;

namespace Cli.Verify;

/// <summary>
/// The journal of a verification. It is read without holding it, so that a watch of a day does not keep out an import or a retirement;
/// it is held for a moment to note what was verified.
/// </summary>
internal sealed class VerifyJournal : IDisposable
{
    private const int NotedTogether = 500;

    /// <summary>Without these nothing answers a device.</summary>
    private const DeviceServers Answering = DeviceServers.IdentityServer | DeviceServers.NetworkServer | DeviceServers.ApplicationServer;

    private readonly List<(JournalDeviceId Device, ImportTarget Place, DeviceServers Missing)> seen = [];
    private readonly TimeProvider clock;
    private readonly bool mayWrite;
    private readonly long beginning;

    private VerifyJournal(JournalReader reader, TimeProvider clock, bool mayWrite)
    {
        Reader = reader;
        this.clock = clock;
        this.mayWrite = mayWrite;
        beginning = reader.LastStep();
    }

    public JournalReader Reader { get; }

    public static VerifyJournal Open(string file, TimeProvider clock, bool mayWrite) => new(JournalReader.Open(file), clock, mayWrite);

    /// <summary>
    /// The device is on the target as it was sent, and a rollback has to know where that is; or servers lack it, and a retirement has to know that.
    /// </summary>
    public async ValueTask SeenAsync(JournalDeviceId device, ImportTarget place, DeviceServers missing)
    {
        if (!mayWrite)
            return;
        seen.Add((device, place, missing));
        if (seen.Count % NotedTogether == 0)
            await TryNoteAsync();
    }

    /// <summary>Notes what is left; gives how many could not be noted because another run holds the journal.</summary>
    public async Task<int> FinishAsync()
    {
        await TryNoteAsync();
        return seen.Count;
    }

    public void Dispose() => Reader.Dispose();

    private async Task TryNoteAsync()
    {
        if (seen.Count == 0)
            return;
        try
        {
            await using var journal = DeviceJournal.Open(new JournalOptions(Reader.File, null, BuildInformation.Version, clock));
            foreach (var chunk in seen.Chunk(NotedTogether))
            {
                JournalChange[] changes = [.. chunk.Select(one => ChangeOf(journal.Reader, one.Device, one.Place, one.Missing)).OfType<JournalChange>()];
                if (changes.Length > 0)
                    await journal.RecordAsync(changes);
            }
            seen.Clear();
        }
        catch (FailureException)
        {
            // Another run holds it, or it cannot be written: tried again with the next ones, told at the end.
        }
    }

    /// <summary>What was seen hours ago says nothing about a device that another run has imported, retired or put back since.</summary>
    private JournalChange? ChangeOf(JournalReader reader, JournalDeviceId device, ImportTarget place, DeviceServers missing)
    {
        if (reader.HasChangedSince(device, beginning))
            return null;
        if (missing == DeviceServers.None)
            return JournalChange.Verified(device, place.ToString());
        // Where it was never brought to it need not be.
        if (reader.Find(device) is not { TargetSide: not TargetSide.Unknown } entry || ImportTarget.Of(reader.LastPlace(device))?.IsSamePlace(place) != true)
            return null;
        return JournalChange.OffTarget(entry, missing.HasFlag(Answering) ? $"not found in {place}" : JournalReader.PartAt(place.ToString()));
    }
}
