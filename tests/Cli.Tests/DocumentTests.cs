using Sandbox.TtnV2;
using Testing;

namespace Cli.Tests;

/// <summary>The commands in README and docs do what the text around them says: each is run against the emulated network.</summary>
public sealed class DocumentTests
{
    private const string Export = "ttn-lw-migrate ttnv2 application my-app > devices.json";

    [Theory]
    [InlineData("README.md", "")]
    [InlineData("docs/tasks/resume.md", Export)]
    [InlineData("docs/tasks/retire.md", Export)]
    [InlineData("docs/tasks/rollback.md", Export)]
    public async Task Every_command_of_the_document_works_as_typed(string document, string before)
    {
        await using var cluster = await TtnV2Cluster.StartAsync();
        const string Key = "ttn-account-v2.xxxx";
        cluster.AddApplication("my-app", Key);
        foreach (var id in (string[])["meter-0001", "meter-0002", "meter-0003"])
            cluster.Add(SampleDevices.Joined("my-app", id, 10, 2));
        using var state = new TemporaryFolder();
        var shell = new DocumentedCommands { StateFolder = state.Path, Clock = TimeProvider.System };
        shell.Variables["TTNV2_DISCOVERY_SERVER_INSECURE"] = "true";
        shell.Variables["TTNV2_DISCOVERY_SERVER_ADDRESS"] = cluster.DiscoveryAddress;
        shell.Variables["TTNV2_APP_ID"] = "my-app";
        shell.Variables["TTNV2_APP_ACCESS_KEY"] = Key;
        shell.Variables["FREQUENCY_PLAN_ID"] = "EU_863_870_TTN";
        await shell.RunAsync(before);

        var run = 0;
        var text = await File.ReadAllTextAsync(Path.Combine(Testing.Golden.RepositoryRoot, document));
        foreach (var block in DocumentedCommands.Blocks(text))
        {
            foreach (var command in await shell.RunAsync(block))
            {
                Assert.True(command.Result is null or { ExitCode: 0 }, $"{command.Line}: {command.Result?.ExitCode}\n{command.Result?.Error}");
                run += command.Words[0] == "ttn-lw-migrate" ? 1 : 0;
            }
        }
        Assert.True(run > 0, "the document has no command any more");
    }
}
