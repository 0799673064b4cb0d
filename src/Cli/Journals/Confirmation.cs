using Cli.CommandLine;

namespace Cli.Journals;

/// <summary>Asks before what cannot be undone by typing the same command again: a typed word on a terminal, <c>--yes</c> elsewhere.</summary>
internal static class Confirmation
{
    private const string Yes = "yes";

    public static Flag YesFlag { get; } = new(Yes, FlagKind.Switch, "Do it without asking") { Addition = true };

    /// <summary>Shows what is about to happen and returns when the user agrees.</summary>
    /// <exception cref="UsageException">The user does not agree, or cannot be asked.</exception>
    public static async Task AskAsync(Invocation invocation, string what, string word)
    {
        var environment = invocation.Environment;
        environment.StandardError.Write(what);
        if (invocation.Flags.IsOn(Yes))
            return;
        if (!environment.StandardInputIsTerminal())
            throw new UsageException($"this needs to be confirmed, and standard input is not a terminal: add --{Yes} to {word}");
        environment.StandardError.Write($"Type {Quote.Double(word)} to go on: ");
        await using var input = environment.OpenStandardInput();
        using var reader = new StreamReader(input);
        if ((await reader.ReadLineAsync(invocation.Cancellation))?.Trim() != word)
            throw new UsageException("not confirmed: nothing was done");
    }
}
