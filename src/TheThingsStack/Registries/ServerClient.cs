using Google.Protobuf.WellKnownTypes;
using Rpc;
using TheThingsStack.Api;

namespace TheThingsStack.Registries;

/// <summary>What a client of each of the four servers can do with a device.</summary>
public abstract class ServerClient
{
    private readonly Method<GetEndDeviceRequest, EndDevice> get;
    private readonly Method<EndDeviceIdentifiers, Empty> delete;

    private protected ServerClient(RegistryConnection connection, Method<GetEndDeviceRequest, EndDevice> get, Method<EndDeviceIdentifiers, Empty> delete)
    {
        Connection = connection;
        this.get = get;
        this.delete = delete;
    }

    /// <summary>The server.</summary>
    public HostPort Address => Connection.Address;

    internal RegistryConnection Connection { get; }

    /// <summary>Reads a device; null when the server has none of these IDs. EUIs in the identifiers must be its own too.</summary>
    /// <param name="ids">Application and device ID.</param>
    /// <param name="paths">Fields to read; IDs and times come always.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<EndDevice?> FindAsync(EndDeviceIdentifiers ids, IEnumerable<string> paths, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ids);
        try
        {
            return (await GetAsync(ids, paths, cancellation)).Response;
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
    public Task<UnaryResult<EndDevice>> GetAsync(EndDeviceIdentifiers ids, IEnumerable<string> paths, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return Connection.CallAsync(get, new GetEndDeviceRequest { EndDeviceIds = ids, FieldMask = Mask(paths) }, Entity(ids), perDevice: true, cancellation);
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

    internal static string Entity(EndDeviceIdentifiers? ids) => $"{ids?.ApplicationIds?.ApplicationId}.{ids?.DeviceId}";

    internal static FieldMask Mask(IEnumerable<string> paths)
    {
        var mask = new FieldMask();
        mask.Paths.AddRange(paths);
        return mask;
    }
}
