using Cli.CommandLine;
using Cli.Networks;
using Cli.Output;
using Migration.Journal;
using TheThingsStack.Errors;

namespace Cli.Journals;

/// <summary>Which journal a command is about: the one named with <c>--journal</c>, else one in the user's state folder.</summary>
internal static class JournalFiles
{
    public const string Journal = "journal";

    /// <summary>The flag of every command that uses a journal.</summary>
    public static Flag JournalFlag { get; } = new(Journal, FlagKind.Text, "Journal of the migration (default: a file in your state folder, named after source, network and application)")
    {
        Addition = true,
    };

    /// <summary>The folder of the user's journals.</summary>
    public static string Folder(CliEnvironment environment) => JournalLocation.StateFolder(environment.Variable, OperatingSystem.IsWindows());

    /// <summary>The journal of a migration.</summary>
    public static string For(CliEnvironment environment, FlagValues flags, JournalScope scope, string application) =>
        flags.TextOrNull(Journal) is { } file ? Path.GetFullPath(file) : Path.Combine(Folder(environment), JournalLocation.FileName(scope, application));

    /// <summary>Makes sure that a file that is about to be emptied is no journal: it may be the only place of keys.</summary>
    /// <param name="invocation">The command.</param>
    /// <param name="path">The file.</param>
    /// <param name="flag">The flag that names it.</param>
    /// <exception cref="UsageException">It is a journal.</exception>
    public static void RequireNone(Invocation invocation, string path, string flag)
    {
        var isJournal = invocation.Flags.TextOrNull(Journal) is { } journal && Path.GetFullPath(journal) == Path.GetFullPath(path);
        if (isJournal || JournalReader.IsJournal(path))
            throw new UsageException($"--{flag} names a journal, {path}, which would be lost", "give it another name");
    }

    /// <summary>The journal to look at: the named one, that of the configured application, or the only one there is.</summary>
    /// <exception cref="FailureException">There is none, or there are several.</exception>
    public static string Choose(CliEnvironment environment, FlagValues flags)
    {
        if (flags.TextOrNull(Journal) is { } file)
            return Path.GetFullPath(file);
        var folder = Folder(environment);
        var files = JournalLocation.List(folder);
        if (files.Count == 1)
            return files[0];
        foreach (var source in SourceRegistry.All)
        {
            if (source.Journal is not { } support)
                continue;
            var values = new SourceFlags(source.Name, flags, environment);
            var configured = Path.Combine(folder, JournalLocation.FileName(new JournalScope(source.Name, support.Server(values)), support.Application(values)));
            if (support.Application(values).Length > 0 && files.Contains(configured))
                return configured;
        }
        throw new FailureException(files.Count == 0
            ? Failure.Named("journal", "not_found", $"no journal in `{folder}`") with
            {
                Advice = "a journal is written by an export that is not a dry run; name one that is elsewhere with --journal FILE",
            }
            : Failure.Named("journal", "several", $"there are {files.Count} journals in `{folder}`") with
            {
                Advice = $"name one with --journal FILE: {string.Join(", ", files.Select(NextCommand.Shell))}",
            });
    }
}
