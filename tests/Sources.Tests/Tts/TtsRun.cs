using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Migration;
using Migration.Journal;
using Sources.Tests.TtnV2;
using Sources.Tts;
using TheThingsStack.Errors;

namespace Sources.Tests.Tts;

/// <summary>What came of an export.</summary>
/// <param name="Lines">Lines written.</param>
/// <param name="Rejected">Failures by device ID.</param>
/// <param name="Notes">Codes of notes by device ID.</param>
/// <param name="Summary">The summary.</param>
/// <param name="Events">Every event.</param>
internal sealed record Run(
    IReadOnlyList<string> Lines,
    IReadOnlyDictionary<string, Failure> Rejected,
    IReadOnlyDictionary<string, HashSet<string>> Notes,
    ExportSummary Summary,
    EventList Events);

/// <summary>Exports from servers at hand, with a journal of its own where something is retired.</summary>
internal static class TtsRun
{
    public static TtsSource Source(ITtsServers servers, TtsOptions options, TimeProvider? clock = null) =>
        new(options, new SourceContext(clock ?? new HurriedClock(), bytes => bytes.Fill(7), NullLogger.Instance), servers);

    public static async Task<Run> ExportAsync(ITtsServers servers, TtsOptions options, ExportOptions export, ExportRequest request, Stream? output = null, string? journalFile = null, TimeProvider? clock = null)
    {
        await using var source = Source(servers, options, clock);
        return await ExportAsync(source, export, request, output, journalFile);
    }

    public static async Task<Run> ExportAsync(TtsSource source, ExportOptions export, ExportRequest request, Stream? output = null, string? journalFile = null)
    {
        var folder = journalFile is null && !export.DryRun ? Directory.CreateTempSubdirectory("tts") : null;
        try
        {
            var file = journalFile ?? (folder is null ? null : Path.Combine(folder.FullName, "run.journal"));
            await using var journal = file is null || export.DryRun
                ? null
                : DeviceJournal.Open(new JournalOptions(file, new JournalScope("tts", "localhost:8884"), "test", TimeProvider.System));
            using var memory = new MemoryStream();
            var events = new EventList();
            var summary = await new Exporter(source, export, journal).RunAsync(request, output ?? memory, events);
            return new Run(
                Encoding.UTF8.GetString(memory.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries),
                events.Of<ExportEvent.Rejected>().ToDictionary(e => e.Device.Id, e => e.Failure, StringComparer.Ordinal),
                events.Of<ExportEvent.Exported>().ToDictionary(e => e.Device.Id, e => e.Notes.Select(n => n.Code).ToHashSet(StringComparer.Ordinal), StringComparer.Ordinal),
                summary,
                events);
        }
        finally
        {
            folder?.Delete(recursive: true);
        }
    }
}
