using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Reflection;

namespace TheThingsStack.FieldMasks;

/// <summary>Calls about end devices that take a field mask.</summary>
public enum MaskedCall
{
    /// <summary><c>EndDeviceRegistry/Get</c> and <c>/List</c>, <c>EndDeviceBatchRegistry/Get</c>.</summary>
    IdentityServerGet,

    /// <summary><c>EndDeviceRegistry/Update</c>; what it takes is what <c>/Create</c> stores.</summary>
    IdentityServerUpdate,

    /// <summary><c>NsEndDeviceRegistry/Get</c> and <c>/ResetFactoryDefaults</c>.</summary>
    NetworkServerGet,

    /// <summary><c>NsEndDeviceRegistry/Set</c>.</summary>
    NetworkServerSet,

    /// <summary><c>AsEndDeviceRegistry/Get</c>.</summary>
    ApplicationServerGet,

    /// <summary><c>AsEndDeviceRegistry/Set</c>.</summary>
    ApplicationServerSet,

    /// <summary><c>JsEndDeviceRegistry/Get</c>.</summary>
    JoinServerGet,

    /// <summary><c>JsEndDeviceRegistry/Set</c>.</summary>
    JoinServerSet,
}

/// <summary>
/// The paths each call takes, for The Things Stack 3.32 (facts/tts-api.md section 3, measured). One path that is not allowed refuses the whole
/// call, and a parent may be refused where its parts are taken.
/// </summary>
public static class AllowedPaths
{
    private const string Letters = "IiNnAaJj";

    private static readonly Lazy<(ImmutableArray<string> All, FrozenSet<string>[] Calls)> Table = new(Read);

    /// <summary>Every path of an end device, also those that no call takes, sorted.</summary>
    public static ImmutableArray<string> All => Table.Value.All;

    /// <summary>Paths that the Network Server takes since 3.34.0, in Get and Set; older ones refuse them.</summary>
    public static ImmutableArray<string> NetworkServerSince334 { get; } =
    [
        "mac_state.pending_application_downlink.attributes",
        "mac_state.pending_application_downlink.locations",
        "mac_state.pending_application_downlink.network_ids",
        "mac_state.pending_application_downlink.version_ids",
    ];

    /// <summary>The paths that a call takes.</summary>
    public static FrozenSet<string> For(MaskedCall call) => Table.Value.Calls[(int)call];

    private static (ImmutableArray<string> All, FrozenSet<string>[] Calls) Read()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("TheThingsStack.FieldMasks.allowed-paths.tsv")
            ?? throw new InvalidOperationException("The table of allowed paths is missing in this build.");
        using var reader = new StreamReader(stream);
        var all = ImmutableArray.CreateBuilder<string>();
        var calls = Letters.Select(_ => new List<string>()).ToArray();
        while (reader.ReadLine() is { } line)
        {
            var tab = line.IndexOf('\t', StringComparison.Ordinal);
            var path = line[..tab];
            all.Add(path);
            foreach (var letter in line.AsSpan(tab + 1))
                calls[Letters.IndexOf(letter, StringComparison.Ordinal)].Add(path);
        }
        return (all.ToImmutable(), [.. calls.Select(paths => paths.ToFrozenSet(StringComparer.Ordinal))]);
    }
}
