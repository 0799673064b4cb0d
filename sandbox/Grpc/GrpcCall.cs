namespace Sandbox.Grpc;

/// <summary>One call as a service sees it.</summary>
public sealed class GrpcCall
{
    /// <summary>Full path, such as <c>/handler.ApplicationManager/GetDevice</c>.</summary>
    public required string Method { get; init; }

    /// <summary>Request headers in the order of arrival, names in lower case; <c>:authority</c> included.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; }

    /// <summary>The request message, uncompressed.</summary>
    public required byte[] Request { get; init; }

    /// <summary>Ends when the client gives up or its deadline passes.</summary>
    public required CancellationToken Cancellation { get; init; }

    /// <summary>Initial metadata of the answer; not sent when the call fails, unless <see cref="SendHeadersOnFailure"/> is set.</summary>
    public IDictionary<string, string> ResponseHeaders { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Whether a failure sends <see cref="ResponseHeaders"/> too: headers, then the status in trailers, in place of trailers only.</summary>
    public bool SendHeadersOnFailure { get; set; }

    /// <summary>Whether a full path is meant by a name: the method, the service and the method, or the path itself.</summary>
    public static bool IsNamed(string path, string name)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(name);
        return path == name || (path.EndsWith(name, StringComparison.Ordinal) && path[^(name.Length + 1)] is '/' or '.');
    }

    /// <summary>First value of a metadata key, or null when it is absent.</summary>
    public string? First(string key)
    {
        foreach (var pair in Metadata)
        {
            if (pair.Key == key)
                return pair.Value;
        }
        return null;
    }
}

/// <summary>One request as it arrived, and how it was answered.</summary>
public sealed class RecordedRequest
{
    /// <summary>Counts from 1 over all servers that share the log.</summary>
    public required int Number { get; init; }

    /// <summary>Name of the server, such as "handler".</summary>
    public required string Server { get; init; }

    /// <summary>Full path.</summary>
    public required string Method { get; init; }

    /// <summary>Last part of the path.</summary>
    public string ShortMethod => Method[(Method.LastIndexOf('/') + 1)..];

    public required IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; }

    public required byte[] Request { get; init; }

    /// <summary>What the request is about (a device ID), or null.</summary>
    public string? Item { get; init; }

    /// <summary>When it arrived, by the emulator's clock.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The status sent; null while the call runs and for answers that are not gRPC.</summary>
    public GrpcStatus? Status { get; internal set; }

    /// <summary>All values of a metadata key.</summary>
    public IEnumerable<string> Values(string key) => Metadata.Where(pair => pair.Key == key).Select(pair => pair.Value);
}

/// <summary>The requests that reached a group of servers.</summary>
public sealed class RequestLog
{
    private readonly Lock gate = new();
    private readonly List<RecordedRequest> requests = [];
    private int count;

    /// <summary>Whether requests are kept; off saves memory in long runs. The count goes on.</summary>
    public bool Keep { get; set; } = true;

    /// <summary>Called when a request has been answered or given up.</summary>
    public Action<RecordedRequest>? Answered { get; set; }

    /// <summary>How many requests arrived.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>A copy, in order of arrival.</summary>
    public IReadOnlyList<RecordedRequest> All
    {
        get
        {
            lock (gate)
                return [.. requests];
        }
    }

    /// <summary>The requests for one method, named in short ("GetDevice"), with its service ("NsEndDeviceRegistry/Get") or in full.</summary>
    public IReadOnlyList<RecordedRequest> For(string method) => [.. All.Where(r => GrpcCall.IsNamed(r.Method, method))];

    public void Clear()
    {
        lock (gate)
        {
            requests.Clear();
            count = 0;
        }
    }

    internal RecordedRequest Add(Func<int, RecordedRequest> make)
    {
        lock (gate)
        {
            var request = make(++count);
            if (Keep)
                requests.Add(request);
            return request;
        }
    }
}
