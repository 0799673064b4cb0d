using Cli.CommandLine;
using Cli.Imports;
using Cli.Input;
using Cli.Journals;
using Cli.Networks;
using Cli.Output;
using Migration;
using Migration.Journal;
using TheThingsStack.Errors;

namespace Cli.Commands;

/// <summary><c>SOURCE device</c>, <c>SOURCE application</c>, and their deprecated forms with <c>--source</c>.</summary>
internal static class ExportCommand
{
    /// <summary>Name of the flag that chooses the source on the deprecated commands.</summary>
    public const string SourceFlag = "source";

    /// <summary>
    /// Exports; exit code 0 when every device is on its way, else 1. With <c>--import-to</c> the codes of the commands that the Go tool does
    /// not have.
    /// </summary>
    public static async Task<int> RunAsync(Invocation invocation, SourceDefinition source, ExportedItems items)
    {
        var environment = invocation.Environment;
        var values = invocation.Flags;
        var isStraight = StraightThrough.IsGiven(values);
        var flags = new SourceFlags(source.Name, values, environment) { Items = items, StraightThrough = isStraight };
        if ((source.Check(flags) ?? CheckPlansAddress(values)) is { } failure)
            throw new FailureException(failure);

        var status = new StatusWriter(environment);
        foreach (var (variable, value) in values.MisreadSwitches(source.Name + "."))
            Note(status, $"{variable.Name}={Quote.Double(value)} counts as off: only \"{variable.TrueWord}\" is on");

        var log = new StderrLogger(status, values.IsOn(GlobalFlags.Verbose));
        await using var straight = isStraight ? StraightThrough.Open(invocation, source, flags, log) : null;
        var (ids, fromStandardInput) = await ReadIdsAsync(invocation, source, flags, items, status);
        if (ids.Count == 0)
        {
            Note(status, fromStandardInput ? "no IDs on standard input, nothing to export" : "no IDs given, nothing to export");
            return 0;
        }
        if (source.Open is null)
            throw new FailureException(NotAvailable(source));

        var options = new ExportOptions
        {
            DryRun = values.IsOn(GlobalFlags.DryRun),
            DeviceIdPrefix = values.Text(GlobalFlags.DeviceIdPrefix),
            EuiAsDeviceId = values.IsOn(GlobalFlags.SetEuiAsId),
            FailFast = values.IsOn(GlobalFlags.FailFast),
            Concurrency = source.Concurrency,
        };
        await using var devices = source.Open(flags, SourceContexts.Create(invocation, log));

        JournalScope? scope = null;
        var file = "";
        if (source.Journal is { } support)
        {
            scope = new JournalScope(source.Name, support.Server(flags));
            file = JournalFiles.For(environment, values, scope, items == ExportedItems.Applications && ids.Count == 1 ? ids[0] : support.Application(flags));
        }
        else if (isStraight)
        {
            // Nothing to retire there, but what is imported has to be known.
            scope = new JournalScope(source.Name, "");
            file = JournalFiles.For(environment, values, scope, "");
        }
        if (file.Length > 0 && environment.StandardOutputIs(file))
            throw new UsageException($"standard output and the journal are the same file, {file}: each would overwrite the other", "give the output another name; nothing was changed at the source");
        // Before the first call: without a journal that can be written nothing would be changed at the source, and that is not what was asked.
        await using var journal = options.DryRun || scope is null ? null : DeviceJournal.Open(new JournalOptions(file, scope, BuildInformation.Version, environment.Clock));
        using var earlier = options.DryRun && File.Exists(file) ? JournalReader.Open(file) : null;

        var progress = new ExportProgress(status, environment.Clock, options.FailFast);
        await using var rejects = RejectsFile.Open(invocation, status, progress);
        var exporter = new Exporter(devices, options, journal, earlier, straight?.Importer);
        var summary = await InterruptibleRun.FinishInHandAsync(
            environment,
            status,
            interrupt => exporter.RunAsync(new ExportRequest(items, ids), environment.StandardOutput, rejects is null ? progress : rejects, interrupt),
            invocation.Cancellation);
        if (summary is null)
        {
            status.WriteLine(options.DryRun
                ? "Stopped at once. This was a dry run: nothing was changed."
                : $"Stopped at once. The last lines of the file may be of devices that are still alive at {source.Name}: run the same command again, it finishes them.");
            return isStraight ? ExitCode.Interrupted : ExitCode.Failed;
        }
        status.Write(error =>
        {
            if (summary.Stopped is { } stopped)
                FailurePrinter.Write(error, stopped);
            ImportCommand.WriteFormer(error, straight?.Former);
            SummaryPrinter.Write(error, summary, source.Name, journal?.File, NextCommand.Status(invocation), NextCommand.For(summary, invocation, fromStandardInput, journal?.File, OfApplication(invocation, source, flags, items, ids)));
        });
        if (!isStraight)
            return summary.Succeeded ? ExitCode.Done : ExitCode.Failed;
        return summary switch
        {
            { Stopped: { } stopped } => ExitCode.Of(stopped),
            { Interrupted: true } => ExitCode.Interrupted,
            { Succeeded: false } => ExitCode.NeedsAttention,
            _ => ExitCode.Done,
        };
    }

    /// <summary>
    /// What <c>device</c> has to be told to find the devices of an application that was named to <c>application</c>, e.g. <c> --app-id my-app</c>;
    /// empty when it knows, null when there were several.
    /// </summary>
    private static string? OfApplication(Invocation invocation, SourceDefinition source, SourceFlags flags, ExportedItems items, IReadOnlyList<string> ids)
    {
        if (items != ExportedItems.Applications || source.Journal is not { } support || (ids.Count == 1 && ids[0] == support.Application(flags)))
            return "";
        return ids.Count > 1 ? null : $" --{invocation.Command.LocalFlags.First(flag => flag.Target == source.Name + ".app-id").Name} {NextCommand.Shell(ids[0])}";
    }

    /// <summary>Arguments win over standard input; empty ones are skipped.</summary>
    private static async Task<(IReadOnlyList<string> Ids, bool FromStandardInput)> ReadIdsAsync(
        Invocation invocation, SourceDefinition source, SourceFlags flags, ExportedItems items, StatusWriter status)
    {
        if (await IdsFile.ReadAsync(invocation) is { } listed)
            return ([.. invocation.Arguments.Where(id => id.Length > 0), .. listed], false);
        if (invocation.Arguments.Count > 0)
            return (invocation.Arguments.Where(id => id.Length > 0).ToList(), false);
        if (items == ExportedItems.Applications && source.WithoutArguments == ItemsWithoutArguments.Configured && source.DefaultApplications(flags) is { Count: > 0 } configured)
            return (configured, false);
        var environment = invocation.Environment;
        if (environment.StandardInputIsTerminal())
        {
            var what = items == ExportedItems.Devices ? "device" : "application";
            Note(status, $"no IDs given: type one {what} ID per line, and {(OperatingSystem.IsWindows() ? "Ctrl-Z and Enter" : "Ctrl-D")} at the end");
        }
        await using var input = environment.OpenStandardInput();
        return (await IdList.ReadAsync(input, "standard input", text => Note(status, text), invocation.Cancellation), true);
    }

    /// <summary>The address of the frequency plans must at least be an address; empty is only missed when a plan is needed.</summary>
    private static Failure? CheckPlansAddress(FlagValues values)
    {
        var address = values.Text(GlobalFlags.FrequencyPlansUrl);
        var colon = address.IndexOf(':', StringComparison.Ordinal);
        return address.Length == 0 || (colon > 0 && Uri.CheckSchemeName(address[..colon]))
            ? null
            : new Failure("URI scheme not specified")
            {
                Namespace = "pkg/fetch",
                Name = "scheme_not_specified",
                Advice = $"--{GlobalFlags.FrequencyPlansUrl} is {Quote.Double(address)}; write it with https:// or http://.",
            };
    }

    private static void Note(StatusWriter status, string text) => status.WriteLine("note: " + text);

    private static Failure NotAvailable(SourceDefinition source) =>
        Failure.Named("source", "not_available", $"source `{source.Name}` is not available in version {BuildInformation.Version}") with
        {
            Attributes = new Dictionary<string, string> { ["source"] = source.Name },
            Advice = "Use version 0.12.1 of the Go tool for this network meanwhile; its file can be imported all the same.",
        };
}
