using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.Registries;

namespace Migration.Import;

/// <summary>
/// A device of the target that an import replaces, as the four servers have it: all that can be set again. Not in it are its picture, queued
/// downlinks and associations of application packages.
/// </summary>
internal static class FormerDevice
{
    private static readonly string[] IdentityPaths = Tops(MaskedCall.IdentityServerGet);
    private static readonly string[] JoinPaths = Tops(MaskedCall.JoinServerGet);
    private static readonly string[] NetworkPaths = Tops(MaskedCall.NetworkServerGet);
    private static readonly string[] ApplicationPaths = Tops(MaskedCall.ApplicationServerGet);

    /// <summary>Reads it, keys included; null when the Identity Server does not have it.</summary>
    /// <exception cref="RegistryException">A call failed.</exception>
    public static async Task<EndDevice?> ReadAsync(ClusterClient cluster, EndDeviceIdentifiers ids)
    {
        var identity = cluster.Identity.FindAsync(ids, IdentityPaths, CancellationToken.None);
        var network = cluster.Network.FindAsync(ids, NetworkPaths, CancellationToken.None);
        var application = cluster.Application.FindAsync(ids, ApplicationPaths, CancellationToken.None);
        var join = cluster.Join.FindAsync(ids, JoinPaths, CancellationToken.None);
        await Task.WhenAll(identity, network, application, join);
        if (await identity is not { } registered)
            return null;
        var device = new EndDevice { Ids = registered.Ids.Clone() };
        device.Ids.ApplicationIds = ids.ApplicationIds.Clone();
        // The Identity Server gives these two also when they hold nothing.
        if (registered.VersionIds?.CalculateSize() == 0)
            registered.VersionIds = null;
        if (registered.LoraAllianceProfileIds?.CalculateSize() == 0)
            registered.LoraAllianceProfileIds = null;
        // The Identity Server last: what several servers have is as it says.
        Add(await join, MaskedCall.JoinServerSet);
        Add(await application, MaskedCall.ApplicationServerSet);
        Add(await network, MaskedCall.NetworkServerSet);
        Add(registered, MaskedCall.IdentityServerUpdate);
        return device;

        void Add(EndDevice? record, MaskedCall call)
        {
            if (record is not null)
                MessageMask.Create(EndDevice.Descriptor, FieldPath.NonZero(record).Where(AllowedPaths.For(call).Contains)).Copy(record, device);
        }
    }

    /// <summary>
    /// The fields as a whole; of sessions the parts, since a whole session takes the right to read traffic for its queued downlinks, which cannot
    /// be set again.
    /// </summary>
    private static string[] Tops(MaskedCall call) =>
    [
        .. AllowedPaths.For(call)
            .Where(static path => path.Split('.') switch
            {
                [var top] => top is not ("ids" or "created_at" or "updated_at" or "picture" or "session" or "pending_session"),
                ["session" or "pending_session", _] => true,
                _ => false,
            })
            .Order(StringComparer.Ordinal),
    ];
}
