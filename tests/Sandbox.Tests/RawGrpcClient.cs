using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Sandbox.Tests;

/// <summary>What came back from a call, before anybody interprets it.</summary>
public sealed record RawAnswer(int HttpStatus, int? Status, string Message, byte[]? Response, IReadOnlyDictionary<string, string> Headers, bool TrailersOnly)
{
    /// <summary>grpc-status-details-bin, decoded; null when there is none.</summary>
    public byte[]? Details { get; init; }
}

/// <summary>The plainest gRPC client there is, independent of the Rpc project: bytes in, bytes out.</summary>
public sealed class RawGrpcClient : IDisposable
{
    private readonly HttpClient client;
    private readonly string origin;

    /// <param name="address">host:port.</param>
    /// <param name="trust">PEM of the only certificate to trust; null for plaintext.</param>
    public RawGrpcClient(string address, string? trust)
    {
        origin = (trust is null ? "http://" : "https://") + address;
        var handler = new SocketsHttpHandler();
        if (trust is not null)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                CustomTrustStore = { X509Certificate2.CreateFromPem(trust) },
            };
        }
        client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(60) };
    }

    public Task<RawAnswer> CallAsync(string method, byte[] message, params (string Key, string Value)[] metadata) =>
        CallAsync(method, message, metadata, CancellationToken.None);

    public async Task<RawAnswer> CallAsync(string method, byte[] message, (string Key, string Value)[] metadata, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, origin + method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        var body = new byte[message.Length + 5];
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(1), (uint)message.Length);
        message.CopyTo(body, 5);
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.TryAddWithoutValidation("content-type", "application/grpc");
        request.Headers.TryAddWithoutValidation("te", "trailers");
        foreach (var (key, value) in metadata)
            request.Headers.TryAddWithoutValidation(key, value);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        var bytes = await response.Content.ReadAsByteArrayAsync(cancellation);
        var headers = response.Headers.Concat(response.Content.Headers)
            .ToDictionary(h => h.Key.ToLowerInvariant(), h => string.Join(", ", h.Value), StringComparer.Ordinal);
        var trailers = response.TrailingHeaders.ToDictionary(h => h.Key.ToLowerInvariant(), h => string.Join(", ", h.Value), StringComparer.Ordinal);
        var trailersOnly = headers.ContainsKey("grpc-status");
        var end = trailersOnly ? headers : trailers;
        return new RawAnswer(
            (int)response.StatusCode,
            end.TryGetValue("grpc-status", out var status) ? int.Parse(status, System.Globalization.CultureInfo.InvariantCulture) : null,
            Uri.UnescapeDataString(end.GetValueOrDefault("grpc-message") ?? ""),
            bytes.Length >= 5 ? bytes[5..] : null,
            headers,
            trailersOnly)
        {
            Details = end.TryGetValue("grpc-status-details-bin", out var details) ? Convert.FromBase64String(details.PadRight((details.Length + 3) / 4 * 4, '=')) : null,
        };
    }

    public void Dispose() => client.Dispose();
}
