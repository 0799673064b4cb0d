using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Rpc.Tests.Servers;

/// <summary>A web server on loopback that answers every request with the given code, so that a test can be any kind of good or bad gRPC server.</summary>
internal sealed class WebServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private WebServer(WebApplication app, HostPort address)
    {
        this.app = app;
        Address = address;
    }

    public HostPort Address { get; }

    public static async Task<WebServer> StartAsync(
        RequestDelegate answer,
        X509Certificate2? certificate = null,
        HttpProtocols protocols = HttpProtocols.Http2,
        int port = 0,
        Action<KestrelServerOptions>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            configure?.Invoke(kestrel);
            kestrel.Listen(IPAddress.Loopback, port, listen =>
            {
                listen.Protocols = protocols;
                if (certificate is not null)
                    listen.UseHttps(certificate);
            });
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        var web = builder.Build();
        web.Run(answer);
        await web.StartAsync();
        var address = web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new WebServer(web, new HostPort("127.0.0.1", new Uri(address).Port));
    }

    /// <summary>Stops gracefully: tells connected clients with GOAWAY.</summary>
    public Task StopAsync() => app.StopAsync();

    public ValueTask DisposeAsync() => app.DisposeAsync();

    /// <summary>Frames a message as gRPC does.</summary>
    public static byte[] Frame(byte[] message, byte flag = 0)
    {
        var framed = new byte[5 + message.Length];
        framed[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(framed.AsSpan(1), (uint)message.Length);
        message.CopyTo(framed, 5);
        return framed;
    }

    public static byte[] Frame(IMessage message) => Frame(message.ToByteArray());

    /// <summary>Reads the one message of a request.</summary>
    public static async Task<byte[]> ReadMessageAsync(HttpContext context)
    {
        using var copy = new MemoryStream();
        await context.Request.Body.CopyToAsync(copy);
        var framed = copy.ToArray();
        Assert.True(framed.Length >= 5 && framed[0] == 0 && BinaryPrimitives.ReadUInt32BigEndian(framed.AsSpan(1)) == framed.Length - 5, "the request is not framed as gRPC");
        return framed[5..];
    }

    /// <summary>Answers as a good gRPC server does.</summary>
    public static async Task AnswerAsync(HttpContext context, byte[] body, int status = 0, string? message = null)
    {
        context.Response.ContentType = "application/grpc";
        await context.Response.Body.WriteAsync(body);
        context.Response.AppendTrailer("grpc-status", status.ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (message is not null)
            context.Response.AppendTrailer("grpc-message", message);
    }
}
