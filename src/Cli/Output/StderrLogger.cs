using Microsoft.Extensions.Logging;

namespace Cli.Output;

/// <summary>Writes log lines to standard error: <c>debug: text</c>. Warnings always, everything with <c>--verbose</c>.</summary>
internal sealed class StderrLogger(StatusWriter status, bool verbose) : ILogger
{
    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= (verbose ? LogLevel.Debug : LogLevel.Warning) && logLevel != LogLevel.None;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
            return;
        var level = logLevel switch
        {
            LogLevel.Trace or LogLevel.Debug => "debug",
            LogLevel.Information => "info",
            LogLevel.Warning => "warning",
            _ => "error",
        };
        status.WriteLine($"{level}: {FailurePrinter.OneLine(formatter(state, exception))}{(exception is null ? "" : $" ({exception.GetType().Name}: {FailurePrinter.OneLine(exception.Message)})")}");
    }
}
