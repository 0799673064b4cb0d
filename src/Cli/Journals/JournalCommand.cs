using System.Globalization;
using System.Text;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Output;
using Migration.Journal;
using TheThingsStack.Errors;

namespace Cli.Journals;

/// <summary><c>journal list</c>, <c>journal show ID</c>, <c>journal export</c>, <c>journal destroy</c>.</summary>
internal static class JournalCommand
{
    private const string Reveal = "reveal";

    public static Command Create() => new("journal", "Look into the journal of a migration")
    {
        Addition = true,
        Children =
        [
            new Command("list", "List the devices of a journal, or the journals")
            {
                Addition = true,
                TakesNoArguments = true,
                FlagFactory = () => [JournalFiles.JournalFlag, OutputFormat.Flag, new("all", FlagKind.Switch, "List the journals in your state folder") { Addition = true }],
                RunAsync = ListAsync,
            },
            new Command("show", "Show what happened to a device")
            {
                Addition = true,
                Operands = "dev-id ...",
                FlagFactory = () => [JournalFiles.JournalFlag, OutputFormat.Flag, new(Reveal, FlagKind.Switch, "Show keys too") { Addition = true }],
                RunAsync = Show,
            },
            new Command("export", "Write the lines of a journal again")
            {
                Addition = true,
                Operands = "[dev-id] ...",
                FlagFactory = () => [JournalFiles.JournalFlag],
                RunAsync = ExportAsync,
            },
            new Command("destroy", "Overwrite and remove a journal that is no longer needed")
            {
                Addition = true,
                TakesNoArguments = true,
                FlagFactory = () => [JournalFiles.JournalFlag, Confirmation.YesFlag],
                RunAsync = DestroyAsync,
            },
        ],
    };

    private static async Task<int> ListAsync(Invocation invocation)
    {
        var json = OutputFormat.IsJson(invocation);
        if (invocation.Flags.IsOn("all"))
            return ListFiles(invocation, json);
        using var reader = JournalReader.Open(JournalFiles.Choose(invocation.Environment, invocation.Flags));
        var code = ExitCode.Done;
        await foreach (var device in reader.NamesAsync(onlyWritten: false, invocation.Cancellation))
        {
            JournalEntry entry;
            try
            {
                entry = reader.Find(device)!;
            }
            catch (FailureException e)
            {
                Output.FailurePrinter.Write(invocation.Environment.StandardError, e.Failure);
                code = ExitCode.NeedsAttention;
                continue;
            }
            if (json)
                JsonOutput.WriteLine(invocation.Environment, writer => Members(writer, entry));
            else
                CliApplication.WriteOutput(invocation.Environment, string.Create(CultureInfo.InvariantCulture, $"{StateText.Of(entry.State),-18}{Time(entry.Changed)}  {entry.Device.Application}/{entry.Device.DeviceId}{Remark(entry)}\n"));
        }
        return code;
    }

    private static int ListFiles(Invocation invocation, bool json)
    {
        var code = ExitCode.Done;
        foreach (var file in JournalLocation.List(JournalFiles.Folder(invocation.Environment)))
        {
            try
            {
                using var reader = JournalReader.Open(file);
                var counts = reader.Counts();
                if (json)
                {
                    JsonOutput.WriteLine(invocation.Environment, writer =>
                    {
                        writer.WriteString("journal"u8, file);
                        writer.WriteNumber("devices"u8, counts.Sum(c => c.Count));
                        writer.WriteNumber("unfinished"u8, reader.CountUnfinished());
                    });
                    continue;
                }
                CliApplication.WriteOutput(invocation.Environment, string.Create(CultureInfo.InvariantCulture, $"{file}: {string.Join(", ", counts.Select(c => $"{c.Count} {StateText.Of(c.State)}"))}\n"));
            }
            catch (FailureException e)
            {
                Output.FailurePrinter.Write(invocation.Environment.StandardError, e.Failure);
                code = ExitCode.NeedsAttention;
            }
        }
        return code;
    }

    private static Task<int> Show(Invocation invocation)
    {
        if (invocation.Arguments.Count == 0)
            throw new UsageException("no device ID given") { HelpOf = invocation.Command };
        var json = OutputFormat.IsJson(invocation);
        var reveal = invocation.Flags.IsOn(Reveal);
        using var reader = JournalReader.Open(JournalFiles.Choose(invocation.Environment, invocation.Flags));
        foreach (var id in invocation.Arguments)
        {
            var names = reader.NamesOf(id);
            if (names.Count == 0)
                throw new FailureException(reader.DoesNotKnow(id));
            foreach (var name in names)
            {
                var entry = reader.Find(name)!;
                var history = reader.History(name);
                if (json)
                    JsonOutput.WriteLine(invocation.Environment, writer => Members(writer, entry, history, reveal));
                else
                    CliApplication.WriteOutput(invocation.Environment, Describe(entry, history, reveal));
            }
        }
        return Task.FromResult(ExitCode.Done);
    }

    private static string Describe(JournalEntry entry, IReadOnlyList<JournalEvent> history, bool reveal)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{entry.Device.Application}/{entry.Device.DeviceId}: {StateText.Of(entry.State)}{Remark(entry)}\n");
        foreach (var step in history)
        {
            text.Append(CultureInfo.InvariantCulture, $"  {Time(step.Time)}  {StateText.Of(step.State),-18}");
            text.Append(step.Attempt > 0 ? string.Create(CultureInfo.InvariantCulture, $"attempt {step.Attempt}  ") : "").Append(step.Detail).Append('\n');
        }
        text.Append(CultureInfo.InvariantCulture, $"  tool version {entry.ToolVersion}\n");
        if (reveal && !entry.Record.IsEmpty)
            text.Append("  record ").Append(Convert.ToHexString(entry.Record.Span)).Append('\n');
        if (entry.Line is { } line)
            text.Append("  line   ").Append(reveal ? Encoding.UTF8.GetString(line.Span) : SecretText.Hide(line.Span)).Append('\n');
        return text.ToString();
    }

    private static async Task<int> ExportAsync(Invocation invocation)
    {
        using var reader = JournalReader.Open(JournalFiles.Choose(invocation.Environment, invocation.Flags));
        var code = ExitCode.Done;
        if (invocation.Arguments.Count == 0)
        {
            await foreach (var device in reader.NamesAsync(onlyWritten: true, invocation.Cancellation))
                code = Math.Max(code, WriteLine(invocation, reader, device));
            return code;
        }
        foreach (var id in invocation.Arguments)
        {
            var names = reader.NamesOf(id);
            if (names.Count == 0)
            {
                invocation.Environment.StandardError.Write($"note: device {Quote.Double(id)} is not in the journal\n");
                code = ExitCode.NeedsAttention;
            }
            foreach (var name in names)
                code = Math.Max(code, WriteLine(invocation, reader, name));
        }
        return code;
    }

    private static int WriteLine(Invocation invocation, JournalReader reader, JournalDeviceId device)
    {
        try
        {
            if (reader.Find(device)?.Line is not { } line)
            {
                invocation.Environment.StandardError.Write($"note: device {Quote.Double(device.DeviceId)} has no line in the journal\n");
                return ExitCode.NeedsAttention;
            }
            CliApplication.WriteOutput(invocation.Environment, Encoding.UTF8.GetString(line.Span) + "\n");
            return ExitCode.Done;
        }
        catch (FailureException e)
        {
            Output.FailurePrinter.Write(invocation.Environment.StandardError, e.Failure);
            return ExitCode.NeedsAttention;
        }
    }

    private static async Task<int> DestroyAsync(Invocation invocation)
    {
        var file = JournalFiles.Choose(invocation.Environment, invocation.Flags);
        long devices, onNeither;
        using (var reader = JournalReader.Open(file))
            (devices, onNeither) = (reader.Counts().Sum(c => c.Count), reader.CountOnNeither());
        await Confirmation.AskAsync(
            invocation,
            string.Create(CultureInfo.InvariantCulture, $"Journal {file} with {devices} devices, their keys and what is needed to roll back, is overwritten and removed.\n")
            + (onNeither == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{onNeither} of them are retired and not known to be on The Things Stack: their keys may be nowhere else but in the file of the export.\n")),
            "destroy");
        DeviceJournal.Destroy(file);
        return ExitCode.Done;
    }

    private static void Members(System.Text.Json.Utf8JsonWriter json, JournalEntry entry)
    {
        json.WriteString("device_id"u8, entry.Device.DeviceId);
        json.WriteString("application_id"u8, entry.Device.Application);
        json.WriteString("state"u8, StateText.Of(entry.State));
        json.WriteString("changed"u8, entry.Changed);
        if (entry.Way is { } way)
            json.WriteString("way"u8, way.ToString().ToLowerInvariant());
        if (entry.RejectedCode is not null)
        {
            json.WriteString("code"u8, entry.RejectedCode);
            json.WriteString("reason"u8, entry.RejectedReason);
        }
        json.WriteNumber("attempts"u8, entry.Attempts);
    }

    private static void Members(System.Text.Json.Utf8JsonWriter json, JournalEntry entry, IReadOnlyList<JournalEvent> history, bool reveal)
    {
        Members(json, entry);
        json.WriteString("tool_version"u8, entry.ToolVersion);
        json.WriteStartArray("history"u8);
        foreach (var step in history)
        {
            json.WriteStartObject();
            json.WriteString("state"u8, StateText.Of(step.State));
            json.WriteString("time"u8, step.Time);
            json.WriteNumber("attempt"u8, step.Attempt);
            if (step.Detail is not null)
                json.WriteString("detail"u8, step.Detail);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (reveal && !entry.Record.IsEmpty)
            json.WriteBase64String("record"u8, entry.Record.Span);
        if (entry.Line is { } line)
        {
            json.WritePropertyName("line"u8);
            json.WriteRawValue(reveal ? Encoding.UTF8.GetString(line.Span) : SecretText.Hide(line.Span));
        }
    }

    private static string Remark(JournalEntry entry) => entry switch
    {
        { State: DeviceState.Rejected } => $"  {entry.RejectedCode}: {Output.FailurePrinter.OneLine(entry.RejectedReason ?? "")}",
        { State: DeviceState.Retired, Way: { } way } => $"  {Migration.RetireWayText.Past(way)}",
        _ => "",
    };

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
