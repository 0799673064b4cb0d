using System.Globalization;
using Migration;

namespace Cli.Output;

/// <summary>
/// Prints what a run came to, for somebody who reads it at night: counts first, then reasons by kind, then the devices that need
/// a person, then the next command to type.
/// </summary>
internal static class SummaryPrinter
{
    private const int Width = 100;
    private const int FailedDevicesListed = 50;

    /// <summary>Prints.</summary>
    /// <param name="error">Standard error.</param>
    /// <param name="summary">What the run came to.</param>
    /// <param name="source">Name of the source.</param>
    /// <param name="journal">Path of the journal; null without one.</param>
    /// <param name="look">The command that looks into it.</param>
    /// <param name="next">The next commands to type, one per line; may be empty.</param>
    public static void Write(TextWriter error, ExportSummary summary, string source, string? journal, string look, IReadOnlyList<string> next)
    {
        error.Write(summary switch
        {
            { Interrupted: true } => "Summary (interrupted)\n",
            { Stopped: not null } => "Summary (stopped before the end)\n",
            { DryRun: true } => "Summary of the dry run\n",
            _ => "Summary\n",
        });
        Count(error, "exported", summary.Exported, summary.Total is { } total ? string.Create(CultureInfo.InvariantCulture, $"of {total}") : "of a list that could not be read");
        if (summary.FromJournal > 0)
            Count(error, "  of these", summary.FromJournal, "written by an earlier run, taken from its journal");
        if (summary.Skipped > 0)
            Count(error, "skipped", summary.Skipped, "named more than once");
        Count(error, "rejected", summary.Rejected, "");
        if (summary.ImportedTo is { } application)
        {
            Count(error, "imported", summary.Imported, summary.DryRun ? $"dry run: nothing was changed at {application}" : $"into {application}");
            if (summary.ImportedBefore > 0)
                Count(error, "  of these", summary.ImportedBefore, "were there before");
            Count(error, "not imported", summary.ImportFailed, summary.ImportFailed > 0 ? $"listed below; not retired at {source}" : "");
            if (summary.ImportLeft > 0)
                Count(error, "not begun", summary.ImportLeft, "exported, but the run ended before their import");
        }
        Count(error, "retired", summary.Retired, summary.DryRun ? $"dry run: nothing was changed at {source}{RealRun(summary)}" : "");
        if (summary.RetireFailed > 0)
            Count(error, "at risk", summary.RetireFailed, $"exported, but perhaps still alive at {source}");
        if (summary.Total is { } all && all - summary.Exported - summary.Skipped - summary.Rejected is > 0 and var left)
            Count(error, "not reached", left, "");

        foreach (var (index, sentence) in summary.DecidedByDefault.Index())
            error.Write(index == 0 ? $"Decided by default:\n  - {sentence}\n" : $"  - {sentence}\n");

        Reasons(error, "Why devices failed:", summary.Problems, FailedDevicesListed);
        Reasons(error, "Worth knowing:", summary.Notes.Where(n => !n.NeedsPerson), 0);
        Reasons(error, "Needs a person:", summary.Notes.Where(n => n.NeedsPerson), ExportSummary.ListedPerReason);

        if (journal is not null)
            error.Write($"Journal (keys and history; look with `{look}`):\n  {FailurePrinter.OneLine(journal)}\n");
        if (next.Count == 0)
            return;
        error.Write("Next:\n");
        foreach (var line in next)
            error.Write($"  {line}\n");
    }

    /// <summary>A run of hours is better known before it begins.</summary>
    private static string RealRun(ExportSummary summary) =>
        summary.TimeOfRealRun >= TimeSpan.FromMinutes(1) ? $"; the real run takes about {ExportProgress.Duration(summary.TimeOfRealRun)}, by its limit of calls" : "";

    private static void Count(TextWriter error, string what, int count, string remark) =>
        error.Write($"  {what,-12}{count.ToString(CultureInfo.InvariantCulture),7}{(remark.Length == 0 ? "" : "  " + remark)}\n");

    /// <summary>Prints reasons with their counts and the devices; nothing when there are none.</summary>
    public static void Reasons(TextWriter error, string title, IEnumerable<ReasonCount> reasons, int listed)
    {
        var first = true;
        foreach (var reason in reasons)
        {
            if (first)
                error.Write(title + "\n");
            first = false;
            error.Write($"  {reason.Count.ToString(CultureInfo.InvariantCulture),5}  {reason.Code}: {FailurePrinter.OneLine(reason.Text)}\n");
            if (reason.Guide is not null)
                error.Write($"         {FailurePrinter.OneLine(reason.Guide)}\n");
            Devices(error, reason, listed);
        }
    }

    private static void Devices(TextWriter error, ReasonCount reason, int listed)
    {
        if (listed == 0)
            return;
        const string Margin = "         ";
        var line = Margin;
        var shown = 0;
        foreach (var device in reason.Devices.Take(listed))
        {
            shown++;
            var id = FailurePrinter.OneLine(device);
            if (line.Length > Margin.Length && line.Length + id.Length + 1 > Width)
            {
                error.Write(line + "\n");
                line = Margin;
            }
            line += line.Length == Margin.Length ? id : " " + id;
        }
        if (reason.Count > shown)
            line += string.Create(CultureInfo.InvariantCulture, $" and {reason.Count - shown} more");
        error.Write(line + "\n");
    }
}
