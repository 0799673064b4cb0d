namespace Migration.Verify;

/// <summary>States in words, for the page and the terminal.</summary>
/// <param name="Title">A few words.</param>
/// <param name="Meaning">What it means, a sentence.</param>
/// <param name="Remedy">What to do; null for nothing.</param>
public sealed record StateTexts(string Title, string Meaning, string? Remedy)
{
    /// <summary>The words of a state.</summary>
    public static StateTexts Of(CutOverState state) => state switch
    {
        CutOverState.Missing => new(
            "Missing",
            "At least one server of The Things Stack does not have the device.",
            "Import these devices again; an import completes what is half there. A device that was deleted on purpose can be taken out of the file."),
        CutOverState.Differs => new(
            "Different",
            "The device is there, but a field is not as it was sent.",
            "Look at the fields named. If somebody changed them on purpose, nothing is to do; otherwise set them right, or import the device again with --on-conflict update."),
        CutOverState.LiveOnBoth => new(
            "Live on both networks",
            "The old network still has the keys of the device and answers it, as The Things Stack does: its joins and its session can go wrong on both.",
            "Retire these devices at the old network now: ttn-lw-migrate ttnv2 retire, or tts retire."),
        CutOverState.AliveAtSource => new(
            "Still in its old session",
            "The old network heard the device after the cut-over.",
            "Make it join again: power cycle it, or wait until it joins by itself."),
        CutOverState.NotChecked => new(
            "Not checked",
            "The device could not be checked.",
            "Remove the cause named and verify again."),
        CutOverState.NeedsPowerCycle => new(
            "Has to join: power cycle",
            "The device is ready at The Things Stack but has not joined there yet.",
            "Power cycle the device, or trigger a join as its maker describes. A device that joins by itself every week or month can be waited for."),
        CutOverState.NeedsGateway => new(
            "Needs its gateway moved",
            "The device keeps an address that is not routed to this cluster. It is heard only through gateways that are connected to The Things Stack.",
            "Connect a gateway that covers the device to The Things Stack, or give an ABP device an address of this cluster, or let an OTAA device join again."),
        CutOverState.WaitsForUplink => new(
            "Waiting for its next message",
            "The device keeps its session and has not sent since.",
            "Nothing to do until its next message is due. If that passes, check that a gateway covers the device."),
        CutOverState.OnTarget => new("On The Things Stack", "The device is as it was sent, and was heard since, or it is a multicast group, which never sends.", null),
        CutOverState.Joined => new("Joined", "The device has joined at The Things Stack since it was imported.", null),
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };
}
