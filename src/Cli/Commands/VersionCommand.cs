using System.Runtime.InteropServices;
using System.Text;
using Cli.CommandLine;

namespace Cli.Commands;

/// <summary><c>version</c>: what was built, from what, and what it runs on.</summary>
internal static class VersionCommand
{
    public static Task<int> RunAsync(Invocation invocation)
    {
        var system = OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        var machine = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => "amd64",
            Architecture.Arm64 => "arm64",
            var other => other.ToString(),
        };
        var commit = BuildInformation.Commit.Length == 0 ? "" : Row("Git commit:", BuildInformation.Commit);
        CliApplication.WriteOutput(
            invocation.Environment,
            $"{CommandTree.ProgramSummary}: {CommandTree.ProgramName}\n{Row("Version:", BuildInformation.Version)}{commit}"
            + $"{Row(".NET version:", Environment.Version.ToString())}{Row("OS/Arch:", $"{system}/{machine}")}");
        return Task.FromResult(0);
    }

    private static string Row(string name, string value) => new StringBuilder().AppendColumn(name, 21).Append(value).Append('\n').ToString();
}
