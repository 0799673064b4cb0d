using System.Globalization;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Input;
using Cli.Networks;
using Cli.Output;
using Migration;
using Migration.Journal;

namespace Cli.Journals;

/// <summary><c>SOURCE retire</c>: takes devices whose lines are safe out of service at their source.</summary>
internal static class RetireCommand
{
    private const string Way = "way";

    public static Command Create(SourceDefinition source) => new("retire", "Take exported devices out of service at the source")
    {
        Addition = true,
        Description = "Take exported devices out of service at the source: all devices of the journal, or the given ones.\n"
            + "Without --way, devices that join get a random AppKey (joins are refused, the session lives on) and ABP devices are deleted.",
        Operands = "[dev-id] ...",
        FlagFactory = () =>
        [
            .. source.FlagsOfCommands(),
            new(Way, FlagKind.Text, "How: clear (keys become zero), rotate (the AppKey becomes a random one), mute (no more downlinks), delete") { Addition = true, Words = ["clear", "rotate", "mute", "delete"] },
            JournalFiles.JournalFlag,
            IdsFile.Flag,
            OutputFormat.Flag,
            Confirmation.YesFlag,
        ],
        RunAsync = invocation => RunAsync(invocation, source),
    };

    private static async Task<int> RunAsync(Invocation invocation, SourceDefinition source)
    {
        RetireWay? way = invocation.Flags.Text(Way) switch
        {
            "" => null,
            "clear" => RetireWay.Clear,
            "rotate" => RetireWay.Rotate,
            "mute" => RetireWay.Mute,
            "delete" => RetireWay.Delete,
            var other => throw new UsageException($"invalid argument {Quote.Double(other)} for \"--{Way}\" flag: clear, rotate, mute or delete"),
        };
        var json = OutputFormat.IsJson(invocation);
        var ids = await IdsFile.IdsAsync(invocation);
        if (ids is { Count: 0 })
            return ExitCode.Done;
        var environment = invocation.Environment;
        var values = new SourceFlags(source.Name, invocation.Flags, environment);
        var support = source.Journal!;
        var scope = new JournalScope(source.Name, support.Server(values));
        var file = JournalFiles.For(environment, invocation.Flags, scope, support.Application(values));

        var status = new StatusWriter(environment);
        var log = new StderrLogger(status, invocation.Flags.IsOn(Commands.GlobalFlags.Verbose));
        await using var devices = support.Open(values, SourceContexts.Create(invocation, log), scope);
        await using var journal = DeviceJournal.Open(new JournalOptions(file, null, BuildInformation.Version, environment.Clock));
        DeviceWork.RequireScope(journal.File, journal.Scope, scope);

        var retirer = new Retirer(devices, journal, way);
        var preview = await retirer.PreviewAsync(ids ?? [], invocation.Cancellation);
        var text = Describe(preview, source.Name, NextCommand.Journal(invocation));
        if (preview.Ways.GetValueOrDefault(RetireWay.Delete) > 0 && !invocation.Flags.IsOn(Commands.GlobalFlags.DryRun))
            await Confirmation.AskAsync(invocation, text, "delete");
        else
            environment.StandardError.Write(text);
        if (invocation.Flags.IsOn(Commands.GlobalFlags.DryRun))
            return preview.Failed > 0 ? ExitCode.NeedsAttention : ExitCode.Done;
        return await DeviceWork.RunAsync(invocation, status, "retired", json, (progress, interrupt) => retirer.RunAsync(ids ?? [], progress, interrupt));
    }

    private static string Describe(RetirePreview preview, string source, string journal)
    {
        var text = $"About to retire at {source}:\n";
        foreach (var (way, count) in preview.Ways)
        {
            text += string.Create(CultureInfo.InvariantCulture, $"  {count,7}  {way switch
            {
                RetireWay.Clear => "cleared: their exported keys become zero, joins are refused",
                RetireWay.Rotate => "rotated: their AppKey becomes a random one, joins are refused, a session that was not exported lives on",
                RetireWay.Mute => "muted: the network sends them nothing any more, so that they cannot join there",
                _ => "deleted: they are removed, with their session",
            }}\n");
        }
        if (preview.NotKnownOnTarget > 0)
            text += string.Create(CultureInfo.InvariantCulture, $"  {preview.NotKnownOnTarget,7}  of these are not known to be on The Things Stack: the journal knows of no import. Retire them only when they are there\n");
        if (preview.Skipped > 0)
            text += string.Create(CultureInfo.InvariantCulture, $"  {preview.Skipped,7}  left alone: nothing to do\n");
        if (preview.Failed > 0)
            text += string.Create(CultureInfo.InvariantCulture, $"  {preview.Failed,7}  left alone: cannot be retired, reasons follow\n");
        return preview.Ways.Count == 0 ? text : $"{text}`ttn-lw-migrate rollback{journal}` puts them back.\n";
    }
}
