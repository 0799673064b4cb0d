using System.Diagnostics;

namespace Cli.Tests;

public sealed class CompletionTests
{
    [Theory]
    [InlineData("device|--source|", "awsiot|chirpstack|firefly|ttnv2|tts|wanesy|:4")]
    [InlineData("device|--source=t", "ttnv2|tts|:4")]
    [InlineData("firefly|device|--mac-version|1.1", "1.1.0a|1.1.0b|:4")]
    [InlineData("wanesy|device|--csv-path|", ":0")]
    [InlineData("ttnv2|d", "device|:4")]
    [InlineData("ttnv2|device|", ":0")]
    [InlineData("ttnv2|device|--with", "--with-session|:4")]
    [InlineData("ttnv2|device|--with-session|--with", ":4")]
    [InlineData("ttnv2|device|--|--with", ":0")]
    [InlineData("ttnv2|device|--help|", ":4")]
    [InlineData("help|ttnv2|", "application|device|retire|:4")]
    [InlineData("completion|", "bash|fish|powershell|zsh|:4")]
    [InlineData("completion|bash|", ":4")]
    [InlineData("-", "--dev-id-prefix|--dry-run|--fail-fast|--frequency-plans-dir|--frequency-plans-url|--help|-h|--verbose|:4")]
    public async Task Words_are_completed(string typed, string answer)
    {
        var result = await CliRun.Of(["__completeNoDesc", .. typed.Split('|')]);
        Assert.Equal(answer.Replace('|', '\n') + "\n", result.Output);
    }

    [Theory]
    [InlineData("bogus|", "[Debug] [Error] unable to find a command for arguments: [bogus]")]
    [InlineData("ttnv2|device|--bogus=", "[Debug] [Error] Subcommand 'device' does not support flag 'bogus'")]
    [InlineData("ttnv2|device|--bogus|", "[Debug] [Error] Error while parsing flags from args [--bogus]: unknown flag: --bogus")]
    [InlineData("ttnv2|device|--dry-run=maybe|", "[Debug] [Error] Error while parsing flags from args [--dry-run=maybe]: invalid argument \"maybe\" for \"--dry-run\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax")]
    public async Task What_cannot_be_completed_leaves_it_to_the_shell(string typed, string note)
    {
        var result = await CliRun.Of(["__complete", .. typed.Split('|')]);
        Assert.Equal(new CliResult(0, ":0\n", note + "\nCompletion ended with directive: ShellCompDirectiveDefault\n"), result);
    }

    /// <summary>Runs the script in a real bash, with a stand-in for the program that shows the words it was called with.</summary>
    [Theory]
    [InlineData("ttn-lw-migrate ttnv2 ", 2, "", "__complete|ttnv2|")]
    [InlineData("ttn-lw-migrate ttnv2 dev", 2, "", "__complete|ttnv2|dev")]
    [InlineData("ttn-lw-migrate device --source = t", 4, "", "__complete|device|--source=t")]
    [InlineData("ttn-lw-migrate ttnv2 device --handler-address host : 19", 6, "", "__complete|ttnv2|device|--handler-address|host:19")]
    [InlineData("ttn-lw-migrate ttnv2 ", 2, "--no-descriptions", "__completeNoDesc|ttnv2|")]
    public async Task The_bash_script_hands_the_typed_words_to_the_program(string words, int cursor, string flag, string called)
    {
        if (!File.Exists("/bin/bash"))
            return;
        var script = await CliRun.Of(["completion", "bash", .. flag.Length == 0 ? Array.Empty<string>() : [flag]]);
        var program = """
            ttn-lw-migrate() { local IFS='|'; printf 'called:%s\tshown\nother\n:4\n' "$*"; }
            """;
        var quoted = string.Join(' ', words.Split(' ').Select(w => $"'{w}'"));
        var output = await BashAsync($"{program}\n{script.Output}\nCOMP_WORDS=({quoted}); COMP_CWORD={cursor}; COMP_TYPE=9; _ttn_lw_migrate; printf '%s\\n' \"${{COMPREPLY[@]}}\"");
        Assert.Equal($"called:{called}\nother\n", output);
    }

    private static async Task<string> BashAsync(string script)
    {
        using var bash = Process.Start(new ProcessStartInfo("/bin/bash", ["--norc", "-c", script]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var output = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        Assert.Equal(0, bash.ExitCode);
        return output;
    }
}
