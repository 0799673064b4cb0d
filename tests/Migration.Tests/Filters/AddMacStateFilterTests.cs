using System.Text;
using Migration.Filters;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;

namespace Migration.Tests.Filters;

/// <summary>Sessions get their MAC state, everything else passes through as it was, in order.</summary>
public sealed class AddMacStateFilterTests
{
    private const string Session = "\"session\":{\"dev_addr\":\"26011F01\",\"keys\":{\"f_nwk_s_int_key\":{\"key\":\"101112131415161718191A1B1C1D1E1F\"}}}";
    private const string Versions = "\"lorawan_version\":\"MAC_V1_0_2\",\"lorawan_phy_version\":\"PHY_V1_0_2_REV_B\",\"frequency_plan_id\":\"EU_863_870_TTN\"";

    [Fact]
    public async Task A_session_gets_its_state_and_the_rest_of_the_line_stays_as_it_was()
    {
        var line = $"{{\"ids\":{{\"device_id\":\"one\"}},\"unknown_member\":1,{Versions},{Session}}}";

        var (lines, summary, problems) = await Run(line);

        Assert.StartsWith(line[..^1] + ",\"mac_state\":{\"current_parameters\":{", lines[0], StringComparison.Ordinal);
        Assert.Equal(8, Read(lines[0]).MacState.DesiredParameters.Channels.Count);
        Assert.Equal((1, 0), (summary.Added, summary.Failed));
        Assert.Empty(problems);
    }

    [Fact]
    public async Task Recorded_states_are_added_to_recorded_devices()
    {
        if (Golden.PathOf("mac-state-random.jsonl.gz") is null)
            return;
        var rows = Golden.Rows("mac-state-random.jsonl.gz").ToList();
        var input = string.Join('\n', rows.Select(row => row.Json.GetProperty("device").GetRawText()).Select(text => $"{text[..^1]},{Session}}}"));

        var (lines, summary, problems) = await Run(input);

        Assert.Equal(rows.Count, lines.Length);
        Assert.Equal(rows.Count(row => row.Json.TryGetProperty("error", out _)), problems.Count);
        Assert.Equal(rows.Count - problems.Count, summary.Added);
        for (var i = 0; i < rows.Count; i++)
        {
            var state = Read(lines[i]).MacState;
            Assert.Equal(rows[i].Json.TryGetProperty("state", out var expected) ? TtsJson.Read<MACState>(Encoding.UTF8.GetBytes(expected.GetRawText())) : null, state);
        }
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"ids\":{\"device_id\":\"one\"},\"x\":[1, 2]}")]
    [InlineData("{" + Session + ",\"mac_state\":{}}")]
    public async Task What_needs_no_state_is_passed_on_byte_by_byte(string line)
    {
        var (lines, summary, problems) = await Run(line);

        Assert.Equal([line], lines);
        Assert.Equal(1, summary.WithoutSession + summary.HadOne);
        Assert.Empty(problems);
    }

    [Theory]
    [InlineData("\"mac_state\":null")]
    [InlineData("\"macState\":null")]
    [InlineData("\"mac\\u005fstate\":null")]
    public async Task A_member_that_is_null_does_not_occur_twice(string member)
    {
        var (lines, _, _) = await Run($"{{{Versions},{Session},{member}}}");

        Assert.Equal(8, Read(lines[0]).MacState.DesiredParameters.Channels.Count);
        Assert.Equal(1, lines[0].Split("\"mac_state\"").Length - 1);
    }

    [Fact]
    public async Task States_there_are_are_built_anew_only_when_asked_for()
    {
        var line = $"{{{Versions},{Session},\"mac_state\":{{\"current_parameters\":{{}},\"desired_parameters\":{{}}}}}}";

        Assert.Equal([line], (await Run(line)).Lines);
        var (lines, summary, _) = await Run(line, replace: true);
        Assert.Equal(8, Read(lines[0]).MacState.DesiredParameters.Channels.Count);
        Assert.Equal((1, 0), (summary.Replaced, summary.Added));
    }

    [Fact]
    public async Task A_device_that_cannot_get_a_state_is_passed_on_and_reported_with_its_line()
    {
        var bad = $"{{\"ids\":{{\"device_id\":\"two\"}},\"frequency_plan_id\":\"XX\",{Session}}}";
        var unreadable = "{\"supports_join\":\"perhaps\"}";

        var (lines, summary, problems) = await Run($"{{}}\n{bad}\n\n{unreadable}\n{{}}");

        Assert.Equal(["{}", bad, unreadable, "{}"], lines);
        Assert.Equal((2, 2), (summary.Failed, summary.WithoutSession));
        Assert.Equal((2L, "two", "error:pkg/frequencyplans:not_found (frequency plan `XX` not found)"), (problems[0].Line, problems[0].DeviceId, problems[0].Failure.ToString()));
        Assert.Equal((4L, ""), (problems[1].Line, problems[1].DeviceId));
    }

    [Fact]
    public async Task A_list_over_several_lines_becomes_lines()
    {
        var (lines, _, _) = await Run($"[\n{{\n  \"ids\": {{}}\n}},\n{{{Versions},\n{Session}}}]");

        Assert.Equal("{   \"ids\": {} }", lines[0]);
        Assert.NotNull(Read(lines[1]).MacState);
        Assert.Equal(2, lines.Length);
    }

    [Fact]
    public async Task The_devices_before_broken_JSON_are_written()
    {
        using var output = new MemoryStream();
        var filter = new AddMacStateFilter(EmbeddedFrequencyPlanStore.Instance, null, replace: false);

        var problem = await Assert.ThrowsAsync<TtsJsonException>(() => filter.RunAsync(new MemoryStream(Encoding.UTF8.GetBytes("{}\n{}\n{\"a\"")), output, _ => { }, default));

        Assert.Equal("{}\n{}\n", Encoding.UTF8.GetString(output.ToArray()));
        Assert.Equal(3, problem.Line);
    }

    [Fact]
    public async Task Defaults_of_the_target_network_count()
    {
        var (lines, _, _) = await Run($"{{{Versions},{Session}}}", defaults: new MACSettings { DesiredRx1Delay = new() { Value = RxDelay._5 } });

        Assert.Equal((RxDelay._1, RxDelay._5), (Read(lines[0]).MacState.CurrentParameters.Rx1Delay, Read(lines[0]).MacState.DesiredParameters.Rx1Delay));
    }

    [Fact]
    public async Task Order_is_kept_over_many_batches()
    {
        var input = string.Join('\n', Enumerable.Range(0, 2_000).Select(i => $"{{\"ids\":{{\"device_id\":\"d-{i}\"}},{Versions}{(i % 3 == 0 ? "," + Session : "")}}}"));

        var (lines, summary, _) = await Run(input);

        Assert.Equal(Enumerable.Range(0, 2_000).Select(i => $"d-{i}"), lines.Select(line => Read(line).Ids.DeviceId));
        Assert.Equal((667, 1_333, 2_000), (summary.Added, summary.WithoutSession, summary.Devices));
    }

    private static EndDevice Read(string line) => TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(line));

    private static async Task<(string[] Lines, AddMacStateSummary Summary, List<FilterProblem> Problems)> Run(string input, bool replace = false, MACSettings? defaults = null)
    {
        using var output = new MemoryStream();
        var problems = new List<FilterProblem>();
        var summary = await new AddMacStateFilter(EmbeddedFrequencyPlanStore.Instance, defaults, replace).RunAsync(new MemoryStream(Encoding.UTF8.GetBytes(input)), output, problems.Add, default);
        var text = Encoding.UTF8.GetString(output.ToArray());
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        return (text[..^1].Split('\n'), summary, problems);
    }
}
