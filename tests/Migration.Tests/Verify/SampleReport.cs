using System.Globalization;
using Migration.Verify;
using TheThingsStack.Errors;
using TheThingsStack.Import;

namespace Migration.Tests.Verify;

/// <summary>A migration in its second day: most meters have joined, a few of everything else, and names that try to be markup.</summary>
internal static class SampleReport
{
    public const string Hostile = "<script>document.title='taken'</script>\"'&\u202E";

    public static readonly ReportSubject Subject = new("city-water", "eu1.cloud.thethings.example", SampleDevices.Imported.AddHours(30));

    public static VerifyTally Tally(int joined = 1240)
    {
        var tally = new VerifyTally();
        for (var i = 0; i < joined; i++)
        {
            // A rush in the first hours, then those that join once a day.
            var hours = i < joined * 2 / 3 ? 5.0 * i / joined : 20 + (8.0 * i / joined);
            tally.Add(Device("meter", i, CutOverState.Joined) with { JoinedAt = SampleDevices.Imported.AddHours(hours), LastSeenAt = Subject.At.AddMinutes(-i % 60), DevAddr = "260B1234" });
        }
        for (var i = 0; i < 130; i++)
            tally.Add(Device("valve", i, CutOverState.OnTarget) with { LastSeenAt = Subject.At.AddHours(-1), DevAddr = "26011F01" });
        for (var i = 0; i < 61; i++)
            tally.Add(Device("meter-north", i, CutOverState.NeedsPowerCycle) with { LastSeenAt = null });
        for (var i = 0; i < 7; i++)
            tally.Add(Device("tank", i, CutOverState.NeedsGateway) with { DevAddr = "26011F01" });
        for (var i = 0; i < 2; i++)
            tally.Add(Device("pump", i, CutOverState.WaitsForUplink) with { DevAddr = "260B0001" });
        tally.Add(Device("lamp", 1, CutOverState.NeedsPowerCycle) with { SeenAtSource = Subject.At.AddMinutes(-5) });
        tally.Add(Device("lamp-both", 2, CutOverState.Joined) with { LiveAtSource = true, SeenAtSource = Subject.At.AddMinutes(-5) });
        tally.Add(Device("meter-lost", 1, CutOverState.NeedsPowerCycle) with { Missing = DeviceServers.JoinServer | DeviceServers.ApplicationServer });
        tally.Add(Device("meter-renamed", 2, CutOverState.OnTarget) with
        {
            Differences =
            [
                new FieldDifference(DeviceServers.NetworkServer, "mac_state.current_parameters.rx2_data_rate_index", "DATA_RATE_0", "DATA_RATE_3"),
                new FieldDifference(DeviceServers.IdentityServer, "name", Hostile, "Meter"),
                new FieldDifference(DeviceServers.JoinServer, "root_keys.app_key.key", "***", "***"),
            ],
        });
        tally.Add(Device(Hostile, 3, default) with { Failure = new Failure($"the line {Hostile} is no device") });
        return tally;
    }

    /// <summary>Three hundred devices, as many of each state as there can be.</summary>
    public static VerifyTally EvenTally()
    {
        var tally = new VerifyTally();
        for (var i = 0; i < 300; i++)
        {
            var state = CutOver.States[i % CutOver.States.Count];
            var device = Device("water-meter-of-a-long-street-name", i, state);
            tally.Add(state switch
            {
                CutOverState.LiveOnBoth => device with { Arrival = CutOverState.Joined, LiveAtSource = true },
                CutOverState.Missing => device with { Missing = DeviceServers.JoinServer },
                CutOverState.Differs => device with { Differences = [new FieldDifference(DeviceServers.NetworkServer, "mac_state.current_parameters.adr_ack_limit_exponent", "ADR_ACK_LIMIT_64", "not set")] },
                CutOverState.NotChecked => device with { Failure = new Failure("the server did not answer") },
                CutOverState.AliveAtSource => device with { Arrival = CutOverState.NeedsPowerCycle, SeenAtSource = Subject.At },
                CutOverState.Joined => device with { JoinedAt = SampleDevices.Imported.AddMinutes(i) },
                _ => device,
            });
        }
        return tally;
    }

    public static string Html(VerifyTally tally)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        ReportPage.Write(text, Subject, tally);
        return text.ToString();
    }

    private static VerifiedDevice Device(string name, int number, CutOverState state) => new()
    {
        Application = "city-water",
        DeviceId = string.Create(CultureInfo.InvariantCulture, $"{name}-{number:0000}"),
        DevEui = string.Create(CultureInfo.InvariantCulture, $"0004A30B001C{number:X4}"),
        Index = number,
        Line = number + 1,
        Arrival = state,
        ImportedAt = SampleDevices.Imported,
    };
}
