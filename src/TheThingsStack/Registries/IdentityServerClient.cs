using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Rpc;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace TheThingsStack.Registries;

/// <summary>The Identity Server: who is registered, and who may do what (facts/tts-api.md sections 2, 6 and 9).</summary>
public sealed class IdentityServerClient : ServerClient
{
    /// <summary>Most devices of a page.</summary>
    public const int PageSize = 1000;

    /// <summary>Clocks of two servers behind one address may differ by so much.</summary>
    private static readonly TimeSpan ClockSlack = TimeSpan.FromSeconds(1);

    private static readonly Lazy<MessageMask> Stored = new(static () => MessageMask.Create(EndDevice.Descriptor,
    [
        "ids.dev_eui", "ids.join_eui", "name", "description", "attributes", "version_ids", "network_server_address",
        "application_server_address", "join_server_address", "locations", "serial_number", "claim_authentication_code", "activated_at",
    ]));

    private readonly TimeProvider clock;
    private volatile bool givesBatches = true;

    internal IdentityServerClient(RegistryConnection connection, TimeProvider clock)
        : base(connection, RegistryMethods.IdentityGet, RegistryMethods.IdentityDelete) =>
        this.clock = clock;

    /// <summary>
    /// Creates a device. A create that got no answer is repeated; when the server then says that the device exists, it is looked at: it is
    /// ours when it was created since the first attempt with exactly what was sent.
    /// </summary>
    /// <param name="device">IDs and what this server stores; the rest is ignored by the server.</param>
    /// <param name="cancellation">Stops waiting; the device may be there.</param>
    /// <exception cref="RegistryException">The call failed. With <see cref="RegistryException.MayHaveActed"/> the device may be there all the same.</exception>
    public async Task<EndDevice> CreateAsync(EndDevice device, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(device);
        try
        {
            var request = new CreateEndDeviceRequest { EndDevice = device };
            var created = (await Connection.CallAsync(
                RegistryMethods.IdentityCreate, request, Entity(device.Ids), perDevice: true, cancellation)).Response;
            About(device.Ids.DeviceId, created.Ids, RegistryMethods.IdentityCreate.FullName);
            return created;
        }
        catch (RegistryException e) when (e is { IsAlreadyExists: true, MayHaveActed: true })
        {
            var found = await FindStoredAsync(device, cancellation);
            if (found is not null && IsOurs(device, found, e.Cause, e.Duration))
                return found;
            throw;
        }
    }

    /// <summary>Deletes a device that a create which failed without an answer has created all the same; leaves one that was there before.</summary>
    /// <param name="device">What was sent.</param>
    /// <param name="failure">How the create failed.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="RegistryException">The call failed: the device may be there.</exception>
    public async Task DeleteIfCreatedAsync(EndDevice device, RegistryException failure, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(failure);
        var found = await FindStoredAsync(device, cancellation);
        if (found is not null && IsOurs(device, found, failure.Cause, failure.Duration))
            await DeleteAsync(device.Ids, cancellation);
    }

    /// <summary>Gives the device, in whichever application, that has this pair of EUIs; null when none has.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<EndDeviceIdentifiers?> FindByEuisAsync(ByteString joinEui, ByteString devEui, CancellationToken cancellation)
    {
        var request = new GetEndDeviceIdentifiersForEUIsRequest { JoinEui = joinEui, DevEui = devEui };
        try
        {
            var owner = (await Connection.CallAsync(RegistryMethods.IdentityGetIdentifiersForEUIs, request, "", perDevice: false, cancellation)).Response;
            return owner.DeviceId.Length > 0 ? owner : throw Useless(RegistryMethods.IdentityGetIdentifiersForEUIs.FullName, "the answer names no device");
        }
        catch (RegistryException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>Lists one page of an application's devices, by device ID.</summary>
    /// <param name="application">Application ID.</param>
    /// <param name="page">Number of the page, from 1. Pages are cut by position: deleting while listing shifts them.</param>
    /// <param name="size">Devices of a page, 1 to <see cref="PageSize"/>.</param>
    /// <param name="paths">Fields to read.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<DevicePage> ListAsync(string application, int page, int size, IEnumerable<string> paths, CancellationToken cancellation)
    {
        var answer = await TellingAsync(paths, told => Connection.CallAsync(
            RegistryMethods.IdentityList,
            new ListEndDevicesRequest
            {
                ApplicationIds = new ApplicationIdentifiers { ApplicationId = application },
                FieldMask = Mask(told),
                Order = "device_id",
                Limit = (uint)size,
                Page = (uint)page,
            },
            application,
            perDevice: false,
            cancellation));
        Named(answer.Response, RegistryMethods.IdentityList.FullName);
        var total = int.TryParse(answer.Headers.Get("x-total-count"), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : (int?)null;
        return new DevicePage(answer.Response.EndDevices_, total);
    }

    /// <summary>
    /// Reads up to <see cref="DeviceRegistry.BatchSize"/> devices; those that are not there are missing in the answer. One by one from a server of a
    /// version that cannot give several at once.
    /// </summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<IReadOnlyList<EndDevice>> GetAsync(
        string application, IReadOnlyCollection<string> deviceIds, IReadOnlyCollection<string> paths, CancellationToken cancellation)
    {
        var ids = new ApplicationIdentifiers { ApplicationId = application };
        if (givesBatches)
        {
            try
            {
                var request = new BatchGetEndDevicesRequest { ApplicationIds = ids, DeviceIds = { deviceIds } };
                var answer = await TellingAsync(paths, told =>
                {
                    request.FieldMask = Mask(told);
                    return Connection.CallAsync(RegistryMethods.IdentityBatchGet, request, application, perDevice: false, cancellation);
                });
                return Named(answer.Response, RegistryMethods.IdentityBatchGet.FullName);
            }
            catch (RegistryException e) when (e.IsUnimplemented)
            {
                givesBatches = false;
            }
        }
        var devices = await Task.WhenAll(deviceIds.Select(id => FindAsync(new EndDeviceIdentifiers { ApplicationIds = ids, DeviceId = id }, paths, cancellation)));
        return [.. devices.OfType<EndDevice>()];
    }

    /// <summary>Changes the masked fields of a device that is there.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<EndDevice> UpdateAsync(EndDevice device, IEnumerable<string> paths, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(device);
        var request = new UpdateEndDeviceRequest { EndDevice = device, FieldMask = Mask(paths) };
        var answer = (await Connection.CallAsync(RegistryMethods.IdentityUpdate, request, Entity(device.Ids), perDevice: true, cancellation)).Response;
        About(device.Ids.DeviceId, answer.Ids, RegistryMethods.IdentityUpdate.FullName);
        return answer;
    }

    /// <summary>Reads an application. A key without rights on it gets PermissionDenied, also when there is no such application.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<Application> GetApplicationAsync(string application, IEnumerable<string> paths, CancellationToken cancellation)
    {
        var request = new GetApplicationRequest { ApplicationIds = new ApplicationIdentifiers { ApplicationId = application }, FieldMask = Mask(paths) };
        return (await Connection.CallAsync(RegistryMethods.ApplicationGet, request, application, perDevice: false, cancellation)).Response;
    }

    /// <summary>Gives the rights of the key on an application, expanded; none when it has none or sends none.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<IReadOnlyCollection<Right>> ListRightsAsync(string application, CancellationToken cancellation) =>
        (await Connection.CallAsync(
            RegistryMethods.ApplicationListRights, new ApplicationIdentifiers { ApplicationId = application }, application, perDevice: false, cancellation))
        .Response.Rights_;

    /// <summary>Tells what kind of key the calls carry.</summary>
    /// <exception cref="RegistryException">The call failed, e.g. the key is unknown or expired.</exception>
    public async Task<AuthInfoResponse> GetAuthInfoAsync(CancellationToken cancellation) =>
        (await Connection.CallAsync(RegistryMethods.AuthInfo, new Empty(), "", perDevice: false, cancellation)).Response;

    private Task<EndDevice?> FindStoredAsync(EndDevice device, CancellationToken cancellation) =>
        FindAsync(device.Ids, Stored.Value.Paths.Where(static path => !path.StartsWith("ids.", StringComparison.Ordinal)), cancellation);

    private Google.Protobuf.Collections.RepeatedField<EndDevice> Named(EndDevices answer, string method) =>
        answer.EndDevices_.All(static device => device.Ids?.DeviceId is { Length: > 0 }) ? answer.EndDevices_ : throw Useless(method, "the answer has a device without its ID");

    private bool IsOurs(EndDevice sent, EndDevice found, RpcException refusal, TimeSpan sinceFirstAttempt)
    {
        if (found.CreatedAt is null || Stored.Value.Differences(sent, found).Any())
            return false;
        // The server's own clock, where the ID it gave to the refused call tells it: a ULID.
        var now = ServerTime(refusal.Headers.Get("x-request-id")) ?? clock.GetUtcNow();
        return found.CreatedAt.ToDateTimeOffset() >= now - sinceFirstAttempt - ClockSlack;
    }

    /// <summary>The first 10 of 26 characters of a ULID are milliseconds since 1970, in Crockford's base 32.</summary>
    internal static DateTimeOffset? ServerTime(string? requestId)
    {
        const string alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        const int ulidLength = 26;
        if (requestId is not { Length: ulidLength })
            return null;
        var milliseconds = 0L;
        foreach (var c in requestId.AsSpan(0, 10))
        {
            var digit = alphabet.IndexOf(char.ToUpperInvariant(c), StringComparison.Ordinal);
            if (digit < 0)
                return null;
            milliseconds = (milliseconds << 5) | (uint)digit;
        }
        return milliseconds < DateTimeOffset.MaxValue.ToUnixTimeMilliseconds() ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;
    }
}

/// <summary>One page of an application's devices.</summary>
/// <param name="Devices">Devices of the page.</param>
/// <param name="Total">Devices of the application, as the server counts them; null when it does not say.</param>
public sealed record DevicePage(IReadOnlyList<EndDevice> Devices, int? Total);
