using System.Text;
using System.Text.Json;

namespace Cli.Tests;

/// <summary>The commands <c>add-mac-state</c>, <c>check</c> and <c>frequency-plans</c> from outside.</summary>
public sealed class FilterCommandTests
{
    private const string Device = """{"ids":{"device_id":"abc","dev_eui":"0000000000000001"},"lorawan_version":"MAC_V1_0_2","lorawan_phy_version":"PHY_V1_0_2_REV_B","frequency_plan_id":"EU_863_870_TTN","session":{"dev_addr":"26011F01","keys":{"f_nwk_s_int_key":{"key":"101112131415161718191A1B1C1D1E1F"},"app_s_key":{"key":"707172737475767778797A7B7C7D7E7F"}},"last_f_cnt_up":1}}""";

    [Fact]
    public async Task Add_mac_state_reads_standard_input_and_says_what_it_assumed()
    {
        var result = await new CliRun("add-mac-state") { Input = Bytes(Device) }.RunAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.StartsWith(Device[..^1] + ",\"mac_state\":{", result.Output, StringComparison.Ordinal);
        Assert.StartsWith("1 devices: 1 got a MAC state, 0 a new one, 0 keep theirs, 0 have no session, 0 failed\nNo defaults of the target network were assumed.", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--desired-rx1-delay=5")]
    [InlineData("--network-defaults=defaults.json")]
    public async Task Add_mac_state_takes_the_defaults_of_the_target_network(string flag)
    {
        var result = await new CliRun("add-mac-state", flag, "devices.json")
        {
            Files = new Dictionary<string, byte[]> { ["devices.json"] = Bytes(Device), ["defaults.json"] = Bytes("""{"desired_rx1_delay":5}""") },
        }.RunAsync();

        Assert.Contains("\"desired_parameters\":{\"max_eirp\":16,\"adr_nb_trans\":1,\"rx1_delay\":5,", result.Output, StringComparison.Ordinal);
        Assert.Contains("desired RX1 delay 5 s", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Add_mac_state_reports_the_line_and_the_exit_code_is_1()
    {
        var bad = Device.Replace("EU_863_870_TTN", "EU_863_870_TTM", StringComparison.Ordinal);

        var result = await new CliRun("add-mac-state", "devices.json") { Files = new Dictionary<string, byte[]> { ["devices.json"] = Bytes(Device + "\n" + bad) } }.RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.EndsWith(bad + "\n", result.Output, StringComparison.Ordinal);
        Assert.StartsWith("devices.json:2: abc: error:pkg/frequencyplans:not_found (frequency plan `EU_863_870_TTM` not found) (nearest names: EU_863_870_TTN, ", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("add-mac-state", "missing.json", "open missing.json: ")]
    [InlineData("check", "missing.json", "open missing.json: ")]
    [InlineData("add-mac-state", "--desired-rx1-delay=16", "--desired-rx1-delay is \"16\"; it is 1 to 15 seconds")]
    [InlineData("add-mac-state", "--network-defaults=missing.json", "open missing.json: ")]
    [InlineData("frequency-plans", "--frequency-plans-url=plans", "error:pkg/fetch:scheme_not_specified (URI scheme not specified)")]
    [InlineData("frequency-plans", "XX", "error:pkg/frequencyplans:not_found (frequency plan `XX` not found)")]
    public async Task A_mistake_is_named(string command, string word, string message)
    {
        var result = await CliRun.Of(command, word);

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("Error: " + message, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("check")]
    [InlineData("frequency-plans")]
    [InlineData("status")]
    [InlineData("verify")]
    public async Task Every_command_that_shows_something_takes_the_output_flag_in_the_same_way(string command)
    {
        var wrong = await CliRun.Of(command, "-o", "xml");

        Assert.Equal((2, ""), (wrong.ExitCode, wrong.Output));
        Assert.StartsWith("Error: invalid argument \"xml\" for \"--output\" flag: table or json\n", wrong.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("check")]
    [InlineData("add-mac-state")]
    [InlineData("import", "--application-id=a", "--default-grpc-address=localhost:1", "--insecure", "--app-api-key=NNSXS.A.B")]
    [InlineData("verify", "--default-grpc-address=localhost:1", "--insecure", "--app-api-key=NNSXS.A.B")]
    public async Task An_empty_file_name_is_no_bug_but_a_variable_that_was_not_set(params string[] words)
    {
        var result = await CliRun.Of([.. words, ""]);

        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("Error: the name of the file is empty: was a variable not set?\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Plans_that_cannot_be_read_are_told_once_and_not_as_the_fault_of_each_device()
    {
        var result = await new CliRun("check", "--frequency-plans-dir=/nowhere/plans") { Input = Encoding.UTF8.GetBytes("{\"ids\":{\"device_id\":\"dev1\"}}\n") }.RunAsync();

        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("Error: error:pkg/frequencyplans:read_list (read the list of frequency plans)\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("frequency-plans.yml", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_shows_a_table_and_counts()
    {
        var result = await new CliRun("check") { Input = Bytes(Device + "\n" + Device) }.RunAsync();

        Assert.Equal(1, result.ExitCode);
        var rows = result.Output.Split('\n');
        Assert.StartsWith("    LINE  DEVICE", rows[0], StringComparison.Ordinal);
        Assert.StartsWith("       1  abc                                   warning  mac_state: ", rows[1], StringComparison.Ordinal);
        Assert.Contains("error    ids.device_id: the ID is that of the device in line 1 [pkg/util/store:id_taken]", result.Output, StringComparison.Ordinal);
        Assert.Equal("2 devices: 1 would be imported (1 of them with warnings), 1 would be refused\n", result.Error);
    }

    [Fact]
    public async Task Check_gives_JSON_lines_for_scripts()
    {
        var result = await new CliRun("check", "--output", "json") { Input = Bytes(Device) }.RunAsync();

        var json = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal((0, 1, "abc", true), (result.ExitCode, json.GetProperty("line").GetInt32(), json.GetProperty("device_id").GetString(), json.GetProperty("accepted").GetBoolean()));
        Assert.Equal("W-no-mac-state", json.GetProperty("warnings")[0].GetProperty("rule").GetString());
        Assert.False(json.TryGetProperty("errors", out _));
    }

    [Fact]
    public async Task Broken_JSON_is_an_error_with_its_place_after_the_devices_before_it()
    {
        var result = await new CliRun("check", "-o", "json", "devices.json") { Files = new Dictionary<string, byte[]> { ["devices.json"] = Bytes(Device + "\n{\"a\"") } }.RunAsync();

        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith("{\"line\":1,", result.Output, StringComparison.Ordinal);
        Assert.StartsWith("Error: devices.json: line 2: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_asked_of_a_network_by_default()
    {
        var handlers = 0;
        HttpMessageHandler Refuse()
        {
            handlers++;
            throw new InvalidOperationException("the network was asked for");
        }

        Assert.Equal(0, (await new CliRun("add-mac-state") { Input = Bytes(Device), HttpHandler = Refuse }.RunAsync()).ExitCode);
        Assert.Equal(0, (await new CliRun("check") { Input = Bytes(Device), HttpHandler = Refuse }.RunAsync()).ExitCode);
        Assert.Equal(0, (await new CliRun("frequency-plans") { HttpHandler = Refuse }.RunAsync()).ExitCode);
        Assert.Equal(0, handlers);
        await new CliRun("frequency-plans", "--frequency-plans-url=https://plans.example") { HttpHandler = Refuse }.RunAsync();
        Assert.Equal(1, handlers);
    }

    [Fact]
    public async Task Frequency_plans_lists_71_plans_with_the_names_of_other_networks()
    {
        var table = await CliRun.Of("frequency-plans");
        var json = JsonDocument.Parse((await CliRun.Of("frequency-plans", "--output=json")).Output).RootElement;

        Assert.Equal(72, table.Output.TrimEnd().Split('\n').Length);
        Assert.StartsWith("ID ", table.Output, StringComparison.Ordinal);
        Assert.Equal(71, json.GetArrayLength());
        Assert.Equal("EU868", json[0].GetProperty("aliases")[0].GetString());
    }

    [Fact]
    public async Task Frequency_plans_shows_one_plan()
    {
        var json = JsonDocument.Parse((await CliRun.Of("frequency-plans", "EU_863_870_TTN", "-o", "json")).Output).RootElement;

        Assert.Equal((8, 3, 868_100_000), (json.GetProperty("uplink_channels").GetArrayLength(), json.GetProperty("rx2_data_rate_index").GetInt32(), json.GetProperty("uplink_channels")[0].GetProperty("frequency_hz").GetInt32()));
        Assert.Contains("RX2                     frequency as the band says DR3\n", (await CliRun.Of("frequency-plans", "EU_863_870_TTN")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Plans_of_a_folder_take_the_place_of_those_of_the_program()
    {
        var folder = Directory.CreateTempSubdirectory();
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "frequency-plans.yml"), "- {id: MINE, name: Mine, file: mine.yml}");
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "mine.yml"), "band-id: EU_863_870\nuplink-channels: [{frequency: 867100000, min-data-rate: 0, max-data-rate: 5}]");

        var list = await CliRun.Of("frequency-plans", "--frequency-plans-dir", folder.FullName);
        var added = await new CliRun("add-mac-state", "--frequency-plans-dir", folder.FullName) { Input = Bytes(Device.Replace("EU_863_870_TTN", "MINE", StringComparison.Ordinal)) }.RunAsync();
        var both = await CliRun.Of("frequency-plans", "--frequency-plans-dir", folder.FullName, "--frequency-plans-url=https://x.example");
        folder.Delete(recursive: true);

        Assert.Equal("ID    NAME  BAND        MHZ  ALSO CALLED\nMINE  Mine  EU_863_870\n", list.Output);
        Assert.Contains("\"uplink_frequency\":\"867100000\"", added.Output, StringComparison.Ordinal);
        Assert.StartsWith("Error: both --frequency-plans-dir and --frequency-plans-url are given", both.Error, StringComparison.Ordinal);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
