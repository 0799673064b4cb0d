using System.Globalization;
using Sandbox.TheThingsStack;

namespace Sandbox.Commands;

/// <summary>What devices do while the networks are served, typed as lines.</summary>
/// <param name="stack">The Things Stack.</param>
/// <param name="application">The application of devices that are named without one.</param>
/// <param name="output">Where results are printed.</param>
public sealed class ServeDevices(TtsCluster stack, string application, TextWriter output)
{
    /// <summary>What can be typed.</summary>
    public const string Help = """
          join DEVICE ...      the device is power-cycled and joins The Things Stack
          join                 all devices do that have not joined yet
          uplink DEVICE ...    the device sends a message in its session (an ABP device whose gateway moved)
          devices              the devices of The Things Stack
        """;

    /// <summary>Reads lines to the end.</summary>
    public async Task RunAsync(TextReader input, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(input);
        // Reading a terminal blocks, whatever the token says: it must not keep the networks from starting, and nobody waits for it at the end.
        var reading = Task.Run(
            async () =>
            {
                while (await input.ReadLineAsync(cancellation) is { } line)
                {
                    foreach (var answer in Do(line))
                        await output.WriteLineAsync("  " + answer);
                }
            },
            cancellation);
        await reading.WaitAsync(cancellation);
    }

    /// <summary>Does what a line says; gives what came of it.</summary>
    public IReadOnlyList<string> Do(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.Split(' ', StringSplitOptions.RemoveEmptyEntries) switch
        {
            [] => [],
            ["join"] => Each(stack.DeviceIds(application).Where(Waits), Join, "no device waits for a join"),
            ["join", .. var devices] => [.. devices.Select(Join)],
            ["uplink", _, ..] and [_, .. var devices] => [.. devices.Select(Uplink)],
            ["devices"] => Each(stack.DeviceIds(application), Describe, $"application {application} has no devices"),
            _ => [.. Help.ReplaceLineEndings("\n").Split('\n').Select(text => text.Trim())],
        };
    }

    private static List<string> Each(IEnumerable<string> devices, Func<string, string> act, string none) =>
        devices.Select(act).ToList() is { Count: > 0 } answers ? answers : new List<string> { none };

    private bool Waits(string device) => stack.Device(application, device).Network is { SupportsJoin: true, Session: null };

    private string Join(string device) => stack.Join(application, device) is { } address
        ? $"{device} has joined, DevAddr {Convert.ToHexString(address.Span)}"
        : $"{device}: nobody answers its join-request ({Why(device)})";

    private string Uplink(string device) => stack.Uplink(application, device)
        ? string.Create(CultureInfo.InvariantCulture, $"{device} was heard, counter {stack.Device(application, device).Network!.Session.LastFCntUp}")
        : $"{device} was not heard ({Why(device)})";

    private string Describe(string device)
    {
        var session = stack.Device(application, device).Network?.Session;
        return session is null ? $"{device} has no session" : $"{device} has a session, DevAddr {Convert.ToHexString(session.DevAddr.Span)}";
    }

    private string Why(string device) => stack.Device(application, device) switch
    {
        { Servers: TtsServers.None } => $"application {application} has no such device",
        { Network: null } => "the Network Server does not know it",
        { Network: { SupportsJoin: true, Session: null } } => "it has to join first",
        { Network.SupportsJoin: false } => "it does not join: it is ABP",
        _ => "its key or its counter is not the one expected",
    };
}
