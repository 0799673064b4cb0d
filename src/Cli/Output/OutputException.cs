using TheThingsStack.Errors;

namespace Cli.Output;

/// <summary>Standard output cannot be written: closed, full, gone.</summary>
internal sealed class OutputException(IOException inner) : Exception(inner.Message, inner)
{
    /// <summary>The failure to print.</summary>
    public Failure Failure { get; } = new($"write standard output: {SystemReason.Of(inner)}");
}

/// <summary>Words for what the operating system refused, as system tools have them.</summary>
internal static class SystemReason
{
    /// <summary>Gives the reason without the path, e.g. <c>no such file or directory</c>.</summary>
    public static string Of(Exception exception) => exception switch
    {
        FileNotFoundException or DirectoryNotFoundException => "no such file or directory",
        UnauthorizedAccessException => "permission denied",
        _ => Trim(exception.Message),
    };

    /// <summary>.NET says "No space left on device : '/path'".</summary>
    private static string Trim(string message)
    {
        var end = message.IndexOf(" : '", StringComparison.Ordinal);
        var text = (end < 0 ? message : message[..end]).TrimEnd('.');
        return text.Length > 1 && char.IsLower(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;
    }
}
