namespace Cli.Output;

/// <summary>
/// Standard error shared by messages and a status line that is rewritten in place. The status line is shown on a terminal only, and not on one
/// that cannot erase a line (TERM=dumb).
/// Safe to use from several threads.
/// </summary>
internal sealed class StatusWriter(CliEnvironment environment)
{
    private const string EraseLine = "\r\u001b[K";
    private readonly Lock _lock = new();
    private readonly bool _isTerminal = environment.StandardErrorIsTerminal() && environment.Variable("TERM") is not "dumb";
    private bool _statusShown;

    /// <summary>Whether a status line can be shown.</summary>
    public bool IsTerminal => _isTerminal;

    /// <summary>Writes messages; the status line makes room for them.</summary>
    public void Write(Action<TextWriter> write)
    {
        lock (_lock)
        {
            Erase();
            write(environment.StandardError);
        }
    }

    /// <summary>Writes one line.</summary>
    public void WriteLine(string line) => Write(error => error.Write(line + "\n"));

    /// <summary>Shows the status line, cut at the width of the terminal.</summary>
    public void ShowStatus(string text)
    {
        if (!_isTerminal)
            return;
        lock (_lock)
        {
            var width = environment.StandardErrorWidth();
            environment.StandardError.Write(EraseLine + (width > 1 && text.Length >= width ? text[..(width - 1)] : text));
            _statusShown = true;
        }
    }

    /// <summary>Removes the status line.</summary>
    public void ClearStatus()
    {
        lock (_lock)
            Erase();
    }

    private void Erase()
    {
        if (_statusShown)
            environment.StandardError.Write(EraseLine);
        _statusShown = false;
    }
}
