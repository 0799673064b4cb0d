using System.Text;
using System.Text.Json;
using Sandbox.TtnV2;
using Testing;
using Xunit.Abstractions;

namespace Cli.Tests;

/// <summary>The commands of the guide (facts/cli-surface.md section 7), typed as it says, against a V2 cluster on loopback.</summary>
public sealed class GuideTests(ITestOutputHelper log)
{
    [Theory]
    [InlineData("devices --dry-run --verbose --source ttnv2 \"dev1\" --ttnv2.with-session=false > devices.json", "dev1", false)]
    [InlineData("device --source ttnv2 \"dev1\" --ttnv2.with-session=false > devices.json", "dev1", true)]
    [InlineData("devices --dry-run --verbose --source ttnv2 --ttnv2.with-session=false < device_ids.txt > devices.json", "dev1 dev2 dev3", false)]
    [InlineData("device --source ttnv2 --ttnv2.with-session=false < device_ids.txt > devices.json", "dev1 dev2 dev3", true)]
    [InlineData("application --verbose --dry-run --source ttnv2 \"my-app\" --ttnv2.with-session=false > devices.json # testing export", "dev1 dev2 dev3", false)]
    [InlineData("application --source ttnv2 \"my-app\" --ttnv2.with-session=false > devices.json", "dev1 dev2 dev3", true)]
    [InlineData("ttnv2 device dev2 --with-session=false > devices.json", "dev2", true)]
    public async Task The_command_of_the_guide_works_as_typed(string command, string ids, bool clears)
    {
        await using var cluster = await TtnV2Cluster.StartAsync();
        SampleApplication.First.AddTo(cluster);
        var shell = new DocumentedCommands();
        shell.Variables["TTNV2_DISCOVERY_SERVER_INSECURE"] = "true";
        shell.Files["device_ids.txt"] = "dev1\r\ndev2\r\ndev3\r\n"u8.ToArray();
        var results = await shell.RunAsync($"""
            $ export TTNV2_APP_ID="{SampleApplication.First.Id}"
            $ export TTNV2_APP_ACCESS_KEY="{SampleApplication.First.AccessKey}"
            $ export FREQUENCY_PLAN_ID="EU_863_870_TTN"
            $ export TTNV2_DISCOVERY_SERVER_ADDRESS="{cluster.DiscoveryAddress}"
            $ ttn-lw-migrate {command}
            """);
        var result = results[^1].Result!;
        Assert.True(result.ExitCode == 0, result.Error);
        var lines = Encoding.UTF8.GetString(shell.Files["devices.json"]).TrimEnd('\n').Split('\n');
        Assert.Equal(ids.Split(' '), lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("ids").GetProperty("device_id").GetString()));
        foreach (var sample in SampleApplication.First.Devices)
        {
            var cleared = cluster.Device("my-app", sample.Device.DevId)!.LorawanDevice.AppKey.All(b => b == 0);
            Assert.Equal(clears && ids.Split(' ').Contains(sample.Device.DevId), cleared);
        }
        // Neither the key of the application nor that of a device is ever shown.
        Assert.DoesNotContain(SampleApplication.First.AccessKey, result.Error, StringComparison.Ordinal);
        Assert.All(SampleApplication.First.Devices, d => Assert.DoesNotContain(Convert.ToHexString(d.Device.LorawanDevice.AppKey.ToByteArray()), result.Error, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The guide as it is published, command by command in its order: each works, or our page about the guide answers it.</summary>
    [Fact]
    public async Task Every_command_of_the_guide_itself_works_in_its_order()
    {
        var seeds = Path.Combine(Testing.Golden.Folder, "..", "seeds");
        var guide = Directory.Exists(seeds) ? Directory.EnumerateFiles(seeds).Select(File.ReadAllText).FirstOrDefault(text => text.Contains("Migration Tool", StringComparison.Ordinal)) : null;
        log.WriteLine(guide is null ? "the guide is not here" : "guide found");
        if (guide is null)
            return;
        await using var cluster = await TtnV2Cluster.StartAsync();
        SampleApplication.First.AddTo(cluster);
        using var state = new TemporaryFolder();
        var shell = new DocumentedCommands { StateFolder = state.Path };
        shell.Variables["TTNV2_DISCOVERY_SERVER_INSECURE"] = "true";
        shell.Addresses["<instance-id>.thethings.industries:1900"] = cluster.DiscoveryAddress;
        shell.Files["device_ids.txt"] = "dev1\ndev2\ndev3\n"u8.ToArray();
        var answers = await File.ReadAllTextAsync(Path.Combine(Testing.Golden.RepositoryRoot, "docs", "tasks", "guide.md"));
        var (worked, answered) = (0, 0);
        // The guide sets the private cluster's address before its first command.
        foreach (var block in DocumentedCommands.Blocks(guide))
        {
            var typed = block
                .Replace("ttn-v2-application-ID", SampleApplication.First.Id, StringComparison.Ordinal)
                .Replace("access-key-of-your-ttn-v2-application", SampleApplication.First.AccessKey, StringComparison.Ordinal)
                .Replace("v2-end-device-ID", "dev1", StringComparison.Ordinal)
                .Replace("v3-application-id", "my-new-app", StringComparison.Ordinal);
            foreach (var command in await shell.RunAsync(typed))
            {
                if (command.Result is { } result)
                {
                    Assert.True(result.ExitCode == 0, $"{command.Line}: {result.ExitCode}\n{result.Error}");
                    worked += command.Words[0] == "ttn-lw-migrate" ? 1 : 0;
                }
                else
                {
                    Assert.Contains(string.Join(' ', command.Words.Take(3)), answers, StringComparison.Ordinal);
                    answered++;
                }
            }
        }
        Assert.Equal((6, 1), (worked, answered));
        // What it is for: the file has all devices with their keys, and none can join V2 again.
        var lines = Encoding.UTF8.GetString(shell.Files["devices.json"]).TrimEnd('\n').Split('\n');
        foreach (var sample in SampleApplication.First.Devices)
        {
            Assert.Single(lines, line => line.Contains(Convert.ToHexString(sample.Device.LorawanDevice.AppKey.Span), StringComparison.Ordinal));
            Assert.Equal(StoredDevice.NoKey, cluster.Device("my-app", sample.Device.DevId)!.LorawanDevice.AppKey);
        }
    }

    [Fact]
    public async Task Commands_of_a_document_are_found_and_run()
    {
        const string Document = """
            Text.

            ```bash
            $ export APP="my app" # a comment
            $ ttn-lw-migrate ttnv2 device \
                --app-id "$APP" > out.txt
            $ ttn-lw-migrate sources >> list.txt
            $ ttn-lw-migrate sources >> list.txt
            $ other-program --x
            ```

            ```json
            {}
            ```
            """;
        var shell = new DocumentedCommands();
        var results = await shell.RunAsync(Assert.Single(DocumentedCommands.Blocks(Document)));
        Assert.Equal(["export", "ttn-lw-migrate", "ttn-lw-migrate", "ttn-lw-migrate", "other-program"], results.Select(r => r.Words[0]));
        Assert.Equal(["ttn-lw-migrate", "ttnv2", "device", "--app-id", "my app"], results[1].Words);
        Assert.Equal(1, results[1].Result!.ExitCode);
        Assert.Null(results[4].Result);
        Assert.Empty(shell.Files["out.txt"]);
        Assert.Equal(12, Encoding.UTF8.GetString(shell.Files["list.txt"]).Count(c => c == '\n'));
    }
}
