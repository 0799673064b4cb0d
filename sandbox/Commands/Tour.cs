using System.Text.Json;
using System.Text.RegularExpressions;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Commands;

/// <summary>One command of the tour and what must come of it.</summary>
/// <param name="Application">The application it is about.</param>
/// <param name="Title">What it is for.</param>
/// <param name="Arguments">As typed, without the program.</param>
/// <param name="Input">File for stdin, or null.</param>
/// <param name="Devices">The devices it is about, by ID; null for the whole application.</param>
/// <param name="DryRun">Whether nothing may change at the source.</param>
/// <param name="Notice">One line about what to see.</param>
public sealed record TourStep(
    SampleApplication Application, string Title, IReadOnlyList<string> Arguments, string? Input, IReadOnlyList<string>? Devices, bool DryRun, string Notice);

/// <summary>
/// The guided tour: the commands of the guide against a V2 network on this machine. Checks after every command that the file has a line for
/// each device that can go, that exactly the exported keys are gone at the source, and that all else is as before.
/// </summary>
public sealed partial class Tour(TextWriter output)
{
    private static readonly TourStep[] Steps =
    [
        new(
            SampleApplication.First, "One device, dry: nothing changes anywhere.",
            ["devices", "--dry-run", "--verbose", "--source", "ttnv2", "dev1", "--ttnv2.with-session=false"],
            null, ["dev1"], DryRun: true,
            "the file has the device with its AppKey; V2 is as before."),
        new(
            SampleApplication.First, "One device for real: its line is written first, then its AppKey is cleared in V2.",
            ["device", "--source", "ttnv2", "dev1", "--ttnv2.with-session=false"],
            null, ["dev1"], DryRun: false,
            "dev1 can not join V2 any more; everything else of it is still there."),
        new(
            SampleApplication.First, "A list of devices, dry.",
            ["devices", "--dry-run", "--verbose", "--source", "ttnv2", "--ttnv2.with-session=false"],
            "device_ids.txt", ["dev2", "dev3"], DryRun: true,
            "the lines come in the order of the list."),
        new(
            SampleApplication.First, "The list for real.",
            ["device", "--source", "ttnv2", "--ttnv2.with-session=false"],
            "device_ids.txt", ["dev2", "dev3"], DryRun: false,
            "their sessions in V2 go on until they join The Things Stack."),
        new(
            SampleApplication.City, "The whole application, dry: every device is looked at, every problem is listed.",
            ["application", "--verbose", "--dry-run", "--source", "ttnv2", SampleApplication.City.Id, "--ttnv2.with-session=false"],
            null, null, DryRun: true,
            "exit code 1, because some devices need somebody; the others are in the file."),
        new(
            SampleApplication.City, "The whole application for real.",
            ["application", "--source", "ttnv2", SampleApplication.City.Id, "--ttnv2.with-session=false"],
            null, null, DryRun: false,
            "what could not be exported has kept its keys, and the summary says why."),
        new(
            SampleApplication.Session, "With the session: the guide leaves the flag away when active sessions move.",
            ["device", "--source", "ttnv2", "gauge-1"],
            null, ["gauge-1"], DryRun: false,
            "the line has session, counters and MAC state, so the device goes on without a join; V2 has no key of it left."),
    ];

    private readonly List<string> problems = [];

    /// <summary>Runs the tour; gives 0 when everything was as expected.</summary>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-tour-");
        try
        {
            await using var cluster = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { RateLimits = RateLimitProfile.PerSecond });
            SampleApplication.First.AddTo(cluster);
            SampleApplication.City.AddTo(cluster);
            SampleApplication.Session.AddTo(cluster);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "ca.pem"), cluster.CaCertificatePem, cancellation);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "device_ids.txt"), "dev2\ndev3\n", cancellation);
            var variables = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["FREQUENCY_PLAN_ID"] = "EU_863_870_TTN",
                ["TTNV2_DISCOVERY_SERVER_ADDRESS"] = cluster.DiscoveryTlsAddress,
                ["TTNV2_CA_CERT"] = "ca.pem",
            };
            Introduce(cluster, variables);
            var tool = new ToolRun(folder.FullName, variables);
            foreach (var step in Steps)
            {
                Choose(step.Application, variables);
                await RunStepAsync(cluster, tool, step, cancellation);
            }
        }
        catch (OperationCanceledException)
        {
            output.WriteLine("\nThe tour was stopped.");
            return 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        output.WriteLine();
        if (problems.Count == 0)
        {
            output.WriteLine("Everything was as expected. `dotnet run --project sandbox -- serve` keeps the network running for you to try.");
            return 0;
        }
        output.WriteLine("NOT as expected:");
        foreach (var problem in problems)
            output.WriteLine($"  {problem}");
        return 1;
    }

    private void Introduce(TtnV2Cluster cluster, Dictionary<string, string> variables)
    {
        output.WriteLine($"A network of The Things Network V2 runs on this machine (discovery {cluster.DiscoveryTlsAddress}, handler {cluster.HandlerAddress}).");
        output.WriteLine();
        foreach (var (name, value) in variables)
            output.WriteLine($"$ export {name}=\"{value}\"");
    }

    /// <summary>Sets the variables of an application unless they are set already.</summary>
    private void Choose(SampleApplication application, Dictionary<string, string> variables)
    {
        if (variables.GetValueOrDefault("TTNV2_APP_ID") == application.Id)
            return;
        output.WriteLine();
        output.WriteLine($"The application {application.Id} has {application.Devices.Count} device{(application.Devices.Count == 1 ? "" : "s")}:");
        foreach (var sample in application.Devices)
            output.WriteLine($"  {sample.Device.DevId,-42} {sample.Why}");
        output.WriteLine();
        (string Name, string Value)[] own = [("TTNV2_APP_ID", application.Id), ("TTNV2_APP_ACCESS_KEY", application.AccessKey)];
        foreach (var (name, value) in own)
        {
            variables[name] = value;
            output.WriteLine($"$ export {name}=\"{value}\"");
        }
    }

    private async Task RunStepAsync(TtnV2Cluster cluster, ToolRun tool, TourStep step, CancellationToken cancellation)
    {
        output.WriteLine();
        output.WriteLine($"# {step.Title}");
        output.WriteLine($"$ ttn-lw-migrate {string.Join(' ', step.Arguments.Select(argument => Shown(step, argument)))}{(step.Input is null ? "" : $" < {step.Input}")} > devices.json");
        var before = cluster.Devices(step.Application.Id);
        var result = await tool.RunAsync(step.Arguments, step.Input, "devices.json", cancellation);
        foreach (var line in result.Stderr.TrimEnd().Split('\n'))
            output.WriteLine($"  | {line.TrimEnd('\r')}");
        output.WriteLine($"devices.json: {result.Lines.Count} line{(result.Lines.Count == 1 ? "" : "s")}, exit code {result.ExitCode}");
        foreach (var line in result.Lines.Take(2))
            output.WriteLine($"  {Shortened(line)}");
        if (result.Lines.Count > 2)
            output.WriteLine($"  … and {result.Lines.Count - 2} more");
        var after = cluster.Devices(step.Application.Id);
        var changed = after.Where(device => !before.Contains(device)).Select(device => device.DevId).ToList();
        output.WriteLine(changed.Count == 0
            ? "In V2 nothing has changed."
            : $"In V2 keys have gone from: {string.Join(' ', changed.Where(id => HasNoAppKey(after.Single(device => device.DevId == id))))}.");
        var found = Check(step, result, before, after);
        problems.AddRange(found);
        output.WriteLine(found.Count == 0 ? $"Notice: {step.Notice}" : $"WRONG: {string.Join("; ", found)}");
    }

    /// <summary>Says what is not as it must be after a command.</summary>
    public static IReadOnlyList<string> Check(TourStep step, ToolResult result, IReadOnlyList<Device> before, IReadOnlyList<Device> after)
    {
        var wrong = new List<string>();
        var concerned = step.Devices is null
            ? step.Application.Devices
            : [.. step.Devices.Select(id => step.Application.Devices.Single(sample => sample.Device.DevId == id))];
        var state = before.ToDictionary(device => device.DevId, StringComparer.Ordinal);
        var expected = concerned.Where(sample => sample.Fate != Fate.Rejected).Select(sample => sample.Device.DevId).ToList();

        var exported = new List<string>();
        foreach (var line in result.Lines)
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                var id = SourceId(json.RootElement);
                exported.Add(id);
                if (concerned.FirstOrDefault(sample => sample.Device.DevId == id) is { } sample && !HasItsKeys(json.RootElement, state[id], sample.Fate))
                    wrong.Add($"the line of {id} does not have its keys");
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                wrong.Add($"a line is not a device: {e.Message}");
            }
        }
        if (!exported.SequenceEqual(expected))
            wrong.Add($"exported {string.Join(' ', exported)} instead of {string.Join(' ', expected)}");
        var exitCode = concerned.Any(sample => sample.Fate == Fate.Rejected) ? 1 : 0;
        if (result.ExitCode != exitCode)
            wrong.Add($"exit code {result.ExitCode} instead of {exitCode}");

        if (after.Count != before.Count)
            wrong.Add($"V2 has {after.Count} devices instead of {before.Count}");
        foreach (var device in after)
        {
            var must = state[device.DevId].Clone();
            var fate = concerned.FirstOrDefault(sample => sample.Device.DevId == device.DevId)?.Fate;
            if (!step.DryRun && exported.Contains(device.DevId))
                Clear(must, fate);
            if (!must.Equals(device))
                wrong.Add($"{device.DevId} in V2 is not as it must be");
        }
        return wrong;
    }

    /// <summary>Whether a line has the keys that the device had in V2, and those only.</summary>
    private static bool HasItsKeys(JsonElement line, Device device, Fate fate)
    {
        var lorawan = device.LorawanDevice;
        return Text(line, "root_keys", "app_key", "key") == (fate is Fate.ExportedAsAbp ? null : Convert.ToHexString(lorawan.AppKey.Span))
            && Text(line, "session", "keys", "app_s_key", "key") == (fate is Fate.ExportedWithAppKey ? null : Convert.ToHexString(lorawan.AppSKey.Span))
            && Text(line, "session", "keys", "f_nwk_s_int_key", "key") == (fate is Fate.ExportedWithAppKey ? null : Convert.ToHexString(lorawan.NwkSKey.Span));
    }

    private static string? Text(JsonElement element, params string[] path)
    {
        foreach (var name in path)
        {
            if (!element.TryGetProperty(name, out element))
                return null;
        }
        return element.GetString();
    }

    /// <summary>Takes away what goes at the source when a device is exported.</summary>
    private static void Clear(Device device, Fate? fate)
    {
        if (fate is Fate.ExportedWithAppKey or Fate.ExportedWithSession)
            device.LorawanDevice.AppKey = StoredDevice.NoKey;
        if (fate is Fate.ExportedWithSession)
        {
            device.LorawanDevice.DevAddr = StoredDevice.NoAddress;
            device.LorawanDevice.NwkSKey = StoredDevice.NoKey;
            device.LorawanDevice.AppSKey = StoredDevice.NoKey;
        }
    }

    private static string SourceId(JsonElement device) =>
        device.TryGetProperty("attributes", out var attributes) && attributes.TryGetProperty("old-id", out var old)
            ? old.GetString()!
            : device.GetProperty("ids").GetProperty("device_id").GetString()!;

    private static bool HasNoAppKey(Device device) => device.LorawanDevice.AppKey == StoredDevice.NoKey;

    /// <summary>An argument as the guide shows it: IDs stand in quotes.</summary>
    private static string Shown(TourStep step, string argument) =>
        argument == step.Application.Id || step.Devices?.Contains(argument) == true ? $"\"{argument}\"" : argument;

    /// <summary>Keys cut to their ends, as in <c>972F…BB6F</c>.</summary>
    private static string Shortened(string line) => Key().Replace(line, match => $"{match.Value[..4]}…{match.Value[^4..]}");

    [GeneratedRegex("[0-9A-F]{32}", RegexOptions.None, 1000)]
    private static partial Regex Key();
}
