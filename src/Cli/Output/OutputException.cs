using TheThingsStack.Errors;

namespace Cli.Output;

/// <summary>Standard output cannot be written: closed, full, gone.</summary>
internal sealed class OutputException(IOException inner) : Exception(inner.Message, inner)
{
    /// <summary>The failure to print.</summary>
    public Failure Failure { get; } = new($"write standard output: {SystemReason.Of(inner)}");
}
