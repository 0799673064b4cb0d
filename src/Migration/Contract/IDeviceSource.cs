namespace Migration;

/// <summary>
/// A network that devices leave. Reading and retiring are apart: nothing but <see cref="RetireAsync"/> and <see cref="RestoreAsync"/>
/// changes the network, and they are only called for a device whose record and line are safe in the journal.
/// Every asynchronous member reports an expected failure as <see cref="TheThingsStack.Errors.FailureException"/>, or as
/// <see cref="SourceUnavailableException"/> when every other device would fail alike. All members may be called concurrently.
/// </summary>
public interface IDeviceSource : IAsyncDisposable
{
    /// <summary>Decisions that a default took because the user said nothing; one sentence each, with how to say it. May be empty.</summary>
    IReadOnlyList<string> DecidedByDefault { get; }

    /// <summary>
    /// The time that reading and retiring a device takes at the least because the network allows so many calls a second; zero when no limit
    /// is known.
    /// </summary>
    TimeSpan LeastTimeToRetire => TimeSpan.Zero;

    /// <summary>What a person has to do at this network or at the device, by the code of a <see cref="Note"/>; null when the text of the note says it all.</summary>
    string? Guide(string noteCode);

    /// <summary>Gives the reference of a device that the user named.</summary>
    /// <param name="id">ID as this network's users know it, e.g. a V2 device ID or a DevEUI.</param>
    DeviceReference Refer(string id);

    /// <summary>Lists the devices of an application in the network's order; may be enumerated again, which lists again.</summary>
    IAsyncEnumerable<DeviceReference> ListAsync(string application, CancellationToken cancellation);

    /// <summary>
    /// Reads one device, from the list when that told everything. Never changes the network.
    /// A device that is not there is a <see cref="DeviceNotFoundException"/>.
    /// </summary>
    Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation);

    /// <summary>Makes an end device of The Things Stack. Calls no one; IDs keep the form of this network.</summary>
    MapResult Map(SourceDevice device);

    /// <summary>Gives the device of a record that the journal kept.</summary>
    SourceDevice FromRecord(string application, string id, ReadOnlyMemory<byte> record);

    /// <summary>How the people who run this network want such a device to be retired.</summary>
    RetireWay DefaultWay(SourceDevice device);

    /// <summary>Decides what a retirement leaves. Calls no one; a rotated key is drawn here.</summary>
    /// <param name="device">The device as it was exported.</param>
    /// <param name="scope">What was exported; not <see cref="RetireScope.None"/>.</param>
    /// <param name="way">How to retire it.</param>
    /// <exception cref="TheThingsStack.Errors.FailureException">Such a device cannot be retired that way.</exception>
    RetirePlan PlanRetirement(SourceDevice device, RetireScope scope, RetireWay way);

    /// <summary>
    /// Decides what this run does about a device that an earlier one has retired and that is still there: the same again, or more when more is
    /// asked for now. Calls no one. Null leaves it alone.
    /// </summary>
    /// <param name="now">The device as it is.</param>
    /// <param name="earlier">What the earlier run left, or meant to leave.</param>
    RetirePlan? PlanAgain(SourceDevice now, RetirePlan earlier) => earlier;

    /// <summary>Compares a record as it is now with what was exported and what the retirement leaves; frame counters do not matter. Calls no one.</summary>
    RecordMatch Compare(SourceDevice now, SourceDevice exported, RetirePlan plan);

    /// <summary>
    /// Takes from the network what was exported, so that the device is not on both sides: a fresh read, the change. Idempotent, so that a
    /// run that was killed can ask again. Changes nothing when what is there is no longer what was exported. Reports failures as outcome.
    /// </summary>
    /// <param name="expected">The device as it should be there now: as it was exported, or as an earlier retirement left it.</param>
    /// <param name="plan">What to leave.</param>
    /// <param name="cancellation">Stops waiting; the network may have applied the change or not.</param>
    Task<ChangeOutcome> RetireAsync(SourceDevice expected, RetirePlan plan, CancellationToken cancellation);

    /// <summary>Looks whether changes that the network accepted are there, with as few calls as the network allows. One outcome for each, in order.</summary>
    Task<IReadOnlyList<ChangeOutcome>> ConfirmAsync(IReadOnlyList<AcceptedRetirement> accepted, CancellationToken cancellation);

    /// <summary>
    /// Puts back what a retirement took: a fresh read, the change, a look. Keeps what else was changed at the source meanwhile, never lowers
    /// a frame counter, and changes nothing when the keys there are neither the original nor the ones the retirement left. Idempotent.
    /// </summary>
    /// <param name="original">The device as it was exported.</param>
    /// <param name="plan">What the retirement left, or meant to leave.</param>
    /// <param name="dryRun">Only say what would be done.</param>
    /// <param name="cancellation">Stops waiting; the network may have applied the change or not.</param>
    Task<ChangeOutcome> RestoreAsync(SourceDevice original, RetirePlan plan, bool dryRun, CancellationToken cancellation);
}

/// <summary>Names a device at its network.</summary>
/// <param name="Application">Application as the network knows it; empty when the network has none.</param>
/// <param name="Id">ID of the device at the network.</param>
public sealed record DeviceReference(string Application, string Id)
{
    /// <summary>What the list already told about the device, for the source's own use; null when the list told only the ID.</summary>
    public SourceDevice? Listed { get; init; }

    /// <summary>The ID, for messages.</summary>
    public override string ToString() => Id;
}

/// <summary>A device as its network has it. Each source derives its own.</summary>
/// <param name="application">Application as the network knows it.</param>
/// <param name="id">ID of the device at the network.</param>
public abstract class SourceDevice(string application, string id)
{
    /// <summary>Application as the network knows it.</summary>
    public string Application { get; } = application;

    /// <summary>ID of the device at the network.</summary>
    public string Id { get; } = id;

    /// <summary>The record exactly as the network sent it, enough to restore the device; holds keys.</summary>
    public abstract ReadOnlyMemory<byte> Record { get; }
}

/// <summary>What of a device leaves its network. One network may know only some of these.</summary>
[Flags]
public enum RetireScope
{
    /// <summary>Nothing: the device stays as it is.</summary>
    None = 0,

    /// <summary>Root keys: the device can no longer join there.</summary>
    RootKeys = 1,

    /// <summary>DevAddr and session keys: the network no longer serves the session.</summary>
    Session = 2,

    /// <summary>The whole device: the network no longer knows it.</summary>
    Device = 4,

    /// <summary>Downlinks only: the network hears the device and does not answer it.</summary>
    Downlinks = 8,
}

/// <summary>What came of mapping a device: <see cref="Mapped"/> or <see cref="Rejected"/>.</summary>
public abstract record MapResult
{
    private MapResult()
    {
    }

    /// <summary>The device has a form in The Things Stack.</summary>
    /// <param name="Device">The end device; IDs still in the form of the source.</param>
    /// <param name="Retires">What the source loses once the line is written.</param>
    /// <param name="Notes">What was lost, guessed, or needs a person; may be empty.</param>
    public sealed record Mapped(TheThingsStack.Api.EndDevice Device, RetireScope Retires, IReadOnlyList<Note> Notes) : MapResult;

    /// <summary>The device cannot go; nothing about it changes anywhere.</summary>
    /// <param name="Failure">Why, under a stable name, and what to do.</param>
    public sealed record Rejected(TheThingsStack.Errors.Failure Failure) : MapResult
    {
        /// <summary>True when the device has no keys: an earlier run may have retired it, and its journal has them.</summary>
        public bool KeysGone { get; init; }
    }
}
