// The one place that knows the real console, environment, clock and randomness.
#pragma warning disable RS0030
using System.Security.Cryptography;
using Cli;
using Cli.Input;
using Cli.Output;

return await CliApplication.RunAsync(new CliEnvironment
{
    Arguments = args,
    Variable = Environment.GetEnvironmentVariable,
    // Lambdas, since a method group would load its assembly at each start.
    OpenStandardInput = () => Console.OpenStandardInput(),
    StandardInputIsTerminal = () => !Console.IsInputRedirected,
    ReadHiddenLine = () => HiddenLine.Read(static () => Console.ReadKey(intercept: true)),
    StandardOutput = StandardStreams.OpenOutput(),
    StandardOutputIs = StandardStreams.OutputIs,
    StandardError = StandardStreams.OpenError(),
    StandardErrorIsTerminal = () => !Console.IsErrorRedirected,
    StandardErrorWidth = () => Console.WindowWidth,
    OpenFile = path => File.OpenRead(path),
    CreateFile = path => File.Create(path),
    Clock = TimeProvider.System,
    Entropy = bytes => RandomNumberGenerator.Fill(bytes),
    OnInterrupt = Interrupts.Register,
});
