using TheThingsStack.Errors;

namespace Cli;

/// <summary>
/// What a command tells its caller. The commands that the Go tool has keep 0 and 1; the others use all of these, and a caller should
/// take an unknown code for a failure.
/// </summary>
internal static class ExitCode
{
    /// <summary>Everything was done.</summary>
    public const int Done = 0;

    /// <summary>Failed.</summary>
    public const int Failed = 1;

    /// <summary>The command line is wrong; nothing was done.</summary>
    public const int Usage = 2;

    /// <summary>Finished, but some devices need attention.</summary>
    public const int NeedsAttention = 3;

    /// <summary>The network does not accept the key.</summary>
    public const int NotAuthorised = 4;

    /// <summary>Stopped by the user; devices in hand were finished.</summary>
    public const int Interrupted = 130;

    /// <summary>The code for a failure that ended the command.</summary>
    public static int Of(Failure failure)
    {
        for (var link = failure; link is not null; link = link.Cause)
        {
            if (link.NotAuthorised)
                return NotAuthorised;
        }
        return Failed;
    }
}
