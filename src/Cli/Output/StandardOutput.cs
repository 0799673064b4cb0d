using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cli.Output;

/// <summary>
/// Standard output that tells the truth. The stream of System.Console swallows a closed pipe, so a line could be lost and its keys
/// cleared all the same; a FileStream writes at its own position, so a second process that appends to the same file would overwrite.
/// </summary>
internal static partial class StandardOutput
{
    private const int Descriptor = 1;
    private const int WindowsHandle = -11;
    private const int GetDescriptorFlags = 1;
    private const int ReadAndWrite = 2;

    /// <summary>Opens it for this system.</summary>
    public static Stream Open() =>
        OperatingSystem.IsWindows()
            ? new FileStream(new SafeFileHandle(GetStdHandle(WindowsHandle), ownsHandle: false), FileAccess.Write, bufferSize: 0)
            : new UnixStream(isClosed: ReserveClosedDescriptors());

    /// <summary>
    /// Standard descriptors that were handed over closed (<c>&gt;&amp;-</c>) would be given to the next file or socket that is opened,
    /// and lines would end up there: something harmless takes their place. Says whether standard output was closed.
    /// </summary>
    private static bool ReserveClosedDescriptors()
    {
        var isClosed = false;
        for (var descriptor = 0; descriptor <= 2; descriptor++)
        {
            if (Fcntl(descriptor, GetDescriptorFlags) >= 0)
                continue;
            isClosed |= descriptor == Descriptor;
            _ = OpenPath("/dev/null", ReadAndWrite);
        }
        return isClosed;
    }

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Fcntl(int descriptor, int command);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenPath(string path, int flags);

    [LibraryImport("kernel32")]
    private static partial nint GetStdHandle(int handle);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint Write(int descriptor, byte* bytes, nint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static unsafe partial int Poll(PollDescriptor* descriptors, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Received;
    }

    private sealed class UnixStream(bool isClosed) : Stream
    {
        private const int Interrupted = 4;
        private const int WouldBlock = 11;
        private const int WouldBlockOnMac = 35;
        private const short ForWriting = 4;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override unsafe void Write(ReadOnlySpan<byte> buffer)
        {
            if (isClosed)
                throw new IOException("Standard output is closed");
            while (buffer.Length > 0)
            {
                nint written;
                fixed (byte* bytes = buffer)
                    written = StandardOutput.Write(Descriptor, bytes, buffer.Length);
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
                    var wait = new PollDescriptor { Descriptor = Descriptor, Events = ForWriting };
                    _ = Poll(&wait, 1, -1);
                    continue;
                }
                throw new IOException(new Win32Exception(error).Message, error);
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            try
            {
                cancellationToken.ThrowIfCancellationRequested();
                Write(buffer.Span);
                return ValueTask.CompletedTask;
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                return ValueTask.FromException(e);
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
