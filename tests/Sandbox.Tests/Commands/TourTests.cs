using Sandbox.Commands;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Tests.Commands;

public sealed class TourTests
{
    private static readonly ExportAsked Step = new(SampleApplication.First, ["dev2"], DryRun: false);

    private static readonly string Line =
        $$$$"""{"ids":{"device_id":"dev2"},"root_keys":{"app_key":{"key":"{{{{AppKey("dev2")}}}}"}}}""";

    [Fact]
    public async Task The_tour_ends_with_every_device_on_one_side_and_the_list_of_those_that_need_somebody()
    {
        using var output = new StringWriter();
        var folder = "";
        var exitCode = await new Tour(output)
        {
            AtEnd = async world =>
            {
                folder = world.Folder;
                AssertTarget(world.Target);
                AssertSource(world.Source);
                var report = await File.ReadAllTextAsync(Path.Combine(world.Folder, "report.html"));
                Assert.Contains(Tour.Straggler, report, StringComparison.Ordinal);
                Assert.Contains($"<h1>{Tour.TargetId}</h1>", report, StringComparison.Ordinal);
                Assert.DoesNotContain(AppKeyOf(Tour.Straggler), report, StringComparison.OrdinalIgnoreCase);
            },
        }.RunAsync(CancellationToken.None);
        var text = output.ToString();
        Assert.True(exitCode == 0, text);
        Assert.DoesNotContain("WRONG", text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
        // Keys are shown as their first and last four digits only.
        Assert.All(City.Where(sample => sample.Device.LorawanDevice.HasAppKey), sample => Assert.DoesNotContain(AppKeyOf(sample.Device.DevId), text, StringComparison.OrdinalIgnoreCase));
        Assert.All(text.ReplaceLineEndings("\n").Split('\n').Where(line => line.Length > TourText.Width), line => Assert.DoesNotContain(' ', line.Trim()[..^1]));
    }

    [Fact]
    public async Task A_tour_that_is_stopped_leaves_nothing_behind()
    {
        using var stop = new CancellationTokenSource();
        await using var output = new StopAt("1. Look first", stop);
        Assert.Equal(1, await new Tour(output).RunAsync(stop.Token));
        var folder = output.ToString().ReplaceLineEndings(" ").Split("Folder: ")[1].Split(' ')[0];
        Assert.StartsWith(Path.GetTempPath(), folder, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
        Assert.Contains("The tour was stopped.", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_wrote_the_line_and_cleared_the_app_key_is_right() =>
        Assert.Empty(ExportCheck.Check(Step, Result(0, Line), Before(), After(clear: "dev2")));

    [Fact]
    public void A_key_that_is_gone_without_a_line_is_wrong() =>
        Assert.Contains("dev2 in V2 is not as it must be", ExportCheck.Check(Step, Result(0), Before(), After(clear: "dev2")));

    [Fact]
    public void A_line_with_the_key_of_another_device_is_wrong() => Assert.Contains(
        "the line of dev2 does not have its keys",
        ExportCheck.Check(Step, Result(0, Line.Replace(AppKey("dev2"), AppKey("dev3"), StringComparison.Ordinal)), Before(), After(clear: "dev2")));

    [Fact]
    public void A_key_that_is_gone_from_another_device_is_wrong() =>
        Assert.Contains("dev3 in V2 is not as it must be", ExportCheck.Check(Step, Result(0, Line), Before(), After(clear: "dev3")));

    [Fact]
    public void A_dry_run_that_changes_something_is_wrong() =>
        Assert.Contains("dev2 in V2 is not as it must be", ExportCheck.Check(Step with { DryRun = true }, Result(0, Line), Before(), After(clear: "dev2")));

    [Fact]
    public void A_wrong_exit_code_and_a_line_that_is_no_device_are_named()
    {
        var wrong = ExportCheck.Check(Step, Result(2, "{}"), Before(), Before());
        Assert.Contains("exit code 2 instead of 0", wrong);
        Assert.Contains(wrong, problem => problem.StartsWith("a line is not a device", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--devices 10 --rate-limit off --quiet", true)]
    [InlineData("", true)]
    [InlineData("--devices many", false)]
    [InlineData("--devices", false)]
    [InlineData("--port 1", false)]
    public void Serve_takes_its_options_and_refuses_others(string arguments, bool good) =>
        Assert.Equal(good, ServeOptions.Parse(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), out _) is not null);

    [Theory]
    [InlineData("help", 0)]
    [InlineData("", 0)]
    [InlineData("nonsense", 1)]
    [InlineData("serve --nonsense", 1)]
    public async Task The_sandbox_says_what_it_can_do(string arguments, int exitCode)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        Assert.Equal(exitCode, await SandboxCommands.RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), output, error));
        Assert.Contains(exitCode == 0 ? "tour" : "help", (exitCode == 0 ? output : error).ToString(), StringComparison.Ordinal);
    }

    private static IReadOnlyList<SampleDevice> City => SampleApplication.City.Devices;

    /// <summary>Six joined or heard; the one that went back is on no server.</summary>
    private static void AssertTarget(TtsCluster target)
    {
        Assert.Equal(["gauge-1", "half-a-session", "meter-001", "meter-002", "meter-003", "pump-abp", "weather-roof"], target.DeviceIds(Tour.TargetId));
        foreach (var id in target.DeviceIds(Tour.TargetId))
        {
            var device = target.Device(Tour.TargetId, id);
            Assert.NotNull(device.Network!.Session);
            Assert.Equal(id == "pump-abp" ? TtsServers.All & ~TtsServers.Join : TtsServers.All, device.Servers);
            Assert.NotNull(device.Identity!.LastSeenAt);
        }
        Assert.Equal(4322u, target.Device(Tour.TargetId, "gauge-1").Network!.Session.LastFCntUp);
    }

    /// <summary>What went has lost its keys, what was refused and what went back has them; only the pump is deleted.</summary>
    private static void AssertSource(TtnV2Cluster source)
    {
        foreach (var sample in City)
        {
            var id = sample.Device.DevId;
            var now = source.Device(SampleApplication.City.Id, id);
            if (sample.Fate == Fate.ExportedAsAbp)
                Assert.Null(now);
            else if (sample.Fate == Fate.Rejected || id == Tour.Straggler)
                Assert.Equal(sample.Device.LorawanDevice.HasAppKey ? sample.Device.LorawanDevice.AppKey : StoredDevice.NoKey, now!.LorawanDevice.AppKey);
            else
                Assert.Equal(StoredDevice.NoKey, now!.LorawanDevice.AppKey);
        }
        var gauge = source.Device(SampleApplication.Session.Id, "gauge-1")!.LorawanDevice;
        Assert.Equal((StoredDevice.NoKey, StoredDevice.NoKey, StoredDevice.NoKey), (gauge.AppKey, gauge.NwkSKey, gauge.AppSKey));
    }

    private static string AppKeyOf(string id) => Convert.ToHexString(City.Single(sample => sample.Device.DevId == id).Device.LorawanDevice.AppKey.Span);

    private static string AppKey(string id) =>
        Convert.ToHexString(SampleApplication.First.Devices.Single(sample => sample.Device.DevId == id).Device.LorawanDevice.AppKey.Span);

    private static ToolResult Result(int exitCode, params string[] lines) => new(exitCode, "", lines);

    private static List<Device> Before() => [.. SampleApplication.First.Devices.Select(sample => sample.Device.Clone())];

    private static List<Device> After(string clear)
    {
        var devices = Before();
        devices.Single(device => device.DevId == clear).LorawanDevice.AppKey = StoredDevice.NoKey;
        return devices;
    }

    /// <summary>Stops what writes to it when it has written a text.</summary>
    private sealed class StopAt(string text, CancellationTokenSource stop) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains(text, StringComparison.Ordinal) == true)
                stop.Cancel();
        }
    }
}
