namespace Migration.Journal;

/// <summary>
/// Holds a journal for one run. The lock is the operating system's lock on the open file beside the journal, which ends with the
/// process however it dies; the file itself means nothing, so none can be stale.
/// </summary>
internal sealed class JournalLock : IDisposable
{
    private readonly FileStream held;

    private JournalLock(FileStream stream) => held = stream;

    public static string PathOf(string journal) => journal + ".lock";

    /// <exception cref="TheThingsStack.Errors.FailureException">Another run holds the journal, or the folder is not writable.</exception>
    public static JournalLock Take(string journal)
    {
        var path = PathOf(journal);
        while (true)
        {
            FileStream stream;
            try
            {
                stream = PrivateFile.Open(path, FileShare.None);
            }
            catch (UnauthorizedAccessException e)
            {
                throw JournalFailures.Unwritable(journal, e);
            }
            catch (DirectoryNotFoundException e)
            {
                throw JournalFailures.Unwritable(journal, e);
            }
            catch (IOException e)
            {
                throw File.Exists(path) && !IsReadOnly(e) ? JournalFailures.InUse(journal, JournalReader.LastRun(journal)) : JournalFailures.Unwritable(journal, e);
            }
            // `journal destroy` removes the file while it holds the lock: whoever opened it before that holds a lock on nothing.
            if (!File.Exists(path))
            {
                stream.Dispose();
                continue;
            }
            return new JournalLock(stream);
        }
    }

    public void Dispose() => held.Dispose();

    private static bool IsReadOnly(IOException e) => e.Message.Contains("Read-only", StringComparison.OrdinalIgnoreCase);
}

/// <summary>Files and folders that only their owner may read: 0600 and 0700. On Windows the user's profile already is private.</summary>
internal static class PrivateFile
{
    public static FileStream Open(string path, FileShare share)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new FileStream(path, options);
    }

    /// <summary>The file that a symbolic link leads to: SQLite keeps its log beside that, and under two names it must have one lock.</summary>
    public static string Follow(string path) => File.Exists(path) && File.ResolveLinkTarget(path, returnFinalTarget: true) is { } real ? real.FullName : path;

    /// <summary>Creates the file empty, or narrows the permissions of an existing one.</summary>
    public static void Prepare(string path)
    {
        if (!File.Exists(path))
            Open(path, FileShare.ReadWrite).Dispose();
        else if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>Creates a missing folder, private; an existing one is left as the user made it.</summary>
    public static void CreateFolder(string folder)
    {
        if (Directory.Exists(folder))
            return;
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
