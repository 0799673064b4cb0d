namespace TheThingsStack.Json;

/// <summary>A JSON text, or a message, that the dialect of The Things Stack does not allow.</summary>
public sealed class TtsJsonException(string reason, string path = "", long line = 0, string? rule = null)
    : Exception((line > 0 ? $"line {line}: " : "") + (path.Length > 0 ? $"{path}: " : "") + reason)
{
    /// <summary>Why it is refused; never contains a key.</summary>
    public string Reason { get; } = reason;

    /// <summary>Path of the member, e.g. <c>mac_settings.rx1_delay</c>; empty for the whole object.</summary>
    public string Path { get; } = path;

    /// <summary>Line in the input, from 1; 0 when unknown.</summary>
    public long Line { get; } = line;

    /// <summary>R1 to R8 of facts/tts-json.md section 10 when the reader is stricter than The Things Stack; null otherwise.</summary>
    public string? Rule { get; } = rule;

    /// <summary>The text ended too early: more of it may help.</summary>
    internal bool IsIncomplete { get; init; }
}
