using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;

namespace Sandbox.TtnV2;

/// <summary>What the account server does with an access key of an application.</summary>
public abstract record AccessKeyOutcome
{
    private AccessKeyOutcome()
    {
    }

    /// <summary>Gives a token.</summary>
    /// <param name="Rights">Rights to the application.</param>
    public sealed record Grant(IReadOnlyList<string> Rights) : AccessKeyOutcome
    {
        /// <summary>Whom the rate limit counts; the application ID by default.</summary>
        public string? Subject { get; init; }

        /// <summary>How long the token lives; negative for one that has expired.</summary>
        public TimeSpan Lifetime { get; init; } = TimeSpan.FromHours(1);

        /// <summary>How far in the future the token is issued.</summary>
        public TimeSpan IssuedIn { get; init; }

        /// <summary>What the answer says about the lifetime; the handler caches by it.</summary>
        public TimeSpan? SaidLifetime { get; init; }
    }

    /// <summary>Refuses, with an HTTP status and body.</summary>
    public sealed record Refuse(int Status, string Body = "") : AccessKeyOutcome;
}

/// <summary>One exchange of a key for a token.</summary>
/// <param name="Application">Application ID sent as user name.</param>
/// <param name="Key">Key with its issuer.</param>
/// <param name="Status">HTTP status of the answer.</param>
public sealed record TokenExchange(string Application, string Key, int Status);

/// <summary>The exchange failed; the message is the text the handler passes on.</summary>
public sealed class AccountServerException(string message) : Exception(message);

/// <summary>Stands in for the account server: a table of access keys.</summary>
public sealed class AccountServer(TimeProvider clock) : IDisposable
{
    /// <summary>All rights a key of an application can have.</summary>
    public static readonly IReadOnlyList<string> AllRights =
        ["settings", "collaborators", "delete", "messages:up:r", "messages:up:w", "messages:down:w", "devices"];

    private readonly Lock gate = new();
    private readonly Dictionary<(string Application, string Key), AccessKeyOutcome> keys = [];
    private readonly List<TokenExchange> exchanges = [];

    /// <summary>Signs and checks tokens.</summary>
    public TokenIssuer Tokens { get; } = new();

    /// <summary>When set, the server cannot be reached and this is the text of the failure.</summary>
    public string? Unreachable { get; set; }

    /// <summary>All exchanges asked for, in order.</summary>
    public IReadOnlyList<TokenExchange> Exchanges
    {
        get
        {
            lock (gate)
                return [.. exchanges];
        }
    }

    /// <summary>Sets what a key does; the key without issuer means one of this server.</summary>
    public void Set(string application, string key, AccessKeyOutcome outcome)
    {
        lock (gate)
            keys[(application, WithIssuer(key))] = outcome;
    }

    /// <summary>Makes a token by hand, for the <c>token</c> metadata.</summary>
    public string Token(string application, IReadOnlyList<string> rights, TimeSpan? lifetime = null)
    {
        var now = clock.GetUtcNow().ToUnixTimeSeconds();
        return Tokens.Sign(Claims(application, new AccessKeyOutcome.Grant(rights) { Lifetime = lifetime ?? TimeSpan.FromHours(1) }, now));
    }

    public void Dispose() => Tokens.Dispose();

    /// <summary>A key as it is sent to the account server.</summary>
    internal static string WithIssuer(string key) => IssuerOf(key) is null ? $"{TokenIssuer.Issuer}.{key}" : key;

    /// <summary>The issuer in a key: the part before its only dot.</summary>
    internal static string? IssuerOf(string key)
    {
        var dot = key.IndexOf('.', StringComparison.Ordinal);
        return dot >= 0 && dot == key.LastIndexOf('.') ? key[..dot] : null;
    }

    /// <summary>Exchanges a key for a token and its said lifetime.</summary>
    internal (string Token, TimeSpan Lifetime) Exchange(string application, string key)
    {
        if (Unreachable is { } reason)
            throw new AccountServerException(reason);
        lock (gate)
        {
            var outcome = keys.GetValueOrDefault((application, key)) ?? new AccessKeyOutcome.Refuse(401, """{"code":401,"error":"Unauthorized"}""");
            exchanges.Add(new TokenExchange(application, key, outcome is AccessKeyOutcome.Refuse no ? no.Status : 200));
            return outcome switch
            {
                AccessKeyOutcome.Grant grant => (
                    Tokens.Sign(Claims(application, grant, clock.GetUtcNow().ToUnixTimeSeconds())), grant.SaidLifetime ?? grant.Lifetime),
                AccessKeyOutcome.Refuse refuse => throw new AccountServerException(TextOf(refuse)),
                _ => throw new InvalidOperationException("unknown outcome"),
            };
        }
    }

    private static TokenClaims Claims(string application, AccessKeyOutcome.Grant grant, long now) => new(
        grant.Subject ?? application,
        ["apps:" + application],
        new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { [application] = grant.Rights },
        now + (long)grant.IssuedIn.TotalSeconds,
        now + (long)grant.Lifetime.TotalSeconds);

    private static string TextOf(AccessKeyOutcome.Refuse refuse)
    {
        if (refuse.Status == (int)HttpStatusCode.Gone)
            return "API deprecated by The Things Network account server, please update your client";
        try
        {
            using var json = JsonDocument.Parse(refuse.Body);
            if (json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("error", out var error)
                && error.GetString() is { Length: > 0 } text)
            {
                return text;
            }
        }
        catch (JsonException)
        {
            // Not JSON: the reason phrase it is.
        }
        return ReasonPhrases.GetReasonPhrase(refuse.Status);
    }
}
