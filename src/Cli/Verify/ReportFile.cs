using System.Text;
using Cli.CommandLine;
using Cli.Output;
using Migration.Verify;
using TheThingsStack.Errors;

namespace Cli.Verify;

/// <summary><c>--report FILE</c>: a page to hand out.</summary>
internal sealed class ReportFile(Invocation invocation)
{
    private const string Name = "report";

    private readonly string? path = invocation.Flags.TextOrNull(Name);
    private Stream? stream;

    public static Flag Flag { get; } = new(Name, FlagKind.Text, "write a page for people, with counts, lists and what to do, to this file (HTML)") { Addition = true };

    /// <summary>Creates the file, once.</summary>
    /// <exception cref="FailureException">It cannot be written.</exception>
    public void Open()
    {
        if (path is not null)
            stream ??= Guard(() => invocation.Environment.CreateFile(path));
    }

    /// <summary>Writes the page, if one is wanted.</summary>
    /// <exception cref="FailureException">It cannot be written.</exception>
    public void Write(ReportSubject subject, VerifyTally tally)
    {
        Open();
        if (stream is null)
            return;
        Guard(() =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
            ReportPage.Write(writer, subject, tally);
            return true;
        });
    }

    private T Guard<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new FailureException(new Failure($"write {path}: {SystemReason.Of(e)}") { Advice = $"The path comes from --{Name}." }, e);
        }
    }
}
