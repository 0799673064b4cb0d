using System.Security.Cryptography;
using System.Text;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Migration;

/// <summary>
/// Turns the IDs of a source into IDs of The Things Stack: prefix, <c>_</c> to <c>-</c>, at most 36 characters, the old ID kept as an
/// attribute (facts/cli-surface.md section 2).
/// </summary>
public static class DeviceNaming
{
    /// <summary>Longest ID, in characters.</summary>
    public const int MaxLength = 36;

    private const string OldIdAttribute = "old-id";

    /// <summary>The device ID a source ID becomes, before its length and form are checked.</summary>
    public static string DeviceId(string sourceId, ExportOptions options) =>
        (options.DeviceIdPrefix.Length > 0 ? $"{options.DeviceIdPrefix}-{sourceId}" : sourceId).Replace('_', '-');

    /// <summary>Gives the device its IDs of The Things Stack, or says why it cannot have them.</summary>
    /// <param name="device">Mapped device with the IDs of its source; changed.</param>
    /// <param name="options">Prefix, and whether the DevEUI becomes the ID.</param>
    /// <param name="notes">Gets a note when the name of an attribute was taken.</param>
    public static Failure? Rename(EndDevice device, ExportOptions options, ICollection<Note> notes)
    {
        var ids = device.Ids;
        var given = ids.DeviceId;
        var name = given;
        if (options.EuiAsDeviceId || name.Length == 0)
        {
            if (ids.DevEui.Length == 0)
                return Failure.Named("export", "no_exported_id_or_eui", "device has no ID and no DevEUI");
            name = Convert.ToHexStringLower(ids.DevEui.Span);
        }
        ids.DeviceId = DeviceId(name, options);
        if (ids.DeviceId.Length > MaxLength)
        {
            return Failure.Named("export", "dev_id_exceeds_max_length", $"device ID `{ids.DeviceId}` exceeds max length") with
            {
                Attributes = new Dictionary<string, string> { ["id"] = ids.DeviceId },
                Advice = $"The Things Stack allows {MaxLength} characters; `{Propose(ids.DeviceId)}` would do. Register the device under that ID at the source, or use --set-eui-as-id",
            };
        }
        if (given.Length > 0 && !string.Equals(given, ids.DeviceId, StringComparison.Ordinal))
            KeepOldId(device, given, notes);

        var application = ids.ApplicationIds;
        application.ApplicationId = application.ApplicationId.Replace('_', '-');
        if (application.ApplicationId.Length > MaxLength)
        {
            return Failure.Named("export", "app_id_exceeds_max_length", $"application ID `{application.ApplicationId}` exceeds max length") with
            {
                Attributes = new Dictionary<string, string> { ["id"] = application.ApplicationId },
                Advice = $"The Things Stack allows {MaxLength} characters",
            };
        }
        return null;
    }

    /// <summary>
    /// The IDs that a device of an export may have had at its source, the likeliest first: the last one kept as an attribute, because that
    /// is ours when the device had an <c>old-id</c> of its own, and the ID it has when it was not renamed.
    /// </summary>
    public static IReadOnlyList<string> SourceIds(EndDevice device) =>
    [
        .. device.Attributes.Where(a => a.Key.StartsWith(OldIdAttribute, StringComparison.Ordinal)).OrderByDescending(a => a.Key, StringComparer.Ordinal).Select(a => a.Value),
        device.Ids?.DeviceId ?? "",
    ];

    /// <summary>A nearby ID that The Things Stack accepts: lower case letters and digits, at least three of them, single dashes inside, at most 36 characters.</summary>
    public static string Propose(string id)
    {
        var text = new StringBuilder(id.Length);
        foreach (var c in id.ToLowerInvariant())
        {
            if (c is (>= 'a' and <= 'z') or (>= '0' and <= '9'))
                text.Append(c);
            else if (text.Length > 0 && text[^1] != '-')
                text.Append('-');
        }
        while (text.Length > 0 && text[^1] == '-')
            text.Length--;
        if (text.Length == 0)
            text.Append("device");
        else if (text.ToString().Count(c => c != '-') < 3)
            text.Insert(0, "dev-");
        if (text.Length <= MaxLength)
            return text.ToString();
        // Cut IDs that differ only at the end must stay apart: the end says which device it was.
        var mark = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 3));
        return text.ToString(0, MaxLength - mark.Length - 1).TrimEnd('-') + "-" + mark;
    }

    private static void KeepOldId(EndDevice device, string old, ICollection<Note> notes)
    {
        var key = OldIdAttribute;
        for (var n = 2; device.Attributes.TryGetValue(key, out var taken); n++)
        {
            if (taken == old)
                return;
            key = $"{OldIdAttribute}-{n}";
        }
        device.Attributes[key] = old;
        if (key != OldIdAttribute)
            notes.Add(new Note("old_id_attribute_taken", $"the device has an attribute `{OldIdAttribute}` of its own, so its former ID is in another one, `{key}` or the next free number"));
    }
}
