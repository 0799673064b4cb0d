using TheThingsStack.Errors;

namespace Migration;

/// <summary>Ways to take a device out of service at its source.</summary>
public enum RetireWay
{
    /// <summary>Keys become zero: joins are refused.</summary>
    Clear,

    /// <summary>The AppKey becomes a random one: joins are refused, the session lives on.</summary>
    Rotate,

    /// <summary>The device is removed.</summary>
    Delete,

    /// <summary>The network sends the device nothing any more, so that it cannot join; it is still heard.</summary>
    Mute,
}

/// <summary>What a retirement leaves at the source; decided before anything is changed, so that the journal can hold it.</summary>
/// <param name="Way">How the device is taken out of service.</param>
/// <param name="Replacement">The record as the change leaves it, frame counters apart; null when the device is deleted. May hold keys.</param>
public sealed record RetirePlan(RetireWay Way, ReadOnlyMemory<byte>? Replacement)
{
    /// <summary>The record as the change leaves it; an empty one, as a null array becomes, means none.</summary>
    public ReadOnlyMemory<byte>? Replacement { get; init; } = Replacement is { IsEmpty: false } ? Replacement : null;

    /// <summary>The way; never a key.</summary>
    public override string ToString() => Way.ToString();
}

/// <summary>A retirement that the network accepted and that has still to be looked at.</summary>
/// <param name="Device">The device as the list or the user named it: a list tells where to look.</param>
/// <param name="Exported">The device as it was exported.</param>
/// <param name="Plan">What should be there now.</param>
public sealed record AcceptedRetirement(DeviceReference Device, SourceDevice Exported, RetirePlan Plan);

/// <summary>What came of a change at the source.</summary>
public enum ChangeResult
{
    /// <summary>Made and seen to be there, or there already.</summary>
    Done,

    /// <summary>The network said yes; <see cref="IDeviceSource.ConfirmAsync"/> has still to look.</summary>
    Accepted,

    /// <summary>Nothing was changed.</summary>
    Unchanged,

    /// <summary>It may have been made or not: only a look at the source can tell.</summary>
    Unknown,
}

/// <summary>Result of a change at the source, with the reason when it was not made.</summary>
/// <param name="Result">What came of it.</param>
public sealed record ChangeOutcome(ChangeResult Result)
{
    /// <summary>Why it was not made, or is not known to be; null when it was.</summary>
    public Failure? Failure { get; init; }

    /// <summary>Anything worth noting in the history, without keys; may be null.</summary>
    public string? Detail { get; init; }

    /// <summary>Anything that the summary of an export has to say about it; may be null.</summary>
    public Note? Note { get; init; }

    /// <summary>True when nothing was changed because the keys at the source are neither the expected ones nor those the change leaves.</summary>
    public bool ChangedAtSource { get; init; }

    /// <summary>With <see cref="ChangedAtSource"/>: the exported root keys are still there, the device has joined again and can go on doing so.</summary>
    public bool JoinedAgain { get; init; }

    /// <summary>True when every other device would fail alike, so that the run should stop.</summary>
    public bool SourceFailed { get; init; }
}

/// <summary>How a record at the source compares with what the journal knows of the device.</summary>
public enum RecordMatch
{
    /// <summary>It has the keys that were exported.</summary>
    Original,

    /// <summary>It is as the retirement leaves it.</summary>
    Replaced,

    /// <summary>Each key is the original, the replacement or none: a change was left half done.</summary>
    Mixed,

    /// <summary>It has other keys, or is another device.</summary>
    Other,
}
