namespace Cli;

/// <summary>Fills a span with bytes that nobody can guess.</summary>
public delegate void RandomBytes(Span<byte> bytes);

/// <summary>The world outside as the command line sees it. Only <c>Program</c> makes one from the real console; tests make their own.</summary>
public sealed class CliEnvironment
{
    /// <summary>The words after the program's name.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>Reads an environment variable; null when it is not set.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>Opens standard input.</summary>
    public required Func<Stream> OpenStandardInput { get; init; }

    /// <summary>Whether standard input is a terminal.</summary>
    public required Func<bool> StandardInputIsTerminal { get; init; }

    /// <summary>Reads a line from the terminal without showing what is typed; null at its end. Null where there is no terminal.</summary>
    public Func<string?>? ReadHiddenLine { get; init; }

    /// <summary>Standard output, unbuffered: a write that returns has reached the system, and one that failed throws.</summary>
    public required Stream StandardOutput { get; init; }

    /// <summary>Whether standard output goes into the file of this path.</summary>
    public Func<string, bool> StandardOutputIs { get; init; } = static _ => false;

    /// <summary>Standard error.</summary>
    public required TextWriter StandardError { get; init; }

    /// <summary>Whether standard error is a terminal, where a line can be rewritten.</summary>
    public required Func<bool> StandardErrorIsTerminal { get; init; }

    /// <summary>Width of that terminal in characters; asked before each line.</summary>
    public required Func<int> StandardErrorWidth { get; init; }

    /// <summary>Opens a file for reading; relative paths are relative to the current directory.</summary>
    public required Func<string, Stream> OpenFile { get; init; }

    /// <summary>Creates a file, or empties an existing one; relative paths are relative to the current directory.</summary>
    public required Func<string, Stream> CreateFile { get; init; }

    /// <summary>Puts a file in the place of another one, at once; the first has its path no more.</summary>
    public Action<string, string> ReplaceFile { get; init; } = static (from, to) => File.Move(from, to, overwrite: true);

    /// <summary>Makes the handler for frequency plans behind HTTP; null: the system's, which checks certificates. It must not follow redirects.</summary>
    public Func<HttpMessageHandler>? HttpHandler { get; init; }

    /// <summary>Time of day and timers.</summary>
    public required TimeProvider Clock { get; init; }

    /// <summary>Randomness.</summary>
    public required RandomBytes Entropy { get; init; }

    /// <summary>Calls back at each Ctrl-C (SIGINT), SIGTERM or SIGHUP until disposed; the program then no longer ends by itself.</summary>
    public required Func<Action, IDisposable> OnInterrupt { get; init; }
}
