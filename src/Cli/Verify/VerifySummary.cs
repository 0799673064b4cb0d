using System.Globalization;
using Cli.Output;
using Migration.Verify;
using TheThingsStack.Errors;

namespace Cli.Verify;

/// <summary>How a verification ended: counts first, then what to do.</summary>
internal static class VerifySummary
{
    public static void Write(TextWriter error, VerifyTally tally, VerifyEnd? end, Failure? stopped, VerifyInput input, int unmarked, string? notAsked, string? onBoth, string? retire)
    {
        if (stopped is not null)
            FailurePrinter.Write(error, stopped);
        error.Write((stopped, end) switch
        {
            ({ }, _) => "Summary (stopped before the end)\n",
            (_, { Interrupted: true }) => "Summary (interrupted)\n",
            (_, { TimeIsUp: true }) => "Summary (the time is up)\n",
            _ => "Summary\n",
        });
        Count("arrived", tally.Done, $"of {Number(tally.Total)}");
        foreach (var state in CutOver.States)
        {
            if (tally.Count(state) is > 0 and var count)
                Count($"  {CutOver.CodeOf(state)}", count, "");
        }
        foreach (var (reason, count) in input.LeftOut)
            error.Write($"{Number(count)} of the journal left out: {reason}\n");
        if (unmarked > 0)
            error.Write($"{Number(unmarked)} devices could not be noted as verified: another run holds the journal, or it cannot be written\n");
        if (notAsked is not null)
            error.Write($"The old network was not asked: --source {notAsked} tells which devices it still answers, and has heard since.\n");
        if (onBoth is not null)
            error.Write(onBoth + "\n");
        var isFirst = true;
        foreach (var state in CutOver.States)
        {
            if (tally.Count(state) == 0 || StateTexts.Of(state).Remedy is not { } remedy)
                continue;
            error.Write(isFirst ? "Next:\n" : "");
            isFirst = false;
            error.Write($"  {CutOver.CodeOf(state)}: {(state == CutOverState.LiveOnBoth && retire is not null ? $"Retire these devices at the old network now: {retire}" : remedy)}\n");
        }

        void Count(string what, long count, string of) => error.Write($"  {what,-20}{Number(count),7} {of}".TrimEnd() + "\n");
    }

    public static void WriteJson(CliEnvironment environment, VerifyTally tally, VerifyEnd? end, Failure? stopped, VerifyInput input) =>
        JsonOutput.WriteLine(environment, json =>
        {
            json.WriteStartObject("summary"u8);
            json.WriteNumber("total"u8, tally.Total);
            json.WriteNumber("arrived"u8, tally.Done);
            json.WriteNumber("as_sent"u8, tally.AsSent);
            json.WriteNumber("joins"u8, tally.Joins);
            json.WriteStartObject("states"u8);
            foreach (var state in CutOver.States)
                json.WriteNumber(CutOver.CodeOf(state), tally.Count(state));
            json.WriteEndObject();
            if (input.LeftOut.Count > 0)
                json.WriteNumber("left_out"u8, input.LeftOut.Values.Sum());
            json.WriteBoolean("interrupted"u8, end?.Interrupted == true);
            json.WriteBoolean("time_is_up"u8, end?.TimeIsUp == true);
            if (stopped is not null)
                json.WriteString("stopped"u8, stopped.ToString());
            json.WriteEndObject();
        });

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
