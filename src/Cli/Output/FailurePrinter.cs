using Cli.CommandLine;
using TheThingsStack.Errors;

namespace Cli.Output;

/// <summary>Prints failures in the stack format of facts/cli-surface.md section 6: the message twice, details indented, causes after dashes.</summary>
internal static class FailurePrinter
{
    private const string Indent = "    ";

    /// <summary>Prints a failure and what to do about it.</summary>
    public static void Write(TextWriter error, Failure failure)
    {
        error.Write($"Error: {OneLine(failure.ToString())}\n");
        WriteStack(error, failure);
    }

    /// <summary>Prints the failure and its causes once, after a lead.</summary>
    public static void WriteStack(TextWriter error, Failure failure, string lead = "")
    {
        var dashes = lead;
        for (var link = failure; link is not null; link = link.Cause)
        {
            error.Write($"{dashes}{OneLine(link.ToString())}\n");
            foreach (var (key, value) in link.Attributes.OrderBy(a => a.Key, StringComparer.Ordinal))
                error.Write($"{Indent}{key}={OneLine(value)}\n");
            if (link.CorrelationId is not null)
                error.Write($"{Indent}correlation_id={OneLine(link.CorrelationId)}\n");
            dashes = "--- ";
        }
        WriteAdvice(error, failure);
    }

    /// <summary>Prints what to do, once per advice.</summary>
    public static void WriteAdvice(TextWriter error, Failure failure)
    {
        HashSet<string>? said = null;
        for (var link = failure; link is not null; link = link.Cause)
        {
            if (link.Advice is { Length: > 0 } advice && (said ??= []).Add(advice))
                error.Write($"hint: {OneLine(advice)}\n");
        }
    }

    /// <summary>Prints what is wrong with the command line.</summary>
    public static void WriteUsage(TextWriter error, UsageException problem)
    {
        error.Write($"Error: {problem.Message}\n");
        if (problem.HelpOf is { } command)
            error.Write($"Run '{command.Path} --help' for usage.\n");
        error.Write($"{problem.Message}\n");
        if (problem.Advice is not null)
            error.Write($"hint: {problem.Advice}\n");
    }

    /// <summary>Prints an exception that no part of the program expected.</summary>
    public static void WriteBug(TextWriter error, Exception exception, bool verbose)
    {
        error.Write(
            $"Error: this is a bug in ttn-lw-migrate {BuildInformation.Version}: {exception.GetType().Name}: {OneLine(exception.Message)}. "
            + $"Please report it with this line and the command at {BuildInformation.ReportAddress}"
            + (verbose ? "\n" : " (run with --verbose for details)\n"));
        if (verbose)
            error.Write($"{exception}\n");
    }

    /// <summary>Text of a server must not move the cursor or forge lines.</summary>
    internal static string OneLine(string text)
    {
        foreach (var c in text)
        {
            if (char.IsControl(c))
                return string.Create(text.Length, text, static (span, source) =>
                {
                    for (var i = 0; i < span.Length; i++)
                        span[i] = char.IsControl(source[i]) ? ' ' : source[i];
                });
        }
        return text;
    }
}
