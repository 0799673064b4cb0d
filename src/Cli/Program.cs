// The one place that knows the real console, environment, clock and randomness.
#pragma warning disable RS0030
using System.Security.Cryptography;
using System.Text;
using Cli;
using Cli.Output;

return await CliApplication.RunAsync(new CliEnvironment
{
    Arguments = args,
    Variable = Environment.GetEnvironmentVariable,
    OpenStandardInput = Console.OpenStandardInput,
    StandardInputIsTerminal = () => !Console.IsInputRedirected,
    StandardOutput = StandardOutput.Open(),
    StandardError = new StreamWriter(Console.OpenStandardError(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 1024) { AutoFlush = true },
    StandardErrorIsTerminal = () => !Console.IsErrorRedirected,
    StandardErrorWidth = () => Console.WindowWidth,
    OpenFile = File.OpenRead,
    Clock = TimeProvider.System,
    Entropy = RandomNumberGenerator.Fill,
    OnInterrupt = Interrupts.Register,
});
