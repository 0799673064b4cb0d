using Sandbox.Safety;
using Xunit.Abstractions;

namespace Cli.Tests.Imports;

/// <summary>The short version of <c>dotnet run --project sandbox -- fault-run</c>.</summary>
public sealed class FaultRunTests(ITestOutputHelper log)
{
    [Fact]
    public async Task Every_device_is_accounted_for_and_the_rejects_import_once_the_causes_are_removed()
    {
        await using var text = new StringWriter();
        var result = await new FaultRun(new FaultRunOptions { Devices = 400, Seed = 3, NeverAnswered = 2, Hangs = 0 }, text).RunAsync(CancellationToken.None);
        log.WriteLine(text.ToString());
        Assert.Empty(result.Problems);
        // Each kind of outcome occurs.
        Assert.True(result.Outcomes.Count >= 15, string.Join('\n', result.Outcomes.Keys));
    }
}
