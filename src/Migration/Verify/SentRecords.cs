using Migration.Import;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;

namespace Migration.Verify;

/// <summary>What an import sends to each server for one line.</summary>
/// <param name="Identity">For the Identity Server.</param>
/// <param name="Network">For the Network Server.</param>
/// <param name="Application">For the Application Server.</param>
/// <param name="Join">For the Join Server; null for a device that does not join.</param>
/// <param name="ZerosArrive">Whether the current MAC parameters went as a whole: then a zero in them is a value.</param>
public sealed record SentRecords(EndDevice Identity, EndDevice Network, EndDevice Application, EndDevice? Join, bool ZerosArrive)
{
    /// <summary>The servers that should hold the device: all, but the Join Server only one that joins and was not claimed from another one.</summary>
    public DeviceServers Servers { get; private init; }

    /// <summary>The record for one server.</summary>
    public EndDevice? Of(DeviceServers server) => server switch
    {
        DeviceServers.IdentityServer => Identity,
        DeviceServers.NetworkServer => Network,
        DeviceServers.ApplicationServer => Application,
        DeviceServers.JoinServer => Join,
        _ => throw new ArgumentOutOfRangeException(nameof(server)),
    };

    /// <summary>
    /// Prepares a line as the import does, its options for ABP devices included. A line that the import would refuse can have come over by
    /// other means: then all of it counts as sent to all.
    /// </summary>
    public static async ValueTask<SentRecords> PrepareAsync(EndDevice line, AbpAdjustments abp, IFrequencyPlanStore plans, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(line);
        var options = new ImportOptions { Application = line.Ids?.ApplicationIds?.ApplicationId ?? "", Abp = abp };
        var (prepared, _) = await new DevicePreparation(options, TargetFacts.Unasked, plans).PrepareAsync(line, cancellation);
        return prepared is null ? Plain(line) : Of(prepared) with { Servers = ServersOf(line) };
    }

    /// <summary>What an import sends.</summary>
    internal static SentRecords Of(PreparedDevice prepared) => new(
        prepared.Identity.Device, prepared.Network.Device, prepared.Application.Device, prepared.Join?.Device,
        ZerosArrive: prepared.Network.Paths.Contains("mac_state.current_parameters", StringComparer.Ordinal));

    /// <summary>All of a line, for all servers.</summary>
    internal static SentRecords Plain(EndDevice line) => new(line, line, line, line.SupportsJoin ? line : null, ZerosArrive: true) { Servers = ServersOf(line) };

    private static DeviceServers ServersOf(EndDevice line) =>
        DeviceServers.IdentityServer | DeviceServers.NetworkServer | DeviceServers.ApplicationServer
        | (line.SupportsJoin && string.IsNullOrEmpty(line.ClaimAuthenticationCode?.Value) ? DeviceServers.JoinServer : DeviceServers.None);
}
