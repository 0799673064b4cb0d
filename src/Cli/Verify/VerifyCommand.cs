using System.Globalization;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Imports;
using Cli.Journals;
using Cli.Output;
using Migration.Verify;
using TheThingsStack.Errors;
using TheThingsStack.Json;
using TheThingsStack.Registries;

namespace Cli.Verify;

/// <summary><c>verify [FILE]</c>: is every device on The Things Stack as it was sent, and has it arrived?</summary>
internal static class VerifyCommand
{
    private const string ApplicationId = "application-id";
    private const string WaitFlag = "wait";
    private const string Concurrency = "concurrency";
    private const int MostConcurrency = 512;

    public static Command Create() => new("verify", "Verify that devices are on The Things Stack and have joined there")
    {
        Operands = "[file]",
        Addition = true,
        Description = """
            Verify that devices are on The Things Stack as they were sent, and have arrived there.

            Reads device JSON (lines or a list) from the file or standard input, or the journal named with --journal, and compares each device
            on the four servers with it, field by field. What servers change by themselves does not count. With --wait the command watches
            until every device has joined or was heard, or the time is up. Nothing is changed anywhere; a journal notes what was verified.

            The exit code is 0 when every device has arrived, 3 when some have not or need somebody.
            """,
        Examples =
        [
            "ttn-lw-migrate verify devices.json --application-id my-app --default-grpc-address eu1.cloud.thethings.network:8884",
            "ttn-lw-migrate verify --journal my-app.journal --default-grpc-address eu1.cloud.thethings.network:8884 --wait 24h --report report.html",
        ],
        FlagFactory = () =>
        [
            new(ApplicationId, FlagKind.Text, "application at the target (default: the one that the journal or the lines name)") { Addition = true },
            .. TargetFlags.Plain.All(),
            new(Concurrency, FlagKind.Text, "calls under way at a time; without it the tool finds what the servers do best with") { Addition = true },
            JournalFiles.JournalFlag,
            Commands.OutputFormat.Flag(),
            ReportFile.Flag,
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
        var isJson = Commands.OutputFormat.IsJson(flags);
        var status = new StatusWriter(environment);
        var cluster = TargetFlags.Plain.Read(invocation, new StderrLogger(status, flags.IsOn(GlobalFlags.Verbose)), null);
        var concurrency = ReadConcurrency(flags, environment.Clock);
        await using var file = journalFile is null ? DeviceFile.Open(invocation) : null;
        using var journal = journalFile is null ? null : VerifyJournal.Open(Path.GetFullPath(journalFile), environment.Clock, mayWrite: !flags.IsOn(GlobalFlags.DryRun));
        await using var client = new ClusterClient(cluster);
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(invocation.Cancellation);
        using var registration = environment.OnInterrupt(() =>
        {
            status.WriteLine("Interrupted: what is known is reported.");
            interrupt.Cancel();
        });

        var input = new VerifyInput(flags.TextOrNull(ApplicationId));
        var report = new ReportFile(invocation);
        await using var stdout = new FilterOutput(environment.StandardOutput);
        var output = new VerifyOutput(stdout, isJson);
        var progress = new WatchProgress(status, environment.Clock);
        var tally = new VerifyTally();
        var verifier = new Verifier(new ClusterDevices(client, concurrency), new VerifyOptions { Clock = environment.Clock, Wait = wait });
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
                    if (journal is not null && settled is { Device.IsAsSent: true, Journal: { } name })
                        await journal.VerifiedAsync(name);
                },
                step =>
                {
                    // A path that cannot be written is told before a watch of a day, and only once the servers have answered.
                    report.Open();
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
            report.Write(new ReportSubject(input.Applications, Address(cluster), environment.Clock.GetUtcNow()), tally);
        status.Write(error => VerifySummary.Write(error, tally, end, stopped, input, unmarked));
        if (isJson)
            VerifySummary.WriteJson(environment, tally, end, stopped, input);
        return (stopped, end) switch
        {
            ({ } failure, _) => ExitCode.Of(failure),
            (_, { Interrupted: true }) => ExitCode.Interrupted,
            _ => tally.Done == tally.Total ? ExitCode.Done : ExitCode.NeedsAttention,
        };
    }

    private static string Address(ClusterOptions cluster) => cluster.Addresses.Identity.ToString();

    private static AdaptiveConcurrency ReadConcurrency(FlagValues flags, TimeProvider clock)
    {
        if (flags.TextOrNull(Concurrency) is not { } text)
            return AdaptiveConcurrency.Adaptive(clock);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= MostConcurrency
            ? AdaptiveConcurrency.Fixed(clock, number)
            : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--{Concurrency} is {Quote.Double(text)}; it is 1 to {MostConcurrency}"));
    }
}
