using Sources.Tts.Api;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Sources.Tts;

/// <summary>The calls that this source makes. Tests put recorded devices in their place.</summary>
internal interface ITtsServers : IAsyncDisposable
{
    /// <summary>False when the user said that there is no such server.</summary>
    bool Has(TtsServer server);

    /// <summary>Gives a page of device IDs, from page 1, and how many devices the application has; null when the server does not say.</summary>
    Task<(IReadOnlyList<string> Ids, int? Total)> ListAsync(string application, int page, CancellationToken cancellation);

    /// <summary>Gives the ID at a place of that list, from 1; null when it is not so long.</summary>
    Task<string?> AtAsync(string application, int place, CancellationToken cancellation);

    /// <summary>Says which of these rights the key lacks on an application; null when it has all.</summary>
    Task<Failure?> MissingRightsAsync(string application, IReadOnlyCollection<Right> needed, CancellationToken cancellation);

    /// <summary>Reads a device. A device that is not there is a <see cref="TheThingsStack.Registries.RegistryException"/> too.</summary>
    Task<TtsAnswer> GetAsync(TtsServer server, EndDeviceIdentifiers ids, IReadOnlyList<string> paths, CancellationToken cancellation);

    /// <summary>Registers a device at the Identity Server.</summary>
    Task CreateAsync(EndDevice device, CancellationToken cancellation);

    /// <summary>Sets fields at one of the other servers; gives the device as it is then, as far as the paths go.</summary>
    Task<EndDevice> SetAsync(TtsServer server, EndDevice device, IReadOnlyList<string> paths, CancellationToken cancellation);

    /// <summary>Deletes a device; false when it is not there.</summary>
    Task<bool> DeleteAsync(TtsServer server, EndDeviceIdentifiers ids, CancellationToken cancellation);

    /// <summary>Gives a MAC settings profile of the Network Server.</summary>
    Task<Profile> GetProfileAsync(ProfileIdentifiers ids, CancellationToken cancellation);
}

/// <summary>A record, and what the server said about its answer.</summary>
internal sealed record TtsAnswer(EndDevice Device, IReadOnlyList<string> Warnings);
