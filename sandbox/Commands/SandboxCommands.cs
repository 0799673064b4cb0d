using System.Globalization;
using System.Runtime.InteropServices;
using Sandbox.Safety;

namespace Sandbox.Commands;

/// <summary>The sandbox's own command line.</summary>
public static class SandboxCommands
{
    private const string Help = """
        The sandbox: the networks on this machine, for learning and testing. Nothing leaves loopback; all keys are made up.

          dotnet run --project sandbox -- tour     The whole job in a few seconds: starts V2 and The Things Stack, types the commands
                                                   from the dry run to the report, shows what each prints, and checks both sides.
          dotnet run --project sandbox -- serve    Keeps both networks running and prints the variables to set and the commands of the
                                                   whole way. Devices join when you type it there. Ctrl-C (or SIGTERM) stops it.
               --devices N       as many devices instead of the sample application (application `many`)
               --rate-limit off  without the limit of 5 calls per second
               --quiet           do not print the calls that arrive
               --tts-round-trip MS         round trip to The Things Stack, in milliseconds
               --tts-capacity two-cores    as slow as a real The Things Stack on two cores
          dotnet run --project sandbox -- kill-test   Migrates 200 devices while calls fail and the program is killed at random instants,
                                                   runs it again until it is done, and checks that no key is lost.
               --kills N         how often it is killed (default 30)
               --seed N          decides the instants and the faults (default 1)
               --devices N       devices of a migration (default 200)
               --way WAY         file: into a file; straight: straight through into The Things Stack; both: in turn (default)
          dotnet run --project sandbox -- kill-test tts   The same for The Things Stack as a source whose devices are deleted.
          dotnet run --project sandbox -- fault-run   Imports 10,000 devices of which a quarter are duplicates, invalid, refused or timed out,
                                                   and checks that each is accounted for (--devices N, --seed N).
          dotnet run --project sandbox -- help     This text.

        """;

    /// <summary>Runs a command; gives the exit code: 0 when everything went as expected.</summary>
    public static async Task<int> RunAsync(string[] arguments, TextWriter output, TextWriter error)
    {
        using var stop = new CancellationTokenSource();
        ConsoleCancelEventHandler onCancel = (_, e) =>
        {
            e.Cancel = true;
            // The command ends in its own time; a second Ctrl-C finds nothing left to stop.
            stop.Cancel();
        };
        Console.CancelKeyPress += onCancel;
        // Scripts stop what they started in the background with SIGTERM; shells make such processes ignore Ctrl-C.
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.Cancel();
        });
        try
        {
            switch (arguments)
            {
                case ["tour"]:
                    return await new Tour(output).RunAsync(stop.Token);
                case ["serve", .. var rest]:
                    if (ServeOptions.Parse(rest, out var problem) is not { } options)
                    {
                        await error.WriteLineAsync($"serve: {problem}. `help` lists what there is.");
                        return 1;
                    }
                    return await Serve.RunAsync(options, Console.In, output, stop.Token);
                case ["kill-test", "tts", .. var rest]:
                    if (KillTestOptionsOf(rest) is not { } killTts)
                    {
                        await error.WriteLineAsync("kill-test tts: --kills, --seed and --devices take a number. `help` lists what there is.");
                        return 1;
                    }
                    return await ShowAsync(await new TtsKillTest(killTts with { Failures = killTts.Failures / 3 }, output).RunAsync(stop.Token), output);
                case ["kill-test", .. var rest]:
                    if (KillTestOptionsOf(rest) is not { } kill)
                    {
                        await error.WriteLineAsync("kill-test: --kills, --seed and --devices take a number, --way is both, file or straight. `help` lists what there is.");
                        return 1;
                    }
                    return await ShowAsync(await new KillTest(kill, output).RunAsync(stop.Token), output);
                case ["fault-run", .. var rest]:
                    return await FaultRunCommand.RunAsync(rest, output, error, stop.Token);
                case [] or ["help" or "--help" or "-h"]:
                    await output.WriteAsync(Help);
                    return 0;
                default:
                    await error.WriteLineAsync($"There is no command `{string.Join(' ', arguments)}`. `help` lists what there is.");
                    return 1;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await error.WriteLineAsync("Stopped.");
            return 1;
        }
        finally
        {
            Console.CancelKeyPress -= onCancel;
        }
    }

    private static async Task<int> ShowAsync(KillTestResult result, TextWriter output)
    {
        foreach (var problem in result.Problems)
            await output.WriteLineAsync(problem);
        await output.WriteLineAsync($"{result.Kills} kills, {result.Migrations} migrations with rollback, {result.Runs} runs, {result.FailedCalls} failed calls: {result.Problems.Count} problems");
        return result.Problems.Count == 0 ? 0 : 1;
    }

    private static KillTestOptions? KillTestOptionsOf(string[] words)
    {
        var options = new KillTestOptions();
        for (var i = 0; i < words.Length; i += 2)
        {
            if (words[i] == "--way" && i + 1 < words.Length && words[i + 1] is "both" or "file" or "straight")
            {
                options = options with { Way = Enum.Parse<KillTestWay>(words[i + 1], ignoreCase: true) };
                continue;
            }
            if (i + 1 == words.Length || !int.TryParse(words[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return null;
            switch (words[i])
            {
                case "--kills":
                    options = options with { Kills = number };
                    break;
                case "--seed":
                    options = options with { Seed = number };
                    break;
                case "--devices":
                    options = options with { Devices = number };
                    break;
                default:
                    return null;
            }
        }
        return options;
    }
}
