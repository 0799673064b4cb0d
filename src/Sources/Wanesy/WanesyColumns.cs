using System.Collections.Frozen;

namespace Sources.Wanesy;

/// <summary>Columns that are read, in the order of the export (facts/wanesy.md section 2).</summary>
internal enum WanesyColumn
{
    DevEui,
    Name,
    ClassType,
    RfRegion,
    MacVersion,
    RegParamsRevision,
    AdrEnabled,
    Activation,
    AppEui,
    AppKey,
    FCntDown,
    FCntUp,
    FNwkSIntKey,
    SNwkSIntKey,
    Rx1Delay,
    Rx1DrOffset,
    Rx2Dr,
    Rx2Freq,
    CFList,
    DwellTime,
    PingSlotDr,
    PingSlotFreq,
    Latitude,
    Longitude,
    Altitude,
    DevAddr,
    NwkSKey,
    AppSKey,
}

/// <summary>Where the columns stand in one file.</summary>
internal sealed class WanesyColumns
{
    /// <summary>Number of columns that are read.</summary>
    public const int Count = (int)WanesyColumn.AppSKey + 1;

    private static readonly string[] NamesInFile =
    [
        "devEui", "name", "classType", "rfRegion", "macVersion", "regParamsRevision", "adrEnabled", "activation", "appEui", "appKey",
        "fcntDown", "fcntUp", "fNwkSIntKey", "sNwkSIntKey", "rx1Delay", "rx1DrOffset", "rx2Dr", "rx2Freq", "cfList", "dwellTime",
        "pingSlotDr", "pingSlotFreq", "latitude", "longitude", "altitude", "dev_addr", "NwkSKey", "AppSKey",
    ];

    private static readonly FrozenDictionary<string, WanesyColumn> ByName =
        NamesInFile.Select((name, i) => KeyValuePair.Create(name, (WanesyColumn)i)).ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>Names of other exports; they count where the file does not have the column under its own name.</summary>
    private static readonly FrozenDictionary<string, WanesyColumn> ByOtherName =
        new Dictionary<string, WanesyColumn> { ["devAddr"] = WanesyColumn.DevAddr, ["rfRegions"] = WanesyColumn.RfRegion }
            .ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>Columns that say nothing about the device in The Things Stack.</summary>
    private static readonly FrozenSet<string> Unused = new[]
    {
        "clusterId", "clusterName", "country", "profile", "devNonceCounter", "rxWindows", "geolocation", "status", "lastDataUpMessage",
        "lastDataDownMessage", "lastDataUpDr", "device_profile", "devices_profiles", "extraction_date", "customerId", "customerName",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly WanesyColumn[] Required = [WanesyColumn.DevEui, WanesyColumn.MacVersion, WanesyColumn.Activation];

    private readonly int[] positions = new int[Count];

    private WanesyColumns(IReadOnlyList<string> header)
    {
        Width = header.Count;
        Array.Fill(positions, -1);
        var otherPositions = new Dictionary<WanesyColumn, int>();
        var unknown = new List<string>();
        for (var i = 0; i < header.Count; i++)
        {
            var name = header[i].Trim();
            // Of two columns with one name the last counts, as for the Go tool.
            if (ByName.TryGetValue(name, out var column))
                positions[(int)column] = i;
            else if (ByOtherName.TryGetValue(name, out column))
                otherPositions[column] = i;
            else if (name.Length > 0 && !Unused.Contains(name))
                unknown.Add(name);
        }
        foreach (var (column, position) in otherPositions)
        {
            if (positions[(int)column] < 0)
                positions[(int)column] = position;
        }
        Unknown = unknown;
    }

    /// <summary>Number of columns of the file.</summary>
    public int Width { get; }

    /// <summary>Names of columns that no export of Wanesy is known to have.</summary>
    public IReadOnlyList<string> Unknown { get; }

    /// <summary>Names of columns without which no device can be exported and that the file lacks.</summary>
    public IEnumerable<string> Missing => Required.Where(c => this[c] < 0).Select(NameOf);

    /// <summary>Position of a column in the file, from 0; -1 when the file does not have it.</summary>
    public int this[WanesyColumn column] => positions[(int)column];

    /// <summary>Reads a header line: any order, any letter case, blanks around names do not matter.</summary>
    public static WanesyColumns Of(IReadOnlyList<string> header) => new(header);

    /// <summary>The name of a column in the export.</summary>
    public static string NameOf(WanesyColumn column) => NamesInFile[(int)column];
}
