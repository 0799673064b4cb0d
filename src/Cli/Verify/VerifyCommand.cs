using Cli.CommandLine;
using Cli.Commands;
using Cli.Imports;
using Cli.Journals;
using Cli.Networks;
using Cli.Output;
using Migration;
using Migration.Import;
using Migration.Journal;
using Migration.Verify;
using TheThingsStack.Errors;
using TheThingsStack.Import;
using TheThingsStack.Json;
using TheThingsStack.Registries;

namespace Cli.Verify;

/// <summary><c>verify [FILE]</c>: is every device on The Things Stack as it was sent, and has it arrived?</summary>
internal static class VerifyCommand
{
    private const string ApplicationId = "application-id";
    private const string WaitFlag = "wait";

    /// <summary>Networks that can be asked about devices that have left them.</summary>
    private static IEnumerable<SourceDefinition> Sources => SourceRegistry.All.Where(static source => source.Journal is not null);

    public static Command Create() => new("verify", "Verify that devices are on The Things Stack and have joined there")
    {
        Operands = "[file]",
        Addition = true,
        Description = """
            Verify that devices are on The Things Stack as they were sent, and have arrived there.

            Reads device JSON (lines or a list) from the file or standard input, or the journal named with --journal, and compares each device
            on the four servers with it, field by field. What servers change by themselves does not count. With --source the old network is
            asked too: does it still answer the device, and has it heard it since? With --wait the command watches until every device has
            joined or was heard, or the time is up. Nothing is changed anywhere; a journal notes what was verified.

            The exit code is 0 when every device has arrived, 3 when some have not or need somebody.
            """,
        Examples =
        [
            "ttn-lw-migrate verify devices.json --application-id my-app --default-grpc-address eu1.cloud.thethings.network:8884",
            "ttn-lw-migrate verify devices.json --application-id my-app --default-grpc-address eu1.cloud.thethings.network:8884 --source ttnv2",
            "ttn-lw-migrate verify --journal my-app.journal --default-grpc-address eu1.cloud.thethings.network:8884 --wait 24h --report report.html",
        ],
        FlagFactory = () =>
        [
            new(ApplicationId, FlagKind.Text, "application at the target (default: the one that the journal or the lines name)") { Addition = true },
            .. TargetFlags.Plain.All(),
            .. ImportFlags.Abp(""),
            new("concurrency", FlagKind.Text, "calls under way at a time; without it the tool finds what the servers do best with") { Addition = true },
            JournalFiles.JournalFlag,
            OutputFormat.Flag,
            ReportFile.Flag,
            new(ExportCommand.SourceFlag, FlagKind.Text, "old network to ask too; its flags and variables are those of its export") { Words = [.. Sources.Select(static source => source.Name)], Addition = true },
            .. Sources.SelectMany(static source => source.FlagsOfDeprecatedCommands()),
            new(WaitFlag, FlagKind.Text, "watch until all devices have arrived, at most so long, e.g. 24h or 90m") { Default = "0s", Addition = true },
        ],
        RunAsync = RunAsync,
    };

    private static async Task<int> RunAsync(Invocation invocation)
    {
        var (environment, flags) = (invocation.Environment, invocation.Flags);
        var journalFile = flags.TextOrNull(JournalFiles.Journal);
        if (journalFile is not null && invocation.Arguments.Count > 0)
            throw new UsageException("a file or a journal, not both");
        if (!WaitTime.TryParse(flags.Text(WaitFlag), out var wait))
            throw new UsageException($"--{WaitFlag} is {Quote.Double(flags.Text(WaitFlag))}; it is a time like 24h, 90m or 1h30m");
        var isJson = OutputFormat.IsJson(invocation);
        var status = new StatusWriter(environment);
        var log = new StderrLogger(status, flags.IsOn(GlobalFlags.Verbose));
        var cluster = TargetFlags.Plain.Read(invocation, log, null);
        var concurrency = ImportFlags.ReadConcurrency(flags, "", environment.Clock);
        var abp = ImportFlags.ReadAbp(flags, "");
        await using var file = journalFile is null ? DeviceFile.Open(invocation) : null;
        using var journal = journalFile is null ? null : VerifyJournal.Open(Path.GetFullPath(journalFile), environment.Clock, mayWrite: !flags.IsOn(GlobalFlags.DryRun));
        var (source, sourceApplication) = OpenSource(invocation, log, journal?.Reader);
        await using var asked = source;
        await using var client = new ClusterClient(cluster);
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(invocation.Cancellation);
        using var registration = environment.OnInterrupt(() =>
        {
            status.WriteLine("Interrupted: what is known is reported.");
            interrupt.Cancel();
        });

        var input = new VerifyInput(flags.TextOrNull(ApplicationId), sourceApplication);
        using var report = new ReportFile(invocation);
        await using var stdout = new FilterOutput(environment.StandardOutput);
        var output = new VerifyOutput(stdout, status, isJson);
        var progress = new WatchProgress(status, environment.Clock);
        var tally = new VerifyTally();
        var verifier = new Verifier(new ClusterDevices(client, concurrency), new VerifyOptions
        {
            Clock = environment.Clock,
            Wait = wait,
            Source = source as ISourceWitness,
            Abp = abp,
            Plans = FrequencyPlanFlags.Open(flags, environment),
        });
        VerifyEnd? end = null;
        Failure? stopped = null;
        try
        {
            end = await verifier.RunAsync(
                journal is null ? input.FileAsync(file!.Stream, interrupt.Token) : input.JournalAsync(journal.Reader, interrupt.Token),
                async settled =>
                {
                    tally.Add(settled.Device);
                    output.Write(settled.Device);
                    if (journal is not null && settled.Journal is { } name && (settled.Device.IsAsSent || (settled.Device.Failure is null && settled.Device.Missing != DeviceServers.None)))
                        await journal.SeenAsync(name, new ImportTarget(settled.Device.Application, cluster.Addresses.Identity.ToString(), new AbpAdjustments()), settled.Device.Missing);
                },
                step =>
                {
                    // A path that cannot be written is told before a watch of a day, and only once the servers have answered.
                    report.Open();
                    if (step.IsWatching)
                        report.Write(Subject(), tally.With(verifier.Waiting));
                    progress.Report(step);
                },
                interrupt.Token);
        }
        catch (TtsJsonException e) when (file is not null)
        {
            stopped = file.Unreadable(e);
        }
        catch (FailureException e)
        {
            stopped = Verifier.IsRefused(e) ? e.Failure with { NotAuthorised = true } : e.Failure;
        }
        status.ClearStatus();
        output.Flush();
        var unmarked = journal is null ? 0 : await journal.FinishAsync();
        if (stopped is null || tally.Total > 0)
            report.Write(Subject(), tally);
        status.Write(error => VerifySummary.Write(error, tally, end, stopped, input, unmarked, source is null ? journal?.Reader.Scope().Source : null, source is null && journal is not null ? StateText.OnBoth(journal.Reader, invocation) : null, Retire(invocation)));
        if (isJson)
            VerifySummary.WriteJson(environment, tally, end, stopped, input);
        return (stopped, end) switch
        {
            ({ } failure, _) => ExitCode.Of(failure),
            (_, { Interrupted: true }) => ExitCode.Interrupted,
            _ => tally.Done == tally.Total && !input.HasOnBoth ? ExitCode.Done : ExitCode.NeedsAttention,
        };

        ReportSubject Subject() => new(input.Applications, cluster.Addresses.Identity.ToString(), environment.Clock.GetUtcNow());
    }

    /// <summary>The command that takes devices out of service at the old network; null when none was named.</summary>
    private static string? Retire(Invocation invocation) => invocation.Flags.TextOrNull(ExportCommand.SourceFlag) is { } name
        ? $"{invocation.Command.Root.Name} {SourceRegistry.Choose(SourceRegistry.All, name).Name} retire{NextCommand.Journal(invocation)}"
        : null;

    /// <summary>Opens the old network that <c>--source</c> names, with its own flags; null when it is not to be asked. Calls no one.</summary>
    /// <exception cref="UsageException">It cannot be asked, or one variable would be the key of both clusters.</exception>
    /// <exception cref="FailureException">A flag of it is missing or wrong, or the journal is of another network.</exception>
    private static (IDeviceSource? Source, string Application) OpenSource(Invocation invocation, StderrLogger log, JournalReader? journal)
    {
        var flags = invocation.Flags;
        if (flags.TextOrNull(ExportCommand.SourceFlag) is not { } name)
            return (null, "");
        var source = SourceRegistry.Choose(SourceRegistry.All, name);
        if (source.Journal is not { } support)
            throw new UsageException($"--{ExportCommand.SourceFlag} is {Quote.Double(name)}; {string.Join(" and ", Sources.Select(static s => s.Name))} can be asked about devices that have left");
        if (TargetFlags.Plain.IsKeyFromEnvironment(flags) && flags.OriginName($"{source.Name}.app-api-key") == TargetFlags.KeyVariable)
            throw new UsageException($"{TargetFlags.KeyVariable} cannot be the key of both clusters: give that of the target with --app-api-key-file FILE");
        var values = new SourceFlags(source.Name, flags, invocation.Environment);
        var named = new JournalScope(source.Name, support.Server(values));
        var scope = journal?.Scope() ?? named;
        if (scope.Source != source.Name || support.IsServerGiven(values))
            DeviceWork.RequireScope(journal?.File ?? "", scope, named);
        return (support.Open(values, SourceContexts.Create(invocation, log), scope), support.Application(values));
    }
}
