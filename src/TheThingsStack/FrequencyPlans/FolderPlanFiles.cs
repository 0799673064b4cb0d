using System.Text;
using TheThingsStack.Errors;

namespace TheThingsStack.FrequencyPlans;

/// <summary>Frequency plan files in a local folder.</summary>
internal sealed class FolderPlanFiles(string folder) : IPlanFiles
{
    public string Location => folder;

    public async Task<string> ReadAsync(string file, CancellationToken cancellation)
    {
        var path = Path.Combine([folder, .. PlanFileNames.Segments(file)]);
        try
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 4096, useAsync: true);
            await using (stream.ConfigureAwait(false))
            {
                if (stream.Length > PlanFileNames.MaxBytes)
                    throw new FailureException(FrequencyPlanFailures.Fetch(file, $"{path} is larger than {PlanFileNames.MaxBytes} bytes"));
                using var reader = new StreamReader(stream, Encoding.UTF8);
                return await reader.ReadToEndAsync(cancellation).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            var advice = e is FileNotFoundException or DirectoryNotFoundException
                ? $"the folder given for the frequency plans must hold {RepositoryFrequencyPlanStore.IndexFile} and the files it names"
                : null;
            throw new FailureException(FrequencyPlanFailures.Fetch(file, $"open {path}: {SystemReason.Of(e, path)}", advice), e);
        }
    }
}
