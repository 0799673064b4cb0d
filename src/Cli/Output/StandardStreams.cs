using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Cli.Output;

/// <summary>
/// Standard output and error that tell the truth. The streams of System.Console swallow a closed pipe, so a line could be lost and its
/// keys cleared all the same; a FileStream writes at its own position, so a second process that appends to the same file would overwrite.
/// They also start quicker.
/// </summary>
internal static partial class StandardStreams
{
    private const int Output = 1;
    private const int Error = 2;
    private const int WindowsOutput = -11;
    private const int WindowsError = -12;
    private const int GetDescriptorFlags = 1;
    private const int ReadAndWrite = 2;

    /// <summary>Opens standard output, unbuffered. Call it before any file or socket is opened.</summary>
    public static Stream OpenOutput() => OperatingSystem.IsWindows()
        ? OpenWindows(WindowsOutput)
        : new UnixStream(Output, isClosed: ReserveClosedDescriptors());

    /// <summary>Opens standard error as UTF-8, unbuffered. Nobody is told when it cannot be written.</summary>
    public static TextWriter OpenError() =>
        new Utf8Writer(OperatingSystem.IsWindows() ? OpenWindows(WindowsError) : new UnixStream(Error, isClosed: false));

    /// <summary>Whether standard output goes into this file.</summary>
    public static bool OutputIs(string path)
    {
        using var output = new SafeFileHandle(OperatingSystem.IsWindows() ? GetStdHandle(WindowsOutput) : Output, ownsHandle: false);
        return IsSameFile(output, path);
    }

    /// <summary>
    /// Whether an open file has this path. .NET knows no number of a file, so length and time of the last change have to do: to a tenth of a
    /// microsecond they are those of another file by a miracle only, and then nothing worse happens than that another name has to be given.
    /// </summary>
    internal static bool IsSameFile(SafeFileHandle open, string path)
    {
        if (!File.Exists(path))
            return false;
        try
        {
            using var named = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return RandomAccess.GetLength(open) == RandomAccess.GetLength(named) && File.GetLastWriteTimeUtc(open) == File.GetLastWriteTimeUtc(named);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // A pipe, a terminal, or nothing that can be read.
            return false;
        }
    }

    private static FileStream OpenWindows(int handle) =>
        new(new SafeFileHandle(GetStdHandle(handle), ownsHandle: false), FileAccess.Write, bufferSize: 0);

    /// <summary>
    /// Standard descriptors that were handed over closed (<c>&gt;&amp;-</c>) would be given to the next file or socket that is opened,
    /// and lines would end up there: something harmless takes their place. Says whether standard output was closed.
    /// </summary>
    private static bool ReserveClosedDescriptors()
    {
        var isClosed = false;
        for (var descriptor = 0; descriptor <= Error; descriptor++)
        {
            if (Fcntl(descriptor, GetDescriptorFlags) >= 0)
                continue;
            isClosed |= descriptor == Output;
            _ = OpenPath("/dev/null", ReadAndWrite);
        }
        return isClosed;
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Fcntl(int descriptor, int command);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenPath(string path, int flags);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("kernel32")]
    private static partial nint GetStdHandle(int handle);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint Write(int descriptor, byte* bytes, nint count);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static unsafe partial int Poll(PollDescriptor* descriptors, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Received;
    }

    private sealed class UnixStream(int descriptor, bool isClosed) : WriteOnlyStream
    {
        private const int Interrupted = 4;
        private const int WouldBlock = 11;
        private const int WouldBlockOnMac = 35;
        private const short ForWriting = 4;

        public override unsafe void Write(ReadOnlySpan<byte> buffer)
        {
            if (isClosed)
                throw new IOException("Standard output is closed");
            while (buffer.Length > 0)
            {
                nint written;
                fixed (byte* bytes = buffer)
                    written = StandardStreams.Write(descriptor, bytes, buffer.Length);
                if (written > 0)
                {
                    buffer = buffer[(int)written..];
                    continue;
                }
                var error = Marshal.GetLastPInvokeError();
                if (error == Interrupted)
                    continue;
                if (error == (OperatingSystem.IsMacOS() ? WouldBlockOnMac : WouldBlock))
                {
                    var wait = new PollDescriptor { Descriptor = descriptor, Events = ForWriting };
                    _ = Poll(&wait, 1, -1);
                    continue;
                }
                throw new IOException(new Win32Exception(error).Message, error);
            }
        }
    }

    private sealed class Utf8Writer(Stream stream) : TextWriter
    {
        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value) => Write(value.ToString());

        public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

        public override void Write(string? value)
        {
            try
            {
                stream.Write(Encoding.UTF8.GetBytes(value ?? ""));
            }
            catch (IOException)
            {
                // There is nowhere left to say it; the work itself goes on.
            }
        }
    }
}
