using System.Text.RegularExpressions;
using Sandbox.Commands;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;

namespace Sandbox.Tests.Commands;

public sealed partial class ServeTests
{
    [Fact]
    public async Task Both_networks_run_and_the_variables_lead_to_them()
    {
        using var stop = new CancellationTokenSource();
        await using var output = new StopWhen("Ctrl-C", stop);
        Assert.Equal(0, await Serve.RunAsync(new ServeOptions(2, RateLimitProfile.Off, Quiet: true), TextReader.Null, output, stop.Token));
        var text = output.ToString();
        foreach (var name in new[] { "TTNV2_APP_ID", "TTNV2_APP_ACCESS_KEY", "TTNV2_DISCOVERY_SERVER_ADDRESS", "TTNV2_CA_CERT", "TTS_APP_ID", "TTS_APP_API_KEY", "TTS_DEFAULT_GRPC_ADDRESS", "TTS_CA_FILE" })
            Assert.Matches($"export {name}=\"[^\"]+\"", text);
        Assert.Matches(Address(), text);
        Assert.Contains("source has 2 devices", text, StringComparison.Ordinal);
        foreach (var command in new[] { "application --dry-run", "import devices.json", "ttnv2 retire", "verify --journal", "rollback DEVICE", "tts application source" })
            Assert.Contains($"ttn-lw-migrate {command}", text, StringComparison.Ordinal);
        Assert.Matches("export PATH=\"[^\"]+:\\$PATH\"", text);
    }

    [Fact]
    public async Task What_is_typed_happens_to_the_devices()
    {
        await using var stack = await TtsCluster.StartAsync();
        stack.AddApplication("target");
        TtsSampleDevices.AddMany(stack, "target", 4);
        using var output = new StringWriter();
        using var input = new StringReader("join\nuplink meter-000003\njoin meter-000003 nobody\n\ndevices\nfly\n");
        await new ServeDevices(stack, "target", output).RunAsync(input, CancellationToken.None);
        // Of three devices one is OTAA and has not joined; 2 has a session, 3 is ABP.
        var address = Convert.ToHexString(stack.Device("target", "meter-000001").Network!.Session.DevAddr.Span);
        var lines = output.ToString().ReplaceLineEndings("\n").Split('\n');
        Assert.Equal($"  meter-000001 has joined, DevAddr {address}", lines[0]);
        Assert.StartsWith("  meter-000004 has joined", lines[1], StringComparison.Ordinal);
        Assert.Equal(
            [
                "  meter-000003 was heard, counter 4",
                "  meter-000003: nobody answers its join-request (it does not join: it is ABP)",
                "  nobody: nobody answers its join-request (application target has no such device)",
            ],
            lines[2..5]);
        Assert.Equal($"  meter-000001 has a session, DevAddr {address}", lines[5]);
        Assert.Contains("join DEVICE", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(["no device waits for a join"], new ServeDevices(stack, "target", output).Do("join"));
    }

    [Fact]
    public async Task Ctrl_C_ends_it_although_the_terminal_waits_for_a_line()
    {
        using var stop = new CancellationTokenSource();
        await using var output = new StopWhen("Ctrl-C", stop);
        using var terminal = new Terminal();
        Assert.Equal(0, await Serve.RunAsync(new ServeOptions(2, RateLimitProfile.Off, Quiet: true), terminal, output, stop.Token).WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Contains("Stopped after ", output.ToString(), StringComparison.Ordinal);
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

    /// <summary>Gives no line before it is disposed, and asks no token meanwhile, as a terminal does.</summary>
    private sealed class Terminal : TextReader
    {
        private readonly ManualResetEventSlim line = new();

        public override ValueTask<string?> ReadLineAsync(CancellationToken cancellationToken)
        {
            line.Wait(CancellationToken.None);
            return new((string?)null);
        }

        protected override void Dispose(bool disposing)
        {
            line.Set();
            base.Dispose(disposing);
        }
    }

    /// <summary>Stops what writes to it when it has written a text.</summary>
    private sealed class StopWhen(string text, CancellationTokenSource stop) : StringWriter(System.Globalization.CultureInfo.InvariantCulture)
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains(text, StringComparison.Ordinal) == true)
                stop.Cancel();
        }
    }
}
