using System.Collections.Frozen;
using System.Security.Cryptography;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using TheThingsStack.Api;

namespace Sandbox.TheThingsStack;

/// <summary>An API key of an application, or of the user <c>admin</c> when it has no application.</summary>
internal sealed record ApiKeyRecord(string Id, string Secret, string Name, string? Application, FrozenSet<Right> Rights, DateTimeOffset CreatedAt)
{
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>Who calls: nobody, or the holder of a key.</summary>
internal sealed record Caller(ApiKeyRecord? Key)
{
    public bool IsAdmin => Key is { Application: null };

    /// <summary>Rights on an application; empty when there are none.</summary>
    public FrozenSet<Right> RightsOn(string application) =>
        Key is null ? FrozenSet<Right>.Empty : IsAdmin ? AccessControl.ApplicationRights : Key.Application == application ? Key.Rights : FrozenSet<Right>.Empty;

    /// <summary>Fails unless the caller has all these rights on an application.</summary>
    public void Require(string application, params IEnumerable<Right> rights)
    {
        var has = RightsOn(application);
        if (has.Count == 0)
            throw TtsError.Make(GrpcCode.PermissionDenied, "pkg/auth/rights", "no_application_rights", "no rights for application `{uid}`", [("uid", application)]);
        var missing = rights.Where(right => !has.Contains(right)).Select(AccessControl.NameOf).ToList();
        if (missing.Count > 0)
        {
            throw TtsError.Make(
                GrpcCode.PermissionDenied,
                "pkg/auth/rights",
                "insufficient_application_rights",
                "insufficient rights for application `{uid}`",
                [("missing", missing), ("uid", application)]);
        }
    }
}

/// <summary>API keys and what they may do (facts/tts-api.md sections 2 and 10).</summary>
internal sealed class AccessControl(TimeProvider clock)
{
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    private readonly Dictionary<string, ApiKeyRecord> keys = new(StringComparer.Ordinal);

    /// <summary>Every right on an application; <c>RIGHT_APPLICATION_ALL</c> stands for all of them.</summary>
    public static FrozenSet<Right> ApplicationRights { get; } =
        System.Enum.GetValues<Right>().Where(right => NameOf(right).StartsWith("RIGHT_APPLICATION_", StringComparison.Ordinal)).ToFrozenSet();

    /// <summary>Name on the wire, such as RIGHT_APPLICATION_INFO.</summary>
    public static string NameOf(Right right) =>
        EnumsReflection.Descriptor.EnumTypes.First(type => type.Name == nameof(Right)).FindValueByNumber((int)right).Name;

    /// <summary>Adds a key and gives its token.</summary>
    public string Add(string? application, string name, IReadOnlyCollection<Right> rights, string? token = null, DateTimeOffset? expiresAt = null)
    {
        token ??= $"NNSXS.{RandomNumberGenerator.GetString(Base32, 39)}.{RandomNumberGenerator.GetString(Base32, 52)}";
        var parts = token.Split('.');
        var expanded = rights.Count == 0 || rights.Contains(Right.ApplicationAll) ? ApplicationRights : rights.ToFrozenSet();
        lock (keys)
            keys[parts[1]] = new ApiKeyRecord(parts[1], parts[2], name, application, expanded, clock.GetUtcNow()) { ExpiresAt = expiresAt };
        return token;
    }

    public bool Remove(string token)
    {
        lock (keys)
            return keys.Remove(token.Split('.')[1]);
    }

    /// <summary>Reads the authorization of a call; no header is nobody.</summary>
    public Caller Authenticate(GrpcCall call)
    {
        if (call.First("authorization") is not { } header)
            return new Caller(null);
        var space = header.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || !header.AsSpan(0, space).Equals("bearer", StringComparison.OrdinalIgnoreCase))
            throw TtsError.Make(GrpcCode.Unauthenticated, "pkg/identityserver", "unsupported_authorization", "unsupported authorization method");
        var parts = header[(space + 1)..].Split('.');
        if (parts is not ["NNSXS" or "MFRWG" or "ONZW4", _, _])
            throw TtsError.Make(GrpcCode.InvalidArgument, "pkg/auth", "token", "invalid token");
        ApiKeyRecord? key;
        lock (keys)
            keys.TryGetValue(parts[1], out key);
        if (parts[0] != "NNSXS" || key is null)
        {
            var cause = TtsError.Details(GrpcCode.NotFound, "pkg/identityserver/store", "api_key_not_found", "api key with id `{api_key_id}` not found", [("api_key_id", parts[1])]);
            throw TtsError.Make(GrpcCode.Unauthenticated, "pkg/identityserver", "api_key_not_found", "API key not found", cause: cause);
        }
        if (key.Secret != parts[2])
            throw TtsError.Make(GrpcCode.Unauthenticated, "pkg/identityserver", "invalid_authorization", "invalid authorization");
        if (key.ExpiresAt <= clock.GetUtcNow())
            throw TtsError.Make(GrpcCode.Unauthenticated, "pkg/identityserver", "api_key_expired", "API key expired");
        return new Caller(key);
    }

    /// <summary>The token ID of a call, for rate limits; null when it has none that can be read.</summary>
    public static string? TokenId(GrpcCall call) =>
        call.First("authorization")?.Split(' ') is [_, var token] && token.Split('.') is [_, var id, _] ? id : null;

    /// <summary>What <c>EntityAccess/AuthInfo</c> says.</summary>
    public static AuthInfoResponse AuthInfo(Caller caller)
    {
        if (caller.Key is not { } key)
            return new AuthInfoResponse();
        var at = Timestamp.FromDateTimeOffset(key.CreatedAt);
        var shown = new APIKey { Id = key.Id, Name = key.Name, CreatedAt = at, UpdatedAt = at };
        shown.Rights.Add(caller.IsAdmin ? System.Enum.GetValues<Right>().Where(right => right != Right.Invalid) : key.Rights);
        var answer = new AuthInfoResponse
        {
            ApiKey = new AuthInfoResponse.Types.APIKeyAccess
            {
                ApiKey = shown,
                EntityIds = caller.IsAdmin
                    ? new EntityIdentifiers { UserIds = new UserIdentifiers { UserId = "admin" } }
                    : new EntityIdentifiers { ApplicationIds = new ApplicationIdentifiers { ApplicationId = key.Application } },
            },
            IsAdmin = caller.IsAdmin,
        };
        if (caller.IsAdmin)
        {
            answer.UniversalRights = new Rights();
            answer.UniversalRights.Rights_.Add(System.Enum.GetValues<Right>().Where(right => right != Right.Invalid && !IsWhole(right)));
        }
        return answer;
    }

    /// <summary>Rights over keys and whole kinds of entities are no universal rights of an administrator.</summary>
    private static bool IsWhole(Right right) =>
        NameOf(right) is var name && (name.EndsWith("_ALL", StringComparison.Ordinal) || name.EndsWith("_API_KEYS", StringComparison.Ordinal) || name.EndsWith("_KEYS", StringComparison.Ordinal));
}
