using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Migration.Import;

/// <summary>
/// The journal in which an import records what it did: the one that is named, or the only one of several files that knows the devices. Which one
/// that is shows at the first device that any of them knows; the line in the journal must carry the IDs of the device.
/// </summary>
public sealed class ImportJournal : IAsyncDisposable
{
    /// <summary>When no journal knows one of the first devices, none is looked for any more.</summary>
    private const int DevicesLookedAt = 100;

    private readonly Lock gate = new();
    private readonly Func<string, DeviceJournal>? open;
    private readonly Action<string>? note;
    private readonly List<JournalReader> candidates = [];
    private int looked;

    private ImportJournal(DeviceJournal? named, Func<string, DeviceJournal>? open, Action<string>? note)
    {
        Journal = named;
        this.open = open;
        this.note = note;
    }

    /// <summary>The journal; null as long as none is found.</summary>
    public DeviceJournal? Journal { get; private set; }

    /// <summary>Uses this journal, which is disposed with the import.</summary>
    public static ImportJournal Of(DeviceJournal journal) => new(journal, null, null);

    /// <summary>Looks for the journal that knows the devices.</summary>
    /// <param name="files">The journals there are.</param>
    /// <param name="open">Opens one for this run.</param>
    /// <param name="note">Gets a sentence when a journal cannot be used, or when it is not clear which.</param>
    public static ImportJournal Among(IEnumerable<string> files, Func<string, DeviceJournal> open, Action<string> note)
    {
        ArgumentNullException.ThrowIfNull(files);
        var found = new ImportJournal(null, open, note);
        foreach (var file in files)
        {
            try
            {
                found.candidates.Add(JournalReader.Open(file));
            }
            catch (FailureException e)
            {
                note($"journal {file} is not looked at: {e.Failure.Message}");
            }
        }
        return found;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Forget();
        if (Journal is not null)
            await Journal.DisposeAsync();
    }

    /// <summary>The name of a device in the journal; null when it does not know it, or when there is no journal.</summary>
    internal JournalDeviceId? NameOf(EndDevice device)
    {
        lock (gate)
        {
            if (Journal is null && candidates.Count > 0)
                Choose(device);
            return Journal is null ? null : Name(Journal.Reader, device);
        }
    }

    private void Choose(EndDevice device)
    {
        var knowing = candidates.Where(reader => Name(reader, device) is not null).ToList();
        if (knowing is [var only])
        {
            try
            {
                Journal = open!(only.File);
            }
            catch (FailureException e)
            {
                note!($"nothing is recorded in journal {only.File}: {e.Failure.Message}");
            }
            Forget();
        }
        else if (knowing.Count > 1)
        {
            note!($"{knowing.Count} journals know device {device.Ids.DeviceId}, so nothing is recorded: name one with --journal FILE ({string.Join(", ", knowing.Select(reader => reader.File))})");
            Forget();
        }
        else if (++looked == DevicesLookedAt)
        {
            Forget();
        }
    }

    private void Forget()
    {
        foreach (var reader in candidates)
            reader.Dispose();
        candidates.Clear();
    }

    /// <summary>The journal knows devices by their names at the source; a renamed device carries that as an attribute.</summary>
    private static JournalDeviceId? Name(JournalReader reader, EndDevice device)
    {
        var id = device.Ids?.DeviceId ?? "";
        var application = device.Ids?.ApplicationIds?.ApplicationId ?? "";
        if (id.Length == 0)
            return null;
        foreach (var candidate in DeviceNaming.SourceIds(device).SelectMany(reader.NamesOf))
        {
            if (reader.Find(candidate) is { Line: { } line } && LineIds.Of(line.Span) == (application, id))
                return candidate;
        }
        return null;
    }
}
