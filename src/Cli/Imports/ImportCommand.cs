using System.Globalization;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Input;
using Cli.Journals;
using Cli.Output;
using Migration;
using Migration.Import;
using Migration.Journal;
using TheThingsStack.Registries;
using OutputFormat = Cli.Journals.OutputFormat;

namespace Cli.Imports;

/// <summary><c>import [FILE]</c>: creates devices in an application of The Things Stack.</summary>
internal static class ImportCommand
{
    private const string ApplicationId = "application-id";
    private const int FailedDevicesListed = 50;

    public static Command Create() => new("import", "Import devices into The Things Stack")
    {
        Operands = "[file]",
        Addition = true,
        Description = """
            Import devices into The Things Stack.

            Reads device JSON (lines or a list) from the file or standard input and creates each device on the four servers. A device that
            fails is taken back and reported, the others go on. Running the same command again is safe: what is there is not touched.
            With --dry-run everything is checked against the target and nothing is changed.
            """,
        Examples =
        [
            "ttn-lw-migrate import devices.json --application-id my-app --default-grpc-address eu1.cloud.thethings.network:8884 --dry-run",
            "ttn-lw-migrate import devices.json --application-id my-app --default-grpc-address eu1.cloud.thethings.network:8884 --rejects rejects.jsonl",
        ],
        FlagFactory = () =>
        [
            new Flag(ApplicationId, FlagKind.Text, "application that gets the devices") { Addition = true },
            .. TargetFlags.Plain.All(),
            .. ImportFlags.All(""),
            JournalFiles.JournalFlag,
            ImportProgress.RejectsFlag,
            IdsFile.Flag,
            OutputFormat.Flag,
        ],
        RunAsync = RunAsync,
    };

    private static async Task<int> RunAsync(Invocation invocation)
    {
        var (environment, flags) = (invocation.Environment, invocation.Flags);
        var application = flags.TextOrNull(ApplicationId) ?? throw new UsageException($"no application: give --{ApplicationId}");
        var status = new StatusWriter(environment);
        var concurrency = ImportFlags.ReadConcurrency(flags, "", environment.Clock);
        var only = await IdsFile.ReadAsync(invocation);
        var options = ImportFlags.Read(flags, "", application) with
        {
            DryRun = flags.IsOn(GlobalFlags.DryRun),
            FailFast = flags.IsOn(GlobalFlags.FailFast),
            Only = only?.ToHashSet(StringComparer.Ordinal),
        };
        var cluster = TargetFlags.Plain.Read(invocation, new StderrLogger(status, flags.IsOn(GlobalFlags.Verbose)), concurrency);
        await using var file = DeviceFile.Open(invocation);
        await using var journal = options.DryRun ? null : OpenJournal(invocation);
        await using var client = new ClusterClient(cluster);
        await using var progress = new ImportProgress(environment, status, OutputFormat.IsJson(invocation), ImportProgress.OpenRejects(invocation));

        var importer = new Importer(client, options, FrequencyPlanFlags.Open(flags, environment), concurrency, environment.Clock, journal);
        var summary = await InterruptibleRun.FinishInHandAsync(environment, status, interrupt => importer.RunAsync(file.Stream, progress, interrupt), invocation.Cancellation);
        if (summary is null)
        {
            status.WriteLine("Stopped at once. Devices in hand may be created in part: run the same command again, it completes them.");
            return ExitCode.Interrupted;
        }
        status.Write(error => Write(error, summary, invocation, concurrency));
        return summary switch
        {
            { Stopped: { } failure } => ExitCode.Of(failure),
            { Interrupted: true } => ExitCode.Interrupted,
            { Failed: > 0 } => ExitCode.NeedsAttention,
            _ => ExitCode.Done,
        };
    }

    private static DeviceJournal? OpenJournal(Invocation invocation)
    {
        if (invocation.Flags.TextOrNull(JournalFiles.JournalFlag.Name) is not { } file)
            return null;
        return DeviceJournal.Open(new JournalOptions(Path.GetFullPath(file), null, BuildInformation.Version, invocation.Environment.Clock));
    }

    private static void Write(TextWriter error, ImportSummary summary, Invocation invocation, AdaptiveConcurrency concurrency)
    {
        if (summary.Stopped is { } stopped)
            FailurePrinter.Write(error, stopped);
        error.Write(summary switch
        {
            { Stopped: not null } => "Summary (stopped before the end)\n",
            { Interrupted: true } => "Summary (interrupted)\n",
            { DryRun: true } => "Summary of the dry run: nothing was changed\n",
            _ => "Summary\n",
        });
        Count("imported", summary.Imported, string.Create(CultureInfo.InvariantCulture, $"of {summary.Total}"));
        Count("updated", summary.Updated, "");
        Count("skipped", summary.Skipped, "");
        Count("failed", summary.Failed, "");
        Reasons("Why devices failed:", summary.Problems, FailedDevicesListed);
        Reasons("Why devices were skipped:", summary.SkippedFor, 0);
        Reasons("Worth knowing:", summary.Notes.Where(note => !note.NeedsPerson), 0);
        Reasons("Needs a person:", summary.Notes.Where(note => note.NeedsPerson), ExportSummary.ListedPerReason);
        if (invocation.Flags.IsOn(GlobalFlags.Verbose))
            error.Write(string.Create(CultureInfo.InvariantCulture, $"Devices under way at the end: {concurrency.Limit}\n"));
        var again = NextCommand.Again(invocation);
        error.Write("Next:\n");
        if (summary.Stopped is not null)
            error.Write($"  solve what is said above, then run the same command again; what is done is not touched:\n  {again}\n");
        else if (summary.Interrupted)
            error.Write($"  run the same command again; what is done is not touched:\n  {again}\n");
        else if (summary.Failed > 0)
            error.Write($"  solve what is listed above, then run the same command again; what is done is not touched:\n  {again}\n");
        else if (summary.DryRun)
            error.Write($"  {NextCommand.Again(invocation, withoutDryRun: true)}\n");
        else
            error.Write($"  {NextCommand.Verify(invocation)}\n");

        void Count(string what, int count, string remark) =>
            error.Write($"  {what,-12}{count.ToString(CultureInfo.InvariantCulture),7}{(remark.Length == 0 ? "" : "  " + remark)}\n");

        void Reasons(string title, IEnumerable<ReasonCount> reasons, int listed) => SummaryPrinter.Reasons(error, title, reasons, listed);
    }
}
