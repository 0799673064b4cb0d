using System.Text.Json;
using System.Text.RegularExpressions;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Networks;
using D = Cli.Tests.Golden.CliDifferences;

namespace Cli.Tests.Golden;

/// <summary>Compares one recorded command line with what happened here, by rules that hold for any command line.</summary>
internal sealed partial class CliComparison(Recorded recorded, CliResult actual, Func<Recorded, CliResult> run)
{
    private static readonly Dictionary<string, string> DefaultsOfTheGuide = new()
    {
        ["with-session"] = "true",
        ["account-server-address"] = "\"https://account.thethingsnetwork.org\"",
        ["discovery-server-address"] = "\"discovery.thethings.network:1900\"",
    };

    private readonly Command _root = CommandTree.Create();

    /// <summary>Names of the differences that were found and are allowed.</summary>
    public HashSet<string> Used { get; } = [];

    /// <summary>Says what differs without being allowed to, or null.</summary>
    public string? Check() =>
        CheckWholeRow(out var problem) ? problem : CheckExit() ?? CheckError() ?? CheckOutput();

    /// <summary>Differences that make the whole row another.</summary>
    private bool CheckWholeRow(out string? problem)
    {
        problem = null;
        if (recorded.OutputIs is not null && !SourceIsMissing())
        {
            Used.Add(D.OutputFailures);
            problem = actual.ExitCode == 1 && actual.Error.Contains("Error: ", StringComparison.Ordinal) ? null : Differs("exit or stderr", "1, Error: ...", actual.ExitCode + actual.Error);
            return true;
        }
        if (SourceIsMissing())
        {
            Used.Add(D.NotAvailable);
            problem = actual is { ExitCode: 1, Output.Length: 0 } ? null : "an error with output";
            return true;
        }
        if (actual.Error.Contains("/tts/config:invalid_app_api_key (", StringComparison.Ordinal) && recorded.Error.Contains(":net_operation (", StringComparison.Ordinal))
        {
            Used.Add(D.KeyForm);
            problem = actual is { ExitCode: 1, Output.Length: 0 } ? null : "an error with output";
            return true;
        }
        if (UsesOldSpelling() && recorded.ExitCode == 1)
        {
            Used.Add(D.OldSpellings);
            problem = actual.Error.Contains("unknown flag", StringComparison.Ordinal) || actual.Error.Contains(":not_registered", StringComparison.Ordinal)
                || actual.Error.Contains(":no_api_token", StringComparison.Ordinal)
                ? Differs("stderr", "the old spelling accepted", actual.Error)
                : null;
            return true;
        }
        if (recorded.Error.Contains("unknown command", StringComparison.Ordinal) && recorded.Arguments is ["awsiot" or "aws-iot", ..])
        {
            Used.Add(D.AwsIot);
            problem = actual.Error.Contains("unknown command", StringComparison.Ordinal) ? "awsiot is not known" : null;
            return true;
        }
        var clean = recorded.Input.TrimStart('\uFEFF');
        if (!clean.EndsWith('\n'))
            clean = clean.TrimEnd();
        if (clean != recorded.Input && recorded.ExitCode == 1)
        {
            Used.Add(D.CleanIds);
            problem = run(recorded with { Input = clean }) == actual ? null : "the cleaned list gives something else";
            return true;
        }
        const string FailFast = "--fail-fast";
        if (recorded.ExitCode == 1 && actual.Error.Contains("/pkg/export:export (", StringComparison.Ordinal) && !recorded.Arguments.Contains(FailFast))
        {
            var stopping = recorded with { Arguments = [FailFast, .. recorded.Arguments] };
            if (run(stopping) is var stopped && (stopped.Output, stopped.ExitCode) != (actual.Output, actual.ExitCode))
            {
                Used.Add(D.GoesOn);
                problem = new CliComparison(stopping, stopped, run).Check();
                return true;
            }
        }
        return false;
    }

    private bool SourceIsMissing() =>
        actual.Error.Contains("/source:not_available (source `", StringComparison.Ordinal) && SourceRegistry.All.Any(s => s.Open is null
            && actual.Error.Contains($"source `{s.Name}`", StringComparison.Ordinal));

    private bool UsesOldSpelling()
    {
        var flags = _root.Children.SelectMany(c => c.Children.Append(c)).Append(_root).SelectMany(c => c.LocalFlags).ToList();
        var hiddenFlags = flags.Where(f => f.Hidden).Select(f => f.Name).ToHashSet();
        var hiddenVariables = flags.SelectMany(f => f.Variables).Where(v => v.Hidden).Select(v => v.Name).ToHashSet();
        var sourceAliases = SourceRegistry.All.SelectMany(s => s.Aliases.Concat(s.OldPrefixes)).ToHashSet();
        return recorded.Arguments.Any(a => a.StartsWith("--", StringComparison.Ordinal) && hiddenFlags.Contains(a[2..].Split('=')[0]))
            || recorded.Variables.Keys.Any(hiddenVariables.Contains)
            || recorded.Arguments.Zip(recorded.Arguments.Skip(1)).Any(p => p.First == "--source" && sourceAliases.Contains(p.Second))
            || recorded.Arguments.Any(a => a.StartsWith("--source=", StringComparison.Ordinal) && sourceAliases.Contains(a["--source=".Length..]));
    }

    private string? CheckExit() => recorded.ExitCode == actual.ExitCode ? null : Differs("exit", recorded.ExitCode, actual.ExitCode) + "\n" + actual.Error;

    private string? CheckError()
    {
        var expected = Without(recorded.Error, l => l == "    correlation_id=<correlation-id>", D.CorrelationIds);
        expected = Without(expected, l => l.StartsWith("{\"level\":", StringComparison.Ordinal), D.LogLines);
        var ours = Without(actual.Error, l => l.StartsWith("hint: ", StringComparison.Ordinal), D.Advice);
        ours = Without(ours, l => l.StartsWith("note: ", StringComparison.Ordinal), D.Notes);
        if (Summary().Match(ours) is { Success: true } summary)
        {
            Used.Add(D.Summary);
            ours = ours[..summary.Index];
        }
        if (expected.Contains("[<sources in random order>]", StringComparison.Ordinal))
        {
            Used.Add(D.Sorted);
            ours = ours.Replace($"[{string.Join('|', SourceRegistry.All.Select(s => s.Name))}]", "[<sources in random order>]", StringComparison.Ordinal);
        }
        if (ours.Contains("\n\nDid you mean this?\n", StringComparison.Ordinal) && !expected.Contains("\tawsiot\n", StringComparison.Ordinal))
        {
            var without = ours.Replace("\tawsiot\n", "", StringComparison.Ordinal).Replace("\n\nDid you mean this?\n\n", "\n", StringComparison.Ordinal);
            if (without != ours)
                Used.Add(D.AwsIot);
            ours = without;
        }
        var libraryText = LibraryCause().Match(expected);
        if (libraryText.Success && LibraryCause().Match(ours) is { Success: true } oursText)
        {
            if (expected[libraryText.Index..] != ours[oursText.Index..])
                Used.Add(D.LibraryTexts);
            (expected, ours) = (expected[..libraryText.Index], ours[..oursText.Index]);
        }
        if (HelpPage.IsHelp(expected) && HelpPage.IsHelp(ours))
            return CompareHelp(HelpPage.Parse(expected), HelpPage.Parse(ours));
        return expected == ours ? null : Differs("stderr", expected, ours);
    }

    private string? CheckOutput()
    {
        var (expected, ours) = (recorded.Output, actual.Output);
        if (recorded.Arguments is ["__complete" or "__completeNoDesc", ..])
            return CompareCompletion(expected, ours);
        if (HelpPage.IsHelp(expected) && HelpPage.IsHelp(ours))
            return CompareHelp(HelpPage.Parse(expected), HelpPage.Parse(ours));
        if (recorded.Arguments is [.., "completion", _] or ["completion", _, ..])
        {
            Used.Add(D.OursText);
            return ours.Contains("__complete", StringComparison.Ordinal) ? null : Differs("script", "one that calls __complete", ours);
        }
        if (expected.StartsWith('{'))
            return CompareDevices(expected, ours);
        if (expected.Contains("\nGo version:", StringComparison.Ordinal))
        {
            Used.Add(D.Runtime);
            static string Rows(string text) => string.Join('\n', text.Split('\n').Where(l => !VersionRow().IsMatch(l)));
            return Rows(expected) == Rows(ours) && ours.Contains("\nVersion:", StringComparison.Ordinal) ? null : Differs("stdout", expected, ours);
        }
        if (recorded.Note.Contains("random order", StringComparison.Ordinal))
        {
            Used.Add(D.Sorted);
            Used.Add(D.AwsIot);
            static IEnumerable<string> Lines(string text) => text.Split('\n').Where(l => !l.StartsWith("awsiot ", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
            return Lines(expected).SequenceEqual(Lines(ours)) ? null : Differs("stdout", expected, ours);
        }
        return expected == ours ? null : Differs("stdout", expected, ours);
    }

    private string? CompareHelp(HelpPage expected, HelpPage ours)
    {
        if (recorded.Arguments.Contains("completion"))
            Used.Add(D.OursText);
        else if (expected.Description != ours.Description)
            return Differs("description", expected.Description, ours.Description);
        if (expected.Footer != ours.Footer)
            return Differs("last line", expected.Footer, ours.Footer);
        foreach (var title in ours.Sections.Keys.Except(expected.Sections.Keys))
        {
            if (title is not ("Environment" or "Examples"))
                return $"section {title} is not recorded";
            Used.Add(D.Sections);
        }
        foreach (var (title, lines) in expected.Sections)
        {
            if (!ours.Sections.TryGetValue(title, out var ourLines))
                return $"section {title} is missing";
            var problem = title switch
            {
                "Flags" or "Global Flags" => CompareFlags(HelpPage.Flags(lines), HelpPage.Flags(ourLines)),
                "Sources" or "Available Commands" or "Additional Commands" => CompareCommands(HelpPage.Commands(lines), HelpPage.Commands(ourLines)),
                _ => lines.SequenceEqual(ourLines) ? null : Differs(title, string.Join('\n', lines), string.Join('\n', ourLines)),
            };
            if (problem is not null)
                return problem;
        }
        return null;
    }

    private string? CompareFlags(
        Dictionary<string, (string Type, string Description, string Default)> expected, Dictionary<string, (string Type, string Description, string Default)> ours)
    {
        foreach (var name in ours.Keys.Except(expected.Keys))
        {
            if (!IsAllowedFlag(name))
                return $"flag --{name} is not recorded";
        }
        foreach (var (name, flag) in expected)
        {
            if (!ours.TryGetValue(name, out var our))
                return $"flag --{name} is missing";
            if (flag.Type != our.Type)
                return Differs($"type of --{name}", flag.Type, our.Type);
            if (name == "source")
                Used.Add(D.Sorted);
            else if (flag.Description != our.Description)
            {
                if (!our.Description.StartsWith(flag.Description, StringComparison.Ordinal))
                    return Differs($"description of --{name}", flag.Description, our.Description);
                Used.Add(D.SaysMore);
            }
            if (flag.Default == our.Default)
                continue;
            if (name == "frequency-plans-url" && our.Default.Length == 0)
            {
                Used.Add(D.PlansBuiltIn);
                continue;
            }
            if (flag.Default.Length > 0 || DefaultsOfTheGuide.GetValueOrDefault(name.Replace("ttnv2.", "", StringComparison.Ordinal)) != our.Default)
                return Differs($"default of --{name}", flag.Default, our.Default);
            Used.Add(D.GuideDefaults);
        }
        return null;
    }

    private bool IsAllowedFlag(string name)
    {
        if (name.StartsWith("awsiot.", StringComparison.Ordinal))
            return Used.Add(D.AwsIot) || true;
        return AllCommands(_root).SelectMany(c => c.LocalFlags).Any(f => f.Name == name && f.Addition) && (Used.Add(D.Additions) || true);
    }

    private string? CompareCommands(Dictionary<string, string> expected, Dictionary<string, string> ours)
    {
        foreach (var name in ours.Keys.Except(expected.Keys))
        {
            if (!IsAllowedCommand(name))
                return $"command {name} is not recorded";
        }
        foreach (var (name, summary) in expected)
        {
            if (!ours.TryGetValue(name, out var our) || our != summary)
                return Differs($"command {name}", summary, our ?? "");
        }
        return null;
    }

    private bool IsAllowedCommand(string name)
    {
        if (name == "awsiot")
            return Used.Add(D.AwsIot) || true;
        return AllCommands(_root).Any(c => c.Name == name && c.Addition) && (Used.Add(D.Additions) || true);
    }

    private string? CompareCompletion(string expected, string ours)
    {
        var expectedLines = expected.TrimEnd('\n').Split('\n');
        var ourLines = ours.TrimEnd('\n').Split('\n');
        if (expectedLines is [":0"] && ourLines is [.., ":4"] && ourLines.Length > 1)
        {
            Used.Add(D.Words);
            return null;
        }
        var kept = ourLines.Where(line =>
        {
            var word = line.Split('\t')[0];
            if (expectedLines.Any(e => e.Split('\t')[0] == word))
                return true;
            return word.StartsWith("--", StringComparison.Ordinal) ? !IsAllowedFlag(word[2..]) : !IsAllowedCommand(word);
        }).ToList();
        if (kept.Count != expectedLines.Length)
            return Differs("stdout", expected, ours);
        for (var i = 0; i < kept.Count; i++)
        {
            if (kept[i] == expectedLines[i])
                continue;
            if (recorded.Arguments.Contains("completion") && kept[i].Split('\t')[0] == expectedLines[i].Split('\t')[0])
                Used.Add(D.OursText);
            else if (kept[i].StartsWith(expectedLines[i], StringComparison.Ordinal) && expectedLines[i].Contains('\t', StringComparison.Ordinal))
                Used.Add(D.SaysMore);
            else if (kept[i].StartsWith("--source\t", StringComparison.Ordinal) && expectedLines[i].StartsWith("--source\t", StringComparison.Ordinal))
                Used.Add(D.Sorted);
            else
                return Differs("stdout", expected, ours);
        }
        return null;
    }

    private string? CompareDevices(string expected, string ours)
    {
        var expectedLines = expected.TrimEnd('\n').Split('\n');
        var ourLines = ours.TrimEnd('\n').Split('\n');
        if (recorded.Note.Contains("random order", StringComparison.Ordinal))
        {
            Used.Add(D.Sorted);
            expectedLines = [.. expectedLines.Order(StringComparer.Ordinal)];
            ourLines = [.. ourLines.Order(StringComparer.Ordinal)];
        }
        if (expectedLines.Distinct().Count() is var distinct && distinct < expectedLines.Length && ourLines.Length == distinct)
        {
            Used.Add(D.Duplicates);
            expectedLines = [.. expectedLines.Distinct()];
        }
        if (expectedLines.Length != ourLines.Length || !ours.EndsWith('\n'))
            return Differs("stdout", expected, ours);
        foreach (var (expectedLine, ourLine) in expectedLines.Zip(ourLines))
        {
            using var expectedDevice = JsonDocument.Parse(expectedLine);
            using var ourDevice = JsonDocument.Parse(ourLine);
            if (!JsonElement.DeepEquals(expectedDevice.RootElement, ourDevice.RootElement))
                return Differs("device", expectedLine, ourLine);
        }
        return null;
    }

    private string Without(string text, Func<string, bool> isDropped, string difference)
    {
        var lines = text.Split('\n');
        var kept = lines.Where(l => !isDropped(l)).ToArray();
        if (kept.Length != lines.Length)
            Used.Add(difference);
        return string.Join('\n', kept);
    }

    private static IEnumerable<Command> AllCommands(Command command) => command.Children.SelectMany(AllCommands).Prepend(command);

    private string Differs(string what, object expected, object ours) => $"[{string.Join(' ', recorded.Arguments)}] {what} differs\n--- recorded\n{expected}\n--- here\n{ours}\n---";

    [GeneratedRegex("^Summary", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Summary();

    /// <summary>From the first cause without a name, or from the system's network and file errors, to the end.</summary>
    [GeneratedRegex(@"^--- ((?!error:)|error:pkg/(errors:(net_operation|syscall|request)|types:invalid_eui) )", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LibraryCause();

    [GeneratedRegex(@"^(Version|Build date|Git commit|Go version|\.NET version):", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex VersionRow();
}
