namespace Migration.Journal;

/// <summary>Names a device in the journal.</summary>
/// <param name="Source">Name of the source, e.g. <c>ttnv2</c>.</param>
/// <param name="Application">Application at the source.</param>
/// <param name="DeviceId">Device ID at the source, as the source writes it.</param>
public readonly record struct JournalDeviceId(string Source, string Application, string DeviceId)
{
    /// <summary>source/application/device.</summary>
    public override string ToString() => $"{Source}/{Application}/{DeviceId}";
}

/// <summary>How far a device has come. <see cref="JournalEntry.State"/> gives the one that matters most.</summary>
public enum DeviceState
{
    /// <summary>The record was read; no line yet.</summary>
    Read,

    /// <summary>Its line was written; the source is as it was.</summary>
    Written,

    /// <summary>The source is about to be changed, or was being changed when the run ended: only a look at the source can tell.</summary>
    RetireIntended,

    /// <summary>The change at the source was made and checked.</summary>
    Retired,

    /// <summary>The original is about to be put back, or was being put back when the run ended.</summary>
    RestoreIntended,

    /// <summary>The original is back at the source.</summary>
    Restored,

    /// <summary>The Things Stack has the device.</summary>
    Imported,

    /// <summary>The device on The Things Stack was compared with its line.</summary>
    Verified,

    /// <summary>Not exported, see the reason; nothing was changed anywhere.</summary>
    Rejected,
}

/// <summary>What happened to the device at its source.</summary>
public enum SourceSide
{
    /// <summary>Never changed.</summary>
    Untouched,

    /// <summary>A change was announced; its outcome is not known.</summary>
    RetireIntended,

    /// <summary>Changed and checked.</summary>
    Retired,

    /// <summary>Putting back was announced; its outcome is not known.</summary>
    RestoreIntended,

    /// <summary>Put back and checked.</summary>
    Restored,
}

/// <summary>What is known of the device on The Things Stack.</summary>
public enum TargetSide
{
    /// <summary>Nothing.</summary>
    Unknown,

    /// <summary>Created there by this tool.</summary>
    Imported,

    /// <summary>Compared with the line, equal.</summary>
    Verified,
}

/// <summary>One device as the journal holds it. <see cref="ToString"/> shows no key.</summary>
public sealed record JournalEntry
{
    /// <summary>Source, application and ID.</summary>
    public required JournalDeviceId Device { get; init; }

    /// <summary>Place in the journal, from 1: the order in which devices were met.</summary>
    public long Ordinal { get; init; }

    /// <summary>The record as the source gave it, in the source's own encoding. Holds keys.</summary>
    public ReadOnlyMemory<byte> Record { get; init; }

    /// <summary>The line that was written, without line feed; null before. Holds keys.</summary>
    public ReadOnlyMemory<byte>? Line { get; init; }

    /// <summary>The record as the retirement leaves it, to tell later whether it took effect; null before, and for a deletion. May hold keys.</summary>
    public ReadOnlyMemory<byte>? Replacement { get; init; }

    /// <summary>What happened at the source.</summary>
    public SourceSide SourceSide { get; init; }

    /// <summary>What is known on the other side.</summary>
    public TargetSide TargetSide { get; init; }

    /// <summary>How the device is or was retired; null before.</summary>
    public RetireWay? Way { get; init; }

    /// <summary>Why the device was not exported, as a code for scripts; null when it was not rejected.</summary>
    public string? RejectedCode { get; init; }

    /// <summary>Why the device was not exported, as a sentence.</summary>
    public string? RejectedReason { get; init; }

    /// <summary>How often a change at the source was begun.</summary>
    public int Attempts { get; init; }

    /// <summary>When the device was first met.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>When the entry last changed.</summary>
    public DateTimeOffset Changed { get; init; }

    /// <summary>Version of the tool that made the last change.</summary>
    public string ToolVersion { get; init; } = "";

    /// <summary>
    /// The state that matters most: a change at the source whose outcome is open comes first, then what was reached on the other
    /// side, then what was done at the source.
    /// </summary>
    public DeviceState State => (SourceSide, TargetSide) switch
    {
        (SourceSide.RetireIntended, _) => DeviceState.RetireIntended,
        (SourceSide.RestoreIntended, _) => DeviceState.RestoreIntended,
        (SourceSide.Restored, _) => DeviceState.Restored,
        (_, TargetSide.Verified) => DeviceState.Verified,
        (_, TargetSide.Imported) => DeviceState.Imported,
        (SourceSide.Retired, _) => DeviceState.Retired,
        _ when RejectedCode is not null => DeviceState.Rejected,
        _ when Line is not null => DeviceState.Written,
        _ => DeviceState.Read,
    };

    /// <summary>
    /// True while something is left to do: not written, not retired, or a change at the source with open outcome.
    /// Retired, restored and rejected devices are finished.
    /// </summary>
    public bool IsUnfinished => SourceSide switch
    {
        SourceSide.RetireIntended or SourceSide.RestoreIntended => true,
        SourceSide.Retired or SourceSide.Restored => false,
        _ => RejectedCode is null,
    };

    /// <summary>True when the source may still hold the original keys, so that reading the device again loses nothing.</summary>
    public bool SourceHoldsOriginal => SourceSide is SourceSide.Untouched or SourceSide.Restored;

    /// <summary>Device and state; never a key.</summary>
    public override string ToString() => $"{Device}: {State}";
}

/// <summary>One step in the history of a device.</summary>
/// <param name="State">What was reached.</param>
/// <param name="Time">When, by the clock of that machine; order is the order of writing, not of the clock.</param>
/// <param name="Attempt">Number of changes at the source begun so far.</param>
/// <param name="Detail">Anything worth knowing, without keys.</param>
public sealed record JournalEvent(DeviceState State, DateTimeOffset Time, int Attempt, string? Detail)
{
    /// <summary>Whether the detail says where an import has brought the device to, or a verification has found it.</summary>
    public bool IsPlace => this is { State: DeviceState.Imported or DeviceState.Verified, Detail: not null };
}

/// <summary>Number of devices in one state.</summary>
/// <param name="State">The state.</param>
/// <param name="Count">Devices in it.</param>
public sealed record StateCount(DeviceState State, long Count);

/// <summary>Which migration a journal belongs to.</summary>
/// <param name="Source">Name of the source, e.g. <c>ttnv2</c>.</param>
/// <param name="Server">Address that names the network, e.g. <c>discovery.thethings.network:1900</c>; empty when the source has none.</param>
public sealed record JournalScope(string Source, string Server);
