using Sandbox.Commands;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Tests.Commands;

public sealed class TourTests
{
    private static readonly TourStep Step = new(SampleApplication.First, "", [], null, ["dev2"], DryRun: false, "");

    private static readonly string Line =
        $$$$"""{"ids":{"device_id":"dev2"},"root_keys":{"app_key":{"key":"{{{{AppKey("dev2")}}}}"}}}""";

    [Fact]
    public async Task The_tour_runs_the_built_tool_and_finds_everything_as_expected()
    {
        using var output = new StringWriter();
        var exitCode = await new Tour(output).RunAsync(CancellationToken.None);
        Assert.True(exitCode == 0, output.ToString());
        Assert.DoesNotContain("WRONG", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_wrote_the_line_and_cleared_the_app_key_is_right() =>
        Assert.Empty(Tour.Check(Step, Result(0, Line), Before(), After(clear: "dev2")));

    [Fact]
    public void A_key_that_is_gone_without_a_line_is_wrong() =>
        Assert.Contains("dev2 in V2 is not as it must be", Tour.Check(Step, Result(0), Before(), After(clear: "dev2")));

    [Fact]
    public void A_line_with_the_key_of_another_device_is_wrong() => Assert.Contains(
        "the line of dev2 does not have its keys",
        Tour.Check(Step, Result(0, Line.Replace(AppKey("dev2"), AppKey("dev3"), StringComparison.Ordinal)), Before(), After(clear: "dev2")));

    [Fact]
    public void A_key_that_is_gone_from_another_device_is_wrong() =>
        Assert.Contains("dev3 in V2 is not as it must be", Tour.Check(Step, Result(0, Line), Before(), After(clear: "dev3")));

    [Fact]
    public void A_dry_run_that_changes_something_is_wrong() =>
        Assert.Contains("dev2 in V2 is not as it must be", Tour.Check(Step with { DryRun = true }, Result(0, Line), Before(), After(clear: "dev2")));

    [Fact]
    public void A_wrong_exit_code_and_a_line_that_is_no_device_are_named()
    {
        var wrong = Tour.Check(Step, Result(2, "{}"), Before(), Before());
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
}
