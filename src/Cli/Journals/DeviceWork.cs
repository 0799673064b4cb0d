using System.Globalization;
using Cli.CommandLine;
using Cli.Output;
using Migration.Journal;
using TheThingsStack.Errors;

namespace Cli.Journals;

/// <summary>What retire and rollback have in common: Ctrl-C, progress, results, summary, exit code.</summary>
internal static class DeviceWork
{
    private const int DevicesListed = 50;

    /// <summary>Refuses a journal of another network than the flags mean.</summary>
    public static void RequireScope(string file, JournalScope found, JournalScope wanted)
    {
        if (found != wanted)
        {
            throw new FailureException(Failure.Named("journal", "other_migration", $"journal `{file}` belongs to `{found.Source}` at `{found.Server}`, not to `{wanted.Source}` at `{wanted.Server}`") with
            {
                Advice = "give the address of that network, or name another journal with --journal FILE",
            });
        }
    }

    /// <summary>Runs, prints, and gives the exit code.</summary>
    public static async Task<int> RunAsync(
        Invocation invocation, StatusWriter status, string done, bool json, Func<IProgress<DeviceResult>, CancellationToken, Task<DeviceWorkSummary>> run)
    {
        var environment = invocation.Environment;
        var summary = await InterruptibleRun.FinishInHandAsync(
            environment, status, interrupt => run(new Printer(environment, status, done, json), interrupt), invocation.Cancellation);
        if (summary is null)
        {
            status.WriteLine("Stopped at once. What was done to the devices in hand is not known: run the same command again, it looks at the source first.");
            return ExitCode.Interrupted;
        }
        status.Write(error => Write(error, summary, done, NextCommand.Again(invocation, withoutDryRun: summary is { DryRun: true, Stopped: null, Interrupted: false, Failed: 0 })));
        if (json)
        {
            JsonOutput.WriteLine(environment, writer =>
            {
                writer.WriteStartObject("summary"u8);
                writer.WriteBoolean("dry_run"u8, summary.DryRun);
                writer.WriteNumber("done"u8, summary.Done);
                writer.WriteNumber("skipped"u8, summary.Skipped);
                writer.WriteNumber("failed"u8, summary.Failed);
                foreach (var note in summary.Notes)
                    writer.WriteNumber(note.Code, note.Count);
                writer.WriteBoolean("interrupted"u8, summary.Interrupted);
                if (summary.Stopped is { } stopped)
                    writer.WriteString("stopped"u8, stopped.ToString());
                writer.WriteEndObject();
            });
        }
        return summary switch
        {
            { Stopped: { } failure } => ExitCode.Of(failure),
            { Interrupted: true } => ExitCode.Interrupted,
            { Failed: > 0 } or { Notes: [{ NeedsPerson: true }, ..] } => ExitCode.NeedsAttention,
            _ => ExitCode.Done,
        };
    }

    private static void Write(TextWriter error, DeviceWorkSummary summary, string done, string again)
    {
        if (summary.Stopped is { } stopped)
            FailurePrinter.Write(error, stopped);
        error.Write(summary switch
        {
            { Interrupted: true } => "Summary (interrupted)\n",
            { Stopped: not null } => "Summary (stopped before the end)\n",
            { DryRun: true } => "Summary of the dry run\n",
            _ => "Summary\n",
        });
        Count(done, summary.Done);
        Count("skipped", summary.Skipped);
        Count("failed", summary.Failed);
        SummaryPrinter.Reasons(error, "Why devices failed:", summary.Problems, DevicesListed);
        SummaryPrinter.Reasons(error, "Worth knowing:", summary.Notes.Where(static note => !note.NeedsPerson), 0);
        SummaryPrinter.Reasons(error, "Needs a person:", summary.Notes.Where(static note => note.NeedsPerson), DevicesListed);
        var solve = summary.Stopped is not null ? "solve what is said above, then run" : summary.Failed > 0 ? "solve what is listed above, then run" : "run";
        if (summary.Stopped is not null || summary.Interrupted || summary.Failed > 0)
            error.Write($"Next:\n  {solve} the same command again; it looks at the source first and does what is left:\n  {again}\n");
        else if (summary is { DryRun: true, Done: > 0 })
            error.Write($"Next:\n  {again}\n");

        void Count(string what, int count) => error.Write($"  {what,-12}{count.ToString(CultureInfo.InvariantCulture),7}\n");
    }

    /// <summary>Prints failures at once, everything as JSON when asked to, and a status line on a terminal.</summary>
    private sealed class Printer(CliEnvironment environment, StatusWriter status, string done, bool json) : IProgress<DeviceResult>
    {
        private readonly HashSet<string> _told = new(StringComparer.Ordinal);
        private int _count;

        public void Report(DeviceResult value)
        {
            _count++;
            if (value.Failure is { } failure)
                status.Write(error => Write(error, value.Id, failure));
            if (status.IsTerminal)
                status.ShowStatus(string.Create(CultureInfo.InvariantCulture, $"{_count} devices"));
            if (!json)
                return;
            JsonOutput.WriteLine(environment, writer =>
            {
                writer.WriteString("device_id"u8, value.Id);
                writer.WriteString("result"u8, value.Result switch { DeviceResultKind.Done => done, DeviceResultKind.Skipped => "skipped", _ => "failed" });
                if (value.Code is not null)
                    writer.WriteString("code"u8, value.Code);
                if (value.Text is not null)
                    writer.WriteString("text"u8, value.Text);
            });
        }

        /// <summary>In full the first time, since what one device of thousands runs into others run into too.</summary>
        private void Write(TextWriter error, string id, Failure failure)
        {
            var device = Failure.Named("journal", "device", $"device `{id}`") with { Cause = failure, Attributes = new Dictionary<string, string> { ["device_id"] = id } };
            if (_told.Count < ExportProgress.DetailedPerReason && _told.Add(failure.ToString()))
                FailurePrinter.WriteStack(error, device, "Error: ");
            else
                error.Write($"Error: device `{FailurePrinter.OneLine(id)}`: {FailurePrinter.OneLine(failure.ToString())}\n");
        }
    }
}
