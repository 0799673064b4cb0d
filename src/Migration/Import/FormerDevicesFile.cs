using Migration.Journal;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;

namespace Migration.Import;

/// <summary>
/// Keeps devices that are about to be replaced at the target, each as a line that can be imported. Only its owner may read the file; a line is
/// on the disk before anything is deleted. The file is made at the first device, and later runs add to it.
/// </summary>
public sealed class FormerDevicesFile(string path) : IAsyncDisposable
{
    private readonly SemaphoreSlim gate = new(1);
    private FileStream? file;

    /// <summary>Path of the file.</summary>
    public string Path => path;

    /// <summary>Whether this run has kept a device.</summary>
    public bool IsUsed => file is not null;

    /// <summary>Keeps a device.</summary>
    /// <exception cref="FailureException">The file cannot be written: the device must not be deleted.</exception>
    public async Task KeepAsync(EndDevice device)
    {
        await gate.WaitAsync();
        try
        {
            if (file is null)
            {
                PrivateFile.CreateFolder(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
                PrivateFile.Prepare(path);
                file = PrivateFile.Open(path, FileShare.Read);
                file.Seek(0, SeekOrigin.End);
            }
            file.Write(DeviceJsonWriter.Line(device));
            file.Flush(flushToDisk: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or TtsJsonException)
        {
            throw new FailureException(Failure.Named("import", "former_not_kept", $"the device was not replaced: the former one cannot be kept in {path}: {SystemReason.Of(e, path)}"), e);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (file is not null)
            await file.DisposeAsync();
        gate.Dispose();
    }
}
