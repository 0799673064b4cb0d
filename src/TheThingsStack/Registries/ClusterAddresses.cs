using Rpc;

namespace TheThingsStack.Registries;

/// <summary>Where the four servers that hold a device listen; all may be one address (facts/tts-api.md section 1).</summary>
/// <param name="Identity">Identity Server.</param>
/// <param name="Network">Network Server.</param>
/// <param name="Application">Application Server.</param>
/// <param name="Join">Join Server.</param>
public sealed record ClusterAddresses(HostPort Identity, HostPort Network, HostPort Application, HostPort Join)
{
    /// <summary>All servers at one address.</summary>
    public static ClusterAddresses At(HostPort address) => new(address, address, address, address);

    /// <summary>The addresses without repetitions, the Identity Server's first.</summary>
    public IReadOnlyList<HostPort> Distinct() => [.. new[] { Identity, Network, Application, Join }.Distinct()];
}
