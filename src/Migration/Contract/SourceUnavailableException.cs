using TheThingsStack.Errors;

namespace Migration;

/// <summary>The network cannot be used: unreachable, or it refuses the user. Every other device would fail alike, so the run stops.</summary>
public sealed class SourceUnavailableException(Failure failure, Exception? inner = null) : FailureException(failure, inner);

/// <summary>The network has no such device. Nothing else is wrong.</summary>
public sealed class DeviceNotFoundException(Failure failure, Exception? inner = null) : FailureException(failure, inner);
