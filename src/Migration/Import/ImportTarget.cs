namespace Migration.Import;

/// <summary>
/// Where a device was imported and what was changed on the way, as the journal notes it:
/// <c>my-app at eu1.cloud.thethings.network:8884 with rx1-delay=5 resets-f-cnt=true</c>.
/// </summary>
/// <param name="Application">Application ID.</param>
/// <param name="Server">Address of the Identity Server; null in notes of early versions, which hold the application alone.</param>
/// <param name="Abp">What was changed of ABP devices.</param>
public sealed record ImportTarget(string Application, string? Server, AbpAdjustments Abp)
{
    private const string At = " at ";
    private const string With = " with ";

    /// <summary>Reads a note of the journal; null when there is none.</summary>
    public static ImportTarget? Of(string? note)
    {
        if (note is null)
            return null;
        var parts = note.Split(With, 2);
        var place = parts[0].Split(At, 2);
        return new ImportTarget(place[0], place.ElementAtOrDefault(1), AbpAdjustments.Of(parts.ElementAtOrDefault(1) ?? ""));
    }

    /// <summary>Application and cluster.</summary>
    public string Place => Server is null ? Application : Application + At + Server;

    /// <summary>Whether both are the same application of the same cluster.</summary>
    public bool IsSamePlace(ImportTarget other) => other is not null && Place == other.Place;

    /// <summary>The note.</summary>
    public override string ToString() => Abp == new AbpAdjustments() ? Place : Place + With + Abp;
}
