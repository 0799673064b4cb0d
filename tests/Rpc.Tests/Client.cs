using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Time.Testing;

namespace Rpc.Tests;

/// <summary>The client side of the tests.</summary>
internal static class Client
{
    public static readonly Method<StringValue, StringValue> Say = new("/test.Echo/Say");

    public static readonly StringValue Hello = new() { Value = "hello" };

    /// <summary>A clock that stands still, in the middle of the years in which the test certificates are valid.</summary>
    public static FakeTimeProvider Clock() => new(new DateTimeOffset(2026, 6, 1, 12, 0, 0, TimeSpan.Zero));

    public static RpcChannelOptions To(HostPort address, TlsTrust? trust = null) => new() { Address = address, Tls = trust, Time = Clock() };

    /// <summary>Calls, and gives up on a hang long before the runner would.</summary>
    public static Task<UnaryResult<StringValue>> SayAsync(this RpcChannel channel, CallOptions? call = null, CancellationToken cancellation = default) =>
        channel.CallAsync(Say, Hello, call, cancellation).WaitAsync(TimeSpan.FromSeconds(60), CancellationToken.None);

    /// <summary>Calls a server that is expected to fail the call.</summary>
    public static async Task<RpcException> FailAsync(RpcChannelOptions options, CallOptions? call = null)
    {
        await using var channel = new RpcChannel(options);
        return await Assert.ThrowsAsync<RpcException>(() => channel.SayAsync(call));
    }

    /// <summary>The message, with the address of the test server as SERVER.</summary>
    public static string Text(this RpcException failure) => failure.Message.Replace(failure.Target.ToString(), "SERVER", StringComparison.Ordinal);
}
