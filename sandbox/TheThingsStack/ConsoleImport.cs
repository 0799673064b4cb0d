using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.Json;

namespace Sandbox.TheThingsStack;

/// <summary>How one device of a file fared.</summary>
/// <param name="DeviceId">ID; empty when the device could not be read.</param>
/// <param name="Problem">Why it was not imported; null when it was.</param>
public sealed record ConsoleImportResult(string DeviceId, string? Problem);

/// <summary>
/// Imports a devices file as the Console does: the template converter reads it, drops <c>ids.dev_addr</c> and makes a mask of the deepest paths
/// that hold something; then each server is given what it takes of them. A device that fails half-way is taken back, and the next one follows.
/// </summary>
public static class ConsoleImport
{
    /// <summary>Imports lines or an array of devices.</summary>
    /// <param name="cluster">The target.</param>
    /// <param name="application">Application that the devices go to, whatever they say themselves.</param>
    /// <param name="token">Token of a key.</param>
    /// <param name="devices">The file.</param>
    public static async Task<IReadOnlyList<ConsoleImportResult>> RunAsync(TtsCluster cluster, string application, string token, Stream devices)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        var results = new List<ConsoleImportResult>();
        await foreach (var line in new DeviceJsonReader(devices).ReadAsync())
        {
            if (line.Device is not { } device)
            {
                results.Add(new ConsoleImportResult("", line.Problem!.Message));
                continue;
            }
            device.Ids ??= new EndDeviceIdentifiers();
            device.Ids.DevAddr = ByteString.Empty;
            device.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = application };
            results.Add(new ConsoleImportResult(device.Ids.DeviceId, await CreateAsync(cluster, device, token)));
        }
        return results;
    }

    private static async Task<string?> CreateAsync(TtsCluster cluster, EndDevice device, string token)
    {
        var paths = FieldPath.NonZero(device).Where(path => path != "ids" && !FieldPath.IsBelow(path, "ids")).Append("supports_join").Distinct(StringComparer.Ordinal).ToList();
        var done = new List<string>();
        try
        {
            await cluster.CallAsync<EndDevice>("EndDeviceRegistry/Create", new CreateEndDeviceRequest { EndDevice = Part(MaskedCall.IdentityServerUpdate).EndDevice }, token);
            done.Add("EndDeviceRegistry/Delete");
            if (device.SupportsJoin)
                await SetAsync("JsEndDeviceRegistry", MaskedCall.JoinServerSet);
            await SetAsync("NsEndDeviceRegistry", MaskedCall.NetworkServerSet);
            await SetAsync("AsEndDeviceRegistry", MaskedCall.ApplicationServerSet);
            return null;
        }
        catch (GrpcStatusException e)
        {
            done.Reverse();
            foreach (var method in done)
                await cluster.CallAsync<Empty>(method, device.Ids, token);
            return e.Status.Message;
        }

        SetEndDeviceRequest Part(MaskedCall call)
        {
            var taken = paths.Where(AllowedPaths.For(call).Contains).ToList();
            var part = MessageMask.Create(EndDevice.Descriptor, taken).Select(device);
            part.Ids = device.Ids.Clone();
            return new SetEndDeviceRequest { EndDevice = part, FieldMask = new FieldMask { Paths = { taken } } };
        }

        async Task SetAsync(string service, MaskedCall call)
        {
            await cluster.CallAsync<EndDevice>(service + "/Set", Part(call), token);
            done.Add(service + "/Delete");
        }
    }
}
