using TheThingsStack.FieldMasks;

namespace Sources.Tts;

/// <summary>The four servers that hold parts of a device.</summary>
internal enum TtsServer
{
    /// <summary>Identity Server: the list, names, places, attributes.</summary>
    Identity,

    /// <summary>Join Server: root keys and nonces.</summary>
    Join,

    /// <summary>Application Server: AppSKey, downlink counter, payload formatters.</summary>
    Application,

    /// <summary>Network Server: network keys, counters, MAC settings and state.</summary>
    Network,
}

/// <summary>
/// What is asked of each server: all that it can tell about a device (facts/tts-source.md section 5). Servers of other versions may refuse some
/// paths, which refuses the whole call; a path that was refused once is not asked for again (defect D10).
/// </summary>
internal sealed class TtsMasks
{
    /// <summary>Since 3.33 settings may stand in a profile of the application instead of the device (defect D11).</summary>
    public const string ProfilePath = "mac_settings_profile_ids";

    /// <summary>
    /// Without these a device would be exported without its keys or session: a server that refuses them is not one to export from.
    /// </summary>
    private static readonly string[] Indispensable =
    [
        "ids", "ids.device_id", "ids.dev_eui", "supports_join", "frequency_plan_id", "session.dev_addr", "session.keys.f_nwk_s_int_key.key",
        "session.keys.app_s_key.key", "session.last_f_cnt_up", "root_keys.app_key.key",
    ];

    private static readonly Lazy<string[][]> Everything = new(() =>
    [
        // `picture` is taken as a whole only.
        [.. Roots(MaskedCall.IdentityServerGet).Append("picture").Order(StringComparer.Ordinal)],
        [.. Roots(MaskedCall.JoinServerGet).Where(path => path != "claim_authentication_code")],
        [.. Roots(MaskedCall.ApplicationServerGet)],
        [.. Roots(MaskedCall.NetworkServerGet).Append(ProfilePath).Order(StringComparer.Ordinal)],
    ]);

    private readonly string[][] paths = [.. Everything.Value];

    /// <summary>The paths to ask a server for, sorted. The array is never changed.</summary>
    public IReadOnlyList<string> For(TtsServer server) => Volatile.Read(ref paths[(int)server]);

    /// <summary>Takes refused paths out of what a server is asked for.</summary>
    /// <returns>False when nothing would change, or when one of them is indispensable: then asking again is of no use.</returns>
    public bool Drop(TtsServer server, IReadOnlyCollection<string> forbidden, IReadOnlyCollection<string> asked)
    {
        if (forbidden.Count == 0 || !forbidden.Any(asked.Contains) || forbidden.Any(Indispensable.Contains))
            return false;
        while (true)
        {
            var now = Volatile.Read(ref paths[(int)server]);
            string[] left = [.. now.Where(path => !forbidden.Contains(path))];
            if (left.Length == now.Length || Interlocked.CompareExchange(ref paths[(int)server], left, now) == now)
                return true;
        }
    }

    /// <summary>
    /// Gives the paths a call takes, a whole message as one path only where every part of it is taken: so nothing comes that was not asked for.
    /// </summary>
    private static IEnumerable<string> Roots(MaskedCall call)
    {
        var allowed = AllowedPaths.For(call);
        var incomplete = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in AllowedPaths.All)
        {
            if (allowed.Contains(path))
                continue;
            for (var dot = path.LastIndexOf('.'); dot > 0; dot = path.LastIndexOf('.', dot - 1))
                incomplete.Add(path[..dot]);
        }
        var complete = allowed.Where(path => !incomplete.Contains(path)).ToHashSet(StringComparer.Ordinal);
        return complete.Where(path => !HasParentIn(complete, path)).Order(StringComparer.Ordinal);
    }

    private static bool HasParentIn(HashSet<string> paths, string path)
    {
        for (var dot = path.LastIndexOf('.'); dot > 0; dot = path.LastIndexOf('.', dot - 1))
        {
            if (paths.Contains(path[..dot]))
                return true;
        }
        return false;
    }
}
