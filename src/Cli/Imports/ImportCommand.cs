using System.Globalization;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Input;
using Cli.Journals;
using Cli.Output;
using Migration;
using Migration.Import;
using Migration.Journal;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

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
            With --dry-run everything is checked against the target and nothing is changed. The journal of the export, where the state folder
            has one that knows the devices, notes what was imported.
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
        await using var journal = options.DryRun ? null : OpenJournal(invocation, status);
        await using var former = options is { OnConflict: ConflictWay.Replace, DryRun: false } ? new FormerDevicesFile(FormerPath(environment, application)) : null;
        await using var client = new ClusterClient(cluster);
        await using var progress = new ImportProgress(environment, status, OutputFormat.IsJson(invocation), ImportProgress.OpenRejects(invocation, status));

        var importer = new Importer(client, options, FrequencyPlanFlags.Open(flags, environment), concurrency, environment.Clock) { Journal = journal, Former = former, FileName = file.Name };
        var summary = await InterruptibleRun.FinishInHandAsync(environment, status, interrupt => importer.RunAsync(file.Stream, progress, interrupt), invocation.Cancellation);
        if (summary is null)
        {
            status.WriteLine("Stopped at once. Devices in hand may be created in part: run the same command again, it completes them.");
            return ExitCode.Interrupted;
        }
        status.Write(error => Write(error, summary, invocation, concurrency, journal?.Journal, former));
        return summary switch
        {
            { Stopped: { } failure } => ExitCode.Of(failure),
            { Interrupted: true } => ExitCode.Interrupted,
            { Succeeded: true } => ExitCode.Done,
            _ => ExitCode.NeedsAttention,
        };
    }

    /// <summary>The journal that is named; else the one of the state folder that knows the devices, where there is one.</summary>
    private static ImportJournal? OpenJournal(Invocation invocation, StatusWriter status)
    {
        var environment = invocation.Environment;
        if (invocation.Flags.TextOrNull(JournalFiles.Journal) is { } named)
            return ImportJournal.Of(Open(Path.GetFullPath(named)));
        IReadOnlyList<string> files;
        try
        {
            files = JournalLocation.List(JournalFiles.Folder(environment));
        }
        catch (FailureException)
        {
            // No folder of the user's, so no journal in it.
            return null;
        }
        return files.Count == 0 ? null : ImportJournal.Among(files, Open, text => status.WriteLine($"note: {text}"));

        DeviceJournal Open(string file) => DeviceJournal.Open(new JournalOptions(file, null, BuildInformation.Version, environment.Clock));
    }

    /// <summary>Says where the replaced devices are, if there were any.</summary>
    public static void WriteFormer(TextWriter error, FormerDevicesFile? former)
    {
        if (former is { IsUsed: true })
            error.Write($"The devices that were replaced, with their keys; delete the file when all is well:\n  {FailurePrinter.OneLine(former.Path)}\n");
    }

    /// <summary>Where devices of the target are kept that are replaced.</summary>
    public static string FormerPath(CliEnvironment environment, string application) => Path.Combine(
        JournalFiles.Folder(environment), $"replaced_{string.Concat(application.Select(static c => char.IsAsciiLetterOrDigit(c) ? c : '-'))}.json");

    private static void Write(
        TextWriter error, ImportSummary summary, Invocation invocation, AdaptiveConcurrency concurrency, DeviceJournal? journal, FormerDevicesFile? former)
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
        if (summary is { Total: 0, Stopped: null, Interrupted: false, NotInFile.Count: 0 })
            error.Write("There was no device to import: is it the right file, and did the export write it?\n");
        if (summary.NotInFile.Count > 0)
        {
            var named = string.Join(' ', summary.NotInFile.Take(FailedDevicesListed).Select(FailurePrinter.OneLine));
            error.Write($"Asked for with --{IdsFile.Name}, but not in the file: {summary.NotInFile.Count.ToString(CultureInfo.InvariantCulture)}\n  {named}{(summary.NotInFile.Count > FailedDevicesListed ? " ..." : "")}\n");
        }
        Reasons("Why devices failed:", summary.Problems, FailedDevicesListed);
        Reasons("Why devices were skipped:", summary.SkippedFor, 0);
        Reasons("Worth knowing:", summary.Notes.Where(note => !note.NeedsPerson), 0);
        Reasons("Needs a person:", summary.Notes.Where(note => note.NeedsPerson), ExportSummary.ListedPerReason);
        if (invocation.Flags.IsOn(GlobalFlags.Verbose))
            error.Write(string.Create(CultureInfo.InvariantCulture, $"Devices under way at the end: {concurrency.Limit}\n"));
        if (journal is not null)
            error.Write($"Recorded in the journal:\n  {FailurePrinter.OneLine(journal.File)}\n");
        else if (!summary.DryRun && summary.Imported > 0)
            error.Write("No journal knows these devices: if their lines are of a dry run, they are still alive where they come from.\n");
        if (journal is not null && StateText.OnBoth(journal.Reader, invocation) is { } onBoth)
            error.Write(onBoth + "\n");
        WriteFormer(error, former);
        if (summary is { Total: 0, Stopped: null, Interrupted: false, NotInFile.Count: 0 })
            return;
        var input = invocation.Arguments is [] or ["-"] ? " < devices.json" : "";
        var again = NextCommand.Again(invocation) + input;
        error.Write("Next:\n");
        if (summary.Stopped is not null)
            error.Write($"  solve what is said above, then run the same command again; what is done is not touched:\n  {again}\n");
        else if (summary.Interrupted)
            error.Write($"  run the same command again; what is done is not touched:\n  {again}\n");
        else if (!summary.Succeeded)
            error.Write($"  solve what is listed above, then run the same command again; what is done is not touched:\n  {again}\n");
        else if (summary.DryRun)
            error.Write($"  {NextCommand.Again(invocation, withoutDryRun: true)}{input}\n");
        else
            error.Write($"  {NextCommand.Verify(invocation, isAllInJournal: !summary.Notes.Any(static note => note.Code == Importer.NotInJournalCode))}\n");

        void Count(string what, int count, string remark) =>
            error.Write($"  {what,-12}{count.ToString(CultureInfo.InvariantCulture),7}{(remark.Length == 0 ? "" : "  " + remark)}\n");

        void Reasons(string title, IEnumerable<ReasonCount> reasons, int listed) => SummaryPrinter.Reasons(error, title, reasons, listed);
    }
}
