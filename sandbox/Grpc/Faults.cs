namespace Sandbox.Grpc;

/// <summary>What goes wrong with a call.</summary>
public abstract record Fault
{
    private Fault()
    {
    }

    /// <summary>Answers with a status. With <paramref name="Apply"/> the work is done first, so the client is told a lie.</summary>
    public sealed record Fail(GrpcCode Code, string Message, bool Apply = false) : Fault;

    /// <summary>Waits on the emulator's clock, then serves.</summary>
    public sealed record Delay(TimeSpan Time) : Fault;

    /// <summary>Never answers. With <paramref name="Apply"/> the work is done: a call that times out but took effect.</summary>
    public sealed record Hang(bool Apply = false) : Fault;

    /// <summary>Closes the TCP connection in place of an answer, with or without having done the work.</summary>
    public sealed record DropConnection(bool Apply = false) : Fault;

    /// <summary>Serves, and sends GOAWAY on the connection.</summary>
    public sealed record GoAway : Fault;

    /// <summary>Serves, with the answer's bytes changed.</summary>
    public sealed record Rewrite(Func<byte[], byte[]> Change) : Fault;

    /// <summary>Serves, but the stream ends after this many bytes of the message although its prefix promises all of them.</summary>
    public sealed record Truncate(int Bytes) : Fault;

    /// <summary>Answers with a message of this many bytes of unknown fields.</summary>
    public sealed record Oversize(int Bytes) : Fault;

    /// <summary>Answers as a proxy or web server would.</summary>
    public sealed record HttpPage(int Status, string Html, string ContentType = "text/html") : Fault;

    /// <summary>Serves, but the stream ends without trailers.</summary>
    public sealed record NoTrailers : Fault;

    /// <summary>Serves with the message compressed by gzip.</summary>
    public sealed record Gzip : Fault;

    /// <summary>Does something else first (restarts a server, changes a record), then serves.</summary>
    public sealed record Run(Func<GrpcCall, Task> Action) : Fault;
}

/// <summary>When a fault strikes.</summary>
/// <param name="Method">
/// Method with its service ("NsEndDeviceRegistry/Set") or with its package too ("/ttn.lorawan.v3.NsEndDeviceRegistry/Set"); without a service
/// ("SetDevice") it is the method of every service that has one of this name: "Set" strikes at three servers of The Things Stack. "*" for all.
/// </param>
/// <param name="Fault">What goes wrong.</param>
public sealed record FaultRule(string Method, Fault Fault)
{
    /// <summary>Only calls about this item (a device ID); null for all.</summary>
    public string? Item { get; init; }

    /// <summary>First matching call that is struck, counted from 1.</summary>
    public int From { get; init; } = 1;

    /// <summary>Last matching call that is struck.</summary>
    public int To { get; init; } = int.MaxValue;
}

/// <summary>The faults of a group of servers. Every rule counts the calls that match it; the first rule in its window strikes.</summary>
public sealed class FaultPlan
{
    private readonly Lock gate = new();
    private readonly List<(FaultRule Rule, StrongBox Count)> rules = [];

    /// <summary>Asked for every call that no rule strikes, with the method without its service: a fault by chance, or null. Called one at a time.</summary>
    public Func<string, Fault?>? ByChance { get; set; }

    public FaultPlan Add(FaultRule rule)
    {
        lock (gate)
            rules.Add((rule, new StrongBox()));
        return this;
    }

    /// <summary>Adds a rule for calls <paramref name="from"/> to <paramref name="to"/> of a method about an item.</summary>
    public FaultPlan Add(string method, Fault fault, string? item = null, int from = 1, int to = int.MaxValue) =>
        Add(new FaultRule(method, fault) { Item = item, From = from, To = to });

    public void Clear()
    {
        lock (gate)
            rules.Clear();
    }

    internal Fault? Next(string method, string? item)
    {
        lock (gate)
        {
            Fault? struck = null;
            foreach (var (rule, count) in rules)
            {
                if (rule.Method != "*" && !GrpcCall.IsNamed(method, rule.Method))
                    continue;
                if (rule.Item is not null && rule.Item != item)
                    continue;
                var number = ++count.Value;
                if (struck is null && number >= rule.From && number <= rule.To)
                    struck = rule.Fault;
            }
            return struck ?? ByChance?.Invoke(method[(method.LastIndexOf('/') + 1)..]);
        }
    }

    private sealed class StrongBox
    {
        public int Value { get; set; }
    }
}
