using System.Text;
using Google.Protobuf;
using Migration.Filters;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;

namespace Migration.Tests.Filters;

/// <summary>What <c>check</c> says beyond the rules for one device, which have their own recorded truth.</summary>
public sealed class CheckFilterTests
{
    [Fact]
    public async Task An_ID_that_occurs_twice_is_found_with_its_first_line()
    {
        var results = await Run(Device("meter-1", "0000000000000001"), Device("meter-2", "0000000000000002"), Device("meter-1", "0000000000000003"));

        Assert.Equal([true, true, false], results.Select(device => device.IsAccepted));
        var finding = Assert.Single(results[2].Findings);
        Assert.Equal(("ids.device_id", "pkg/util/store:id_taken", "the ID is that of the device in line 1"), (finding.Field, finding.Error, finding.Message));
    }

    [Fact]
    public async Task EUIs_that_occur_twice_are_found_and_count_only_together()
    {
        var results = await Run(Device("meter-1", "0000000000000001"), Device("meter-2", "0000000000000001"), Device("meter-3", "0000000000000001", "70B3D57ED0000001"));

        Assert.Equal([true, false, true], results.Select(device => device.IsAccepted));
        Assert.Equal("JoinEUI and DevEUI are those of the device in line 1", Assert.Single(results[1].Findings).Message);
    }

    [Fact]
    public async Task The_same_ID_in_another_application_is_another_device()
    {
        var results = await Run(
            Device("meter-1", "0000000000000001", application: "a-app"), Device("meter-1", "0000000000000002", application: "b-app"), Device("meter-1", "0000000000000003", application: "b-app"));

        Assert.Equal([true, true, false], results.Select(device => device.IsAccepted));
    }

    [Theory]
    [InlineData("a", "aa")]
    [InlineData("a-b", "ab")]
    [InlineData("123456789012", "1234567890123")]
    [InlineData("z9", "9z")]
    public async Task Different_IDs_are_not_taken_for_the_same(string one, string other)
    {
        var results = await Run(Device(one, "0000000000000001"), Device(other, "0000000000000002"));

        Assert.DoesNotContain(results[1].Findings, finding => finding.Error == "pkg/util/store:id_taken");
    }

    [Fact]
    public void Of_many_devices_exactly_those_that_occur_twice_are_found()
    {
        const int Count = 60_000;
        var seen = new SeenIdentifiers();
        for (var i = 0; i < Count; i++)
            Assert.Empty(seen.Add(Identity(i, i), i + 1));
        for (var i = 0; i < Count; i++)
            Assert.Equal($"the ID is that of the device in line {i + 1}", Assert.Single(seen.Add(Identity(i, Count + i), Count + i + 1)).Message);
        for (var i = 0; i < Count; i++)
            Assert.Equal($"JoinEUI and DevEUI are those of the device in line {Count + i + 1}", Assert.Single(seen.Add(Identity(Count + i, Count + i), 1)).Message);

        static DeviceIdentity Identity(int id, int eui) => DeviceIdentity.Of(new()
        {
            Ids = new()
            {
                DeviceId = $"meter-{id}",
                ApplicationIds = new() { ApplicationId = "app" },
                DevEui = ByteString.CopyFrom(BitConverter.GetBytes((long)eui)),
                JoinEui = ByteString.CopyFrom(BitConverter.GetBytes((long)(eui % 7))),
            },
        });
    }

    [Fact]
    public async Task A_field_rule_that_is_broken_is_told_though_the_reader_looked_at_it()
    {
        var results = await Run(Device("Meter_1", "0000000000000001"), Device("meter-2", "0000000000000002"));

        Assert.Equal([false, true], results.Select(device => device.IsAccepted));
        Assert.Equal("ids.device_id", Assert.Single(results[0].Findings).Field);
    }

    [Fact]
    public async Task IDs_that_are_not_valid_are_compared_as_well()
    {
        var results = await Run(Device("Meter_1", "0000000000000001"), Device("Meter_1", "0000000000000002"));

        Assert.Contains(results[1].Findings, finding => finding.Error == "pkg/util/store:id_taken");
    }

    [Fact]
    public async Task A_device_that_cannot_be_read_is_refused_and_the_others_are_checked()
    {
        var results = await Run("{\"supports_join\":\"perhaps\"}", Device("meter-1", "0000000000000001"));

        Assert.Equal([false, true], results.Select(device => device.IsAccepted));
        Assert.Equal((ImportStep.Client, "supports_join"), (results[0].Findings[0].Step, results[0].Findings[0].Field));
    }

    [Fact]
    public async Task Warnings_do_not_refuse()
    {
        var results = await Run("{\"ids\":{\"device_id\":\"abc\",\"dev_eui\":\"0000000000000001\",\"join_eui\":\"0000000000000000\"},\"supports_join\":true}");

        Assert.True(results[0].IsAccepted);
        Assert.Equal("W-no-root-keys", Assert.Single(results[0].Findings).Rule);
    }

    [Fact]
    public async Task One_fault_is_reported_once()
    {
        var results = await Run("{\"ids\":{\"device_id\":\"abc\"},\"supports_join\":true,\"root_keys\":{\"app_key\":{\"key\":\"A1A2A3A4A5A6A7A8A9AAABACADAEAFA0\"}}}");

        Assert.Equal("ids.dev_eui", Assert.Single(results[0].Findings).Field);
    }

    private static string Device(string id, string devEui, string joinEui = "70B3D57ED0000000", string application = "app") =>
        $"{{\"ids\":{{\"device_id\":\"{id}\",\"application_ids\":{{\"application_id\":\"{application}\"}},\"dev_eui\":\"{devEui}\",\"join_eui\":\"{joinEui}\"}},"
        + "\"supports_join\":true,\"root_keys\":{\"app_key\":{\"key\":\"A1A2A3A4A5A6A7A8A9AAABACADAEAFA0\"}},"
        + "\"lorawan_version\":\"MAC_V1_0_3\",\"lorawan_phy_version\":\"PHY_V1_0_3_REV_A\",\"frequency_plan_id\":\"EU_863_870_TTN\"}";

    private static async Task<List<CheckedDevice>> Run(params string[] lines)
    {
        var results = new List<CheckedDevice>();
        await foreach (var device in new CheckFilter(EmbeddedFrequencyPlanStore.Instance, ImportWay.OfficialCli).RunAsync(new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines))), default))
            results.Add(device);
        return results;
    }
}
