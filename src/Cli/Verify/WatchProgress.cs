using System.Globalization;
using Cli.Output;
using Migration.Verify;

namespace Cli.Verify;

/// <summary>
/// Tells how a verification goes: on a terminal a line that is rewritten; elsewhere a line every half minute of the first look, and in a watch
/// whenever devices arrived, and every hour.
/// </summary>
internal sealed class WatchProgress(StatusWriter status, TimeProvider clock)
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Elsewhere = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Quiet = TimeSpan.FromHours(1);

    private readonly long start = clock.GetTimestamp();
    private TimeSpan shown;
    private long waiting = -1;
    private string? trouble;

    public void Report(VerifyProgress progress)
    {
        if (progress.Trouble?.ToString() is { } failure && failure != trouble)
            status.WriteLine($"warning: {FailurePrinter.OneLine(failure)}: the watch goes on");
        trouble = progress.Trouble?.ToString();
        var now = clock.GetElapsedTime(start);
        var pause = status.IsTerminal ? progress.IsWatching ? TimeSpan.Zero : OnTerminal : progress.IsWatching ? Quiet : Elsewhere;
        var isNews = progress.IsWatching && progress.Waiting != waiting;
        if (now - shown < pause && !isNews)
            return;
        shown = now;
        waiting = progress.IsWatching ? progress.Waiting : -1;
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"{progress.Checked} checked: {progress.Arrived} arrived, {progress.Attention} need somebody, {progress.Waiting} awaited");
        if (progress.NextLook is { } next)
            text += string.Create(CultureInfo.InvariantCulture, $"; next look {next.UtcDateTime:HH:mm:ss} UTC");
        if (status.IsTerminal)
            status.ShowStatus(text);
        else
            status.WriteLine(text);
    }
}
