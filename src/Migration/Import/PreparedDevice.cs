using TheThingsStack.Api;

namespace Migration.Import;

/// <summary>What goes to one server.</summary>
/// <param name="Device">IDs and the fields of the paths.</param>
/// <param name="Paths">Field mask of the call.</param>
internal sealed record ServerPart(EndDevice Device, IReadOnlyList<string> Paths);

/// <summary>A device split for the four servers, ready to be sent.</summary>
/// <param name="Identity">For <c>EndDeviceRegistry/Create</c>.</param>
/// <param name="Join">For <c>JsEndDeviceRegistry/Set</c>; null for ABP.</param>
/// <param name="Network">For <c>NsEndDeviceRegistry/Set</c>.</param>
/// <param name="Application">For <c>AsEndDeviceRegistry/Set</c>.</param>
/// <param name="Notes">What was dropped or changed, and what to know.</param>
internal sealed record PreparedDevice(ServerPart Identity, ServerPart? Join, ServerPart Network, ServerPart Application, IReadOnlyList<Note> Notes)
{
    public EndDeviceIdentifiers Ids => Identity.Device.Ids;

    /// <summary>Whether the options for ABP devices have changed it.</summary>
    public bool IsAdjusted => Notes.Any(static note => note.Code == DevicePreparation.AdjustedCode);
}
