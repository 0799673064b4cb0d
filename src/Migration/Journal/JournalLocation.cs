using System.Text;

namespace Migration.Journal;

/// <summary>
/// Where journals are: <c>%LOCALAPPDATA%\ttn-lw-migrate</c> on Windows, elsewhere <c>$XDG_STATE_HOME/ttn-lw-migrate</c> or
/// <c>~/.local/state/ttn-lw-migrate</c>. One file per source, network and application.
/// </summary>
public static class JournalLocation
{
    private const string Extension = ".journal";
    private const string Folder = "ttn-lw-migrate";

    /// <summary>The folder of the user's journals, from the environment handed in.</summary>
    /// <param name="environment">Gives an environment variable, or null.</param>
    /// <param name="isWindows">Which rules apply.</param>
    /// <exception cref="TheThingsStack.Errors.FailureException">No variable names a home.</exception>
    public static string StateFolder(Func<string, string?> environment, bool isWindows)
    {
        if (isWindows)
        {
            var local = environment("LOCALAPPDATA");
            return string.IsNullOrEmpty(local) ? throw JournalFailures.NoStateFolder() : Path.Combine(local, Folder);
        }
        // A relative XDG path is invalid by its specification and is ignored.
        if (environment("XDG_STATE_HOME") is { Length: > 0 } state && Path.IsPathRooted(state))
            return Path.Combine(state, Folder);
        return environment("HOME") is { Length: > 0 } home
            ? Path.Combine(home, ".local", "state", Folder)
            : throw JournalFailures.NoStateFolder();
    }

    /// <summary>Name of the journal of one migration, e.g. <c>ttnv2_discovery.thethings.network-1900_my-app.journal</c>.</summary>
    public static string FileName(JournalScope scope, string application)
    {
        var name = new StringBuilder(scope.Source);
        foreach (var part in (ReadOnlySpan<string>)[scope.Server, application])
        {
            if (part.Length == 0)
                continue;
            name.Append('_');
            foreach (var c in part)
                name.Append(char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' ? c : '-');
        }
        return name.Append(Extension).ToString();
    }

    /// <summary>The journals in a folder, sorted by name; empty when there is no such folder.</summary>
    public static IReadOnlyList<string> List(string folder) =>
        Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*" + Extension).Order(StringComparer.Ordinal)] : [];
}
