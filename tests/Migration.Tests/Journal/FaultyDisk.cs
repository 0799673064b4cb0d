using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Migration.Tests.Journal;

/// <summary>
/// A folder whose disk can fail: stands between SQLite and the file system (a SQLite VFS that becomes the default one, and lets
/// everything outside such folders through). It counts writes and synchronisations, fails the one it is told to and all after it,
/// and can lose power: what was not synchronised is then lost, torn or kept as a seed decides.
/// </summary>
public sealed unsafe class FaultyDisk : IDisposable
{
    private const int Full = 13;
    private const int IoErrorWrite = 10 | (3 << 8);
    private const int IoErrorSync = 10 | (4 << 8);

    private static readonly ConcurrentDictionary<string, FaultyDisk> Disks = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<nint, OpenFile> Files = new();
    private static readonly Dictionary<nint, nint> MethodTables = [];
    private static readonly Lock Registration = new();
    private static Vfs* original;

    private readonly Lock gate = new();
    private readonly Dictionary<string, DiskFile> files = new(StringComparer.Ordinal);
    private int writes;
    private int syncs;
    private bool isOff;

    static FaultyDisk()
    {
        SQLitePCL.Batteries_V2.Init();
        original = sqlite3_vfs_find(null);
        var shim = (Vfs*)NativeMemory.AllocZeroed((nuint)sizeof(Vfs));
        *shim = *original;
        shim->Next = null;
        shim->Name = (byte*)Marshal.StringToCoTaskMemUTF8("faulty-disk");
        shim->Open = &OnOpen;
        shim->Delete = &OnDelete;
        if (sqlite3_vfs_register(shim, 1) != 0)
            throw new InvalidOperationException("SQLite refused the shim.");
    }

    public FaultyDisk()
    {
        Folder = Directory.CreateTempSubdirectory("journal-test-").FullName;
        Disks[Folder] = this;
    }

    public string Folder { get; }

    public string Journal => Path.Combine(Folder, "test.journal");

    public int Writes => Volatile.Read(ref writes);

    public int Syncs => Volatile.Read(ref syncs);

    /// <summary>Number (from 1) of the write that finds the disk full, and all after it; 0 for none.</summary>
    public int FullAtWrite { get; set; }

    /// <summary>Number of the write that fails with an I/O error, and all after it; 0 for none.</summary>
    public int ErrorAtWrite { get; set; }

    /// <summary>Number of the synchronisation that fails, and all after it; 0 for none.</summary>
    public int ErrorAtSync { get; set; }

    /// <summary>Called before each synchronisation.</summary>
    public Action? BeforeSync { get; set; }

    /// <summary>Number of the write at which the power goes: it, and every later write and synchronisation, fails; 0 for none.</summary>
    public int PowerOffAtWrite { get; set; }

    /// <summary>
    /// Puts the files into a state that a power cut could leave: what was synchronised, plus any part of the later writes.
    /// Every user of the files must be closed; a run that did not meet <see cref="PowerOffAtWrite"/> loses nothing.
    /// </summary>
    public void LosePower(Random seed)
    {
        lock (gate)
        {
            foreach (var (path, file) in files)
            {
                if (path.EndsWith("-shm", StringComparison.Ordinal))
                {
                    File.Delete(path);
                    continue;
                }
                // Everything, nothing, or a part of the unsynchronised writes reached the disk.
                var odds = seed.Next(3);
                foreach (var operation in file.Pending)
                {
                    if (odds == 0 || (odds == 1 && seed.Next(2) == 0))
                        continue;
                    var torn = operation.Data is { Length: > 512 } data && seed.Next(4) == 0 ? operation with { Data = data[..(512 * seed.Next(1, data.Length / 512))] } : operation;
                    file.Apply(torn);
                }
                if (file.EverSynced || odds != 0)
                    File.WriteAllBytes(path, file.Image.ToArray());
                else
                    File.Delete(path);
                file.Pending.Clear();
            }
            FullAtWrite = ErrorAtWrite = ErrorAtSync = PowerOffAtWrite = 0;
            isOff = false;
        }
    }

    public void Dispose()
    {
        Disks.TryRemove(Folder, out _);
        Directory.Delete(Folder, recursive: true);
    }

    [DllImport("e_sqlite3")]
    private static extern Vfs* sqlite3_vfs_find(byte* name);

    [DllImport("e_sqlite3")]
    private static extern int sqlite3_vfs_register(Vfs* vfs, int makeDefault);

    [UnmanagedCallersOnly]
    private static int OnOpen(Vfs* vfs, byte* name, SqliteFile* file, int flags, int* outFlags)
    {
        var code = original->Open(vfs, name, file, flags, outFlags);
        if (code != 0 || file->Methods == null || name == null)
            return code;
        var path = Text(name);
        if (!Disks.TryGetValue(Path.GetDirectoryName(path) ?? "", out var disk))
            return code;
        Files[(nint)file] = new OpenFile(disk, path, (nint)file->Methods);
        lock (disk.gate)
        {
            if (!disk.files.ContainsKey(path))
                disk.files[path] = new DiskFile(File.ReadAllBytes(path));
        }
        file->Methods = (IoMethods*)ShimOf(file->Methods);
        return code;
    }

    private static nint ShimOf(IoMethods* methods)
    {
        lock (Registration)
        {
            if (!MethodTables.TryGetValue((nint)methods, out var table))
            {
                var shim = (IoMethods*)NativeMemory.AllocZeroed((nuint)sizeof(IoMethods));
                *shim = *methods;
                shim->Close = &OnClose;
                shim->Write = &OnWrite;
                shim->Truncate = &OnTruncate;
                shim->Sync = &OnSync;
                MethodTables[(nint)methods] = table = (nint)shim;
            }
            return table;
        }
    }

    [UnmanagedCallersOnly]
    private static int OnClose(SqliteFile* file)
    {
        Files.TryRemove((nint)file, out var open);
        file->Methods = (IoMethods*)open!.Methods;
        return file->Methods->Close(file);
    }

    [UnmanagedCallersOnly]
    private static int OnWrite(SqliteFile* file, byte* data, int count, long offset)
    {
        var open = Files[(nint)file];
        var disk = open.Disk;
        lock (disk.gate)
        {
            disk.writes++;
            disk.isOff |= disk.PowerOffAtWrite > 0 && disk.writes >= disk.PowerOffAtWrite;
            if (disk.isOff)
                return IoErrorWrite;
            if (disk.FullAtWrite > 0 && disk.writes >= disk.FullAtWrite)
                return Full;
            if (disk.ErrorAtWrite > 0 && disk.writes >= disk.ErrorAtWrite)
                return IoErrorWrite;
            disk.files[open.Path].Pending.Add(new Operation(offset, new ReadOnlySpan<byte>(data, count).ToArray()));
        }
        return ((IoMethods*)open.Methods)->Write(file, data, count, offset);
    }

    [UnmanagedCallersOnly]
    private static int OnTruncate(SqliteFile* file, long size)
    {
        var open = Files[(nint)file];
        lock (open.Disk.gate)
            open.Disk.files[open.Path].Pending.Add(new Operation(size, null));
        return ((IoMethods*)open.Methods)->Truncate(file, size);
    }

    [UnmanagedCallersOnly]
    private static int OnSync(SqliteFile* file, int flags)
    {
        var open = Files[(nint)file];
        var disk = open.Disk;
        disk.BeforeSync?.Invoke();
        lock (disk.gate)
        {
            disk.syncs++;
            if (disk.isOff)
                return IoErrorSync;
            if (disk.ErrorAtSync > 0 && disk.syncs >= disk.ErrorAtSync)
                return IoErrorSync;
            var image = disk.files[open.Path];
            foreach (var operation in image.Pending)
                image.Apply(operation);
            image.Pending.Clear();
            image.EverSynced = true;
        }
        // The real synchronisation is left out: it would only slow the tests down.
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int OnDelete(Vfs* vfs, byte* name, int syncDirectory)
    {
        var path = Text(name);
        if (Disks.TryGetValue(Path.GetDirectoryName(path) ?? "", out var disk))
        {
            lock (disk.gate)
                disk.files.Remove(path);
        }
        return original->Delete(vfs, name, syncDirectory);
    }

    private static string Text(byte* name) => Marshal.PtrToStringUTF8((nint)name)!;

    private sealed record OpenFile(FaultyDisk Disk, string Path, nint Methods);

    /// <summary>A write at an offset, or without data a truncation to it.</summary>
    private sealed record Operation(long Offset, byte[]? Data);

    private sealed class DiskFile(byte[] content)
    {
        public MemoryStream Image { get; } = Filled(content);

        public List<Operation> Pending { get; } = [];

        public bool EverSynced { get; set; } = content.Length > 0;

        public void Apply(Operation operation)
        {
            if (operation.Data is null)
            {
                Image.SetLength(operation.Offset);
                return;
            }
            Image.Position = operation.Offset;
            Image.Write(operation.Data);
        }

        private static MemoryStream Filled(byte[] content)
        {
            var stream = new MemoryStream();
            stream.Write(content);
            return stream;
        }
    }

    // https://sqlite.org/c3ref/vfs.html
    [StructLayout(LayoutKind.Sequential)]
    private struct Vfs
    {
        public int Version;
        public int OsFileSize;
        public int MaxPath;
        public Vfs* Next;
        public byte* Name;
        public void* AppData;
        public delegate* unmanaged<Vfs*, byte*, SqliteFile*, int, int*, int> Open;
        public delegate* unmanaged<Vfs*, byte*, int, int> Delete;
        public void* Access;
        public void* FullPathname;
        public void* DlOpen;
        public void* DlError;
        public void* DlSym;
        public void* DlClose;
        public void* Randomness;
        public void* Sleep;
        public void* CurrentTime;
        public void* GetLastError;
        public void* CurrentTimeInt64;
        public void* SetSystemCall;
        public void* GetSystemCall;
        public void* NextSystemCall;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct SqliteFile
    {
        public IoMethods* Methods;
    }

    // https://sqlite.org/c3ref/io_methods.html
    [StructLayout(LayoutKind.Sequential)]
    private struct IoMethods
    {
        public int Version;
        public delegate* unmanaged<SqliteFile*, int> Close;
        public void* Read;
        public delegate* unmanaged<SqliteFile*, byte*, int, long, int> Write;
        public delegate* unmanaged<SqliteFile*, long, int> Truncate;
        public delegate* unmanaged<SqliteFile*, int, int> Sync;
        public void* FileSize;
        public void* Lock;
        public void* Unlock;
        public void* CheckReservedLock;
        public void* FileControl;
        public void* SectorSize;
        public void* DeviceCharacteristics;
        public void* ShmMap;
        public void* ShmLock;
        public void* ShmBarrier;
        public void* ShmUnmap;
        public void* Fetch;
        public void* Unfetch;
    }
}
