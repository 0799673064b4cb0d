using System.Text.RegularExpressions;
using Sandbox.Commands;
using Sandbox.TtnV2;

namespace Sandbox.Tests.Commands;

public sealed partial class ServeTests
{
    [Fact]
    public async Task Both_networks_run_and_the_variables_lead_to_them()
    {
        using var stop = new CancellationTokenSource();
        await using var output = new StopWhen("Ctrl-C", stop);
        Assert.Equal(0, await Serve.RunAsync(new ServeOptions(2, RateLimitProfile.Off, Quiet: true), output, stop.Token));
        var text = output.ToString();
        foreach (var name in new[] { "TTNV2_APP_ID", "TTNV2_APP_ACCESS_KEY", "TTNV2_DISCOVERY_SERVER_ADDRESS", "TTNV2_CA_CERT", "TTS_APP_ID", "TTS_APP_API_KEY", "TTS_DEFAULT_GRPC_ADDRESS", "TTS_CA_FILE" })
            Assert.Matches($"export {name}=\"[^\"]+\"", text);
        Assert.Matches(Address(), text);
        Assert.Contains("source has 2 devices", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--tts-round-trip", "far")]
    [InlineData("--tts-capacity", "four-cores")]
    public void Nonsense_is_named(string name, string value)
    {
        Assert.Null(ServeOptions.Parse([name, value], out var problem));
        Assert.Contains(value, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_round_trip_is_in_milliseconds() =>
        Assert.Equal(TimeSpan.FromMilliseconds(20), ServeOptions.Parse(["--tts-round-trip", "20", "--tts-capacity", "two-cores"], out _)!.Tts.RoundTrip);

    [GeneratedRegex("TTS_DEFAULT_GRPC_ADDRESS=\"localhost:[0-9]+\"", RegexOptions.None, 1000)]
    private static partial Regex Address();

    /// <summary>Stops what writes to it when it has written a text.</summary>
    private sealed class StopWhen(string text, CancellationTokenSource stop) : StringWriter(System.Globalization.CultureInfo.InvariantCulture)
    {
        public override async Task WriteLineAsync(string? value)
        {
            await base.WriteLineAsync(value);
            if (value?.Contains(text, StringComparison.Ordinal) == true)
                await stop.CancelAsync();
        }
    }
}
