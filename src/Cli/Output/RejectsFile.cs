using Cli.CommandLine;
using Migration;
using TheThingsStack.Errors;

namespace Cli.Output;

/// <summary><c>--rejects FILE</c>: one JSON line for each device that was not exported, not imported or not retired. <c>--ids-from</c> reads it.</summary>
internal sealed class RejectsFile(RejectLines lines, IProgress<ExportEvent> next) : IProgress<ExportEvent>, IAsyncDisposable
{
    public static Flag Flag { get; } = new(RejectLines.Name, FlagKind.Text, "File that gets one JSON line for each device that was not exported, with the reason and what to do") { Addition = true };

    /// <summary>Opens the file when one is named.</summary>
    /// <exception cref="FailureException">The file cannot be written.</exception>
    public static RejectsFile? Open(Invocation invocation, StatusWriter status, IProgress<ExportEvent> next) =>
        RejectLines.Open(invocation, status) is { } lines ? new RejectsFile(lines, next) : null;

    /// <inheritdoc/>
    public void Report(ExportEvent value)
    {
        if (value is ExportEvent.Rejected rejected)
            Write(rejected.Device, rejected.Failure, "rejected");
        else if (value is ExportEvent.ImportFailed left)
            Write(left.Device, left.Failure, "not imported");
        else if (value is ExportEvent.RetireFailed failed)
            Write(failed.Device, failed.Failure, "not retired");
        next.Report(value);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => lines.DisposeAsync();

    private void Write(DeviceReference device, Failure failure, string result)
    {
        var reason = failure;
        string? advice = failure.Advice;
        while (reason.Cause is { } cause)
        {
            if (reason.Name is not ("export" or "import" or "retire") && reason.Name is not null)
                break;
            reason = cause;
            advice ??= cause.Advice;
        }
        lines.Add(JsonOutput.Object(json =>
        {
            json.WriteString("device_id"u8, device.Id);
            json.WriteString("application_id"u8, device.Application);
            json.WriteString("result"u8, result);
            json.WriteString("code"u8, reason.Name is null or "unknown" ? "read" : reason.Name);
            json.WriteString("reason"u8, reason.Message);
            if (advice is not null)
                json.WriteString("what_to_do"u8, advice);
        }));
    }
}
