using TheThingsStack.Errors;

namespace Migration;

/// <summary>The network cannot be used: unreachable, or it refuses the user. Every other device would fail alike, so the run stops.</summary>
public sealed class SourceUnavailableException(Failure failure, Exception? inner = null) : FailureException(failure, inner);
