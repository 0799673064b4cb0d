using Cli.CommandLine;
using Migration;

namespace Cli.Output;

/// <summary>Says the step after a run as commands to type. Secrets given on the command line are not repeated.</summary>
internal static class NextCommand
{
    private const string Hidden = "'***'";

    private const int MostIds = 20;

    /// <summary>Gives the commands; empty when there is nothing to do.</summary>
    /// <param name="summary">What the run came to.</param>
    /// <param name="invocation">The command that ran.</param>
    /// <param name="fromStandardInput">Whether the IDs came from standard input.</param>
    /// <param name="journal">Path of the journal; null without one.</param>
    /// <param name="ofApplication">What <c>device</c> has to be told about the application that was named; null when there were several.</param>
    public static IReadOnlyList<string> For(ExportSummary summary, Invocation invocation, bool fromStandardInput, string? journal, string? ofApplication)
    {
        var (command, words) = (invocation.Command, invocation.Environment.Arguments);
        var input = fromStandardInput ? " < device_ids.txt" : "";
        switch (summary.Next)
        {
            case NextStep.RunForReal:
                return [Whole(keepDryRun: false)];
            case NextStep.SolveAndRunAgain when summary.ImportedTo is not null:
                return ["solve what is listed above, then run the same command again; what is done is only written again:", Whole(keepDryRun: true)];
            case NextStep.SolveAndRunAgain when ofApplication is null:
                // An ID alone does not say which application it is of.
                return
                [
                    .. WithoutThem(summary, Whole(keepDryRun: false), invocation),
                    "solve what is listed above, then run the same command again; it writes the complete file:",
                    Whole(keepDryRun: true),
                ];
            case NextStep.SolveAndRunAgain:
                var failed = summary.Problems.SelectMany(p => p.Devices).Select(Typed).Distinct().ToList();
                return
                [
                    .. WithoutThem(summary, Whole(keepDryRun: false), invocation),
                    .. failed.Count <= MostIds
                        ? ["solve what is listed above, then export those devices:", $"{Again(command, words, keepDryRun: true, failed)}{ofApplication} > more-devices.json"]
                        : (string[])["solve what is listed above, then export those devices; one ID per line:", $"{Again(command, words, keepDryRun: true, [])}{ofApplication} < device_ids.txt > more-devices.json"],
                ];
            case NextStep.Continue:
                var solve = summary.Interrupted ? "run" : "solve what is said above, then run";
                return [$"{solve} the same command again; it goes on where this run ended and writes the complete file:", Whole(keepDryRun: true)];
            case NextStep.Import:
                return [Import(invocation)];
            case NextStep.Verify:
                return [Commands.StraightThrough.Verify(invocation, journal!)];
            default:
                return [];
        }

        string Whole(bool keepDryRun) => $"{Again(command, words, keepDryRun)}{input} > devices.json";
    }

    /// <summary>A row of a file without a DevEUI is listed by its place, <c>devices.csv:5</c>; it has to get one.</summary>
    private static string Typed(string device) => device.Contains(':', StringComparison.Ordinal) ? "DEVEUI" : device;

    /// <summary>The devices that did not fail need not wait for the others: after an export those that join can join nowhere.</summary>
    private static string[] WithoutThem(ExportSummary summary, string forReal, Invocation invocation) => summary switch
    {
        // A device whose retirement failed is in the file too, and perhaps still alive at its source.
        { Exported: 0 } or { RetireFailed: > 0 } => [],
        { DryRun: true } => ["the other devices can go now; those listed above keep their keys meanwhile:", forReal],
        _ => ["the other devices are in the file, import them now:", Import(invocation)],
    };

    private static string Import(Invocation invocation) =>
        $"{invocation.Command.Root.Name} import devices.json --application-id YOUR-APPLICATION --default-grpc-address HOST:PORT{Journal(invocation)}";

    /// <summary>What another command has to be told about the journal of this one: nothing when it is in the usual place, where it is found.</summary>
    public static string Journal(Invocation invocation) =>
        invocation.Flags.TextOrNull(Journals.JournalFiles.Journal) is { } file ? $" --{Journals.JournalFiles.Journal} {Shell(file)}" : "";

    /// <summary>The command that shows how far a migration has come.</summary>
    public static string Status(Invocation invocation) => $"{invocation.Command.Root.Name} status{Journal(invocation)}";

    /// <summary>The command line that ran, to be typed again.</summary>
    public static string Again(Invocation invocation, bool withoutDryRun = false) =>
        Again(invocation.Command, invocation.Environment.Arguments, keepDryRun: !withoutDryRun);

    /// <summary>
    /// The command that looks whether devices that were imported have arrived: with the same target, and the journal that was named; without one,
    /// or when it does not know them all, with the same file and application.
    /// </summary>
    public static string Verify(Invocation invocation, bool isAllInJournal)
    {
        const string name = "verify";
        var root = invocation.Command.Root;
        var journal = isAllInJournal ? Journal(invocation) : "";
        var line = $"{root.Name} {name}{journal}";
        foreach (var file in journal.Length > 0 ? [] : invocation.Arguments)
            line += " " + Shell(file);
        var verify = root.Children.First(command => command.Name == name);
        foreach (var flag in verify.LocalFlags)
        {
            if (!IsForTarget(flag.Name) || (journal.Length > 0 && flag.Name == "application-id") || invocation.Flags.Origin(flag.Target) != FlagOrigin.CommandLine || (flag.Kind == FlagKind.Switch && !invocation.Flags.IsOn(flag.Target)))
                continue;
            line += flag switch
            {
                { Secret: true } => $" --{flag.Name} {Hidden}",
                { Kind: FlagKind.Switch } => $" --{flag.Name}",
                _ => $" --{flag.Name} {Shell(invocation.Flags.Text(flag.Target))}",
            };
        }
        // What the import changed of ABP devices must not look like a difference.
        foreach (var flag in Imports.ImportFlags.Abp(""))
        {
            if (invocation.Flags.Origin(flag.Name) != FlagOrigin.Default)
                line += $" --{flag.Name}={Shell(invocation.Flags.Text(flag.Name))}";
        }
        return line + (journal.Length == 0 && invocation.Arguments is [] or ["-"] ? " < devices.json" : "");
    }

    /// <summary>What says which application of which cluster, and how to reach it.</summary>
    private static bool IsForTarget(string flag) =>
        flag is "application-id" or "app-api-key" or "app-api-key-file" or "ca-file" or "insecure" || flag.EndsWith("-grpc-address", StringComparison.Ordinal);

    /// <summary>The command line, with devices in place of its arguments when they are given.</summary>
    private static string Again(Command command, IReadOnlyList<string> words, bool keepDryRun, IReadOnlyList<string>? devices = null)
    {
        var line = command.Root.Name;
        var pathLeft = command.Path.Count(c => c == ' ');
        for (var at = 0; at < words.Count; at++)
        {
            var word = words[at];
            var equals = word.IndexOf('=', StringComparison.Ordinal);
            var name = !word.StartsWith("--", StringComparison.Ordinal) ? "" : equals < 0 ? word[2..] : word[2..equals];
            if (name.Length == 0)
            {
                if (pathLeft-- == 1 && devices is not null)
                    line += " device";
                else if (pathLeft >= 0 || devices is null)
                    line += " " + Shell(word);
                continue;
            }
            if (name == Commands.GlobalFlags.DryRun && !keepDryRun)
                continue;
            var flag = command.FindFlag(name);
            var secret = flag is { Secret: true };
            line += " " + (secret && equals >= 0 ? $"--{name}={Hidden}" : Shell(word));
            if (flag is { Kind: FlagKind.Text } && equals < 0 && ++at < words.Count)
                line += " " + (secret ? Hidden : Shell(words[at]));
        }
        foreach (var device in devices ?? [])
            line += " " + Shell(device);
        return line;
    }

    /// <summary>Quotes a word for a POSIX shell when it needs it.</summary>
    public static string Shell(string word)
    {
        foreach (var c in word)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"-_./:=@,+%".Contains(c, StringComparison.Ordinal))
                return $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
        }
        return word.Length == 0 ? "''" : word;
    }
}
