using Google.Protobuf.WellKnownTypes;
using Rpc;
using TheThingsStack.Api;

namespace TheThingsStack.Registries;

/// <summary>The devices of a Network, Application or Join Server (facts/tts-api.md sections 2, 5 and 6).</summary>
public class DeviceRegistry : ServerClient
{
    /// <summary>Most IDs of a batch call.</summary>
    public const int BatchSize = 20;

    private readonly Method<SetEndDeviceRequest, EndDevice> set;
    private readonly Method<BatchDeleteEndDevicesRequest, Empty> batchDelete;

    internal DeviceRegistry(RegistryConnection connection, string prefix)
        : base(connection, RegistryMethods.Get(prefix + "EndDeviceRegistry"), RegistryMethods.Delete(prefix + "EndDeviceRegistry"))
    {
        set = RegistryMethods.Set(prefix + "EndDeviceRegistry");
        batchDelete = RegistryMethods.BatchDelete(prefix + "EndDeviceBatchRegistry");
    }

    /// <summary>Calls a method of the server that has no member here.</summary>
    /// <param name="method">The method.</param>
    /// <param name="request">The request.</param>
    /// <param name="application">Application that it is about, for the pace.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="RegistryException">The call failed.</exception>
    public Task<UnaryResult<TResponse>> CallAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, string application, CancellationToken cancellation)
        where TRequest : Google.Protobuf.IMessage<TRequest>
        where TResponse : Google.Protobuf.IMessage<TResponse>, new() =>
        Connection.CallAsync(method, request, application, perDevice: false, cancellation);

    /// <summary>Creates or changes a device; the masked fields become those of the device.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<EndDevice> SetAsync(EndDevice device, IEnumerable<string> paths, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(device);
        var request = new SetEndDeviceRequest { EndDevice = device, FieldMask = Mask(paths) };
        var answer = (await Connection.CallAsync(set, request, Entity(device.Ids), perDevice: true, cancellation)).Response;
        About(device.Ids.DeviceId, answer.Ids, set.FullName);
        return answer;
    }

    /// <summary>Deletes up to <see cref="BatchSize"/> devices of one application; those that are not there are passed over.</summary>
    /// <exception cref="RegistryException">The call failed; none was deleted.</exception>
    public Task DeleteAsync(string application, IEnumerable<string> deviceIds, CancellationToken cancellation)
    {
        var request = new BatchDeleteEndDevicesRequest { ApplicationIds = new ApplicationIdentifiers { ApplicationId = application } };
        request.DeviceIds.AddRange(deviceIds);
        return Connection.CallAsync(batchDelete, request, application, perDevice: false, cancellation);
    }
}

/// <summary>The Network Server.</summary>
public sealed class NetworkServerClient : DeviceRegistry
{
    internal NetworkServerClient(RegistryConnection connection)
        : base(connection, "Ns")
    {
    }

    /// <summary>Draws a DevAddr of the network, 4 bytes.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<Google.Protobuf.ByteString> GenerateDevAddrAsync(CancellationToken cancellation) =>
        (await Connection.CallAsync(RegistryMethods.GenerateDevAddr, new Empty(), "", perDevice: false, cancellation)).Response.DevAddr;

    /// <summary>Gives the MAC settings that the cluster assumes for devices without their own.</summary>
    /// <exception cref="RegistryException">The call failed; unknown plans are NotFound.</exception>
    public async Task<MACSettings> GetDefaultMacSettingsAsync(string frequencyPlanId, PHYVersion phyVersion, CancellationToken cancellation) =>
        (await Connection.CallAsync(
            RegistryMethods.GetDefaultMACSettings,
            new GetDefaultMACSettingsRequest { FrequencyPlanId = frequencyPlanId, LorawanPhyVersion = phyVersion },
            "",
            perDevice: false,
            cancellation)).Response;

    /// <summary>Gives the NetID of the network, 3 bytes.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<Google.Protobuf.ByteString> GetNetIdAsync(CancellationToken cancellation) =>
        (await Connection.CallAsync(RegistryMethods.GetNetID, new Empty(), "", perDevice: false, cancellation)).Response.NetId;

    /// <summary>Gives the prefixes of the addresses that the network receives.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<IReadOnlyList<LoRaWan.DevAddrPrefix>> GetDevAddrPrefixesAsync(CancellationToken cancellation)
    {
        var answer = await Connection.CallAsync(RegistryMethods.GetDeviceAddressPrefixes, new Empty(), "", perDevice: false, cancellation);
        return [.. answer.Response.DevAddrPrefixes.Where(static entry => entry.Length == 5).Select(static entry => Prefix(entry.Span))];
    }

    /// <summary>Four bytes of address, one of length in bits.</summary>
    private static LoRaWan.DevAddrPrefix Prefix(ReadOnlySpan<byte> entry) =>
        new(new LoRaWan.DevAddr(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(entry)), entry[4]);
}

/// <summary>The Application Server.</summary>
public sealed class ApplicationServerClient : DeviceRegistry
{
    internal ApplicationServerClient(RegistryConnection connection)
        : base(connection, "As")
    {
    }
}

/// <summary>The Join Server. It finds a device by its IDs; one that never joins is not there.</summary>
public sealed class JoinServerClient : DeviceRegistry
{
    internal JoinServerClient(RegistryConnection connection)
        : base(connection, "Js")
    {
    }

    /// <summary>Gives the JoinEUI for devices without their own, 8 bytes.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<Google.Protobuf.ByteString> GetDefaultJoinEuiAsync(CancellationToken cancellation) =>
        (await Connection.CallAsync(RegistryMethods.GetDefaultJoinEUI, new Empty(), "", perDevice: false, cancellation)).Response.JoinEui;

    /// <summary>Gives the JoinEUIs that the server answers joins for.</summary>
    /// <exception cref="RegistryException">The call failed.</exception>
    public async Task<IReadOnlyList<JoinEUIPrefix>> GetJoinEuiPrefixesAsync(CancellationToken cancellation) =>
        (await Connection.CallAsync(RegistryMethods.GetJoinEUIPrefixes, new Empty(), "", perDevice: false, cancellation)).Response.Prefixes;
}
