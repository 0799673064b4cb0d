using System.Globalization;
using System.Text;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Output;
using Migration.Journal;

namespace Cli.Journals;

/// <summary><c>status</c>: devices by state, and what to do next.</summary>
internal static class StatusCommand
{
    public static Command Create() => new("status", "Show how far a migration has come")
    {
        Addition = true,
        TakesNoArguments = true,
        FlagFactory = () => [JournalFiles.JournalFlag, OutputFormat.Flag],
        RunAsync = RunAsync,
    };

    private static Task<int> RunAsync(Invocation invocation)
    {
        var isJson = OutputFormat.IsJson(invocation);
        using var reader = JournalReader.Open(JournalFiles.Choose(invocation.Environment, invocation.Flags));
        var scope = reader.Scope();
        var counts = reader.Counts();
        var unfinished = reader.CountUnfinished();
        var named = NextCommand.Journal(invocation);
        var onBoth = StateText.CountOnBoth(reader);
        if (isJson)
        {
            JsonOutput.WriteLine(invocation.Environment, json =>
            {
                json.WriteString("journal"u8, reader.File);
                json.WriteString("source"u8, scope.Source);
                json.WriteString("server"u8, scope.Server);
                json.WriteStartObject("devices"u8);
                foreach (var count in counts)
                    json.WriteNumber(StateText.Of(count.State), count.Count);
                json.WriteEndObject();
                json.WriteNumber("unfinished"u8, unfinished);
                json.WriteNumber("on_both"u8, onBoth);
                json.WriteStartArray("next"u8);
                foreach (var count in counts)
                {
                    if (StateText.Next(count.State, scope.Source, named) is { } next)
                        json.WriteStringValue($"{StateText.Of(count.State)}: {next}");
                }
                if (onBoth > 0)
                    json.WriteStringValue($"on both: {StateText.OnBoth(scope.Source, named)}");
                json.WriteEndArray();
            });
            return Task.FromResult(ExitCode.Done);
        }
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Journal  {reader.File}\nSource   {scope.Source}{(scope.Server.Length == 0 ? "" : $" at {scope.Server}")}\n\n");
        foreach (var count in counts)
            text.Append(CultureInfo.InvariantCulture, $"  {StateText.Of(count.State),-18}{count.Count,8}\n");
        text.Append(CultureInfo.InvariantCulture, $"  {"in all",-18}{counts.Sum(c => c.Count),8}\n");
        if (onBoth > 0)
            text.Append(CultureInfo.InvariantCulture, $"  {"of these on both",-18}{onBoth,8}\n");
        var first = true;
        foreach (var count in counts)
        {
            if (StateText.Next(count.State, scope.Source, named) is not { } next)
                continue;
            text.Append(first ? "\nNext:\n" : "");
            first = false;
            text.Append(CultureInfo.InvariantCulture, $"  {StateText.Of(count.State)}: {next}\n");
        }
        if (onBoth > 0)
            text.Append(CultureInfo.InvariantCulture, $"{(first ? "\nNext:\n" : "")}  on both: {StateText.OnBoth(scope.Source, named)}\n");
        CliApplication.WriteOutput(invocation.Environment, text.ToString());
        return Task.FromResult(ExitCode.Done);
    }
}
