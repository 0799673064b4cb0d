// The one place that knows the real console, environment, clock and randomness.
#pragma warning disable RS0030
using System.Security.Cryptography;
using Cli;
using Cli.Output;

return await CliApplication.RunAsync(new CliEnvironment
{
    Arguments = args,
    Variable = Environment.GetEnvironmentVariable,
    OpenStandardInput = Console.OpenStandardInput,
    StandardInputIsTerminal = () => !Console.IsInputRedirected,
    StandardOutput = StandardStreams.OpenOutput(),
    StandardError = StandardStreams.OpenError(),
    StandardErrorIsTerminal = () => !Console.IsErrorRedirected,
    StandardErrorWidth = () => Console.WindowWidth,
    OpenFile = File.OpenRead,
    CreateFile = File.Create,
    Clock = TimeProvider.System,
    Entropy = RandomNumberGenerator.Fill,
    OnInterrupt = Interrupts.Register,
});
