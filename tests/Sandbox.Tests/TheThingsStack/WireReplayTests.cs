using Testing;
using Xunit.Abstractions;

namespace Sandbox.Tests.TheThingsStack;

public sealed class WireReplayTests(ITestOutputHelper output)
{
    private const string File = "tts-wire.jsonl.gz";

    [Fact]
    public async Task The_emulator_answers_every_recorded_call_as_the_real_servers_did()
    {
        await using var replay = await WireReplay.RunAsync([.. Golden.Rows(File).Select(row => new WireRow(row))]);
        output.WriteLine($"{replay.Methods.Values.Sum(method => method.Rows),5} calls compared, {replay.Methods.Values.Sum(method => method.Seeded)} of them about state that only their own answer tells");
        foreach (var (method, (count, seeded)) in replay.Methods)
            output.WriteLine($"{count,5} rows {method}{(seeded > 0 ? $", {seeded} of them about state that only their own answer tells" : "")}");
        foreach (var (reason, count) in replay.LeftOut)
            output.WriteLine($"{count,5} rows left out: {reason}");
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
        Assert.True(replay.Problems.Count == 0, string.Join('\n', replay.Problems.Values));
    }
}
