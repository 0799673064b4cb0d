using Google.Protobuf;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Discovery;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Tests.TtnV2;

public sealed class ClusterTests
{
    [Fact]
    public async Task A_client_finds_the_handler_through_discovery_and_lists_gets_sets_and_deletes_a_device()
    {
        await using var cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication("my-app", "ttn-account-v2.secret");
        using var discovery = new RawGrpcClient(cluster.DiscoveryAddress, trust: null);
        var found = await discovery.CallAsync("/discovery.Discovery/GetByAppID", new GetByAppIDRequest { AppId = "my-app" }.ToByteArray());
        Assert.Equal(0, found.Status);
        var announcement = Announcement.Parser.ParseFrom(found.Response);
        Assert.Equal(cluster.HandlerAddress, announcement.NetAddress);
        Assert.StartsWith("-----BEGIN CERTIFICATE-----", announcement.Certificate, StringComparison.Ordinal);

        using var handler = new RawGrpcClient(announcement.NetAddress, announcement.Certificate);
        var key = ("key", "ttn-account-v2.secret");
        var device = new Device
        {
            AppId = "my-app",
            DevId = "dev-1",
            LorawanDevice = new() { AppId = "my-app", DevId = "dev-1", FCntUp = 42, AppKey = ByteString.CopyFrom(new byte[15].Append((byte)1).ToArray()) },
        };
        Assert.Equal(0, (await handler.CallAsync("/handler.ApplicationManager/SetDevice", device.ToByteArray(), key)).Status);
        var identifier = new DeviceIdentifier { AppId = "my-app", DevId = "dev-1" }.ToByteArray();
        var got = Device.Parser.ParseFrom((await handler.CallAsync("/handler.ApplicationManager/GetDevice", identifier, key)).Response);
        Assert.Equal(42u, got.LorawanDevice.FCntUp);
        Assert.Equal(cluster.Device("my-app", "dev-1"), got);
        var list = await handler.CallAsync("/handler.ApplicationManager/GetDevicesForApplication", new ApplicationIdentifier { AppId = "my-app" }.ToByteArray(), key);
        Assert.Equal(("1", "1"), (list.Headers["total"], list.Headers["selected"]));
        Assert.Equal(0u, DeviceList.Parser.ParseFrom(list.Response).Devices.Single().LorawanDevice.FCntUp);
        Assert.Equal(0, (await handler.CallAsync("/handler.ApplicationManager/DeleteDevice", identifier, key)).Status);
        var gone = await handler.CallAsync("/handler.ApplicationManager/GetDevice", identifier, key);
        Assert.Equal((5, "handler:device:my-app:dev-1 not found", true), (gone.Status, gone.Message, gone.TrailersOnly));
        Assert.Equal(["GetByAppID", "SetDevice", "GetDevice", "GetDevicesForApplication", "DeleteDevice", "GetDevice"], cluster.Requests.All.Select(r => r.ShortMethod));
    }

    [Fact]
    public async Task Discovery_answers_over_tls_with_a_certificate_of_the_test_authority()
    {
        await using var cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication("my-app", "secret");
        using var discovery = new RawGrpcClient(cluster.DiscoveryTlsAddress, cluster.CaCertificatePem);
        Assert.Equal(0, (await discovery.CallAsync("/discovery.Discovery/GetByAppID", new GetByAppIDRequest { AppId = "my-app" }.ToByteArray())).Status);
    }
}
