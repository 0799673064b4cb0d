using System.Net;
using System.Net.Sockets;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

public class TcpDialerTests
{
    private static readonly IPEndPoint Six = new(IPAddress.Parse("2001:db8::1"), 1900);
    private static readonly IPEndPoint Four = new(IPAddress.Parse("192.0.2.1"), 1900);

    [Fact]
    public async Task An_address_that_swallows_packets_only_costs_its_head_start()
    {
        var clock = Client.Clock();
        await using var good = new MemoryStream();
        var lost = new TaskCompletionSource();
        var race = TcpDialer.RaceAsync([Six, Four], (address, cancellation) => address.Equals(Six) ? SwallowAsync(lost, cancellation) : Task.FromResult<Stream>(good), clock, default);
        Assert.False(race.IsCompleted);
        clock.Advance(TimeSpan.FromMilliseconds(250));
        Assert.Same(good, await race);
        await lost.Task;
    }

    [Fact]
    public async Task An_address_that_refuses_costs_no_time()
    {
        await using var good = new MemoryStream();
        Assert.Same(good, await TcpDialer.RaceAsync([Six, Four], (address, _) => address.Equals(Six) ? Refuse(SocketError.ConnectionRefused) : Task.FromResult<Stream>(good), Client.Clock(), default));
    }

    [Theory]
    [InlineData(SocketError.NetworkUnreachable, SocketError.ConnectionRefused, SocketError.ConnectionRefused)]
    [InlineData(SocketError.ConnectionRefused, SocketError.NetworkUnreachable, SocketError.ConnectionRefused)]
    [InlineData(SocketError.NetworkUnreachable, SocketError.HostUnreachable, SocketError.NetworkUnreachable)]
    public async Task When_all_fail_the_most_telling_failure_is_given(SocketError first, SocketError second, SocketError told)
    {
        var failure = await Assert.ThrowsAsync<SocketException>(
            () => TcpDialer.RaceAsync([Six, Four], (address, _) => Refuse(address.Equals(Six) ? first : second), Client.Clock(), default));
        Assert.Equal(told, failure.SocketErrorCode);
    }

    [Fact]
    public async Task A_connection_that_comes_too_late_is_closed()
    {
        var clock = Client.Clock();
        await using var good = new MemoryStream();
        var late = new MemoryStream();
        var slow = new TaskCompletionSource<Stream>();
        var race = TcpDialer.RaceAsync([Six, Four], (address, _) => address.Equals(Six) ? slow.Task : Task.FromResult<Stream>(good), clock, default);
        clock.Advance(TimeSpan.FromMilliseconds(250));
        Assert.Same(good, await race);
        slow.SetResult(late);
        Assert.False(late.CanRead);
    }

    [Fact]
    public async Task Cancellation_ends_the_race()
    {
        using var caller = new CancellationTokenSource();
        var race = TcpDialer.RaceAsync([Six, Four], (_, cancellation) => SwallowAsync(new(), cancellation), Client.Clock(), caller.Token);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => race);
    }

    [Fact]
    public async Task A_name_is_resolved()
    {
        await using var server = await WebServer.StartAsync(c => WebServer.AnswerAsync(c, WebServer.Frame(Client.Hello)));
        await using var channel = new RpcChannel(Client.To(new HostPort("localhost", server.Address.Port)));
        Assert.Equal(Client.Hello, (await channel.SayAsync()).Response);
    }

    private static Task<Stream> Refuse(SocketError error) => Task.FromException<Stream>(new SocketException((int)error));

    private static async Task<Stream> SwallowAsync(TaskCompletionSource lost, CancellationToken cancellation)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, cancellation);
        }
        finally
        {
            lost.TrySetResult();
        }
        throw new InvalidOperationException();
    }
}
