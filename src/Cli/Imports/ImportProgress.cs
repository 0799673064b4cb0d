using Cli.CommandLine;
using Cli.Commands;
using Cli.Output;
using Migration.Import;
using TheThingsStack.Errors;

namespace Cli.Imports;

/// <summary>
/// Tells how an import goes: each failed device at once, and how far the run is; with <c>--output json</c> each device as a line on standard
/// output; with <c>--rejects FILE</c> each failed one as a line of that file.
/// </summary>
internal sealed class ImportProgress(CliEnvironment environment, StatusWriter status, bool json, RejectLines? rejects) : IProgress<ImportedDevice>, IAsyncDisposable
{
    private static readonly TimeSpan OnTerminal = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Elsewhere = TimeSpan.FromSeconds(30);

    private readonly long _start = environment.Clock.GetTimestamp();
    private readonly Dictionary<string, int> _detailed = [];
    private TimeSpan _shown = TimeSpan.Zero;
    private int _done;
    private int _failed;

    public static Flag RejectsFlag { get; } = new(RejectLines.Name, FlagKind.Text, "File that gets one JSON line for each device that was not imported, with the reason and what to do") { Addition = true };

    /// <summary>Opens the file of rejects when one is named.</summary>
    /// <exception cref="FailureException">It cannot be written.</exception>
    public static RejectLines? OpenRejects(Invocation invocation, StatusWriter status)
    {
        if (invocation.Flags.TextOrNull(RejectLines.Name) is { } path)
        {
            // Emptied at the start, they would be lost with a run that ends early.
            if (invocation.Flags.TextOrNull(Input.IdsFile.Name) is { } ids && Path.GetFullPath(ids) == Path.GetFullPath(path))
                throw new UsageException($"--{Input.IdsFile.Name} and --{RejectLines.Name} name the same file: write the rejects to another one");
            DeviceFile.RequireOther(invocation, path, RejectLines.Name);
        }
        return RejectLines.Open(invocation, status);
    }

    /// <inheritdoc/>
    public void Report(ImportedDevice value)
    {
        _done++;
        if (value.Failure is { } failure)
        {
            _failed++;
            Print(value, failure);
            rejects?.Add(JsonOutput.Object(writer => Write(writer, value)));
        }
        if (json)
            JsonOutput.WriteLine(environment, writer => Write(writer, value));
        Show();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => rejects?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static void Write(System.Text.Json.Utf8JsonWriter writer, ImportedDevice device)
    {
        writer.WriteString("device_id"u8, device.DeviceId);
        if (device.Line > 0)
            writer.WriteNumber("line"u8, device.Line);
        writer.WriteString("result"u8, device.Result switch
        {
            ImportResult.Imported => "imported",
            ImportResult.Updated => "updated",
            ImportResult.Skipped => "skipped",
            _ => "failed",
        });
        if (device.SkippedFor is not null)
            writer.WriteString("code"u8, device.SkippedFor);
        if (device.Failure is { } failure)
        {
            writer.WriteString("code"u8, failure.Name ?? "failed");
            writer.WriteString("reason"u8, Reason(failure));
            if (failure.Advice is not null)
                writer.WriteString("what_to_do"u8, failure.Advice);
        }
        if (device.Notes.Count == 0 || device.Failure is not null)
            return;
        writer.WriteStartArray("notes"u8);
        foreach (var note in device.Notes)
            writer.WriteStringValue(note.Code);
        writer.WriteEndArray();
    }

    private static string Reason(Failure failure) => failure.Cause is { } cause ? $"{failure.Message}: {Reason(cause)}" : failure.Message;

    private void Print(ImportedDevice device, Failure failure)
    {
        var code = failure.Name ?? failure.Message;
        var seen = _detailed.GetValueOrDefault(code);
        _detailed[code] = seen + 1;
        status.Write(error =>
        {
            if (seen < ExportProgress.DetailedPerReason)
            {
                var import = Failure.Named("import", "device", $"import device `{device.DeviceId}`") with
                {
                    Attributes = new Dictionary<string, string> { ["device_id"] = device.DeviceId },
                    Cause = failure,
                };
                FailurePrinter.WriteStack(error, import, "Error: ");
            }
            else
            {
                error.Write($"Error: device `{FailurePrinter.OneLine(device.DeviceId)}`: {FailurePrinter.OneLine(failure.ToString())}\n");
            }
        });
    }

    private void Show()
    {
        var now = environment.Clock.GetElapsedTime(_start);
        if (now - _shown < (status.IsTerminal ? OnTerminal : Elsewhere))
            return;
        _shown = now;
        var text = ExportProgress.Describe(_done, null, _failed, now);
        if (status.IsTerminal)
            status.ShowStatus(text);
        else
            status.WriteLine(text);
    }
}
