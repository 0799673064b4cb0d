using Migration;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Sources.Tts;

/// <summary>What failures of calls mean for a run.</summary>
internal static class TtsFailures
{
    /// <summary>The failure of one device, or of all when every other one would fail alike.</summary>
    public static FailureException Of(RegistryException e) => e.ConcernsAll ? new SourceUnavailableException(e.Failure, e) : e;

    /// <summary>Paths that a server refused to be asked for; none when that was not the reason.</summary>
    public static IReadOnlyCollection<string> ForbiddenPaths(RegistryException e) =>
        e.ErrorName == "pkg/rpcmiddleware/validator:field_mask_paths" && e.Failure.Attributes.TryGetValue("forbidden_paths", out var list)
            ? list.Trim('[', ']').Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : [];
}
