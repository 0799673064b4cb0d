using System.Diagnostics;

namespace Sandbox.Commands;

/// <summary>What a run of the tool left behind.</summary>
/// <param name="ExitCode">Exit code.</param>
/// <param name="Stderr">What it printed.</param>
/// <param name="Lines">The lines of the file that stdout was redirected to.</param>
public sealed record ToolResult(int ExitCode, string Stderr, IReadOnlyList<string> Lines);

/// <summary>Runs the built ttn-lw-migrate as a shell would, in a folder of its own.</summary>
public sealed class ToolRun(string folder, IDictionary<string, string> variables)
{
    /// <summary>
    /// The program as built: <c>artifacts/bin/Cli/CONFIGURATION</c>. The copy beside the sandbox would not do: it lacks the libraries that
    /// ASP.NET brings along.
    /// </summary>
    public static string Program { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Cli", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "ttn-lw-migrate.dll"));

    /// <summary>Starts the program as built, or the published one that the environment variable TTN_LW_MIGRATE names.</summary>
    public static ProcessStartInfo StartInfo(IEnumerable<string> arguments) =>
        Environment.GetEnvironmentVariable("TTN_LW_MIGRATE") is { Length: > 0 } published
            ? new ProcessStartInfo(Path.GetFullPath(published), arguments)
            : new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Program, .. arguments]);

    /// <summary>Runs <c>ttn-lw-migrate ARGUMENTS [&lt; input] &gt; output</c>.</summary>
    public async Task<ToolResult> RunAsync(IReadOnlyList<string> arguments, string? input, string output, CancellationToken cancellation)
    {
        var start = StartInfo(arguments);
        start.UseShellExecute = false;
        start.WorkingDirectory = folder;
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        // What the user has set for other networks, and a proxy, must not lead anywhere else.
        foreach (var name in start.Environment.Keys.Where(IsOfTool).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        // The journal goes into the folder too, not into the user's.
        start.Environment["XDG_STATE_HOME"] = folder;
        start.Environment["LOCALAPPDATA"] = folder;

        using var process = Process.Start(start) ?? throw new InvalidOperationException("the tool did not start");
        try
        {
            var stderr = process.StandardError.ReadToEndAsync(cancellation);
            await using (var file = File.Create(Path.Combine(folder, output)))
            {
                var copy = process.StandardOutput.BaseStream.CopyToAsync(file, cancellation);
                if (input is not null)
                    await process.StandardInput.WriteAsync(await File.ReadAllTextAsync(Path.Combine(folder, input), cancellation));
                process.StandardInput.Close();
                await copy;
            }
            await process.WaitForExitAsync(cancellation);
            return new ToolResult(process.ExitCode, await stderr, await File.ReadAllLinesAsync(Path.Combine(folder, output), cancellation));
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }

    private static bool IsOfTool(string variable) =>
        variable.StartsWith("TTNV2_", StringComparison.Ordinal) || variable.StartsWith("TTNV3_", StringComparison.Ordinal) || variable.StartsWith("TTS_", StringComparison.Ordinal)
        || variable.StartsWith("FREQUENCY_PLAN", StringComparison.Ordinal) || variable.EndsWith("_PROXY", StringComparison.OrdinalIgnoreCase);
}
