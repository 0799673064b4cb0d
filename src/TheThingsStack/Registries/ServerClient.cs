using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using Rpc;
using TheThingsStack.Api;

namespace TheThingsStack.Registries;

/// <summary>What a client of each of the four servers can do with a device.</summary>
public abstract class ServerClient
{
    /// <summary>A server that does not know these is not one that devices can be compared with.</summary>
    private static readonly string[] Indispensable =
        ["frequency_plan_id", "lorawan_phy_version", "lorawan_version", "root_keys", "session.dev_addr", "session.keys", "supports_join"];

    private readonly Method<GetEndDeviceRequest, EndDevice> get;
    private readonly Method<EndDeviceIdentifiers, Empty> delete;
    private ImmutableHashSet<string> untold = [];

    private protected ServerClient(RegistryConnection connection, Method<GetEndDeviceRequest, EndDevice> get, Method<EndDeviceIdentifiers, Empty> delete)
    {
        Connection = connection;
        this.get = get;
        this.delete = delete;
    }

    /// <summary>The server.</summary>
    public HostPort Address => Connection.Address;

    internal RegistryConnection Connection { get; }

    /// <summary>
    /// Whether the server tells a field, as far as is known. One of another version may refuse some, which refuses the whole call; the call is
    /// then made without them, and they are not asked for again.
    /// </summary>
    public bool Tells(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var refused = untold;
        for (var end = refused.IsEmpty ? -1 : path.Length; end > 0; end = path.LastIndexOf('.', end - 1))
        {
            if (refused.Contains(path[..end]))
                return false;
        }
        return true;
    }

    /// <summary>Reads a device; null when the server has none of these IDs. EUIs in the identifiers must be its own too.</summary>
    /// <param name="ids">Application and device ID.</param>
    /// <param name="paths">Fields to read, as far as the server <see cref="Tells"/> them; IDs and times come always.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<EndDevice?> FindAsync(EndDeviceIdentifiers ids, IEnumerable<string> paths, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ids);
        try
        {
            return (await TellingAsync(paths, told => GetAsync(ids, told, cancellation))).Response;
        }
        catch (RegistryException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Reads a device; the headers hold what the server says about its answer.</summary>
    /// <param name="ids">Application and device ID.</param>
    /// <param name="paths">Fields to read; IDs and times come always.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="RegistryException">The call failed, or there is no such device.</exception>
    public async Task<UnaryResult<EndDevice>> GetAsync(EndDeviceIdentifiers ids, IEnumerable<string> paths, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var answer = await Connection.CallAsync(get, new GetEndDeviceRequest { EndDeviceIds = ids, FieldMask = Mask(paths) }, Entity(ids), perDevice: true, cancellation);
        About(ids.DeviceId, answer.Response.Ids, get.FullName);
        return answer;
    }

    /// <summary>Deletes a device; false when the server has none of these IDs.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<bool> DeleteAsync(EndDeviceIdentifiers ids, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ids);
        try
        {
            await Connection.CallAsync(delete, ids, Entity(ids), perDevice: true, cancellation);
            return true;
        }
        catch (RegistryException e) when (e.IsNotFound)
        {
            return false;
        }
    }

    /// <summary>Reads without the fields that the server has refused to tell, or refuses now.</summary>
    private protected async Task<T> TellingAsync<T>(IEnumerable<string> paths, Func<IReadOnlyCollection<string>, Task<T>> read)
    {
        while (true)
        {
            string[] asked = [.. paths.Where(Tells)];
            try
            {
                return await read(asked);
            }
            catch (RegistryException e) when (Leave(RegistryErrors.ForbiddenPaths(e), asked))
            {
            }
        }
    }

    /// <summary>What comes back must be about the device that was asked for: nothing can be concluded from an answer that is not.</summary>
    /// <exception cref="RegistryException">It is not.</exception>
    private protected void About(string deviceId, EndDeviceIdentifiers? answered, string method)
    {
        if (answered?.DeviceId != deviceId)
            throw Useless(method, answered?.DeviceId is { Length: > 0 } other ? $"the answer is about device `{other}`, not `{deviceId}`" : "the answer names no device");
    }

    private protected RegistryException Useless(string method, string why)
    {
        var cause = new RpcException(Address, StatusCode.Internal, $"{why} ({method})", RpcFailureOrigin.Protocol) { Method = method };
        return new RegistryException(RegistryErrors.Describe(cause), cause) { MayHaveActed = true };
    }

    private bool Leave(IReadOnlyCollection<string> refused, string[] asked)
    {
        if (!refused.Any(asked.Contains) || refused.Any(static path => Indispensable.Contains(path) || path.EndsWith(".key", StringComparison.Ordinal)))
            return false;
        var unknown = refused.Where(Tells).ToList();
        if (ImmutableInterlocked.Update(ref untold, static (set, more) => set.Union(more), refused) && unknown.Count > 0)
            Connection.NotTold(get.FullName, unknown);
        return true;
    }

    internal static string Entity(EndDeviceIdentifiers? ids) => $"{ids?.ApplicationIds?.ApplicationId}.{ids?.DeviceId}";

    internal static FieldMask Mask(IEnumerable<string> paths)
    {
        var mask = new FieldMask();
        mask.Paths.AddRange(paths);
        return mask;
    }
}
