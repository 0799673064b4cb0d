using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;
using Testing;

namespace Sandbox.Tests.TtnV2;

/// <summary>One recorded call of golden/ttnv2-wire.</summary>
public sealed partial class WireRow(GoldenRow row)
{
    private readonly JsonElement json = row.Json;

    public int Number => row.Number;

    public string Server => row.Text("server") ?? "";

    public string Scenario => row.Text("scenario") ?? "";

    public string Method => row.Text("method") ?? "";

    public string ShortMethod => Method[(Method.LastIndexOf('/') + 1)..];

    public byte[] Request { get; } = row.Text("request") is { } text ? Convert.FromBase64String(text) : [];

    /// <summary>The answer's message; null when there was none or it was not recorded.</summary>
    public byte[]? Response { get; } = row.Text("response") is { } text && row.Text("server") != "account" ? Convert.FromBase64String(text) : null;

    public int? ResponseBytes => json.TryGetProperty("response_bytes", out var bytes) ? bytes.GetInt32() : null;

    public int Status => json.TryGetProperty("status", out var status) ? status.GetInt32() : -1;

    public string Message => row.Text("message") ?? "";

    public bool TrailersOnly => json.TryGetProperty("trailers_only", out var only) && only.GetBoolean();

    public string? ProxyError => row.Text("proxy_error");

    /// <summary>Metadata a client chose, without what HTTP and grpc-go add.</summary>
    public IEnumerable<(string Key, string Value)> Metadata
    {
        get
        {
            if (!json.TryGetProperty("metadata", out var metadata))
                yield break;
            foreach (var pair in metadata.EnumerateObject())
            {
                if (pair.Name is "content-type" or "te" or "user-agent" || pair.Name.StartsWith(':') || pair.Name.StartsWith("grpc-", StringComparison.Ordinal))
                    continue;
                if (pair.Value.ValueKind == JsonValueKind.Array)
                {
                    foreach (var each in pair.Value.EnumerateArray())
                        yield return (pair.Name, each.GetString() ?? "");
                }
                else
                {
                    yield return (pair.Name, pair.Value.GetString() ?? "");
                }
            }
        }
    }

    public string? Key => Metadata.Where(m => m.Key == "key").Select(m => m.Value).FirstOrDefault();

    public string? Token => Metadata.Where(m => m.Key == "token").Select(m => m.Value).FirstOrDefault();

    public string? Header(string name) =>
        json.TryGetProperty("header", out var header) && header.TryGetProperty(name, out var value) ? value.GetString() : null;

    /// <summary>Application and device the request names; empty when it cannot be read.</summary>
    public (string App, string Device) Target
    {
        get
        {
            if (Server != "handler")
                return ("", "");
            try
            {
                var id = DeviceIdentifier.Parser.WithDiscardUnknownFields(true).ParseFrom(Request);
                return (id.AppId, ShortMethod.EndsWith("Device", StringComparison.Ordinal) ? id.DevId : "");
            }
            catch (InvalidProtocolBufferException)
            {
                return ("", "");
            }
        }
    }

    /// <summary>When the token in this row was issued (Unix seconds); 0 when there is none.</summary>
    public long IssuedAt
    {
        get
        {
            var text = Server == "account" && Method == "POST" && Exchange is { Status: 200 } exchange
                ? JsonDocument.Parse(exchange.Body).RootElement.GetProperty("access_token").GetString()
                : Token;
            return text?.Count(c => c == '.') == 2 ? TokenIssuer.Parse(text).IssuedAt : 0;
        }
    }

    public bool IsRateLimited => Message.Contains("Rate limit for ", StringComparison.Ordinal);

    /// <summary>The account server's exchange: application, key, HTTP status, body of the answer.</summary>
    public (string App, string Key, int Status, string Body) Exchange
    {
        get
        {
            using var body = JsonDocument.Parse(row.Text("body") ?? "{}");
            return (
                body.RootElement.GetProperty("username").GetString() ?? "",
                body.RootElement.GetProperty("password").GetString() ?? "",
                json.GetProperty("status").GetInt32(),
                row.Text("response") ?? "");
        }
    }

    /// <summary>The account server's answer when it is not an exchange.</summary>
    public string AccountAnswer => row.Text("response") ?? "";

    public override string ToString() => $"row {Number} \"{Scenario}\" {ShortMethod}";

    /// <summary>A text without what varies: ports and durations since a moment of the recording.</summary>
    public static string Masked(string text) => Duration().Replace(Port().Replace(text, "${host}:PORT"), "expired by TIME");

    [GeneratedRegex("(?<host>localhost|127\\.0\\.0\\.[0-9]+):[0-9]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Port();

    [GeneratedRegex("expired by [0-9hms]+", RegexOptions.None, 1000)]
    private static partial Regex Duration();
}
