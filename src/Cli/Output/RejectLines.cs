using TheThingsStack.Errors;

namespace Cli.Output;

/// <summary>
/// The lines of <c>--rejects FILE</c>. A disk without room for them must not stop a run halfway through its devices: it is told, the summary has
/// the reasons all the same, and no more lines are tried.
/// </summary>
internal sealed class RejectLines(Stream file, string path, StatusWriter status) : IAsyncDisposable
{
    private bool _failed;

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
