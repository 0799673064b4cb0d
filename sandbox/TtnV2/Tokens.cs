using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Sandbox.TtnV2;

/// <summary>What a token says.</summary>
/// <param name="Subject">Whom the rate limit counts.</param>
/// <param name="Scopes">Such as <c>apps:my-app</c>.</param>
/// <param name="Rights">Rights by application.</param>
/// <param name="IssuedAt">Unix seconds.</param>
/// <param name="Expires">Unix seconds.</param>
public sealed record TokenClaims(
    string Subject, IReadOnlyList<string> Scopes, IReadOnlyDictionary<string, IReadOnlyList<string>> Rights, long IssuedAt, long Expires)
{
    /// <summary>Whether the token gives a right to an application: it must name both the scope and the right.</summary>
    public bool Allows(string application, string right) =>
        Scopes.Contains("apps:" + application) && Rights.TryGetValue(application, out var rights) && rights.Contains(right);
}

/// <summary>A token that cannot be used; the message is the text the V2 servers give.</summary>
public sealed class TokenException(string message) : Exception(message);

/// <summary>Signs and reads the JWTs (ES256) of the account server.</summary>
public sealed class TokenIssuer : IDisposable
{
    public const string Issuer = "ttn-account-v2";

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly List<ECDsa> trusted = [];
    private readonly ConcurrentDictionary<string, TokenClaims> verified = new(StringComparer.Ordinal);

    public TokenIssuer() => trusted.Add(key);

    /// <summary>Public key in PEM, as <c>GET /key</c> gives it.</summary>
    public string PublicKeyPem => key.ExportSubjectPublicKeyInfoPem() + "\n";

    /// <summary>Whether tokens with a wrong signature are refused.</summary>
    public bool ChecksSignatures { get; set; } = true;

    /// <summary>Accepts tokens signed by another key too.</summary>
    public void Trust(string publicKeyPem)
    {
        var other = ECDsa.Create();
        other.ImportFromPem(publicKeyPem);
        trusted.Add(other);
    }

    public string Sign(TokenClaims claims)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("apps");
            foreach (var (application, rights) in claims.Rights)
            {
                json.WriteStartArray(application);
                foreach (var right in rights)
                    json.WriteStringValue(right);
                json.WriteEndArray();
            }
            json.WriteEndObject();
            json.WriteNumber("exp", claims.Expires);
            json.WriteNumber("iat", claims.IssuedAt);
            json.WriteString("iss", Issuer);
            json.WriteStartArray("scope");
            foreach (var scope in claims.Scopes)
                json.WriteStringValue(scope);
            json.WriteEndArray();
            json.WriteString("sub", claims.Subject);
            json.WriteEndObject();
        }
        var signed = Base64Url.EncodeToString("{\"alg\":\"ES256\",\"typ\":\"JWT\"}"u8) + "." + Base64Url.EncodeToString(buffer.ToArray());
        return signed + "." + Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256));
    }

    /// <summary>Reads a token and checks it at a moment (Unix seconds). A signature is checked once per token.</summary>
    public TokenClaims Read(string token, long now)
    {
        var claims = verified.TryGetValue(token, out var known) ? known : Parse(token);
        if (now > claims.Expires)
            throw new TokenException($"token is expired by {GoDuration(now - claims.Expires)}");
        if (now < claims.IssuedAt)
            throw new TokenException("Token used before issued");
        if (ChecksSignatures && !verified.ContainsKey(token))
        {
            Verify(token);
            verified[token] = claims;
        }
        return claims;
    }

    /// <summary>Reads a token without checking it.</summary>
    public static TokenClaims Parse(string token)
    {
        var parts = token.Split('.');
        if (parts.Length != 3)
            throw new TokenException("token contains an invalid number of segments");
        try
        {
            using var json = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]));
            var root = json.RootElement;
            var rights = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
            if (root.TryGetProperty("apps", out var apps))
            {
                foreach (var application in apps.EnumerateObject())
                    rights[application.Name] = [.. application.Value.EnumerateArray().Select(right => right.GetString() ?? "")];
            }
            return new TokenClaims(
                root.TryGetProperty("sub", out var sub) ? sub.GetString() ?? "" : "",
                root.TryGetProperty("scope", out var scope) ? [.. scope.EnumerateArray().Select(s => s.GetString() ?? "")] : [],
                rights,
                root.TryGetProperty("iat", out var iat) ? iat.GetInt64() : 0,
                root.TryGetProperty("exp", out var exp) ? exp.GetInt64() : long.MaxValue);
        }
        catch (Exception e) when (e is FormatException or JsonException or InvalidOperationException)
        {
            throw new TokenException("illegal base64 data at input byte 0");
        }
    }

    public void Dispose()
    {
        foreach (var each in trusted)
            each.Dispose();
    }

    private void Verify(string token)
    {
        var dot = token.LastIndexOf('.');
        var signed = Encoding.ASCII.GetBytes(token[..dot]);
        byte[] signature;
        try
        {
            signature = Base64Url.DecodeFromChars(token.AsSpan(dot + 1));
        }
        catch (FormatException)
        {
            throw new TokenException("illegal base64 data at input byte 0");
        }
        if (!trusted.Exists(each => each.VerifyData(signed, signature, HashAlgorithmName.SHA256)))
            throw new TokenException("crypto/ecdsa: verification error");
    }

    /// <summary>Seconds as Go prints a duration: 30s, 1m43s, 2h0m5s.</summary>
    private static string GoDuration(long seconds)
    {
        var (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        return (h, m) switch
        {
            (0, 0) => string.Create(CultureInfo.InvariantCulture, $"{s}s"),
            (0, _) => string.Create(CultureInfo.InvariantCulture, $"{m}m{s}s"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{h}h{m}m{s}s"),
        };
    }
}
