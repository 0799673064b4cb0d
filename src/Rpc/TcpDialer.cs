using System.Net;
using System.Net.Sockets;

namespace Rpc;

/// <summary>Opens TCP connections.</summary>
internal static class TcpDialer
{
    /// <summary>Head start of each address before the next is tried beside it (RFC 8305 section 5).</summary>
    private static readonly TimeSpan HeadStart = TimeSpan.FromMilliseconds(250);

    /// <summary>Resolves the name and connects to the first of its addresses that answers, IPv6 and IPv4 by turns.</summary>
    /// <exception cref="SocketException">It failed, by its <see cref="SocketException.SocketErrorCode"/>.</exception>
    public static async Task<Stream> DialAsync(HostPort target, TimeProvider time, CancellationToken cancellation)
    {
        if (IPAddress.TryParse(target.Host, out var only))
            return await ConnectAsync(new IPEndPoint(only, target.Port), cancellation);
        var addresses = ByTurns(await Dns.GetHostAddressesAsync(target.Host, cancellation));
        if (addresses.Count == 0)
            throw new SocketException((int)SocketError.NoData);
        return await RaceAsync([.. addresses.Select(address => new IPEndPoint(address, target.Port))], ConnectAsync, time, cancellation);
    }

    /// <summary>Tries the first address, each further one after a head start or at once when all before have failed; the first connection wins.</summary>
    internal static async Task<Stream> RaceAsync(
        IReadOnlyList<IPEndPoint> addresses, Func<IPEndPoint, CancellationToken, Task<Stream>> connect, TimeProvider time, CancellationToken cancellation)
    {
        using var losers = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var running = new List<Task<Stream>>();
        SocketException? failure = null;
        var next = 0;
        try
        {
            while (true)
            {
                if (next < addresses.Count)
                    running.Add(connect(addresses[next++], losers.Token));
                if (running.Count == 0)
                    throw failure!;
                using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                var headStart = next < addresses.Count ? Task.Delay(HeadStart, time, over.Token) : null;
                var done = await Task.WhenAny(headStart is null ? [.. running] : [.. running, headStart]);
                await over.CancelAsync();
                cancellation.ThrowIfCancellationRequested();
                if (done is not Task<Stream> attempt)
                    continue;
                running.Remove(attempt);
                try
                {
                    return await attempt;
                }
                catch (SocketException e)
                {
                    // A family this computer has no route for says less than an address that refused.
                    if (failure is null || e.SocketErrorCode is not (SocketError.NetworkUnreachable or SocketError.HostUnreachable))
                        failure = e;
                }
            }
        }
        finally
        {
            await losers.CancelAsync();
            foreach (var loser in running)
                _ = loser.ContinueWith(CloseLate, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>Closes a connection that came too late to be used.</summary>
    internal static void CloseLate(Task<Stream> late)
    {
        if (late.IsCompletedSuccessfully)
            late.Result.Dispose();
        else
            _ = late.Exception;
    }

    private static async Task<Stream> ConnectAsync(IPEndPoint address, CancellationToken cancellation)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static List<IPAddress> ByTurns(IPAddress[] addresses)
    {
        var six = addresses.Where(address => address.AddressFamily == AddressFamily.InterNetworkV6).ToList();
        var four = addresses.Where(address => address.AddressFamily == AddressFamily.InterNetwork).ToList();
        var turns = new List<IPAddress>(addresses.Length);
        for (var i = 0; i < Math.Max(six.Count, four.Count); i++)
        {
            turns.AddRange(six.Skip(i).Take(1));
            turns.AddRange(four.Skip(i).Take(1));
        }
        return turns;
    }
}
