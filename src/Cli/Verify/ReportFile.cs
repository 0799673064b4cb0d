using System.Text;
using Cli.CommandLine;
using Cli.Commands;
using Cli.Journals;
using Migration.Verify;
using TheThingsStack.Errors;

namespace Cli.Verify;

/// <summary>
/// <c>--report FILE</c>: a page to hand out. It is written beside the file and put in its place when it is whole, so that nobody reads half a
/// page and an older one stays until there is a new one.
/// </summary>
internal sealed class ReportFile(Invocation invocation) : IDisposable
{
    private const string Name = "report";

    private readonly string? path = Target(invocation, invocation.Flags.TextOrNull(Name));
    private Stream? stream;

    public static Flag Flag { get; } = new(Name, FlagKind.Text, "write a page for people, with counts, lists and what to do, to this file (HTML)") { Addition = true };

    /// <summary>What has a name under /dev is not a file that can be replaced.</summary>
    private bool IsDevice => path!.StartsWith("/dev/", StringComparison.Ordinal);

    private string Part => IsDevice ? path! : path + ".part";

    /// <summary>Makes sure that the page can be written; nothing when none is wanted.</summary>
    /// <exception cref="FailureException">It cannot.</exception>
    public void Open()
    {
        if (path is not null)
            stream ??= Guard(() => invocation.Environment.CreateFile(Part));
    }

    /// <summary>Writes the page, if one is wanted.</summary>
    /// <exception cref="FailureException">It cannot be written.</exception>
    public void Write(ReportSubject subject, VerifyTally tally)
    {
        Open();
        if (stream is not { } file)
            return;
        stream = null;
        Guard(() =>
        {
            using (var writer = new StreamWriter(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)))
                ReportPage.Write(writer, subject, tally);
            if (!IsDevice)
                invocation.Environment.ReplaceFile(Part, path!);
            return true;
        });
    }

    /// <summary>Takes away what was begun and not finished.</summary>
    public void Dispose()
    {
        if (stream is null)
            return;
        stream.Dispose();
        if (!IsDevice)
            File.Delete(Part);
    }

    /// <summary>A link stays; what it leads to is replaced.</summary>
    private static string? Target(Invocation invocation, string? path)
    {
        if (path is null)
            return null;
        JournalFiles.RequireNone(invocation, path, Name);
        DeviceFile.RequireOther(invocation, path, Name);
        return new FileInfo(path).LinkTarget is not null ? File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName : path;
    }

    private T Guard<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new FailureException(new Failure($"write {path}: {SystemReason.Of(e, path)}") { Advice = $"The path comes from --{Name}." }, e);
        }
    }
}
