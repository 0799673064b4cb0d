using System.Text;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace TheThingsStack.Tests.Json;

public class DeviceFileTests
{
    [Fact]
    public async Task A_written_file_reads_back_with_line_numbers_and_raw_bytes()
    {
        using var file = new MemoryStream();
        for (var i = 0; i < 1000; i++)
            await DeviceJsonWriter.WriteLineAsync(file, new EndDevice { Ids = new() { DeviceId = $"dev-{i}" } });
        file.Position = 0;
        var lines = Devices.Read(file, keepRaw: true).ToList();
        Assert.Equal(1000, lines.Count);
        Assert.All(lines, line => Assert.Equal((line.Index + 1, $"dev-{line.Index}", $$$"""{"ids":{"device_id":"dev-{{{line.Index}}}"}}"""), (line.Line, line.Require().Ids.DeviceId, Encoding.UTF8.GetString(line.Raw.Span))));
    }

    [Fact]
    public void Objects_over_several_lines_know_where_they_start()
    {
        var lines = Read("\n{\n \"name\": \"a\"\n}\n\n{\n\"name\":\"b\"}{\"name\":\"c\"}").ToList();
        Assert.Equal([(2L, "a"), (6L, "b"), (7L, "c")], lines.Select(l => (l.Line, l.Require().Name)));
    }

    [Fact]
    public void A_list_of_devices_is_read_one_by_one()
    {
        var lines = Read("[\n{\"name\":\"a\"},\n{\"name\":\"b\"}\n]\n").ToList();
        Assert.Equal([(2L, "a"), (3L, "b")], lines.Select(l => (l.Line, l.Require().Name)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1 << 20)]
    public void A_device_with_a_bad_value_is_a_problem_on_its_line_and_the_file_goes_on(int chunk)
    {
        var lines = Devices.Read(new ChunkedStream("{\"name\":\"a\"}\n{\"name\":5}\n{\n\"mac_settings\":{\n\"rx1_delay\":\"soon\"}}\n{\"name\":\"d\"}"u8.ToArray(), chunk)).ToList();
        Assert.Equal(["a", null, null, "d"], lines.Select(l => l.Device?.Name));
        Assert.Equal((2L, "name"), (lines[1].Problem!.Line, lines[1].Problem!.Path));
        Assert.Equal((5L, "mac_settings.rx1_delay", "unknown value \"soon\""), (lines[2].Problem!.Line, lines[2].Problem!.Path, lines[2].Problem!.Reason));
        Assert.Equal(6, lines[3].Line);
        Assert.Throws<TtsJsonException>(() => lines[1].Require());
    }

    // JSON by its grammar, although no device: where it ends is known.
    [Theory]
    [InlineData("R5", """{"name":"\ud83d"}""")]
    [InlineData("R5", """{"name":"b","zzz":{"\ude00":1}}""")]
    [InlineData("R2", """{"last_dev_nonce":1e400}""")]
    [InlineData("R3", """{"zzz":[1e400]}""")]
    [InlineData(null, """{"name":5,"zzz":1e400}""")]
    [InlineData("R7", """{"zzz":NESTED}""")]
    public void A_device_that_only_the_stricter_rules_refuse_does_not_end_the_file(string? rule, string text)
    {
        text = text.Replace("NESTED", new string('[', 20_000) + new string(']', 20_000), StringComparison.Ordinal);
        foreach (var file in (string[])[$"{{\"name\":\"a\"}}\n{text}\n{{\"name\":\"c\"}}", $"[{{\"name\":\"a\"}},\n{text},\n{{\"name\":\"c\"}}]"])
        {
            var lines = Read(file).ToList();
            Assert.Equal(["a", null, "c"], lines.Select(l => l.Device?.Name));
            Assert.Equal((2L, rule), (lines[1].Problem!.Line, lines[1].Problem!.Rule));
        }
    }

    [Theory]
    [InlineData("{\"name\":\"a\"}\n{\"name\":\"b\"", 2, "the text ends too early (the 1 object before it could be read)")]
    [InlineData("{\"name\":\"a\"}\n{\"name\":\"b\"}\n{\"name\" \"c\"}", 3, "expected : after the name of a member and found a text (the 2 objects before it could be read)")]
    [InlineData("{\"name\":\"a\"}\nx", 2, "expected the object of a device (the 1 object before it could be read)")]
    [InlineData("[{\"name\":\"a\"}\n", 2, "the list is not closed (the 1 object before it could be read)")]
    [InlineData("[{\"name\":\"a\"}]\n{}", 2, "text follows after the list (the 1 object before it could be read)")]
    [InlineData("[]", 1, "the list is empty")]
    [InlineData("\ufeff{}", 1, "the file starts with a byte order mark; save it as UTF-8 without one")]
    public void A_file_that_is_not_JSON_stops_there_and_says_what_was_fine(string text, long line, string reason)
    {
        var refusal = Assert.Throws<TtsJsonException>(() => Read(text).ToList());
        Assert.Equal((line, reason, "R4"), (refusal.Line, refusal.Reason, refusal.Rule));
    }

    [Fact]
    public void A_file_in_UTF_16_gets_advice()
    {
        var refusal = Assert.Throws<TtsJsonException>(() => Devices.Read(new MemoryStream([0xff, 0xfe, .. Encoding.Unicode.GetBytes("{}")])).ToList());
        Assert.Contains("save it as UTF-8", refusal.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n\r\n\t")]
    public void An_empty_file_has_no_devices(string text) => Assert.Empty(Read(text));

    [Fact]
    public void Small_objects_on_one_line_of_more_than_16_MiB_are_read()
    {
        var device = $"{{\"description\":\"{new string('x', 1000)}\"}} ";
        Assert.Equal(17_000, Read(string.Concat(Enumerable.Repeat(device, 17_000))).Count(l => l.Require().Description.Length == 1000));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    public void An_object_larger_than_16_MiB_is_refused(string prefix)
    {
        var refusal = Assert.Throws<TtsJsonException>(() => Read($"{{{prefix}\"description\":\"{new string('x', DeviceJsonReader.MaxObject)}").ToList());
        Assert.Equal("an object is larger than 16 MiB", refusal.Reason);
    }

    [Fact]
    public async Task A_device_that_has_no_JSON_form_writes_nothing()
    {
        using var file = new MemoryStream();
        var device = new EndDevice { ProvisioningData = new() { Fields = { ["x"] = Google.Protobuf.WellKnownTypes.Value.ForNumber(double.NaN) } } };
        var refusal = await Assert.ThrowsAsync<TtsJsonException>(() => DeviceJsonWriter.WriteLineAsync(file, device).AsTask());
        Assert.Equal("provisioning_data.x", refusal.Path);
        Assert.Equal(0, file.Length);
    }

    private static IEnumerable<DeviceLine> Read(string text) => Devices.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)));
}
