using Sandbox.Safety;
using Xunit.Abstractions;

namespace Cli.Tests.Journals;

/// <summary>The short version of <c>dotnet run --project sandbox -- kill-test --kills 1000</c>.</summary>
public sealed class KillTests(ITestOutputHelper log)
{
    [Theory]
    [InlineData(KillTestWay.File, 30, 15, 200)]
    [InlineData(KillTestWay.Straight, 6, 3, 60)]
    public async Task Killed_at_random_instants_while_calls_fail_no_key_is_lost_and_everything_can_be_undone(KillTestWay way, int kills, int perMigration, int devices)
    {
        await using var text = new StringWriter();
        var result = await new KillTest(new KillTestOptions { Way = way, Kills = kills, KillsPerMigration = perMigration, Devices = devices, Seed = 7, LongestRun = TimeSpan.FromSeconds(2) }, text).RunAsync(CancellationToken.None);
        log.WriteLine(text.ToString());
        Assert.Empty(result.Problems);
        Assert.True(result is { Migrations: >= 2 } && result.Kills >= kills, result.ToString());
    }
}
