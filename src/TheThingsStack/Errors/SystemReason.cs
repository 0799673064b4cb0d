namespace TheThingsStack.Errors;

/// <summary>Words for what the operating system refused, as system tools have them.</summary>
public static class SystemReason
{
    /// <summary>Gives the reason without the path, e.g. <c>no such file or directory</c>.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="path">What was to be opened; null when it is not known.</param>
    public static string Of(Exception exception, string? path = null) => exception switch
    {
        FileNotFoundException or DirectoryNotFoundException => "no such file or directory",
        // .NET cannot tell the two apart.
        UnauthorizedAccessException when Directory.Exists(path) => "is a directory",
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
