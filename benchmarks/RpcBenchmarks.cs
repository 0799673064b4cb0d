using System.Diagnostics.CodeAnalysis;
using System.Net;
using BenchmarkDotNet.Attributes;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Rpc;

namespace Benchmarks;

/// <summary>
/// Unary calls with a message of a device's size (200 bytes) against an echo on loopback in plaintext, client and server in one process on the
/// same cores. Each operation is one call: calls/s = 1 / mean. The client of the gRPC project beside ours.
/// </summary>
[MemoryDiagnoser]
[SuppressMessage("Design", "CA1001", Justification = "closed by GlobalCleanup")]
public class RpcBenchmarks
{
    private const int CallsPerInvocation = 512;

    private static readonly Method<BytesValue, BytesValue> Echo = new("/bench.Echo/Echo");

    private static readonly Grpc.Core.Method<BytesValue, BytesValue> LibraryEcho = new(
        Grpc.Core.MethodType.Unary,
        "bench.Echo",
        "Echo",
        Grpc.Core.Marshallers.Create(message => message.ToByteArray(), BytesValue.Parser.ParseFrom),
        Grpc.Core.Marshallers.Create(message => message.ToByteArray(), BytesValue.Parser.ParseFrom));

    private readonly BytesValue message = new() { Value = ByteString.CopyFrom(new byte[200]) };
    private WebApplication? server;
    private RpcChannel? channel;
    private GrpcChannel? library;
    private Grpc.Core.CallInvoker? invoker;

    /// <summary>Calls in flight.</summary>
    [Params(1, 32)]
    public int Concurrency { get; set; }

    [GlobalSetup]
    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        server = builder.Build();
        server.Run(EchoAsync);
        await server.StartAsync();
        var port = new Uri(server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
        channel = new RpcChannel(new RpcChannelOptions { Address = new HostPort("127.0.0.1", port), Time = TimeProvider.System });
        library = GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
        invoker = library.CreateCallInvoker();
    }

    [GlobalCleanup]
    public async Task StopAsync()
    {
        await channel!.DisposeAsync();
        library!.Dispose();
        await server!.DisposeAsync();
    }

    [Benchmark(OperationsPerInvoke = CallsPerInvocation)]
    public Task Ours() => AllAsync(async () =>
        await channel!.CallAsync(Echo, message, new Rpc.CallOptions { Timeout = TimeSpan.FromSeconds(10) }));

    [Benchmark(OperationsPerInvoke = CallsPerInvocation, Baseline = true)]
    public Task GrpcNetClient() => AllAsync(async () =>
        await invoker!.AsyncUnaryCall(LibraryEcho, null, new Grpc.Core.CallOptions(deadline: DateTime.UtcNow.AddSeconds(10)), message));

    private async Task AllAsync(Func<Task> call)
    {
        var left = CallsPerInvocation;
        async Task WorkAsync()
        {
            while (Interlocked.Decrement(ref left) >= 0)
                await call();
        }
        await Task.WhenAll(Enumerable.Range(0, Concurrency).Select(_ => WorkAsync()));
    }

    private static async Task EchoAsync(HttpContext context)
    {
        context.Response.ContentType = "application/grpc";
        await context.Request.Body.CopyToAsync(context.Response.Body);
        context.Response.AppendTrailer("grpc-status", "0");
    }
}
