using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Sandbox.Grpc;

/// <summary>Settings of a <see cref="GrpcServer"/>.</summary>
public sealed record GrpcServerOptions
{
    /// <summary>Name in the request log.</summary>
    public required string Name { get; init; }

    /// <summary>What it answers.</summary>
    public required GrpcServices Services { get; init; }

    /// <summary>Certificate with private key; null for plaintext HTTP/2 (h2c).</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>TCP port on loopback; 0 lets the system choose.</summary>
    public int Port { get; init; }

    /// <summary>Clock of deadlines and delays.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Faults; may be shared by several servers.</summary>
    public FaultPlan Faults { get; init; } = new();

    /// <summary>Request log; may be shared by several servers.</summary>
    public RequestLog Requests { get; init; } = new();

    /// <summary>Tells from method and message what a request is about, for logs and fault rules.</summary>
    public Func<string, byte[], string?> ItemOf { get; init; } = (_, _) => null;

    /// <summary>Largest request message in bytes (grpc-go: 4 MiB).</summary>
    public int MaxRequestBytes { get; init; } = 4 * 1024 * 1024;
}

/// <summary>
/// A unary gRPC server on Kestrel, bound to 127.0.0.1. Answers as grpc-go does: trailers-only for failures, an empty grpc-message on success.
/// </summary>
public sealed class GrpcServer : IAsyncDisposable
{
    private readonly GrpcServerOptions options;
    private readonly ConcurrentDictionary<ConnectionContext, bool> connections = new();
    private WebApplication? application;

    private GrpcServer(GrpcServerOptions options) => this.options = options;

    /// <summary>TCP port; stays the same over stop and start.</summary>
    public int Port { get; private set; }

    /// <summary>How many connections are open.</summary>
    public int Connections => connections.Count;

    /// <summary>Starts a server.</summary>
    public static async Task<GrpcServer> StartAsync(GrpcServerOptions options)
    {
        var server = new GrpcServer(options) { Port = options.Port };
        await server.StartAsync();
        return server;
    }

    /// <summary>Starts it again on its port after <see cref="StopAsync"/>.</summary>
    public async Task StartAsync()
    {
        if (application is not null)
            return;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrelCore();
        if (options.Certificate is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The real servers close a connection after 5 idle minutes.
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(5);
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 65_535;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = 64 * 1024;
            kestrel.Listen(IPAddress.Loopback, Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (options.Certificate is not null)
                    listen.UseHttps(options.Certificate);
                listen.Use(next => connection => TrackAsync(next, connection));
            });
        });
        var app = builder.Build();
        app.Run(HandleAsync);
        await app.StartAsync();
        Port = new Uri(app.Urls.First()).Port;
        application = app;
    }

    /// <summary>Stops it at once: open connections are cut, new ones refused.</summary>
    public async Task StopAsync()
    {
        if (application is not { } app)
            return;
        application = null;
        Abort();
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        try
        {
            await app.StopAsync(soon.Token);
        }
        catch (OperationCanceledException)
        {
            // Calls that hang on purpose do not end by themselves; disposing cuts them.
        }
        await app.DisposeAsync();
    }

    /// <summary>Cuts all open connections and goes on listening.</summary>
    public void Abort()
    {
        foreach (var connection in connections.Keys)
            connection.Abort(new ConnectionAbortedException("cut by the sandbox"));
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task TrackAsync(ConnectionDelegate next, ConnectionContext connection)
    {
        connections[connection] = true;
        connection.Features.Set(new ConnectionHandle(connection));
        try
        {
            await next(connection);
        }
        finally
        {
            connections.TryRemove(connection, out _);
        }
    }

    private async Task HandleAsync(HttpContext http)
    {
        if (!HttpMethods.IsPost(http.Request.Method)
            || http.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) != true)
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        var metadata = new List<KeyValuePair<string, string>> { new(":authority", http.Request.Host.Value ?? "") };
        foreach (var (name, values) in http.Request.Headers)
        {
            var key = name.ToLowerInvariant();
            if (key is "host" or ":method" or ":path" or ":scheme" or ":authority")
                continue;
            foreach (var value in values)
                metadata.Add(new(key, value ?? ""));
        }

        var method = http.Request.Path.Value ?? "";
        byte[] message = [];
        GrpcStatus? refused = null;
        try
        {
            message = await ReadMessageAsync(http);
        }
        catch (GrpcStatusException e)
        {
            refused = e.Status;
        }

        using var deadline = DeadlineOf(http);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, deadline?.Token ?? default);
        var call = new GrpcCall { Method = method, Metadata = metadata, Request = message, Cancellation = cancellation.Token };
        var item = options.ItemOf(method, message);
        var at = options.Clock.GetUtcNow();
        var record = options.Requests.Add(number => new RecordedRequest
        {
            Number = number,
            Server = options.Name,
            Method = method,
            Metadata = metadata,
            Request = message,
            Item = item,
            At = at,
        });
        try
        {
            await (refused is null ? ServeAsync(http, call, item, record) : EndAsync(http, record, refused));
        }
        catch (OperationCanceledException) when (deadline?.IsCancellationRequested == true && !http.Response.HasStarted)
        {
            await EndAsync(http, record, new GrpcStatus(GrpcCode.DeadlineExceeded, "context deadline exceeded"));
        }
        catch (OperationCanceledException)
        {
            http.Abort();
        }
        finally
        {
            options.Requests.Answered?.Invoke(record);
        }
    }

    private async Task ServeAsync(HttpContext http, GrpcCall call, string? item, RecordedRequest record)
    {
        var fault = options.Faults.Next(call.Method, item);
        switch (fault)
        {
            case Fault.Delay delay:
                await Task.Delay(delay.Time, options.Clock, call.Cancellation);
                break;
            case Fault.Run run:
                await run.Action(call);
                break;
            case Fault.HttpPage page:
                http.Response.StatusCode = page.Status;
                http.Response.ContentType = page.ContentType;
                await http.Response.WriteAsync(page.Html, http.RequestAborted);
                return;
            case Fault.Fail { Apply: false } fail:
                await EndAsync(http, record, new GrpcStatus(fail.Code, fail.Message));
                return;
            case Fault.Hang { Apply: false }:
                await Task.Delay(Timeout.InfiniteTimeSpan, http.RequestAborted);
                return;
            case Fault.DropConnection { Apply: false }:
                Drop(http);
                return;
            case Fault.GoAway:
                http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
                break;
        }

        byte[] answer;
        try
        {
            answer = await options.Services.DispatchAsync(call);
        }
        catch (GrpcStatusException e)
        {
            await EndAsync(http, record, e.Status, call);
            return;
        }

        switch (fault)
        {
            case Fault.Fail fail:
                await EndAsync(http, record, new GrpcStatus(fail.Code, fail.Message));
                return;
            case Fault.Hang:
                await Task.Delay(Timeout.InfiniteTimeSpan, http.RequestAborted);
                return;
            case Fault.DropConnection:
                Drop(http);
                return;
            case Fault.Rewrite rewrite:
                answer = rewrite.Change(answer);
                break;
            case Fault.Oversize oversize:
                answer = UnknownFields(oversize.Bytes);
                break;
        }
        await AnswerAsync(http, call, record, answer, fault);
    }

    private static async Task AnswerAsync(HttpContext http, GrpcCall call, RecordedRequest record, byte[] answer, Fault? fault)
    {
        http.Response.ContentType = "application/grpc";
        foreach (var (name, value) in call.ResponseHeaders)
            http.Response.Headers[name] = value;
        var gzip = fault is Fault.Gzip;
        if (gzip)
        {
            http.Response.Headers["grpc-encoding"] = "gzip";
            answer = Compress(answer);
        }
        var prefix = new byte[5];
        prefix[0] = gzip ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32BigEndian(prefix.AsSpan(1), (uint)answer.Length);
        var sent = fault is Fault.Truncate truncate ? answer.AsMemory(0, Math.Min(truncate.Bytes, answer.Length)) : answer;
        record.Status = GrpcStatus.Ok;
        await http.Response.Body.WriteAsync(prefix, http.RequestAborted);
        await http.Response.Body.WriteAsync(sent, http.RequestAborted);
        if (fault is not Fault.NoTrailers)
        {
            http.Response.AppendTrailer("grpc-status", "0");
            http.Response.AppendTrailer("grpc-message", "");
        }
    }

    /// <summary>
    /// Ends a call without a message: the status travels in the headers ("trailers-only"), or in trailers when the call has headers to send.
    /// </summary>
    private static async Task EndAsync(HttpContext http, RecordedRequest record, GrpcStatus status, GrpcCall? call = null)
    {
        record.Status = status;
        http.Response.ContentType = "application/grpc";
        var code = ((int)status.Code).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var message = GrpcMessageEncoding.Encode(status.Message);
        var details = status.Details is null ? null : Convert.ToBase64String(status.Details).TrimEnd('=');
        if (call is { SendHeadersOnFailure: true, ResponseHeaders.Count: > 0 })
        {
            foreach (var (name, value) in call.ResponseHeaders)
                http.Response.Headers[name] = value;
            await http.Response.StartAsync();
            http.Response.AppendTrailer("grpc-status", code);
            http.Response.AppendTrailer("grpc-message", message);
            if (details is not null)
                http.Response.AppendTrailer("grpc-status-details-bin", details);
        }
        else
        {
            http.Response.Headers["grpc-status"] = code;
            http.Response.Headers["grpc-message"] = message;
            if (details is not null)
                http.Response.Headers["grpc-status-details-bin"] = details;
        }
        await http.Response.CompleteAsync();
    }

    private static void Drop(HttpContext http)
    {
        if (http.Features.Get<ConnectionHandle>() is { } handle)
            handle.Connection.Abort(new ConnectionAbortedException("cut by a fault rule"));
        else
            http.Abort();
    }

    private async Task<byte[]> ReadMessageAsync(HttpContext http)
    {
        var body = http.Request.Body;
        var prefix = new byte[5];
        if (await body.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, http.RequestAborted) < 5)
            throw new GrpcStatusException(GrpcCode.Internal, "unexpected EOF");
        var length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
        if (length > options.MaxRequestBytes)
        {
            throw new GrpcStatusException(
                GrpcCode.ResourceExhausted, $"grpc: received message larger than max ({length} vs. {options.MaxRequestBytes})");
        }
        var message = new byte[length];
        if (await body.ReadAtLeastAsync(message, message.Length, throwOnEndOfStream: false, http.RequestAborted) < message.Length)
            throw new GrpcStatusException(GrpcCode.Internal, "unexpected EOF");
        if (prefix[0] == 0)
            return message;
        var encoding = http.Request.Headers["grpc-encoding"].ToString();
        if (encoding != "gzip")
            throw new GrpcStatusException(GrpcCode.Unimplemented, $"grpc: Decompressor is not installed for grpc-encoding \"{encoding}\"");
        using var zip = new GZipStream(new MemoryStream(message), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        await zip.CopyToAsync(plain, http.RequestAborted);
        return plain.ToArray();
    }

    private CancellationTokenSource? DeadlineOf(HttpContext http)
    {
        var text = http.Request.Headers["grpc-timeout"].ToString();
        return GrpcTimeout.TryParse(text, out var time) ? new CancellationTokenSource(time, options.Clock) : null;
    }

    private static byte[] Compress(byte[] message)
    {
        using var result = new MemoryStream();
        using (var zip = new GZipStream(result, CompressionLevel.Fastest, leaveOpen: true))
            zip.Write(message);
        return result.ToArray();
    }

    private static byte[] UnknownFields(int bytes)
    {
        // Field 15 of type bytes, which none of the emulated messages uses, in chunks small enough for one length byte pair.
        using var result = new MemoryStream(bytes + 200);
        while (result.Length < bytes)
        {
            result.Write([0x7A, 0x80, 0x01]);
            result.Write(new byte[128]);
        }
        return result.ToArray();
    }

    private sealed record ConnectionHandle(ConnectionContext Connection);

    /// <summary>Keeps the host away from the signals of the process.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

/// <summary>The grpc-timeout header: up to 8 digits and a unit (H, M, S, m, u, n).</summary>
public static class GrpcTimeout
{
    public static bool TryParse(string text, out TimeSpan time)
    {
        time = default;
        if (text.Length is < 2 or > 9
            || !long.TryParse(text.AsSpan(0, text.Length - 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var value))
        {
            return false;
        }
        TimeSpan? parsed = text[^1] switch
        {
            'H' => TimeSpan.FromHours(value),
            'M' => TimeSpan.FromMinutes(value),
            'S' => TimeSpan.FromSeconds(value),
            'm' => TimeSpan.FromMilliseconds(value),
            'u' => TimeSpan.FromMicroseconds(value),
            'n' => TimeSpan.FromTicks(value / 100),
            _ => null,
        };
        // A timer cannot run longer than this; a deadline so far away is none.
        if (parsed is not { } result || result > TimeSpan.FromDays(20))
            return false;
        time = result;
        return true;
    }
}
