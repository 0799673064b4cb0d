using System.Diagnostics.CodeAnalysis;

namespace TheThingsStack.Registries;

/// <summary>A key or token of The Things Stack, <c>TYPE.ID.SECRET</c> (facts/tts-api.md section 1). Prints without the secret.</summary>
public sealed class ApiKey
{
    private readonly string text;

    private ApiKey(string text) => this.text = text;

    /// <summary>Reads a key as people paste it: with white space around, quotes, or the word Bearer before it.</summary>
    /// <param name="text">What the user gave.</param>
    /// <param name="key">The key.</param>
    /// <param name="reason">When it cannot be one: what is wrong, without the text itself.</param>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ApiKey? key, [NotNullWhen(false)] out string? reason)
    {
        key = null;
        var bare = (text ?? "").Trim().Trim('"', '\'').Trim();
        if (bare.StartsWith("bearer ", StringComparison.OrdinalIgnoreCase))
            bare = bare["bearer ".Length..].Trim();
        reason = Problem(bare);
        if (reason is not null)
            return false;
        key = new ApiKey(bare);
        return true;
    }

    /// <summary>The key as it is sent.</summary>
    public string Reveal() => text;

    /// <summary>Type and ID: what the Console lists. Never the secret.</summary>
    public override string ToString() => $"{text[..text.LastIndexOf('.')]}.***";

    private static string? Problem(string bare)
    {
        if (bare.Length == 0)
            return "the API key is empty";
        if (bare.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return "the API key has a space or a character in it that no key has";
        var parts = bare.Split('.');
        return parts.Length == 3 && Array.TrueForAll(parts, static part => part.Length > 0)
            ? null
            : $"the API key is not one: a key has three parts with dots between, like NNSXS.ABC.DEF, this one has {parts.Length}";
    }
}
