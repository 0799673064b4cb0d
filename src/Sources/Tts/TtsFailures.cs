using Migration;
using TheThingsStack.Errors;
using TheThingsStack.Registries;

namespace Sources.Tts;

/// <summary>What failures of calls mean for a run.</summary>
internal static class TtsFailures
{
    /// <summary>The failure of one device, or of all when every other one would fail alike.</summary>
    public static FailureException Of(RegistryException e) => e.ConcernsAll ? new SourceUnavailableException(e.Failure, e) : e;
}
