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
}
