using System.Diagnostics.CodeAnalysis;
using LoRaWan.Regional;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace TheThingsStack.Mac;

/// <summary>
/// Builds the MAC state that The Things Stack gives a device that arrives with a session (facts/mac-state.md).
/// Pure: the device, its resolved frequency plan and, where known, the default MAC settings of the target network decide everything.
/// </summary>
/// <remarks>
/// Of the device only <c>frequency_plan_id</c>, <c>lorawan_phy_version</c>, <c>lorawan_version</c>, <c>supports_class_b</c>,
/// <c>supports_class_c</c>, <c>multicast</c> and <c>mac_settings</c> count; an OTAA device with a session and an ABP device get the same state.
/// </remarks>
public static class MacStateBuilder
{
    /// <summary>
    /// Builds the state as the network creates it for a session without one: current parameters as the device boots with,
    /// desired parameters as the network wants them.
    /// </summary>
    /// <param name="device">Device with plan, versions, classes and MAC settings.</param>
    /// <param name="plan">The resolved plan that <c>frequency_plan_id</c> names.</param>
    /// <param name="networkDefaults">
    /// Default MAC settings of the target network (<c>Ns.GetDefaultMACSettings</c>; a default configuration has a desired RX1 delay of 5 s);
    /// null assumes none, as the exporters do.
    /// </param>
    /// <param name="state">The state.</param>
    /// <param name="failure">
    /// <c>pkg/networkserver/internal:no_band_version</c>, <c>pkg/networkserver/mac:class_a_multicast</c>, or a failure of ours
    /// (<c>mac:no_mac_version</c>, <c>mac:unknown_max_eirp</c>, <c>mac:relay_mode</c>, <c>mac:plan_channels</c>) where The Things Stack crashes.
    /// </param>
    public static bool TryBuild(
        EndDevice device,
        FrequencyPlan plan,
        MACSettings? networkDefaults,
        [NotNullWhen(true)] out MACState? state,
        [NotNullWhen(false)] out Failure? failure)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(plan);
        state = null;
        if (!BandVersions.TryGet(plan, device.LorawanPhyVersion, out var band, out failure) || !TryGetClass(device, out var deviceClass, out failure))
            return false;
        var rules = new MacParameterRules(device, plan, band, networkDefaults);
        failure = rules.Check();
        if (failure is not null)
            return false;
        var current = rules.Current();
        state = new MACState
        {
            CurrentParameters = current,
            DesiredParameters = device.Multicast ? current.Clone() : rules.Desired(current),
            DeviceClass = deviceClass,
            LorawanVersion = device.LorawanVersion,
            PingSlotPeriodicity = (device.MacSettings?.PingSlotPeriodicity ?? networkDefaults?.PingSlotPeriodicity)?.Clone(),
        };
        return true;
    }

    /// <summary>
    /// Builds the state of a device whose old network has already brought it to its plan: both parameter sets are the desired ones and
    /// have the RX1 delay that the device uses now (facts/mac-state.md section 9).
    /// </summary>
    /// <remarks>
    /// Used by the sources <c>ttnv2</c> and <c>firefly</c> with 1 s, <c>wanesy</c> with 1 s or the value of the CSV, <c>chirpstack</c> with
    /// <c>mac_settings.rx1_delay</c>, which it always sets. <c>tts</c> copies the state of its Network Server and <c>awsiot</c> has none.
    /// </remarks>
    /// <param name="device">As in <see cref="TryBuild"/>.</param>
    /// <param name="plan">As in <see cref="TryBuild"/>.</param>
    /// <param name="rx1Delay">RX1 delay the device uses now, in seconds (the enum number).</param>
    /// <param name="state">The state.</param>
    /// <param name="failure">As in <see cref="TryBuild"/>.</param>
    public static bool TryBuildSettled(
        EndDevice device,
        FrequencyPlan plan,
        RxDelay rx1Delay,
        [NotNullWhen(true)] out MACState? state,
        [NotNullWhen(false)] out Failure? failure)
    {
        if (!TryBuild(device, plan, networkDefaults: null, out state, out failure))
            return false;
        state.DesiredParameters.Rx1Delay = rx1Delay;
        state.CurrentParameters = state.DesiredParameters.Clone();
        return true;
    }

    /// <summary>
    /// Gives the uplink frequencies (Hz) of the enabled channels, in channel order: what <c>mac_settings.factory_preset_frequencies</c> of
    /// a device that resets to its frequency plan holds.
    /// </summary>
    public static IEnumerable<ulong> EnabledUplinkFrequencies(MACParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.Channels.Where(channel => channel.EnableUplink && channel.UplinkFrequency > 0).Select(channel => channel.UplinkFrequency);
    }

    /// <summary>Gives the class a device starts in (facts/mac-state.md R6): before 1.1 class C is on from the start, class B never is.</summary>
    private static bool TryGetClass(EndDevice device, out Class deviceClass, [NotNullWhen(false)] out Failure? failure)
    {
        failure = null;
        deviceClass = Class.A;
        if (device.LorawanVersion is <= MACVersion.MacUnknown or > MACVersion.MacV104)
        {
            failure = Failure.Named("mac", "no_mac_version", "no known LoRaWAN version") with
            {
                Attributes = new Dictionary<string, string> { ["lorawan_version"] = ((int)device.LorawanVersion).ToString(System.Globalization.CultureInfo.InvariantCulture) },
                Advice = "set lorawan_version to one of MAC_V1_0, MAC_V1_0_1, MAC_V1_0_2, MAC_V1_0_3, MAC_V1_0_4, MAC_V1_1",
            };
            return false;
        }
        if (device.SupportsClassC && (device.Multicast || device.LorawanVersion != MACVersion.MacV11))
            deviceClass = Class.C;
        else if (device.Multicast && device.SupportsClassB)
            deviceClass = Class.B;
        else if (device.Multicast)
            failure = new Failure("multicast device in class A mode") { Namespace = "pkg/networkserver/mac", Name = "class_a_multicast" };
        return failure is null;
    }
}
