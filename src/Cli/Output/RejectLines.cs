using Cli.CommandLine;
using Cli.Journals;
using TheThingsStack.Errors;

namespace Cli.Output;

/// <summary>
/// The lines of <c>--rejects FILE</c>. A disk without room for them must not stop a run halfway through its devices: it is told, the summary has
/// the reasons all the same, and no more lines are tried.
/// </summary>
internal sealed class RejectLines(Stream file, string path, StatusWriter status) : IAsyncDisposable
{
    /// <summary>Name of the flag.</summary>
    public const string Name = "rejects";

    private bool _failed;

    /// <summary>Opens the file when one is named; it is emptied, since it tells of this run.</summary>
    /// <exception cref="UsageException">It is a journal.</exception>
    /// <exception cref="FailureException">It cannot be written.</exception>
    public static RejectLines? Open(Invocation invocation, StatusWriter status)
    {
        if (invocation.Flags.TextOrNull(Name) is not { } path)
            return null;
        JournalFiles.RequireNone(invocation, path, Name);
        try
        {
            return new RejectLines(invocation.Environment.CreateFile(path), path, status);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new FailureException(new Failure($"create {path}: {SystemReason.Of(e, path)}") { Advice = $"The path comes from --{Name}." }, e);
        }
    }

    public void Add(byte[] line)
    {
        if (_failed)
            return;
        try
        {
            file.Write([.. line, (byte)'\n']);
            file.Flush();
        }
        catch (IOException e)
        {
            _failed = true;
            status.Write(error => FailurePrinter.Write(error, new Failure($"write {path}: {SystemReason.Of(e)}")
            {
                Advice = "The run goes on; the file lacks the devices that failed from here on, the summary has them all.",
            }));
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await file.DisposeAsync();
        }
        catch (IOException) when (_failed)
        {
            // It tries once more to write what had no room.
        }
    }
}
