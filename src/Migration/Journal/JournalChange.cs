namespace Migration.Journal;

/// <summary>
/// One step of one device, to be recorded. <see cref="ApplyTo"/> holds the rules that keep keys safe: a record whose device may
/// have been changed at the source is never replaced, and a device can only be retired once its record and line are recorded.
/// </summary>
public sealed class JournalChange
{
    private readonly Func<JournalEntry, JournalEntry> apply;

    private JournalChange(JournalDeviceId device, DeviceState state, string? detail, Func<JournalEntry, JournalEntry> apply)
    {
        Device = device;
        State = state;
        Detail = detail;
        this.apply = apply;
    }

    /// <summary>The device.</summary>
    public JournalDeviceId Device { get; }

    /// <summary>What is reached with this step.</summary>
    public DeviceState State { get; }

    /// <summary>Anything worth knowing, without keys.</summary>
    public string? Detail { get; }

    /// <summary>The record was read. Refused when the source may no longer hold the original.</summary>
    public static JournalChange Read(JournalDeviceId device, ReadOnlyMemory<byte> record, string? detail = null) =>
        new(device, DeviceState.Read, detail, entry => Original(entry, "read again") with
        {
            Record = record,
            Line = null,
            RejectedCode = null,
            RejectedReason = null,
        });

    /// <summary>The line of the device was written. Refused when the source may no longer hold the original.</summary>
    public static JournalChange Written(JournalDeviceId device, ReadOnlyMemory<byte> record, ReadOnlyMemory<byte> line, string? detail = null) =>
        new(device, DeviceState.Written, detail, entry => Original(entry, "written anew") with
        {
            Record = record,
            Line = line,
            RejectedCode = null,
            RejectedReason = null,
        });

    /// <summary>The source is about to be changed.</summary>
    /// <param name="device">The device.</param>
    /// <param name="way">How.</param>
    /// <param name="replacement">The record as the change leaves it; null for a deletion.</param>
    /// <param name="detail">Anything worth knowing, without keys.</param>
    public static JournalChange RetireIntended(JournalDeviceId device, RetireWay way, ReadOnlyMemory<byte>? replacement, string? detail = null) =>
        new(device, DeviceState.RetireIntended, detail, entry =>
            entry.Line is null || entry.Record.IsEmpty ? throw Refused(entry, "retired before its record and line are recorded")
            : entry.SourceSide is SourceSide.RestoreIntended ? throw Refused(entry, "retired while it is being restored")
            : entry with
            {
                SourceSide = SourceSide.RetireIntended,
                Way = way,
                Replacement = replacement,
                Attempts = entry.Attempts + 1,
            });

    /// <summary>The change at the source was made and checked.</summary>
    public static JournalChange Retired(JournalDeviceId device, string? detail = null) =>
        new(device, DeviceState.Retired, detail, entry =>
            entry.SourceSide is SourceSide.RetireIntended or SourceSide.Retired
                ? entry with { SourceSide = SourceSide.Retired }
                : throw Refused(entry, "retired without an announced change"));

    /// <summary>The announced change, a retirement or a restoration, did not happen: the device is as it was before it was announced.</summary>
    /// <param name="before">The entry as it was before.</param>
    /// <param name="detail">Anything worth knowing, without keys.</param>
    public static JournalChange TakenBack(JournalEntry before, string? detail = null) =>
        // The state of the source alone: a step of the state Imported names the application it was imported to.
        new(before.Device, (before with { TargetSide = TargetSide.Unknown }).State, detail, entry =>
            entry.SourceSide is SourceSide.RetireIntended or SourceSide.RestoreIntended
                ? entry with { SourceSide = before.SourceSide, Way = before.Way, Replacement = before.Replacement }
                : entry);

    /// <summary>The original is about to be put back.</summary>
    public static JournalChange RestoreIntended(JournalDeviceId device, string? detail = null) =>
        new(device, DeviceState.RestoreIntended, detail, entry =>
            entry.SourceSide is not SourceSide.Untouched
                ? entry with { SourceSide = SourceSide.RestoreIntended, Attempts = entry.Attempts + 1 }
                : throw Refused(entry, "restored although it was never retired"));

    /// <summary>The original is back, or was still there, and was seen there.</summary>
    public static JournalChange Restored(JournalDeviceId device, string? detail = null) =>
        new(device, DeviceState.Restored, detail, entry =>
            entry.SourceSide is SourceSide.Untouched
                ? throw Refused(entry, "restored although it was never retired")
                : entry with { SourceSide = SourceSide.Restored });

    /// <summary>The Things Stack has the device.</summary>
    public static JournalChange Imported(JournalDeviceId device, string? detail = null) => OnTarget(device, DeviceState.Imported, TargetSide.Imported, detail);

    /// <summary>The device on The Things Stack equals its line.</summary>
    public static JournalChange Verified(JournalDeviceId device, string? detail = null) => OnTarget(device, DeviceState.Verified, TargetSide.Verified, detail);

    /// <summary>The device is not on The Things Stack, or no longer: it may be imported again.</summary>
    /// <param name="before">The entry as it was before.</param>
    /// <param name="detail">Anything worth knowing, without keys.</param>
    public static JournalChange OffTarget(JournalEntry before, string? detail = null) =>
        new(before.Device, (before with { TargetSide = TargetSide.Unknown }).State, detail, static entry => entry with { TargetSide = TargetSide.Unknown });

    /// <summary>The device is not exported. A line that is already recorded is kept: it may be the only copy of the keys.</summary>
    /// <param name="device">The device.</param>
    /// <param name="code">Reason for scripts.</param>
    /// <param name="reason">Reason as a sentence, without keys.</param>
    public static JournalChange Rejected(JournalDeviceId device, string code, string reason) =>
        new(device, DeviceState.Rejected, $"{code}: {reason}", entry =>
            entry.Line is null ? entry with { RejectedCode = code, RejectedReason = reason } : entry);

    /// <summary>Device and state; never a key.</summary>
    public override string ToString() => $"{Device}: {State}";

    internal JournalEntry ApplyTo(JournalEntry entry) => apply(entry);

    private static JournalChange OnTarget(JournalDeviceId device, DeviceState state, TargetSide side, string? detail) =>
        new(device, state, detail, entry => entry.Line is null
            ? throw Refused(entry, "on The Things Stack before its line is recorded")
            : entry with { TargetSide = side });

    private static JournalEntry Original(JournalEntry entry, string step) =>
        entry.SourceHoldsOriginal ? entry with { SourceSide = SourceSide.Untouched, Way = null, Replacement = null } : throw Refused(entry, step);

    private static InvalidOperationException Refused(JournalEntry entry, string step) =>
        new($"Device {entry.Device} is {entry.State} in the journal and cannot be {step}.");
}
