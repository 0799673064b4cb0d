using Sandbox.Safety;
using Xunit.Abstractions;

namespace Cli.Tests.Journals;

/// <summary>The short version of <c>dotnet run --project sandbox -- kill-test tts --kills 1000</c>.</summary>
public sealed class TtsKillTests(ITestOutputHelper log)
{
    [Fact]
    public async Task Killed_while_devices_are_deleted_at_the_source_no_key_is_lost_and_all_come_back()
    {
        await using var text = new StringWriter();
        var result = await new TtsKillTest(new KillTestOptions { Kills = 5, KillsPerMigration = 6, Devices = 24, Seed = 7, Failures = 0.01 }, text).RunAsync(CancellationToken.None);
        log.WriteLine(text.ToString());
        Assert.Empty(result.Problems);
        Assert.True(result is { Kills: >= 5, Migrations: >= 1 }, result.ToString());
    }
}
