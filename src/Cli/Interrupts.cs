using System.Runtime.InteropServices;

namespace Cli;

/// <summary>Ctrl-C and the other signals that ask a program to end.</summary>
internal sealed class Interrupts : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];

    /// <summary>Calls back at each signal instead of ending the program, until disposed.</summary>
    public static IDisposable Register(Action handler)
    {
        var interrupts = new Interrupts();
        foreach (var signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
        {
            interrupts._registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                handler();
            }));
        }
        return interrupts;
    }

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }
}
