using Testing;
using Xunit.Abstractions;

namespace Sandbox.Tests.TtnV2;

public sealed class WireReplayTests(ITestOutputHelper output)
{
    private const string File = "ttnv2-wire.jsonl.gz";

    [Fact]
    public async Task The_emulator_answers_every_recorded_call_as_the_real_servers_did()
    {
        await using var replay = await WireReplay.RunAsync([.. Golden.Rows(File).Select(row => new WireRow(row))]);
        foreach (var (kind, count) in replay.Kinds)
            output.WriteLine($"{count,5} rows {kind}");
        foreach (var (rule, count) in replay.Rules)
            output.WriteLine($"{count,5} times: {rule}");
        Golden.Check(File, output.WriteLine, row => replay.Problems.TryGetValue(row.Number, out var problem) ? problem : null, "emulator");
    }

    /// <summary>The rules that rebuild the state before a call must not depend on rows of other scenarios being there.</summary>
    [Theory]
    [InlineData(2, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 0)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    public async Task Any_part_of_the_scenarios_replays_by_itself(int parts, int part)
    {
        var scenarios = Golden.Rows(File).Select(row => new WireRow(row)).GroupBy(row => row.Scenario, StringComparer.Ordinal).ToList();
        await using var replay = await WireReplay.RunAsync([.. scenarios.Where((_, i) => i % parts == part).SelectMany(rows => rows)]);
        Assert.Empty(replay.Problems.Values);
    }
}
