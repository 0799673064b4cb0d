using Cli.CommandLine;

namespace Cli.Commands;

/// <summary><c>completion SHELL</c> prints a script; the scripts call <c>__complete</c>.</summary>
internal static class CompletionCommand
{
    private const string NoDescriptions = "no-descriptions";

    public static Command Create() => new("completion", "Generate the autocompletion script for the specified shell")
    {
        Description = "Print a script that lets a shell complete the commands, flags and values of ttn-lw-migrate.\nThe help of each command below says where to put it.",
        CompleteArguments = static (_, _) => [],
        Children =
        [
            ForShell("bash", CompletionScripts.Bash, """
                For this shell session:

                	source <(ttn-lw-migrate completion bash)

                For every session to come (bash 4 or newer; start a new shell afterwards):

                	ttn-lw-migrate completion bash > ~/.local/share/bash-completion/completions/ttn-lw-migrate

                Without the bash-completion package, add the first line to ~/.bashrc instead.
                """),
            ForShell("zsh", CompletionScripts.Zsh, """
                For this shell session:

                	source <(ttn-lw-migrate completion zsh)

                For every session to come, into a folder of $fpath (start a new shell afterwards):

                	ttn-lw-migrate completion zsh > "${fpath[1]}/_ttn-lw-migrate"

                Completion must be on: "autoload -U compinit; compinit" in ~/.zshrc.
                """),
            ForShell("fish", CompletionScripts.Fish, """
                For this shell session:

                	ttn-lw-migrate completion fish | source

                For every session to come:

                	ttn-lw-migrate completion fish > ~/.config/fish/completions/ttn-lw-migrate.fish
                """),
            ForShell("powershell", CompletionScripts.PowerShell, """
                For this shell session:

                	ttn-lw-migrate completion powershell | Out-String | Invoke-Expression

                For every session to come, add that line to your profile (its path is in $PROFILE).
                """),
        ],
    };

    public static Command CreateProtocol(string name, bool withDescriptions) => new(name, "Request shell completion choices for the specified command-line")
    {
        Hidden = true,
        TakesFlagsAsArguments = true,
        RunAsync = invocation => AnswerAsync(invocation, withDescriptions),
    };

    private static Command ForShell(string shell, Func<bool, string> script, string howTo) =>
        new(shell, $"Generate the autocompletion script for {shell}")
        {
            Description = $"Print the completion script for {shell}.\n\n{howTo}",
            ShowsFlagsInUsage = false,
            TakesNoArguments = true,
            CompleteArguments = static (_, _) => [],
            FlagFactory = static () => [new(NoDescriptions, FlagKind.Switch, "disable completion descriptions")],
            RunAsync = invocation =>
            {
                CliApplication.WriteOutput(invocation.Environment, script(!invocation.Flags.IsOn(NoDescriptions)));
                return Task.FromResult(0);
            },
        };

    private static Task<int> AnswerAsync(Invocation invocation, bool withDescriptions)
    {
        if (invocation.Arguments.Count == 0)
            throw new UsageException("requires at least 1 arg(s), only received 0");
        var (output, notes) = Completion.Answer(invocation.Command.Root, invocation.Arguments, withDescriptions);
        CliApplication.WriteOutput(invocation.Environment, output);
        invocation.Environment.StandardError.Write(notes);
        return Task.FromResult(0);
    }
}
