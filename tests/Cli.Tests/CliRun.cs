using System.Text;
using Cli.Commands;
using Cli.Networks;
using Microsoft.Extensions.Time.Testing;
using Testing;

namespace Cli.Tests;

/// <summary>What a command line came to.</summary>
public sealed record CliResult(int ExitCode, string Output, string Error);

/// <summary>Runs the program in this process in a world made for the test.</summary>
public sealed class CliRun(params IReadOnlyList<string> arguments)
{
    private volatile Action? _interrupt;

    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    public byte[] Input { get; init; } = [];

    public bool InputIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    /// <summary>What is typed where nothing is shown; null when nobody is there.</summary>
    public Func<string?>? HiddenLine { get; init; }

    /// <summary>Whether standard output goes to the screen of standard error; both are in the error of the result then.</summary>
    public bool IsOneScreen { get; init; }

    public int Width { get; init; } = 80;

    /// <summary>Files by name; others do not exist.</summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; init; } = new Dictionary<string, byte[]>();

    /// <summary>Creates a file that the program writes; by default one on the disk.</summary>
    public Func<string, Stream> CreateFile { get; init; } = File.Create;

    /// <summary>Puts a file in the place of another one; by default on the disk.</summary>
    public Action<string, string> ReplaceFile { get; init; } = (from, to) => File.Move(from, to, overwrite: true);

    /// <summary>Folder for journals; by default one for this run alone.</summary>
    public string? StateFolder { get; init; }

    /// <summary>Replaces the stream that keeps the output.</summary>
    public Stream? Output { get; init; }

    /// <summary>Whether standard output goes into a file.</summary>
    public Func<string, bool> OutputIs { get; init; } = _ => false;

    /// <summary>Networks to use instead of the real ones.</summary>
    internal IReadOnlyList<SourceDefinition> Sources { get; init; } = SourceRegistry.All;

    public Func<HttpMessageHandler>? HttpHandler { get; init; }

    public TimeProvider Clock { get; init; } = new FakeTimeProvider();

    /// <summary>What a Ctrl-C does once the program listens.</summary>
    public void Interrupt() => (_interrupt ?? throw new InvalidOperationException("the program does not listen for Ctrl-C"))();

    public static Task<CliResult> Of(params IReadOnlyList<string> arguments) => new CliRun(arguments).RunAsync();

    public async Task<CliResult> RunAsync(CancellationToken cancellation = default)
    {
        using var kept = new MemoryStream();
        using var folder = new TemporaryFolder();
        var state = StateFolder ?? folder.Path;
        await using var error = new StringWriter { NewLine = "\n" };
        var exitCode = await CliApplication.RunAsync(
            new CliEnvironment
            {
                Arguments = arguments,
                Variable = name => Variables.GetValueOrDefault(name) ?? (name is "XDG_STATE_HOME" or "LOCALAPPDATA" ? state : null),
                OpenStandardInput = () => new MemoryStream(Input),
                StandardInputIsTerminal = () => InputIsTerminal,
                ReadHiddenLine = HiddenLine,
                StandardOutput = Output ?? (IsOneScreen ? new Screen(error) : kept),
                StandardOutputIs = OutputIs,
                StandardError = TextWriter.Synchronized(error),
                StandardErrorIsTerminal = () => ErrorIsTerminal,
                StandardErrorWidth = () => Width,
                CreateFile = CreateFile,
                ReplaceFile = ReplaceFile,
                OpenFile = path => Files.TryGetValue(path, out var bytes) ? new MemoryStream(bytes) : throw new FileNotFoundException("no such file", path),
                HttpHandler = HttpHandler,
                Clock = Clock,
                Entropy = bytes => bytes.Fill(0x5A),
                OnInterrupt = handler =>
                {
                    _interrupt = handler;
                    return new Registration(() => _interrupt = null);
                },
            },
            CommandTree.Create(Sources),
            cancellation);
        return new CliResult(exitCode, Encoding.UTF8.GetString(kept.ToArray()), error.ToString());
    }

    private sealed class Screen(TextWriter shown) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => shown.Write(Encoding.UTF8.GetString(buffer));

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }

    private sealed class Registration(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
