using System.Globalization;
using Migration;

namespace Cli.Output;

/// <summary>
/// Tells how a run goes: each failed device at once, and how far the run is: on a terminal a line that is rewritten, elsewhere
/// a line every half minute.
/// </summary>
internal sealed class ExportProgress(StatusWriter status, TimeProvider clock, bool endsAtFailure) : IProgress<ExportEvent>
{
    /// <summary>Failures of one reason that are printed with all their details; further ones get one line each.</summary>
    public const int DetailedPerReason = 20;

    private const int FewestForEstimate = 10;

    private static readonly TimeSpan OnTerminal = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Elsewhere = TimeSpan.FromSeconds(30);

    private readonly long _start = clock.GetTimestamp();
    private readonly Dictionary<string, int> _detailed = [];
    private TimeSpan _shown = TimeSpan.Zero;
    private int? _total;
    private int _done;
    private int _earlier;
    private int _failed;

    /// <inheritdoc/>
    public void Report(ExportEvent value)
    {
        switch (value)
        {
            case ExportEvent.Counted counted:
                _total = counted.Devices;
                break;
            case ExportEvent.Rejected rejected:
                _done++;
                _failed++;
                ReportFailure(rejected.Failure);
                break;
            case ExportEvent.ImportFailed missing:
                _failed++;
                ReportFailure(missing.Failure);
                break;
            case ExportEvent.RetireFailed failed:
                _failed++;
                ReportFailure(failed.Failure);
                break;
            case ExportEvent.Exported exported:
                _done++;
                _earlier += exported.FromJournal ? 1 : 0;
                break;
            case ExportEvent.Skipped:
                _done++;
                break;
        }
        Show();
    }

    private void ReportFailure(TheThingsStack.Errors.Failure failure)
    {
        var reason = failure;
        while (reason.Name is "export" or "import" && reason.Cause is { } cause)
            reason = cause;
        var code = reason.Name ?? reason.Message;
        var seen = _detailed.GetValueOrDefault(code);
        _detailed[code] = seen + 1;
        status.Write(error =>
        {
            // The doubled first line of the Go tool says that the run ended; among other devices one telling is enough.
            if (seen < DetailedPerReason && _total > 1 && !endsAtFailure)
                FailurePrinter.WriteStack(error, failure, "Error: ");
            else if (seen < DetailedPerReason)
                FailurePrinter.Write(error, failure);
            else
                error.Write($"Error: {FailurePrinter.OneLine(failure.ToString())}: {FailurePrinter.OneLine(reason.ToString())}\n");
        });
    }

    private void Show()
    {
        var now = clock.GetElapsedTime(_start);
        if (now - _shown < (status.IsTerminal ? OnTerminal : Elsewhere))
            return;
        _shown = now;
        var text = Describe(_done, _total, _failed, now, _earlier);
        if (status.IsTerminal)
            status.ShowStatus(text);
        else
            status.WriteLine(text);
    }

    /// <summary>
    /// E.g. <c>1200 of 40000 devices (3 %), 4.9/s, about 2 h 12 min to go, 3 failed</c>. Devices of an earlier run take no time and say nothing about
    /// that of the others; neither do the first few.
    /// </summary>
    internal static string Describe(int done, int? total, int failed, TimeSpan elapsed, int earlier = 0)
    {
        var rate = elapsed > TimeSpan.Zero ? (done - earlier) / elapsed.TotalSeconds : 0;
        var text = total is > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{done} of {total} devices ({100L * done / total} %)")
            : string.Create(CultureInfo.InvariantCulture, $"{done} devices");
        if (rate > 0)
            text += string.Create(CultureInfo.InvariantCulture, $", {rate:0.0}/s");
        if (rate > 0 && done - earlier >= FewestForEstimate && total > done)
            text += $", about {Duration(TimeSpan.FromSeconds((total.Value - done) / rate))} to go";
        return failed > 0 ? string.Create(CultureInfo.InvariantCulture, $"{text}, {failed} failed") : text;
    }

    internal static string Duration(TimeSpan time) => time.TotalSeconds switch
    {
        < 90 => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(time.TotalSeconds):0} s"),
        < 90 * 60 => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(time.TotalMinutes):0} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(time.TotalHours):0} h {time.Minutes} min"),
    };
}
