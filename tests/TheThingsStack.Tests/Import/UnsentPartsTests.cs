using System.Text;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Json;

namespace TheThingsStack.Tests.Import;

/// <summary>A server judges what it is sent: fields that it does not take are not sent, nor is a message that holds nothing else.</summary>
public sealed class UnsentPartsTests
{
    private const string Joining = """
        "ids":{"device_id":"pump","application_ids":{"application_id":"app"},"dev_eui":"70B3D57ED0000001","join_eui":"70B3D57ED0000000"},
        "lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_3_REV_A","frequency_plan_id":"EU_863_870_TTN","supports_join":true,
        "root_keys":{"app_key":{"key":"0123456789ABCDEF0123456789ABCDEF"}}
        """;

    [Theory]
    [InlineData("""{"last_n_f_cnt_down":15}""", "pending_session")]
    [InlineData("""{"keys":{"nwk_s_enc_key":{"kek_label":"old","encrypted_key":"AQI="}}}""", "pending_session")]
    [InlineData("""{"queued_responses":[{"cid":"CID_DEV_STATUS"}]}""", "pending_mac_state")]
    [InlineData("""{"queued_application_downlinks":[{"f_port":1}]}""", "session")]
    [InlineData("""{"keys":{"app_s_key":{"key":"0123456789ABCDEF0123456789ABCDEF"}}}""", "session")]
    public void A_session_or_state_that_holds_nothing_for_the_Network_Server_is_not_missed_there(string json, string field)
    {
        foreach (var way in Enum.GetValues<ImportWay>())
            Assert.Empty(Verdict(json, field, way));
    }

    [Theory]
    [InlineData("""{}""", "session")]
    [InlineData("""{"dev_addr":"26011F01"}""", "session")]
    [InlineData("""{"dev_addr":"26011F01","last_n_f_cnt_down":15}""", "pending_session")]
    [InlineData("""{"lorawan_version":"MAC_V1_0_3"}""", "mac_state")]
    public void One_that_holds_anything_for_it_is_asked_for_the_rest(string json, string field)
    {
        foreach (var way in Enum.GetValues<ImportWay>())
            Assert.NotEmpty(Verdict(json, field, way));
    }

    [Fact]
    public void A_session_that_only_the_Application_Server_is_sent_is_refused_by_that_one()
    {
        var error = Assert.Single(Verdict("""{"last_a_f_cnt_down":7}""", "session", ImportWay.OfficialCli));

        Assert.Equal((ImportStep.ApplicationServer, "pkg/errors:validation"), (error.Step, error.Error));
    }

    private static IReadOnlyList<ImportFinding> Verdict(string json, string field, ImportWay way)
    {
        var device = TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes($$"""{{{Joining}},"{{field}}":{{json}}}"""));
        return ImportRules.Verdict(ImportRules.Check(device, EmbeddedFrequencyPlanStore.Find(device.FrequencyPlanId), way));
    }
}
