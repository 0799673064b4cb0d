using System.Text;
using System.Text.Json;
using Cli.CommandLine;
using TheThingsStack.Errors;

namespace Cli.Input;

/// <summary><c>--ids-from FILE</c>: IDs from a list, one per line, or from a rejects file (JSON lines with <c>device_id</c>).</summary>
internal static class IdsFile
{
    public const string Name = "ids-from";

    public static Flag Flag { get; } = new(Name, FlagKind.Text, "File with the device IDs: one per line, or the file that --rejects wrote") { Addition = true };

    /// <summary>
    /// The IDs of a command that is about all devices when it is given none: the arguments and those of the file. Null means all. A list that is
    /// there and empty, such as the rejects of a run without failures, never does; neither does an argument that is empty.
    /// </summary>
    /// <exception cref="UsageException">An argument is empty, as a variable is that was not set.</exception>
    public static async Task<IReadOnlyList<string>?> IdsAsync(Invocation invocation)
    {
        if (invocation.Arguments.Any(static id => id.Length == 0))
            throw new UsageException("a device ID is empty: was a variable not set?", "without any ID the command is about all devices of the journal");
        var listed = await ReadAsync(invocation);
        if (invocation.Arguments.Count == 0 && listed is null)
            return null;
        IReadOnlyList<string> ids = [.. invocation.Arguments, .. listed ?? []];
        if (ids.Count == 0)
            invocation.Environment.StandardError.Write($"note: no IDs in {Output.FailurePrinter.OneLine(invocation.Flags.Text(Name))}, nothing to do\n");
        return ids;
    }

    /// <summary>The IDs of the file; null when none is named.</summary>
    /// <exception cref="FailureException">The file cannot be read.</exception>
    public static async Task<IReadOnlyList<string>?> ReadAsync(Invocation invocation)
    {
        if (invocation.Flags.TextOrNull(Name) is not { } path)
            return null;
        byte[] content;
        try
        {
            await using var file = invocation.Environment.OpenFile(path);
            using var memory = new MemoryStream();
            await file.CopyToAsync(memory, invocation.Cancellation);
            content = memory.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new FailureException(new Failure($"open {path}: {SystemReason.Of(e, path)}") { Advice = $"The path comes from --{Name}." }, e);
        }
        if (content.AsSpan().TrimStart(" \t\r\n"u8) is not [(byte)'{', ..])
            return await IdList.ReadAsync(new MemoryStream(content), path, text => invocation.Environment.StandardError.Write($"note: {text}\n"), invocation.Cancellation);
        var ids = new List<string>();
        var number = 0;
        foreach (var line in Encoding.UTF8.GetString(content).Split('\n'))
        {
            number++;
            if (line.AsSpan().Trim().IsEmpty)
                continue;
            ids.Add(DeviceId(line) ?? throw new FailureException(new Failure($"{path}:{number}: not a line of a rejects file: no `device_id`") { Advice = "name the file that --rejects wrote, or a list with one ID per line" }));
        }
        return ids;
    }

    private static string? DeviceId(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("device_id"u8, out var id) ? id.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
