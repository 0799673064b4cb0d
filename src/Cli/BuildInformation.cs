namespace Cli;

/// <summary>What the program was built from; the values are written by the build (Cli.csproj).</summary>
internal static partial class BuildInformation
{
    /// <summary>Where users report what went wrong.</summary>
    public const string ReportAddress = "the issue tracker of ttn-lw-migrate";
}
