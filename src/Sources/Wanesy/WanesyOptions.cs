namespace Sources.Wanesy;

/// <summary>What the user says about a file of the Wanesy Management Center (facts/wanesy.md section 3).</summary>
/// <param name="ApplicationId">Application of The Things Stack that all devices go to.</param>
/// <param name="FrequencyPlanId">Frequency plan of all devices, e.g. <c>EU_863_870</c>.</param>
/// <param name="CsvPath">Path of the file, for messages.</param>
/// <param name="OpenCsv">Opens the file; called once for each pass over it. Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</param>
public sealed record WanesyOptions(string ApplicationId, string FrequencyPlanId, string CsvPath, Func<Stream> OpenCsv);
