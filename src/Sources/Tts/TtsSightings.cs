using System.Runtime.CompilerServices;
using Migration.Verify;
using TheThingsStack.Api;
using TheThingsStack.Registries;

namespace Sources.Tts;

/// <summary>
/// The Things Stack as a witness of devices that have left: the list tells which are still there; keys and times have the Join, Network and
/// Identity Server (facts/tts-api.md sections 3 and 9).
/// </summary>
public sealed partial class TtsSource : ISourceWitness
{
    private static readonly string[] SeenPaths = ["last_seen_at"];
    private static readonly string[] RootKeyPaths = ["root_keys.app_key.key", "root_keys.nwk_key.key"];
    private static readonly string[] SessionPaths = [TtsRetirement.DownlinksValue, "session.dev_addr", "session.keys.f_nwk_s_int_key.key", "session.started_at"];

    /// <inheritdoc/>
    public async IAsyncEnumerable<(string DeviceId, SourceSighting Sighting)> ListSightingsAsync(string application, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var id in PagesAsync(application, cancellation))
            yield return (id, new SourceSighting(0, null, null, IsWhole: false));
    }

    /// <inheritdoc/>
    public async Task<SourceSighting?> SightAsync(string application, string deviceId, CancellationToken cancellation)
    {
        var ids = new EndDeviceIdentifiers { DeviceId = deviceId, ApplicationIds = new ApplicationIdentifiers { ApplicationId = application } };
        return await InTurnAsync<SourceSighting?>(
            async () =>
            {
                var answers = await Task.WhenAll(FindAsync(TtsServer.Identity, SeenPaths), FindAsync(TtsServer.Join, RootKeyPaths), FindAsync(TtsServer.Network, SessionPaths));
                var (identity, join, network) = (answers[0], answers[1], answers[2]);
                if (identity is null)
                    return null;
                // A network that sends nothing takes no device in: it neither accepts a join nor acknowledges.
                var isMuted = network is null || network.MacSettings?.ScheduleDownlinks is { Value: false };
                var keys = isMuted ? default : KeyMarks.Of(new EndDevice { RootKeys = join?.RootKeys, Session = network!.Session });
                return new SourceSighting(0, keys, Later(identity.LastSeenAt?.ToDateTimeOffset(), network?.Session?.StartedAt?.ToDateTimeOffset()), IsWhole: true);
            },
            cancellation);

        async Task<EndDevice?> FindAsync(TtsServer server, string[] paths)
        {
            if (!servers.Has(server))
                return null;
            try
            {
                return (await servers.GetAsync(server, ids, paths, cancellation)).Device;
            }
            catch (RegistryException e) when (e.IsNotFound)
            {
                return null;
            }
            catch (RegistryException e) when (Without(e, paths) is { } known)
            {
                // A server of an older version, which does not note all times.
                return await FindAsync(server, known);
            }
            catch (RegistryException e)
            {
                throw TtsFailures.Of(e);
            }
        }
    }

    /// <summary>The paths that a server takes, when it refused some that are no keys.</summary>
    private static string[]? Without(RegistryException e, string[] paths) =>
        RegistryErrors.ForbiddenPaths(e) is var refused && refused.Any(paths.Contains) && !refused.Any(static path => path.EndsWith(".key", StringComparison.Ordinal))
            ? [.. paths.Except(refused)]
            : null;

    private static DateTimeOffset? Later(DateTimeOffset? one, DateTimeOffset? other) => one is null || other > one ? other : one;
}
