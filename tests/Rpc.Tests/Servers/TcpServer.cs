using System.Net;
using System.Net.Sockets;

namespace Rpc.Tests.Servers;

/// <summary>A TCP server on loopback that treats each connection as the test says, whatever protocol that is.</summary>
internal sealed class TcpServer : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly List<Task> connections = [];
    private readonly Task accepting;
    private int accepted;

    public TcpServer(Func<NetworkStream, CancellationToken, Task> treat)
    {
        listener.Start();
        Address = new HostPort("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        accepting = AcceptAsync(treat);
    }

    public HostPort Address { get; }

    /// <summary>Connections accepted so far.</summary>
    public int Accepted => Volatile.Read(ref accepted);

    /// <summary>A server that sends these bytes as soon as the client has sent anything, and closes.</summary>
    public static TcpServer Saying(ReadOnlyMemory<byte> bytes) => new(async (stream, cancellation) =>
    {
        var heard = new byte[4096];
        _ = await stream.ReadAsync(heard, cancellation);
        await stream.WriteAsync(bytes, cancellation);
        stream.Socket.Shutdown(SocketShutdown.Send);
        while (await stream.ReadAsync(heard, cancellation) > 0)
        {
            // To the end, so that closing does not reset what was sent.
        }
    });

    /// <summary>A server that takes connections and what is sent, and never says a word.</summary>
    public static TcpServer Silent(TaskCompletionSource heard) => new(async (stream, cancellation) =>
    {
        var bytes = new byte[4096];
        while (await stream.ReadAsync(bytes, cancellation) > 0)
            heard.TrySetResult();
    });

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        foreach (var connection in connections)
            await connection;
        stop.Dispose();
    }

    private async Task AcceptAsync(Func<NetworkStream, CancellationToken, Task> treat)
    {
        try
        {
            while (true)
            {
                var socket = await listener.AcceptSocketAsync(stop.Token);
                Interlocked.Increment(ref accepted);
                connections.Add(TreatAsync(socket, treat));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
        }
    }

    private async Task TreatAsync(Socket socket, Func<NetworkStream, CancellationToken, Task> treat)
    {
        socket.NoDelay = true;
        var stream = new NetworkStream(socket, ownsSocket: true);
        await using (stream)
        {
            try
            {
                await treat(stream, stop.Token);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
            {
            }
        }
    }
}
