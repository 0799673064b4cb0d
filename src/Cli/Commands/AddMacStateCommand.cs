using System.Globalization;
using Cli.CommandLine;
using Cli.Output;
using Migration.Filters;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.Json;

namespace Cli.Commands;

/// <summary><c>add-mac-state [FILE]</c>: gives a MAC state to devices with a session.</summary>
internal static class AddMacStateCommand
{
    private const string Replace = "replace";
    private const string NetworkDefaults = "network-defaults";
    private const string DesiredRx1Delay = "desired-rx1-delay";

    /// <summary>Largest file of network defaults.</summary>
    private const int MaxDefaultsBytes = 1 << 20;

    public static Command Create() => new("add-mac-state", "Give a MAC state to devices that have a session and none")
    {
        Operands = "[file]",
        Addition = true,
        Description = """
            Give a MAC state to devices that have a session and none.

            Reads device JSON (lines or a list) from the file or standard input and writes lines to standard output, in the same order.
            A device that cannot get a MAC state is passed on as it is and reported; the exit code is then 1.
            """,
        Examples = ["ttn-lw-migrate add-mac-state devices.json > with-state.json"],
        FlagFactory = () =>
        [
            new(Replace, FlagKind.Switch, "also build anew the MAC states there are") { Addition = true },
            new(NetworkDefaults, FlagKind.Text, "file with the default MAC settings of the target network (JSON, as its Network Server answers)") { Addition = true },
            new(DesiredRx1Delay, FlagKind.Text, "RX1 delay in seconds that the target network wants by default (The Things Stack: 5)") { Addition = true },
        ],
        RunAsync = RunAsync,
    };

    private static async Task<int> RunAsync(Invocation invocation)
    {
        var environment = invocation.Environment;
        var (defaults, assumed) = ReadDefaults(invocation);
        var filter = new AddMacStateFilter(FrequencyPlanFlags.Open(invocation.Flags, environment), defaults, invocation.Flags.IsOn(Replace));
        await using var file = DeviceFile.Open(invocation);
        var status = new StatusWriter(environment);
        AddMacStateSummary summary;
        try
        {
            summary = await filter.RunAsync(file.Stream, new FilterOutput(environment.StandardOutput), problem => Print(status, file, problem), invocation.Cancellation);
        }
        catch (TtsJsonException e)
        {
            throw new FailureException(file.Unreadable(e), e);
        }
        var text = CultureInfo.InvariantCulture;
        status.WriteLine(string.Create(text, $"{summary.Devices} devices: {summary.Added} got a MAC state, {summary.Replaced} a new one, {summary.HadOne} keep theirs, {summary.WithoutSession} have no session, {summary.Failed} failed"));
        if (summary.Added + summary.Replaced > 0)
            status.WriteLine(assumed);
        return summary.Failed == 0 ? 0 : 1;
    }

    private static void Print(StatusWriter status, DeviceFile file, FilterProblem problem)
    {
        var line = problem.Line.ToString(CultureInfo.InvariantCulture);
        var text = $"{file.Name}:{line}: {(problem.DeviceId.Length > 0 ? problem.DeviceId + ": " : "")}";
        for (var link = problem.Failure; link is not null; link = link.Cause)
            text += link.Cause is null ? link.ToString() : link + " | caused by: ";
        if (problem.Failure.Advice is { } advice)
            text += $" ({advice})";
        status.WriteLine(FailurePrinter.OneLine(text));
    }

    private static (MACSettings? Defaults, string Assumed) ReadDefaults(Invocation invocation)
    {
        var name = invocation.Flags.TextOrNull(NetworkDefaults);
        var delay = invocation.Flags.TextOrNull(DesiredRx1Delay);
        if (name is null && delay is null)
            return (null, $"No defaults of the target network were assumed. The Things Stack wants an RX1 delay of 5 s by default: give --{DesiredRx1Delay}=5 for states like its own.");
        var defaults = name is null ? new MACSettings() : ReadFile(invocation, name);
        if (delay is not null)
        {
            if (!int.TryParse(delay, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds is < 1 or > 15)
                throw new FailureException(new Failure($"--{DesiredRx1Delay} is {Quote.Double(delay)}; it is 1 to 15 seconds"));
            defaults.DesiredRx1Delay = new RxDelayValue { Value = (RxDelay)seconds };
        }
        var wanted = defaults.DesiredRx1Delay is { } rx1 ? $", desired RX1 delay {(int)rx1.Value} s" : "";
        return (defaults, $"Assumed defaults of the target network: {name ?? "none but those given"}{wanted}.");
    }

    private static MACSettings ReadFile(Invocation invocation, string name)
    {
        try
        {
            using var stream = invocation.Environment.OpenFile(name);
            var text = new byte[MaxDefaultsBytes];
            var length = stream.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
            return TtsJson.Read<MACSettings>(text.AsSpan(0, length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FailureException(new Failure($"open {name}: {SystemReason.Of(e, name)}"), e);
        }
        catch (TtsJsonException e)
        {
            throw new FailureException(new Failure($"{name}: {e.Message}") { Advice = "The file holds MAC settings, for example {\"desired_rx1_delay\":5}." }, e);
        }
    }
}
