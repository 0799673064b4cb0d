using System.Text.Json;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Commands;

/// <summary>What an export of the tour is about.</summary>
/// <param name="Application">The application.</param>
/// <param name="Devices">The devices, by ID; null for the whole application.</param>
/// <param name="DryRun">Whether nothing may change at the source.</param>
public sealed record ExportAsked(SampleApplication Application, IReadOnlyList<string>? Devices, bool DryRun);

/// <summary>
/// Looks whether an export did what it had to: the file has a line with the right keys for each device that can go, exactly the exported keys
/// are gone at the source, and all else is as before.
/// </summary>
public static class ExportCheck
{
    /// <summary>Says what is not as it must be after a command.</summary>
    public static IReadOnlyList<string> Check(ExportAsked asked, ToolResult result, IReadOnlyList<Device> before, IReadOnlyList<Device> after)
    {
        var wrong = new List<string>();
        var concerned = asked.Devices is null
            ? asked.Application.Devices
            : [.. asked.Devices.Select(id => asked.Application.Devices.Single(sample => sample.Device.DevId == id))];
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
            if (!asked.DryRun && exported.Contains(device.DevId))
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
}
