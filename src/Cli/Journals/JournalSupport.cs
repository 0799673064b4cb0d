using Cli.Networks;
using Migration;
using Migration.Journal;

namespace Cli.Journals;

/// <summary>How a source whose devices can be retired and restored works with journals.</summary>
/// <param name="Server">Names the network that the flags mean, e.g. by its discovery address; part of the journal's name.</param>
/// <param name="Application">The application that the flags mean; may be empty.</param>
/// <param name="Open">Makes the source for a journal, without what only an export needs. Calls no one.</param>
internal sealed record JournalSupport(
    Func<SourceFlags, string> Server,
    Func<SourceFlags, string> Application,
    Func<SourceFlags, SourceContext, JournalScope, IDeviceSource> Open)
{
    /// <summary>Whether the user named the network, so that it has to be the one of the journal.</summary>
    public required Func<SourceFlags, bool> IsServerGiven { get; init; }
}
