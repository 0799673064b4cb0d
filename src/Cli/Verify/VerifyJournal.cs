using Migration.Journal;
using TheThingsStack.Errors;

namespace Cli.Verify;

/// <summary>
/// The journal of a verification. It is read without holding it, so that a watch of a day does not keep out an import or a retirement;
/// it is held for a moment to note what was verified.
/// </summary>
internal sealed class VerifyJournal : IDisposable
{
    private const int NotedTogether = 500;

    private readonly List<(JournalDeviceId Device, string Place)> verified = [];
    private readonly TimeProvider clock;
    private readonly bool mayWrite;

    private VerifyJournal(JournalReader reader, TimeProvider clock, bool mayWrite)
    {
        Reader = reader;
        this.clock = clock;
        this.mayWrite = mayWrite;
    }

    public JournalReader Reader { get; }

    public static VerifyJournal Open(string file, TimeProvider clock, bool mayWrite) => new(JournalReader.Open(file), clock, mayWrite);

    /// <summary>The device is on the target as it was sent; a rollback has to know where that is.</summary>
    public async ValueTask VerifiedAsync(JournalDeviceId device, string place)
    {
        if (!mayWrite)
            return;
        verified.Add((device, place));
        if (verified.Count % NotedTogether == 0)
            await TryNoteAsync();
    }

    /// <summary>Notes what is left; gives how many could not be noted because another run holds the journal.</summary>
    public async Task<int> FinishAsync()
    {
        await TryNoteAsync();
        return verified.Count;
    }

    public void Dispose() => Reader.Dispose();

    private async Task TryNoteAsync()
    {
        if (verified.Count == 0)
            return;
        try
        {
            await using var journal = DeviceJournal.Open(new JournalOptions(Reader.File, null, BuildInformation.Version, clock));
            foreach (var chunk in verified.Chunk(NotedTogether))
                await journal.RecordAsync([.. chunk.Select(static one => JournalChange.Verified(one.Device, one.Place))]);
            verified.Clear();
        }
        catch (FailureException)
        {
            // Another run holds it, or it cannot be written: tried again with the next ones, told at the end.
        }
    }
}
