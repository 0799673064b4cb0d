using TheThingsStack.Errors;

namespace TheThingsStack.FrequencyPlans;

/// <summary>The files of a frequency plans repository, on disk or behind HTTP.</summary>
internal interface IPlanFiles
{
    /// <summary>Where the files are, for messages.</summary>
    string Location { get; }

    /// <summary>Reads a file beside the index.</summary>
    /// <exception cref="FailureException"><c>pkg/frequencyplans:fetch</c>, or <c>pkg/fetch:scheme_specified</c>.</exception>
    Task<string> ReadAsync(string file, CancellationToken cancellation);
}

/// <summary>What both kinds of <see cref="IPlanFiles"/> ask of a file name, and how large a file may be.</summary>
internal static class PlanFileNames
{
    /// <summary>Largest file read, in bytes; the index of the snapshot has 30 KB.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>Gives the segments of a file name below the repository's folder, cleaned of <c>.</c> and <c>..</c>.</summary>
    /// <exception cref="FailureException">The name is empty, is an address, or leaves the folder.</exception>
    public static IReadOnlyList<string> Segments(string file)
    {
        if (file.Contains("://", StringComparison.Ordinal))
            throw new FailureException(FrequencyPlanFailures.SchemeSpecified(file));
        var segments = new List<string>();
        foreach (var segment in file.Split('/', '\\'))
        {
            if (segment == ".." && segments.Count == 0)
                throw new FailureException(FrequencyPlanFailures.Fetch(file, "the file lies outside the folder of the frequency plans"));
            if (segment == "..")
                segments.RemoveAt(segments.Count - 1);
            else if (segment is not ("" or "."))
                segments.Add(segment);
        }
        return segments.Count > 0 ? segments : throw new FailureException(FrequencyPlanFailures.Fetch(file, "the index names no file for this plan"));
    }
}

/// <summary>No place for files was given.</summary>
internal sealed class NoPlanFiles : IPlanFiles
{
    public string Location => "";

    public Task<string> ReadAsync(string file, CancellationToken cancellation) =>
        Task.FromException<string>(new FailureException(FrequencyPlanFailures.FetchWithoutAddress()));
}
