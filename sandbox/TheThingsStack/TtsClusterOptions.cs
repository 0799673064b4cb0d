using Google.Protobuf;
using TheThingsStack.Api;

namespace Sandbox.TheThingsStack;

/// <summary>The servers of The Things Stack that hold devices.</summary>
[Flags]
public enum TtsServers
{
    None = 0,

    /// <summary>Identity Server, with configuration, claiming and template converter.</summary>
    Identity = 1,

    Network = 2,

    Application = 4,

    Join = 8,

    All = Identity | Network | Application | Join,
}

/// <summary>Quota per method, entity and token (facts/tts-api.md section 11).</summary>
/// <param name="PerMinute">Calls per minute in the long run.</param>
/// <param name="Burst">Calls at once; what <c>x-rate-limit-limit</c> shows.</param>
public sealed record TtsRateLimit(int PerMinute, int Burst)
{
    /// <summary>Short names of the limited methods, such as <c>ApplicationRegistry/Get</c>; empty for all.</summary>
    public IReadOnlyCollection<string> Methods { get; init; } = [];
}

/// <summary>Settings of a <see cref="TtsCluster"/>.</summary>
public sealed record TtsClusterOptions
{
    /// <summary>Clock of records, rate limits and fault delays. Latency and capacity run on the real one.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>One listener for all servers, or one for each.</summary>
    public bool FourListeners { get; init; }

    /// <summary>Servers that are not there: their services are unknown.</summary>
    public TtsServers Absent { get; init; }

    /// <summary>Quota; null for none, as a default deployment.</summary>
    public TtsRateLimit? RateLimit { get; init; }

    /// <summary>Fixed round trip added to every call.</summary>
    public TimeSpan RoundTrip { get; init; }

    /// <summary>How fast the servers work; null for as fast as the machine can.</summary>
    public TtsCapacity? Capacity { get; init; }

    /// <summary>Whether the servers take the paths that came with 3.34.0.</summary>
    public bool TakesPathsOf334 { get; init; }

    /// <summary>Paths that these servers do not know yet: an older version.</summary>
    public IReadOnlyCollection<string> RefusedPaths { get; init; } = [];

    /// <summary>NetID of the network.</summary>
    public ByteString NetId { get; init; } = ByteString.CopyFrom(0, 0, 0x13);

    /// <summary>First DevAddr of the network's block; its size is <see cref="DevAddrPrefixLength"/>.</summary>
    public uint DevAddrPrefix { get; init; } = 0x2600_0000;

    /// <summary>Bits of <see cref="DevAddrPrefix"/> that count.</summary>
    public int DevAddrPrefixLength { get; init; } = 7;

    /// <summary>Default MAC settings of the network; a default configuration wants an RX1 delay of 5 s.</summary>
    public MACSettings MacSettings { get; init; } = new() { DesiredRx1Delay = new RxDelayValue { Value = RxDelay._5 } };

    /// <summary>What DevEUIs of <c>IssueDevEUI</c> start with (5 bytes); null: not configured, the default.</summary>
    public ByteString? DevEuiBlock { get; init; }

    /// <summary>JoinEUIs whose devices can be claimed.</summary>
    public IReadOnlyCollection<ByteString> ClaimableJoinEuis { get; init; } = [];

    /// <summary>Host that applications are registered with and that devices must name; null leaves it open.</summary>
    public string? Host { get; init; }

    /// <summary>Ports of the first listener without and with TLS; 0 lets the system choose.</summary>
    public (int Plain, int Tls) Ports { get; init; }
}
