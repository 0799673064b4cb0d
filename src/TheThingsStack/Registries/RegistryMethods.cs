using Rpc;
using TheThingsStack.Api;
using Empty = Google.Protobuf.WellKnownTypes.Empty;

namespace TheThingsStack.Registries;

/// <summary>The methods that a migration calls (facts/tts-api.md section 2).</summary>
public static class RegistryMethods
{
    private const string Package = "/ttn.lorawan.v3.";

    public static Method<CreateEndDeviceRequest, EndDevice> IdentityCreate { get; } = new(Package + "EndDeviceRegistry/Create");
    public static Method<GetEndDeviceRequest, EndDevice> IdentityGet { get; } = new(Package + "EndDeviceRegistry/Get");
    public static Method<GetEndDeviceIdentifiersForEUIsRequest, EndDeviceIdentifiers> IdentityGetIdentifiersForEUIs { get; } = new(Package + "EndDeviceRegistry/GetIdentifiersForEUIs");
    public static Method<ListEndDevicesRequest, EndDevices> IdentityList { get; } = new(Package + "EndDeviceRegistry/List");
    public static Method<UpdateEndDeviceRequest, EndDevice> IdentityUpdate { get; } = new(Package + "EndDeviceRegistry/Update");
    public static Method<EndDeviceIdentifiers, Empty> IdentityDelete { get; } = new(Package + "EndDeviceRegistry/Delete");
    public static Method<BatchGetEndDevicesRequest, EndDevices> IdentityBatchGet { get; } = new(Package + "EndDeviceBatchRegistry/Get");
    public static Method<GetApplicationRequest, Application> ApplicationGet { get; } = new(Package + "ApplicationRegistry/Get");
    public static Method<ApplicationIdentifiers, Rights> ApplicationListRights { get; } = new(Package + "ApplicationAccess/ListRights");
    public static Method<Empty, AuthInfoResponse> AuthInfo { get; } = new(Package + "EntityAccess/AuthInfo");
    public static Method<ListFrequencyPlansRequest, ListFrequencyPlansResponse> ListFrequencyPlans { get; } = new(Package + "Configuration/ListFrequencyPlans");
    public static Method<Empty, GenerateDevAddrResponse> GenerateDevAddr { get; } = new(Package + "Ns/GenerateDevAddr");
    public static Method<GetDefaultMACSettingsRequest, MACSettings> GetDefaultMACSettings { get; } = new(Package + "Ns/GetDefaultMACSettings");
    public static Method<Empty, GetNetIDResponse> GetNetID { get; } = new(Package + "Ns/GetNetID");
    public static Method<Empty, GetDeviceAdressPrefixesResponse> GetDeviceAddressPrefixes { get; } = new(Package + "Ns/GetDeviceAddressPrefixes");
    public static Method<Empty, GetDefaultJoinEUIResponse> GetDefaultJoinEUI { get; } = new(Package + "Js/GetDefaultJoinEUI");
    public static Method<Empty, JoinEUIPrefixes> GetJoinEUIPrefixes { get; } = new(Package + "Js/GetJoinEUIPrefixes");

    /// <summary><c>Get</c> of <c>NsEndDeviceRegistry</c>, <c>AsEndDeviceRegistry</c> or <c>JsEndDeviceRegistry</c>.</summary>
    public static Method<GetEndDeviceRequest, EndDevice> Get(string service) => new($"{Package}{service}/Get");

    /// <summary><c>Set</c> of such a registry.</summary>
    public static Method<SetEndDeviceRequest, EndDevice> Set(string service) => new($"{Package}{service}/Set");

    /// <summary><c>Delete</c> of such a registry.</summary>
    public static Method<EndDeviceIdentifiers, Empty> Delete(string service) => new($"{Package}{service}/Delete");

    /// <summary><c>Delete</c> of a batch registry, e.g. <c>NsEndDeviceBatchRegistry</c>.</summary>
    public static Method<BatchDeleteEndDevicesRequest, Empty> BatchDelete(string service) => new($"{Package}{service}/Delete");
}
