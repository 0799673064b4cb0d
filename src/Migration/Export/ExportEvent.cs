using TheThingsStack.Errors;

namespace Migration;

/// <summary>Something that happened in a run, reported at once and in the order of the input (retiring follows behind).</summary>
public abstract record ExportEvent
{
    private ExportEvent()
    {
    }

    /// <summary>All devices of the run are known.</summary>
    /// <param name="Devices">How many.</param>
    public sealed record Counted(int Devices) : ExportEvent;

    /// <summary>The line of a device is written and flushed.</summary>
    /// <param name="Device">The device at the source.</param>
    /// <param name="DeviceId">Its ID in The Things Stack.</param>
    /// <param name="Notes">What to know about it.</param>
    /// <param name="FromJournal">Whether an earlier run had read it, so that it took no time.</param>
    public sealed record Exported(DeviceReference Device, string DeviceId, IReadOnlyList<Note> Notes, bool FromJournal = false) : ExportEvent;

    /// <summary>A device cannot go; nothing about it changed anywhere.</summary>
    public sealed record Rejected(DeviceReference Device, Failure Failure) : ExportEvent;

    /// <summary>A device was named again; it had its turn already.</summary>
    public sealed record Skipped(DeviceReference Device) : ExportEvent;

    /// <summary>The target has the device: created now, or found there as it should be.</summary>
    /// <param name="Device">The device at the source.</param>
    /// <param name="Import">What came of the import.</param>
    public sealed record Imported(DeviceReference Device, Import.ImportedDevice Import) : ExportEvent;

    /// <summary>The line of a device is written, but the target does not have it; it was not retired in this run.</summary>
    public sealed record ImportFailed(DeviceReference Device, Failure Failure) : ExportEvent;

    /// <summary>The source has confirmed that the exported keys of a device are gone there.</summary>
    public sealed record Retired(DeviceReference Device) : ExportEvent;

    /// <summary>The line of a device is written, but its keys may still be at the source.</summary>
    public sealed record RetireFailed(DeviceReference Device, Failure Failure) : ExportEvent;
}
