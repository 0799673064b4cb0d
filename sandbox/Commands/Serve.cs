using System.Globalization;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;

namespace Sandbox.Commands;

/// <summary>What to serve.</summary>
/// <param name="Devices">How many generated devices; null for the sample application.</param>
/// <param name="RateLimits">Limits of the servers.</param>
/// <param name="Quiet">Whether calls are not printed.</param>
public sealed record ServeOptions(int? Devices, RateLimitProfile RateLimits, bool Quiet)
{
    /// <summary>Settings of The Things Stack.</summary>
    public TtsClusterOptions Tts { get; init; } = new();

    /// <summary>Reads the arguments after <c>serve</c>; null with a reason when they make no sense.</summary>
    public static ServeOptions? Parse(string[] arguments, out string problem)
    {
        problem = "";
        var options = new ServeOptions(null, RateLimitProfile.PerSecond, Quiet: false);
        for (var i = 0; i < arguments.Length; i++)
        {
            var value = i + 1 < arguments.Length ? arguments[i + 1] : "";
            switch (arguments[i])
            {
                case "--quiet":
                    options = options with { Quiet = true };
                    continue;
                case "--devices" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var devices):
                    options = options with { Devices = devices };
                    break;
                case "--rate-limit" when value is "on" or "off":
                    options = options with { RateLimits = value == "on" ? RateLimitProfile.PerSecond : RateLimitProfile.Off };
                    break;
                case "--tts-round-trip" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds):
                    options = options with { Tts = options.Tts with { RoundTrip = TimeSpan.FromMilliseconds(milliseconds) } };
                    break;
                case "--tts-capacity" when value is "two-cores" or "unlimited":
                    options = options with { Tts = options.Tts with { Capacity = value == "two-cores" ? TtsCapacity.TwoCores : null } };
                    break;
                default:
                    problem = $"cannot use `{string.Join(' ', arguments[i..])}`";
                    return null;
            }
            i++;
        }
        return options;
    }
}

/// <summary>Keeps a V2 network and a The Things Stack running.</summary>
public static class Serve
{
    /// <summary>The application of generated devices.</summary>
    public const string ManyId = "many";

    /// <summary>The application of The Things Stack that devices may be brought to.</summary>
    public const string TargetId = "target";

    /// <summary>The application of The Things Stack that has devices.</summary>
    public const string SourceId = "source";

    private const int SourceDevices = 6;
    private const string Tts = "/ttn.lorawan.v3.";

    /// <summary>Runs until it is told to stop.</summary>
    /// <param name="options">What to serve.</param>
    /// <param name="input">Where what devices do is typed; its end does not stop the networks.</param>
    /// <param name="output">Where everything is printed.</param>
    /// <param name="cancellation">Stops it.</param>
    public static async Task<int> RunAsync(ServeOptions options, TextReader input, TextWriter output, CancellationToken cancellation)
    {
        await using var cluster = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { RateLimits = options.RateLimits });
        await using var stack = await TtsCluster.StartAsync(options.Tts);
        cluster.Requests.Keep = false;
        stack.Requests.Keep = false;
        var targetKey = stack.AddApplication(TargetId);
        var sourceKey = stack.AddApplication(SourceId);
        TtsSampleDevices.AddMany(stack, SourceId, options.Devices ?? SourceDevices);
        var (app, key) = (SampleApplication.City.Id, SampleApplication.City.AccessKey);
        if (options.Devices is { } devices)
        {
            app = ManyId;
            cluster.AddApplication(app, key);
            SampleDevices.AddMany(cluster, app, devices);
        }
        else
        {
            SampleApplication.City.AddTo(cluster);
        }

        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-sandbox-");
        // Three write to it: this, the calls that arrive, and what is typed.
        output = TextWriter.Synchronized(output);
        try
        {
            var authority = Path.Combine(folder.FullName, "ca.pem");
            var stackAuthority = Path.Combine(folder.FullName, "tts-ca.pem");
            await File.WriteAllTextAsync(authority, cluster.CaCertificatePem, cancellation);
            await File.WriteAllTextAsync(stackAuthority, stack.CaCertificatePem, cancellation);
            (string Name, string Value)[] variables =
            [
                ("TTNV2_APP_ID", app),
                ("TTNV2_APP_ACCESS_KEY", key),
                ("FREQUENCY_PLAN_ID", "EU_863_870_TTN"),
                ("TTNV2_DISCOVERY_SERVER_ADDRESS", cluster.DiscoveryTlsAddress),
                ("TTNV2_CA_CERT", authority),
                ("TTS_APP_ID", TargetId),
                ("TTS_APP_API_KEY", targetKey),
                ("TTS_DEFAULT_GRPC_ADDRESS", stack.TlsAddress),
                ("TTS_CA_FILE", stackAuthority),
            ];
            await output.WriteLineAsync($"A V2 network is running: discovery {cluster.DiscoveryTlsAddress} (without TLS: {cluster.DiscoveryAddress}), handler {cluster.HandlerAddress}.");
            await output.WriteLineAsync($"Application {app}: {(options.Devices is { } count ? $"{count} devices" : string.Join(", ", SampleApplication.City.Devices.Select(d => d.Device.DevId)))}.");
            await output.WriteLineAsync($"Limit: {(options.RateLimits == RateLimitProfile.Off ? "none" : "5 calls per second, as the real network")}.");
            await output.WriteLineAsync($"A The Things Stack is running: {stack.TlsAddress} (without TLS: {stack.Address}). Application {TargetId} is empty;");
            await output.WriteLineAsync($"application {SourceId} has {options.Devices ?? SourceDevices} devices, and the key {sourceKey}.");
            await PrintAsync(output, "bash", variables.Select(v => $"export {v.Name}=\"{v.Value}\""));
            await PrintAsync(output, "PowerShell", variables.Select(v => $"$env:{v.Name} = \"{v.Value}\""));
            await PrintAsync(output, "cmd", variables.Select(v => $"set {v.Name}={v.Value}"));
            await PrintAsync(output, "the program, as it was built here (bash; PowerShell and cmd: call it by that path)", [$"export PATH=\"{Path.GetDirectoryName(ToolRun.Program)}:$PATH\""]);
            await PrintAsync(output, "then, in that other window, the whole way (a line at a time)", Journey(app, stack.TlsAddress, stackAuthority));
            await PrintAsync(
                output,
                "or from one The Things Stack to another (here: to another application of it; a cluster takes EUIs only once, so they leave first)",
                [
                    $"TTS_APP_API_KEY=\"{sourceKey}\" ttn-lw-migrate tts application {SourceId} --no-session --delete-source-device --journal tts.journal > from-tts.json",
                    $"ttn-lw-migrate import from-tts.json --application-id {TargetId} --default-grpc-address {stack.TlsAddress} --ca-file {stackAuthority} --journal tts.journal",
                ]);
            await output.WriteLineAsync($"\nType what devices do:\n{ServeDevices.Help}");
            await output.WriteLineAsync("\nCtrl-C stops it.");
            if (!options.Quiet)
                cluster.Requests.Answered = stack.Requests.Answered = request => output.WriteLine(Line(request));
            await new ServeDevices(stack, TargetId, output).RunAsync(input, cancellation);
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
        }
        catch (OperationCanceledException)
        {
            await output.WriteLineAsync($"\nStopped after {cluster.Requests.Count + stack.Requests.Count} calls.");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        return 0;
    }

    /// <summary>The commands of the guide, and those that come after it.</summary>
    private static string[] Journey(string app, string target, string authority)
    {
        var servers = $"--default-grpc-address {target} --ca-file {authority}";
        return
        [
            $"ttn-lw-migrate application --dry-run --verbose --source ttnv2 \"{app}\" --ttnv2.with-session=false > devices.json",
            $"ttn-lw-migrate application --source ttnv2 \"{app}\" --ttnv2.with-session=false --journal night.journal > devices.json",
            $"ttn-lw-migrate import devices.json --application-id {TargetId} {servers} --dry-run",
            $"ttn-lw-migrate import devices.json --application-id {TargetId} {servers} --journal night.journal",
            "ttn-lw-migrate ttnv2 retire --journal night.journal",
            $"ttn-lw-migrate verify --journal night.journal {servers} --wait 10m --report report.html",
            $"ttn-lw-migrate rollback DEVICE --journal night.journal {servers}",
            "ttn-lw-migrate status --journal night.journal",
        ];
    }

    private static async Task PrintAsync(TextWriter output, string title, IEnumerable<string> lines)
    {
        await output.WriteLineAsync($"\n{title}:");
        foreach (var line in lines)
            await output.WriteLineAsync("  " + line);
    }

    private static string Line(RecordedRequest request)
    {
        var end = request.Status switch
        {
            null => "not answered",
            { Code: GrpcCode.Ok } => "ok",
            var status => $"{status.Code}: {status.Message}",
        };
        // The servers of The Things Stack have methods of the same names.
        var method = request.Method.StartsWith(Tts, StringComparison.Ordinal) ? request.Method[Tts.Length..] : request.ShortMethod;
        return $"{request.At:HH:mm:ss.fff} {request.Server} {method}{(request.Item is null ? "" : " " + request.Item)}: {end}";
    }
}
