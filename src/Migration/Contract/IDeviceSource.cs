namespace Migration;

/// <summary>
/// A network that devices leave. Reading and retiring are apart: nothing but <see cref="RetireAsync"/> changes the network, and
/// <see cref="Exporter"/> calls it only for a device whose line is written and flushed.
/// Every asynchronous member reports an expected failure as <see cref="TheThingsStack.Errors.FailureException"/>, or as
/// <see cref="SourceUnavailableException"/> when every other device would fail alike. All members may be called concurrently.
/// </summary>
public interface IDeviceSource : IAsyncDisposable
{
    /// <summary>Decisions that a default took because the user said nothing; one sentence each, with how to say it. May be empty.</summary>
    IReadOnlyList<string> DecidedByDefault { get; }

    /// <summary>What a person has to do at this network or at the device, by the code of a <see cref="Note"/>; null when the text of the note says it all.</summary>
    string? Guide(string noteCode);

    /// <summary>Gives the reference of a device that the user named.</summary>
    /// <param name="id">ID as this network's users know it, e.g. a V2 device ID or a DevEUI.</param>
    DeviceReference Refer(string id);

    /// <summary>Lists the devices of an application in the network's order; may be enumerated again, which lists again.</summary>
    IAsyncEnumerable<DeviceReference> ListAsync(string application, CancellationToken cancellation);

    /// <summary>Reads one device, from the list when that told everything. Never changes the network.</summary>
    Task<SourceDevice> ReadAsync(DeviceReference device, CancellationToken cancellation);

    /// <summary>Makes an end device of The Things Stack. Calls no one; IDs keep the form of this network.</summary>
    MapResult Map(SourceDevice device);

    /// <summary>
    /// Takes from the network what was exported, so that the device is not on both sides. Idempotent. Refuses when what is there is no
    /// longer what was exported. Returns when the network has confirmed it.
    /// </summary>
    /// <param name="device">The device as it was read.</param>
    /// <param name="scope">What was exported, from <see cref="MapResult.Mapped"/>; not <see cref="RetireScope.None"/>.</param>
    /// <param name="cancellation">Stops waiting; the network may have applied the change or not.</param>
    Task RetireAsync(SourceDevice device, RetireScope scope, CancellationToken cancellation);
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
    public sealed record Rejected(TheThingsStack.Errors.Failure Failure) : MapResult;
}
