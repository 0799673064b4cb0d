using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Rpc;

namespace TheThingsStack.Registries;

/// <summary>How to reach a cluster of The Things Stack.</summary>
public sealed record ClusterOptions
{
    /// <summary>The four servers.</summary>
    public required ClusterAddresses Addresses { get; init; }

    /// <summary>The key that every call carries; null sends none.</summary>
    public required ApiKey? Key { get; init; }

    /// <summary>TLS with this trust; null for plaintext. Default: the authorities of this computer.</summary>
    public TlsTrust? Tls { get; init; } = TlsTrust.System;

    /// <summary>Clock for deadlines, retries and pacing.</summary>
    public required TimeProvider Clock { get; init; }

    /// <summary>Gets warnings of the servers and, at debug level, retries; never a key.</summary>
    public ILogger Log { get; init; } = NullLogger.Instance;

    /// <summary>Gives an environment variable or null (HTTPS_PROXY, NO_PROXY). Default: none is set.</summary>
    public Func<string, string?> Environment { get; init; } = static _ => null;

    /// <summary>Learns when the servers refuse calls for their load; null for nobody.</summary>
    public AdaptiveConcurrency? Concurrency { get; init; }

    /// <summary>Time for one attempt of a call, once the server has answered. Default 20 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Time for connecting. The first answer of a server has one second more, and repeats before it fit in as well. Default 8 s: a wrong
    /// address is the user's to correct, soon.
    /// </summary>
    public TimeSpan FirstTimeout { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Attempts of a call that fails for a passing reason, at least 1. Default 6. Refusals of a rate limit do not count.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>Longest time one call waits for a rate limit, all refusals together. Default 5 minutes.</summary>
    public TimeSpan RateLimitPatience { get; init; } = TimeSpan.FromMinutes(5);
}
