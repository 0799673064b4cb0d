using Cli.CommandLine;
using TheThingsStack.Errors;
using TheThingsStack.Json;

namespace Cli.Commands;

/// <summary>The devices file of a command: a file that is named, or standard input.</summary>
internal sealed record DeviceFile(string Name, Stream Stream) : IAsyncDisposable
{
    /// <summary>Makes sure that a file that is about to be replaced is not the one with the devices.</summary>
    /// <exception cref="UsageException">It is.</exception>
    public static void RequireOther(Invocation invocation, string path, string flag)
    {
        if (invocation.Arguments is [not "-" and var devices] && Path.GetFullPath(devices) == Path.GetFullPath(path))
            throw new UsageException($"--{flag} names the file of the devices, {path}, which would be lost", "give it another name");
    }

    /// <summary>Opens the one file that the arguments name; none, or <c>-</c>, is standard input.</summary>
    /// <exception cref="FailureException">More than one file, or it cannot be opened.</exception>
    public static DeviceFile Open(Invocation invocation)
    {
        if (invocation.Arguments.Count > 1)
            throw new UsageException($"one file at a time, not {invocation.Arguments.Count}");
        if (invocation.Arguments is [""])
            throw new UsageException("the name of the file is empty: was a variable not set?");
        var name = invocation.Arguments is [var given] && given != "-" ? given : null;
        if (name is null)
            return new DeviceFile("standard input", invocation.Environment.OpenStandardInput());
        try
        {
            return new DeviceFile(name, invocation.Environment.OpenFile(name));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FailureException(new Failure($"open {name}: {SystemReason.Of(e, name)}"), e);
        }
    }

    /// <summary>The file cannot be read further.</summary>
    public Failure Unreadable(TtsJsonException problem) => new($"{Name}: {problem.Message}")
    {
        Advice = "The devices before that place are done; correct the file and run again.",
    };

    public ValueTask DisposeAsync() => Stream.DisposeAsync();
}
