namespace Migration;

/// <summary>How a run goes; the same for every source.</summary>
public sealed record ExportOptions
{
    /// <summary>Read, map and write every device, but retire none. Default false.</summary>
    public bool DryRun { get; init; }

    /// <summary>Put before each device ID with a dash between. Default none.</summary>
    public string DeviceIdPrefix { get; init; } = "";

    /// <summary>The lower-case DevEUI becomes the device ID (a flag of old versions). Default false.</summary>
    public bool EuiAsDeviceId { get; init; }

    /// <summary>Stop at the first device that fails, as the Go tool does. Default false: go on and fail at the end.</summary>
    public bool FailFast { get; init; }

    /// <summary>Devices read, and devices retired, at the same time; at least 1. The source's own pace limits calls further. Default 16.</summary>
    public int Concurrency { get; init; } = 16;
}

/// <summary>What to export.</summary>
/// <param name="What">What <paramref name="Ids"/> are.</param>
/// <param name="Ids">IDs as the user gave them, in order. A list, not a stream: a run first looks at all IDs (duplicates, count).</param>
public sealed record ExportRequest(ExportedItems What, IReadOnlyList<string> Ids);

/// <summary>Kind of ID on the command line.</summary>
public enum ExportedItems
{
    /// <summary>Single devices.</summary>
    Devices,

    /// <summary>All devices of applications.</summary>
    Applications,
}
