using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Testing;

/// <summary>One recorded row: where it stands and what it says.</summary>
public sealed record GoldenRow(string File, int Number, JsonElement Json)
{
    /// <summary>Gives a string member, or null.</summary>
    public string? Text(string member) =>
        Json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>Says where the row stands.</summary>
    public override string ToString() => $"{File}:{Number}";
}

/// <summary>
/// The recorded truth in the folder of the environment variable GOLDEN_DIR, by default ../shared/golden beside the repository.
/// A missing file is a failure when CI=true and an empty run elsewhere.
/// </summary>
public static class Golden
{
    /// <summary>Root folder of the repository.</summary>
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    /// <summary>Folder that holds the recorded rows.</summary>
    public static string Folder { get; } =
        Environment.GetEnvironmentVariable("GOLDEN_DIR") is { Length: > 0 } folder
            ? Path.GetFullPath(folder, RepositoryRoot)
            : Path.Combine(RepositoryRoot, "..", "shared", "golden");

    /// <summary>Path of one file; throws when it is missing in CI.</summary>
    public static string? PathOf(string file)
    {
        var path = Path.Combine(Folder, file);
        if (File.Exists(path))
            return path;
        if (Environment.GetEnvironmentVariable("CI") == "true")
            throw new FileNotFoundException($"Golden file {file} is missing in {Folder}; set GOLDEN_DIR.", path);
        return null;
    }

    /// <summary>Reads the rows of a .jsonl.gz file.</summary>
    public static IEnumerable<GoldenRow> Rows(string file)
    {
        if (PathOf(file) is not { } path)
            yield break;
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress), Encoding.UTF8);
        var number = 0;
        while (reader.ReadLine() is { } line)
        {
            number++;
            if (line.Length == 0)
                continue;
            using var document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 20_000 });
            yield return new GoldenRow(file, number, document.RootElement.Clone());
        }
    }

    /// <summary>
    /// Runs a check over every row, names each row that fails, and reports how many rows ran (also to artifacts/golden-rows/).
    /// A check returns null when the row holds, or what is wrong.
    /// </summary>
    public static void Check(string file, Action<string> print, Func<GoldenRow, string?> check, string? part = null)
    {
        var rows = 0;
        var failures = new List<string>();
        foreach (var row in Rows(file))
        {
            rows++;
            string? problem;
            try
            {
                problem = check(row);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                problem = $"{e.GetType().Name}: {e.Message}";
            }
            if (problem is not null)
                failures.Add($"{row}: {problem}");
        }
        Report(file, rows, failures.Count, print, part);
        Assert.True(failures.Count == 0, $"{failures.Count} of {rows} rows of {file} fail:\n" + string.Join('\n', failures.Take(20)));
    }

    /// <summary>Prints the count of rows run, and keeps it for the end of .ci/run.</summary>
    public static void Report(string file, int rows, int failed, Action<string> print, string? part = null)
    {
        var text = $"golden {file}{(part is null ? "" : $" ({part})")}: {rows} rows run, {failed} failed";
        print(text);
        var folder = Path.Combine(RepositoryRoot, "artifacts", "golden-rows");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, $"{file}{(part is null ? "" : "." + part.Replace(' ', '-'))}.txt"), text + "\n");
    }

    /// <summary>Up from where the tests were built; the paths in a build of CI say nothing about this machine.</summary>
    private static string FindRepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "ttn-lw-migrate.slnx")))
                return folder.FullName;
        }
        throw new InvalidOperationException($"no ttn-lw-migrate.slnx above {AppContext.BaseDirectory}");
    }
}
