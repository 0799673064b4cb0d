using Cli.CommandLine;
using Cli.Commands;
using Cli.Imports;
using Cli.Input;
using Cli.Networks;
using Cli.Output;
using Migration;
using Migration.Journal;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Cli.Journals;

/// <summary><c>rollback</c>: puts devices back at their source as the journal has them.</summary>
internal static class RollbackCommand
{
    private const string ApplicationId = "application-id";

    public static Command Create() => new("rollback", "Put retired devices back at their source")
    {
        Addition = true,
        Description = "Put retired devices back at their source as the journal has them: all devices of the journal, or the given ones.\n"
            + "Frame counters are never lowered, and devices that somebody changed since are left alone. With --dry-run, only say what would be done.\n\n"
            + "Devices that were imported already have to leave The Things Stack, or they are on both sides: with --default-grpc-address they are\n"
            + "removed there first, each only when its source takes it back.",
        Operands = "[dev-id] ...",
        FlagFactory = () =>
        [
            .. SourceRegistry.All.Where(s => s.Journal is not null).SelectMany(s => s.FlagsOfDeprecatedCommands()),
            new(ApplicationId, FlagKind.Text, "application at the target (default: the one that the journal names)") { Addition = true },
            .. TargetFlags.Plain.All(),
            JournalFiles.JournalFlag,
            IdsFile.Flag,
            OutputFormat.Flag,
        ],
        RunAsync = RunAsync,
    };

    private static async Task<int> RunAsync(Invocation invocation)
    {
        var json = OutputFormat.IsJson(invocation);
        var ids = await IdsFile.IdsAsync(invocation);
        if (ids is { Count: 0 })
            return ExitCode.Done;
        var environment = invocation.Environment;
        var dryRun = invocation.Flags.IsOn(Commands.GlobalFlags.DryRun);
        var file = JournalFiles.Choose(environment, invocation.Flags);
        await using var journal = dryRun ? null : DeviceJournal.Open(new JournalOptions(file, null, BuildInformation.Version, environment.Clock));
        using var look = dryRun ? JournalReader.Open(file) : null;
        var reader = journal?.Reader ?? look!;
        var scope = reader.Scope();
        var source = SourceRegistry.All.FirstOrDefault(s => s.Name == scope.Source);
        if (source?.Journal is not { } support)
            throw new FailureException(Failure.Named("journal", "unknown_source", $"journal `{file}` is of source `{scope.Source}`, which cannot be rolled back by this version"));
        var values = new SourceFlags(source.Name, invocation.Flags, environment);
        if (support.IsServerGiven(values))
            DeviceWork.RequireScope(file, scope, new JournalScope(source.Name, support.Server(values)));

        var status = new StatusWriter(environment);
        var log = new StderrLogger(status, invocation.Flags.IsOn(Commands.GlobalFlags.Verbose));
        await using var devices = support.Open(values, SourceContexts.Create(invocation, log), scope);
        await using var target = OpenTarget(invocation, source.Name, log);
        var rollback = new Rollback(devices, reader, journal, target is null ? null : new TargetRemoval(target, invocation.Flags.TextOrNull(ApplicationId)));
        return await DeviceWork.RunAsync(invocation, status, dryRun ? "to restore" : "restored", json, (progress, interrupt) => rollback.RunAsync(ids ?? [], progress, interrupt));
    }

    /// <summary>The Things Stack that devices have to leave; null when none is named.</summary>
    private static ClusterClient? OpenTarget(Invocation invocation, string source, Microsoft.Extensions.Logging.ILogger log)
    {
        if (!TargetFlags.Plain.IsGiven(invocation.Flags))
        {
            return invocation.Flags.TextOrNull(ApplicationId) is null
                ? null
                : throw new UsageException($"--{ApplicationId} names an application of the target, but not where that is: give its address too");
        }
        if (source == TtsNetwork.Name && TargetFlags.Plain.IsKeyFromEnvironment(invocation.Flags))
            throw new UsageException($"{TargetFlags.KeyVariable} is the key of the source here: give that of the target with --app-api-key-file FILE");
        return new ClusterClient(TargetFlags.Plain.Read(invocation, log, null));
    }
}
