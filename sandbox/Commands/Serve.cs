using System.Globalization;
using Sandbox.Grpc;
using Sandbox.TtnV2;

namespace Sandbox.Commands;

/// <summary>What to serve.</summary>
/// <param name="Devices">How many generated devices; null for the sample application.</param>
/// <param name="RateLimits">Limits of the servers.</param>
/// <param name="Quiet">Whether calls are not printed.</param>
public sealed record ServeOptions(int? Devices, RateLimitProfile RateLimits, bool Quiet)
{
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
                default:
                    problem = $"cannot use `{string.Join(' ', arguments[i..])}`";
                    return null;
            }
            i++;
        }
        return options;
    }
}

/// <summary>Keeps a V2 network running.</summary>
public static class Serve
{
    /// <summary>The application of generated devices.</summary>
    public const string ManyId = "many";

    public static async Task<int> RunAsync(ServeOptions options, TextWriter output, CancellationToken cancellation)
    {
        await using var cluster = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { RateLimits = options.RateLimits });
        cluster.Requests.Keep = false;
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
        try
        {
            var authority = Path.Combine(folder.FullName, "ca.pem");
            await File.WriteAllTextAsync(authority, cluster.CaCertificatePem, cancellation);
            (string Name, string Value)[] variables =
            [
                ("TTNV2_APP_ID", app),
                ("TTNV2_APP_ACCESS_KEY", key),
                ("FREQUENCY_PLAN_ID", "EU_863_870_TTN"),
                ("TTNV2_DISCOVERY_SERVER_ADDRESS", cluster.DiscoveryTlsAddress),
                ("TTNV2_CA_CERT", authority),
            ];
            await output.WriteLineAsync($"A V2 network is running: discovery {cluster.DiscoveryTlsAddress} (without TLS: {cluster.DiscoveryAddress}), handler {cluster.HandlerAddress}.");
            await output.WriteLineAsync($"Application {app}: {(options.Devices is { } count ? $"{count} devices" : string.Join(", ", SampleApplication.City.Devices.Select(d => d.Device.DevId)))}.");
            await output.WriteLineAsync($"Limit: {(options.RateLimits == RateLimitProfile.Off ? "none" : "5 calls per second, as the real network")}.");
            await PrintAsync(output, "bash", variables.Select(v => $"export {v.Name}=\"{v.Value}\""));
            await PrintAsync(output, "PowerShell", variables.Select(v => $"$env:{v.Name} = \"{v.Value}\""));
            await PrintAsync(output, "cmd", variables.Select(v => $"set {v.Name}={v.Value}"));
            await PrintAsync(output, "then, for example", [$"ttn-lw-migrate application --dry-run --verbose --source ttnv2 \"{app}\" --ttnv2.with-session=false > devices.json"]);
            await output.WriteLineAsync("\nCtrl-C stops it.");
            if (!options.Quiet)
                cluster.Requests.Answered = request => output.WriteLine(Line(request));
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
        }
        catch (OperationCanceledException)
        {
            await output.WriteLineAsync($"\nStopped after {cluster.Requests.Count} calls.");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        return 0;
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
        return $"{request.At:HH:mm:ss.fff} {request.Server} {request.ShortMethod}{(request.Item is null ? "" : " " + request.Item)}: {end}";
    }
}
