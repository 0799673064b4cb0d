using System.Text;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace TheThingsStack.Tests.Json;

public class ReaderRuleTests
{
    // Every refusal that the original does not make, with the place and the reason a person gets.
    [Theory]
    [InlineData("R1", "ids.dev_addr", """{"ids":{"dev_addr":"AC61F4"}}""", "expected 8 hexadecimal digits and found 6")]
    [InlineData("R1", "net_id", """{"net_id":"AE35"}""", "expected 6 hexadecimal digits and found 4")]
    [InlineData("R1", "root_keys.app_key.key", """{"root_keys":{"app_key":{"key":"A0A1A2A3A4A5A6A7A8A9AA"}}}""", "expected 32 hexadecimal digits and found 22")]
    [InlineData("R2", "last_dev_nonce", """{"last_dev_nonce":1.7}""", "1.7 is not a plain whole number")]
    [InlineData("R2", "last_dev_nonce", """{"last_dev_nonce":1e3}""", "1e3 is not a plain whole number")]
    [InlineData("R2", "last_dev_nonce", """{"last_dev_nonce":4294967296}""", "4294967296 is not a whole number from 0 to 4294967295")]
    [InlineData("R2", "session.last_f_cnt_up", """{"session":{"last_f_cnt_up":-1}}""", "-1 is not a whole number from 0 to 4294967295")]
    [InlineData("R2", "downlink_margin", """{"downlink_margin":2147483648}""", "2147483648 is not a whole number from -2147483648 to 2147483647")]
    [InlineData("R2", "mac_settings.rx1_delay", """{"mac_settings":{"rx1_delay":1e0}}""", "1e0 is not a plain whole number")]
    [InlineData("R2", "used_dev_nonces[1]", """{"used_dev_nonces":[1,2.5]}""", "2.5 is not a plain whole number")]
    [InlineData("R3", "mac_state.current_parameters.max_eirp", """{"mac_state":{"current_parameters":{"max_eirp":1e39}}}""", "1e39 is too large for single precision")]
    [InlineData("R4", "last_dev_nonce", """{"last_dev_nonce":01}""", "a number is malformed")]
    [InlineData("R4", "last_dev_nonce", """{"last_dev_nonce":+1}""", "expected a whole number and found +")]
    [InlineData("R4", "zzz", """{"zzz":.5}""", "expected a value and found .")]
    [InlineData("R4", "", """{"name":"x"} x""", "text follows after the object")]
    [InlineData("R4", "", """{/*c*/"name":"x"}""", "expected the name of a member in quotes and found /")]
    [InlineData("R4", "session", """{"session":{""", "the text ends too early")]
    [InlineData("R5", "name", """{"name":"\ud83d"}""", "a text holds half of a surrogate pair")]
    [InlineData("R5", "name", """{"name":"\ude00"}""", "a text holds half of a surrogate pair")]
    [InlineData("R6", "name", """{"name":"a","name":"b"}""", "the member stands here twice")]
    [InlineData("R6", "mac_settings.rx1_delay", """{"mac_settings":{"rx1_delay":1,"rx1Delay":2}}""", "the member stands here twice")]
    [InlineData("R6", "attributes[a]", """{"attributes":{"a":"1","a":"2"}}""", "the key stands here twice")]
    [InlineData("R6", "mac_state.rejected_data_rate_ranges[01]", """{"mac_state":{"rejected_data_rate_ranges":{"1":{},"01":{}}}}""", "the key stands here twice")]
    [InlineData("R6", "provisioning_data.a", """{"provisioning_data":{"a":1,"a":2}}""", "the key stands here twice")]
    [InlineData("R8", "mac_settings.adr.disabled", """{"mac_settings":{"adr":{"static":{},"disabled":{}}}}""", "a second member of mode; only one can be set")]
    [InlineData("R8", "mac_settings.adr.static", """{"mac_settings":{"adr":{"static":null}}}""", "null would select this member of mode; leave the member out")]
    public void A_value_that_would_be_changed_is_refused_with_path_and_rule(string rule, string path, string text, string reason)
    {
        var refusal = Assert.Throws<TtsJsonException>(() => TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(text)));
        Assert.Equal((rule, path, 1L, reason), (refusal.Rule, refusal.Path, refusal.Line, refusal.Reason));
    }

    [Fact]
    public void More_than_128_levels_are_refused_and_128_are_read()
    {
        Assert.Equal("R7", Assert.Throws<TtsJsonException>(() => TtsJson.Read<EndDevice>(Nested(128))).Rule);
        Assert.Single(TtsJson.Read<EndDevice>(Nested(127)).ProvisioningData.Fields);

        static byte[] Nested(int objects) =>
            Encoding.UTF8.GetBytes("{\"provisioning_data\":" + string.Concat(Enumerable.Repeat("{\"a\":", objects - 1)) + "{}" + new string('}', objects));
    }

    [Fact]
    public void Invalid_utf8_is_refused_on_its_line()
    {
        byte[] text = [.. "{\n\"name\":\""u8, 0xff, .. "\"}"u8];
        var refusal = Assert.Throws<TtsJsonException>(() => TtsJson.Read<EndDevice>(text));
        Assert.Equal(("R5", 2L), (refusal.Rule, refusal.Line));
    }

    [Fact]
    public void A_refusal_never_repeats_the_text_of_a_key()
    {
        const string Key = "A0A1A2A3A4A5A6A7A8A9AAABACADAEAFB0";
        foreach (var text in (string[])[$$"""{"root_keys":{"app_key":{"key":"{{Key}}*"} } }""", $$"""{"root_keys":{"app_key":{"encrypted_key":"{{Key}}*"} } }""", $$"""{"mac_settings":{"rx1_delay":"{{Key}}"} }""", $$"""{"last_dev_nonce":"{{Key}}"}""", $$"""{"created_at":"{{Key}}"}"""])
        {
            var refusal = Assert.Throws<TtsJsonException>(() => TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(text)));
            Assert.DoesNotContain(Key[..8], refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_thousand_keys_of_a_map_are_told_apart()
    {
        var members = string.Join(',', Enumerable.Range(0, 1000).Select(i => $"\"k{i}\":\"v\""));
        Assert.Equal(1000, TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes("{\"attributes\":{" + members + "}}")).Attributes.Count);
        Assert.Equal("R6", Assert.Throws<TtsJsonException>(() => TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes("{\"attributes\":{" + members + ",\"k7\":\"v\"}}"))).Rule);
    }

    // The value lies above the middle of two floats by less than a double can tell.
    [Theory]
    [InlineData("0x1.00000100000000001p0", "1.0000001")]
    [InlineData("-0x1.00000100000000001p0", "-1.0000001")]
    [InlineData("0x1.000001p0", "1")]
    [InlineData("0x1.8p-149", "3e-45")]
    public void A_hexadecimal_number_is_rounded_to_single_precision_once(string text, string value) =>
        Assert.Equal(float.Parse(value, System.Globalization.CultureInfo.InvariantCulture), TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes($"{{\"battery_percentage\":\"{text}\"}}")).BatteryPercentage);

    // 9223372037 s does not fit into 64 bits of nanoseconds, even where 1.5 s less would.
    [Theory]
    [InlineData(9223372037, -1500000000, "9223372036.854776382s")]
    [InlineData(-9223372037, 1500000000, "-9223372036.854776382s")]
    [InlineData(9223372036, 854775808, "9223372036.854776382s")]
    [InlineData(9223372036, -1500000000, "9223372034.500s")]
    public void Seconds_out_of_range_are_written_as_the_limit(long seconds, int nanos, string text) =>
        Assert.Equal(
            $$$"""{"mac_settings":{"class_b_timeout":"{{{text}}}"}}""",
            Encoding.UTF8.GetString(TtsJson.WriteBytes(new EndDevice { MacSettings = new() { ClassBTimeout = new() { Seconds = seconds, Nanos = nanos } } })));

    [Fact]
    public void A_large_map_is_written_sorted()
    {
        var device = new EndDevice();
        for (var i = 99; i >= 0; i--)
            device.Attributes.Add($"k{i:D3}", "");
        var text = Encoding.UTF8.GetString(TtsJson.WriteBytes(device));
        Assert.StartsWith("{\"attributes\":{\"k000\":\"\",\"k001\":\"\",\"k002\":\"\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_names_its_fields_in_a_list()
    {
        var template = new EndDeviceTemplate { EndDevice = new EndDevice { Name = "x" }, FieldMask = new() { Paths = { "name", "mac_settings.rx1_delay" } }, MappingKey = "k" };
        var text = TtsJson.WriteBytes(template);
        Assert.Equal("""{"end_device":{"name":"x"},"field_mask":{"paths":["name","mac_settings.rx1_delay"]},"mapping_key":"k"}""", Encoding.UTF8.GetString(text));
        Assert.Equal(template, TtsJson.Read<EndDeviceTemplate>(text));
    }

    [Fact]
    public void A_DevAddr_prefix_is_an_address_and_a_length()
    {
        var prefixes = new GetDeviceAdressPrefixesResponse { DevAddrPrefixes = { Google.Protobuf.ByteString.CopyFrom(0x26, 0, 0xab, 0, 24) } };
        var text = TtsJson.WriteBytes(prefixes);
        Assert.Equal("""{"dev_addr_prefixes":["2600AB00/24"]}""", Encoding.UTF8.GetString(text));
        Assert.Equal(prefixes, TtsJson.Read<GetDeviceAdressPrefixesResponse>(text));
    }
}
