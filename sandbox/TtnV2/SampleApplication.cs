using Sources.TtnV2.Api.Handler;

namespace Sandbox.TtnV2;

/// <summary>What the tool must do with a device of the sample applications.</summary>
public enum Fate
{
    /// <summary>A line is written and the AppKey is cleared.</summary>
    ExportedWithAppKey,

    /// <summary>A line with the session is written, nothing is cleared: the user deletes the device when the gateway moves.</summary>
    ExportedAsAbp,

    /// <summary>A line with session and AppKey is written, then all keys and the address are cleared.</summary>
    ExportedWithSession,

    /// <summary>No line, nothing changes, a reason in the summary.</summary>
    Rejected,
}

/// <summary>A device of the sample application.</summary>
/// <param name="Device">The V2 record.</param>
/// <param name="Fate">What must become of it.</param>
/// <param name="Why">One phrase about it.</param>
public sealed record SampleDevice(Device Device, Fate Fate, string Why);

/// <summary>An application of V2 for people to try the tool on.</summary>
public sealed class SampleApplication
{
    private SampleApplication(string id, string accessKey, IEnumerable<SampleDevice> devices)
    {
        Id = id;
        AccessKey = accessKey;
        Devices = [.. devices.OrderBy(d => d.Device.DevId, StringComparer.Ordinal)];
    }

    /// <summary>A device whose running session moves.</summary>
    public static SampleApplication Session { get; } = new(
        "river-levels",
        "ttn-account-v2.sandbox-only-52c0e8f6b411",
        [new(SampleDevices.Joined("river-levels", "gauge-1", 4321, 12), Fate.ExportedWithSession, "OTAA with a running session that goes along")]);

    /// <summary>Three plain devices, named as in the guide.</summary>
    public static SampleApplication First { get; } = new("my-app", "ttn-account-v2.sandbox-only-1d77ae53b920", PlainDevices("my-app"));

    /// <summary>An application like those people have: mostly plain, with a few devices that need somebody.</summary>
    public static SampleApplication City { get; } = new("city-meters", "ttn-account-v2.sandbox-only-9f2c41d0a7be", CityDevices("city-meters"));

    public string Id { get; }

    /// <summary>A key with all rights to the application.</summary>
    public string AccessKey { get; }

    /// <summary>The devices, in the order of a list.</summary>
    public IReadOnlyList<SampleDevice> Devices { get; }

    /// <summary>Registers application and devices.</summary>
    public void AddTo(TtnV2Cluster cluster)
    {
        cluster.AddApplication(Id, AccessKey);
        foreach (var sample in Devices)
            cluster.Add(sample.Device);
    }

    private static IEnumerable<SampleDevice> PlainDevices(string app)
    {
        yield return new(SampleDevices.Otaa(app, "dev1"), Fate.ExportedWithAppKey, "OTAA, never joined");
        yield return new(SampleDevices.Joined(app, "dev2"), Fate.ExportedWithAppKey, "OTAA with a running session");
        yield return new(SampleDevices.Joined(app, "dev3", 70_000, 0), Fate.ExportedWithAppKey, "OTAA, counter above 16 bits");
    }

    private static IEnumerable<SampleDevice> CityDevices(string app)
    {
        for (var i = 1; i <= 4; i++)
            yield return new(SampleDevices.Joined(app, $"meter-{i:D3}", (uint)(100 * i)), Fate.ExportedWithAppKey, "OTAA with a running session");

        var roof = SampleDevices.Joined(app, "weather_roof");
        (roof.Latitude, roof.Longitude, roof.Altitude) = (52.37f, 4.89f, -2);
        roof.Attributes.Add("ttn-brand", "acme");
        roof.Attributes.Add("street", "Damrak 1");
        roof.Description = "Weather station, roof of the town hall";
        yield return new(roof, Fate.ExportedWithAppKey, "underscore in the ID, location, attributes");

        var partial = SampleDevices.Joined(app, "half-a-session");
        partial.LorawanDevice.ClearAppSKey();
        yield return new(partial, Fate.ExportedWithAppKey, "session without AppSKey");

        yield return new(SampleDevices.Abp(app, "pump-abp"), Fate.ExportedAsAbp, "ABP: the session is all it has");

        yield return new(SampleDevices.Otaa(app, "lamp_7"), Fate.Rejected, "lamp_7 and lamp-7 would get the same ID");
        yield return new(SampleDevices.Otaa(app, "lamp-7"), Fate.Rejected, "lamp_7 and lamp-7 would get the same ID");
        yield return new(SampleDevices.Otaa(app, "parking-sensor-north-side-level-2-bay-14"), Fate.Rejected, "ID of 40 characters");
        yield return new(SampleDevices.Template(app, "new-meters"), Fate.Rejected, "a template that registers devices when they join");

        var empty = SampleDevices.Otaa(app, "spare");
        empty.LorawanDevice.ClearAppKey();
        yield return new(empty, Fate.Rejected, "no keys at all");
    }
}
