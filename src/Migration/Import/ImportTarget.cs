namespace Migration.Import;

/// <summary>Where a device was imported, as the journal notes it: <c>my-app at eu1.cloud.thethings.network:8884</c>.</summary>
public static class ImportTarget
{
    private const string At = " at ";

    /// <summary>Makes the note.</summary>
    /// <param name="application">Application ID.</param>
    /// <param name="server">Address of the Identity Server.</param>
    public static string Describe(string application, Rpc.HostPort server) => $"{application}{At}{server}";

    /// <summary>The application of a note; notes of early versions hold nothing else.</summary>
    public static string? ApplicationOf(string? note) => note?.Split(At)[0];

    /// <summary>The address in a note; null in notes of early versions.</summary>
    public static string? ServerOf(string? note) => note?.Split(At) is [_, var server] ? server : null;
}
