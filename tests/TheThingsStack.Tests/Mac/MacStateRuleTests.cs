using LoRaWan.Regional;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Mac;
using Channel = LoRaWan.Regional.Channel;
using DataRateIndex = TheThingsStack.Api.DataRateIndex;

namespace TheThingsStack.Tests.Mac;

/// <summary>Rules of facts/mac-state.md that no recorded state shows: defaults of the network, what is impossible, and states of settled devices.</summary>
public sealed class MacStateRuleTests
{
    private static readonly FrequencyPlan Europe = EmbeddedFrequencyPlanStore.Find("EU_863_870_TTN").Plan!;

    [Fact]
    public void Defaults_of_the_network_win_over_the_band()
    {
        var state = Build(Device(), defaults: Defaults());

        var current = state.CurrentParameters;
        Assert.Equal(RxDelay._2, current.Rx1Delay);
        Assert.Equal(DataRateOffset._1, current.Rx1DataRateOffset);
        Assert.Equal(DataRateIndex.DataRate1, current.Rx2DataRateIndex);
        Assert.Equal(869_100_000u, current.Rx2Frequency);
        Assert.Equal(AggregatedDutyCycle.DutyCycle2, current.MaxDutyCycle);
        Assert.Equal(869_200_000u, current.PingSlotFrequency);
        Assert.Equal(869_300_000u, current.BeaconFrequency);
        Assert.Equal(DataRateIndex.DataRate2, current.PingSlotDataRateIndexValue.Value);
        Assert.Equal(ADRAckLimitExponent.AdrAckLimit64, current.AdrAckLimitExponent.Value);
        Assert.Equal(PingSlotPeriod.PingEvery4S, state.PingSlotPeriodicity.Value);
        Assert.NotNull(current.Relay.Serving);
        Assert.Equal([868_300_000u, 868_900_000u], MacStateBuilder.EnabledUplinkFrequencies(current));

        var desired = state.DesiredParameters;
        Assert.Equal(RxDelay._5, desired.Rx1Delay);
        Assert.Equal(DataRateOffset._2, desired.Rx1DataRateOffset);
        Assert.Equal(DataRateIndex.DataRate3, desired.Rx2DataRateIndex);
        Assert.Equal(869_400_000u, desired.Rx2Frequency);
        Assert.Equal(AggregatedDutyCycle.DutyCycle4, desired.MaxDutyCycle);
        Assert.Equal(869_500_000u, desired.PingSlotFrequency);
        Assert.Equal(869_600_000u, desired.BeaconFrequency);
        Assert.Equal(DataRateIndex.DataRate4, desired.PingSlotDataRateIndexValue.Value);
        Assert.Equal(ADRAckLimitExponent.AdrAckLimit32, desired.AdrAckLimitExponent.Value);
        Assert.Equal(ADRAckDelayExponent.AdrAckDelay16, desired.AdrAckDelayExponent.Value);
        Assert.NotNull(desired.Relay.Served);
    }

    [Fact]
    public void The_device_wins_over_the_defaults_of_the_network_even_with_zero()
    {
        var settings = new MACSettings
        {
            Rx1Delay = new() { Value = RxDelay._0 },
            Rx1DataRateOffset = new() { Value = DataRateOffset._0 },
            Rx2DataRateIndex = new() { Value = DataRateIndex.DataRate0 },
            Rx2Frequency = new() { Value = 869_525_000 },
            MaxDutyCycle = new() { Value = AggregatedDutyCycle.DutyCycle1 },
            PingSlotPeriodicity = new() { Value = PingSlotPeriod.PingEvery1S },
            PingSlotDataRateIndex = new() { Value = DataRateIndex.DataRate0 },
            DesiredRx1Delay = new() { Value = RxDelay._0 },
            DesiredRx1DataRateOffset = new() { Value = DataRateOffset._0 },
            DesiredRx2DataRateIndex = new() { Value = DataRateIndex.DataRate0 },
            DesiredPingSlotDataRateIndex = new() { Value = DataRateIndex.DataRate0 },
            DesiredAdrAckLimitExponent = new() { Value = ADRAckLimitExponent.AdrAckLimit1 },
            DesiredAdrAckDelayExponent = new() { Value = ADRAckDelayExponent.AdrAckDelay1 },
            DesiredMaxDutyCycle = new() { Value = AggregatedDutyCycle.DutyCycle1 },
            FactoryPresetFrequencies = { 868_100_000 },
        };

        var state = Build(Device(settings), defaults: Defaults());

        foreach (var parameters in new[] { state.CurrentParameters, state.DesiredParameters })
        {
            Assert.Equal(RxDelay._0, parameters.Rx1Delay);
            Assert.Equal(DataRateOffset._0, parameters.Rx1DataRateOffset);
            Assert.Equal(DataRateIndex.DataRate0, parameters.Rx2DataRateIndex);
            Assert.Equal(AggregatedDutyCycle.DutyCycle1, parameters.MaxDutyCycle);
            Assert.Equal(DataRateIndex.DataRate0, parameters.PingSlotDataRateIndexValue.Value);
        }
        Assert.Equal(869_525_000u, state.CurrentParameters.Rx2Frequency);
        Assert.Equal(ADRAckLimitExponent.AdrAckLimit1, state.DesiredParameters.AdrAckLimitExponent.Value);
        Assert.Equal(ADRAckDelayExponent.AdrAckDelay1, state.DesiredParameters.AdrAckDelayExponent.Value);
        Assert.Equal(PingSlotPeriod.PingEvery1S, state.PingSlotPeriodicity.Value);
        Assert.Equal([868_100_000u], MacStateBuilder.EnabledUplinkFrequencies(state.CurrentParameters));
    }

    [Fact]
    public void A_frequency_of_zero_is_not_set()
    {
        var settings = new MACSettings
        {
            Rx2Frequency = new() { Value = 0 },
            DesiredRx2Frequency = new() { Value = 0 },
            PingSlotFrequency = new() { Value = 0 },
            DesiredPingSlotFrequency = new() { Value = 0 },
            BeaconFrequency = new() { Value = 0 },
            DesiredBeaconFrequency = new() { Value = 0 },
        };

        var state = Build(Device(settings), defaults: Defaults());

        Assert.Equal((869_100_000u, 869_200_000u, 869_300_000u), (state.CurrentParameters.Rx2Frequency, state.CurrentParameters.PingSlotFrequency, state.CurrentParameters.BeaconFrequency));
        Assert.Equal((869_400_000u, 869_500_000u, 869_600_000u), (state.DesiredParameters.Rx2Frequency, state.DesiredParameters.PingSlotFrequency, state.DesiredParameters.BeaconFrequency));
    }

    [Fact]
    public void A_beacon_frequency_of_zero_as_default_of_the_network_counts() =>
        Assert.Equal(0u, Build(Device(), defaults: new MACSettings { BeaconFrequency = new() { Value = 0 } }).CurrentParameters.BeaconFrequency);

    [Fact]
    public void The_plan_wins_over_the_defaults_of_the_network_and_the_device_over_the_plan()
    {
        var plan = Europe with
        {
            Rx2Frequency = new Frequency(869_000_000),
            PingSlotFrequency = new Frequency(868_900_000),
            PingSlotDataRate = new LoRaWan.Regional.DataRateIndex(1),
        };

        var byPlan = Build(Device(), plan, Defaults()).DesiredParameters;
        Assert.Equal((869_000_000u, 868_900_000u, DataRateIndex.DataRate1), (byPlan.Rx2Frequency, byPlan.PingSlotFrequency, byPlan.PingSlotDataRateIndexValue.Value));

        var byDevice = Build(
            Device(new MACSettings
            {
                DesiredRx2Frequency = new() { Value = 868_000_000 },
                DesiredPingSlotFrequency = new() { Value = 868_100_000 },
                DesiredPingSlotDataRateIndex = new() { Value = DataRateIndex.DataRate5 },
                DesiredBeaconFrequency = new() { Value = 868_200_000 },
            }),
            plan,
            Defaults()).DesiredParameters;
        Assert.Equal((868_000_000u, 868_100_000u, 868_200_000u, DataRateIndex.DataRate5), (byDevice.Rx2Frequency, byDevice.PingSlotFrequency, byDevice.BeaconFrequency, byDevice.PingSlotDataRateIndexValue.Value));
    }

    [Fact]
    public void A_plan_may_say_RX2_0_Hz_but_no_ping_slot_of_0_Hz()
    {
        var desired = Build(Device(), Europe with { Rx2Frequency = new Frequency(0), PingSlotFrequency = new Frequency(0) }).DesiredParameters;

        Assert.Equal((0u, 869_525_000u), (desired.Rx2Frequency, desired.PingSlotFrequency));
    }

    [Theory]
    [InlineData(null, 16)]
    [InlineData(15.5f, 15.5f)]
    [InlineData(16f, 16)]
    [InlineData(30f, 16)]
    [InlineData(0f, 16)]
    [InlineData(-3f, 16)]
    public void The_EIRP_of_the_plan_counts_below_that_of_the_band(float? plan, float expected) =>
        Assert.Equal(expected, Build(Device(), Europe with { MaxEirpDbm = plan }).DesiredParameters.MaxEirp);

    [Theory]
    [InlineData(0, 8)]
    [InlineData(5, 16)]
    [InlineData(15, 36)]
    public void The_EIRP_of_the_device_counts_as_it_is(int number, float expected) =>
        Assert.Equal(expected, Build(Device(new MACSettings { DesiredMaxEirp = new() { Value = (DeviceEIRP)number } }), Europe with { MaxEirpDbm = 2 }).DesiredParameters.MaxEirp);

    [Theory]
    [InlineData(16)]
    [InlineData(-1)]
    public void An_unknown_EIRP_is_refused(int number)
    {
        var device = Device(new MACSettings { DesiredMaxEirp = new() { Value = (DeviceEIRP)number } });

        Assert.Equal(("unknown_max_eirp", $"unknown maximum EIRP {number} in mac_settings.desired_max_eirp"), (Fails(device).Name, Fails(device).Message));
        device.Multicast = device.SupportsClassC = true;
        Build(device);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(7)]
    public void A_device_without_a_known_version_is_refused(int version)
    {
        var device = Device();
        device.LorawanVersion = (MACVersion)version;

        Assert.Equal("error:go.thethings.network/lorawan-stack-migrate/pkg/mac:no_mac_version (no known LoRaWAN version)", Fails(device).ToString());
        Assert.Equal(version.ToString(System.Globalization.CultureInfo.InvariantCulture), Fails(device).Attributes["lorawan_version"]);
    }

    [Theory]
    [InlineData(13, "13")]
    [InlineData(-1, "-1")]
    [InlineData(0, "PHY_UNKNOWN")]
    public void Regional_parameters_that_do_not_exist_are_named(int version, string name)
    {
        var device = Device();
        device.LorawanPhyVersion = (PHYVersion)version;

        var failure = Fails(device);

        Assert.Equal($"error:pkg/networkserver/internal:no_band_version (specified version `{name}` of band `EU_863_870` does not exist)", failure.ToString());
        Assert.Equal((name, "EU_863_870"), (failure.Attributes["ver"], failure.Attributes["id"]));
    }

    [Theory]
    [MemberData(nameof(RelaysWithoutMode))]
    public void Relay_settings_without_mode_are_refused(RelaySettings relay)
    {
        Assert.Equal(("relay_mode", "give mac_settings.relay a mode or leave it out"), (Fails(Device(new MACSettings { Relay = relay })).Name, Fails(Device(new MACSettings { Relay = relay })).Advice));
        var desired = Device(new MACSettings { DesiredRelay = relay });
        Assert.Equal(("relay_mode", "give mac_settings.desired_relay a mode or leave it out"), (Fails(desired).Name, Fails(desired).Advice));
        desired.Multicast = desired.SupportsClassC = true;
        Build(desired);
    }

    public static TheoryData<RelaySettings> RelaysWithoutMode() => [new RelaySettings(), new RelaySettings { Served = new() { ServingDeviceId = "abc" } }];

    [Fact]
    public void Channels_of_a_plan_that_do_not_fit_the_band_are_refused()
    {
        var many = Enumerable.Range(0, 17).Select(i => new Channel(new Frequency(867_000_000 + (ulong)i * 100_000), new(0), new(5))).ToArray();

        Assert.Equal("frequency plan `EU_863_870_TTN` has 17 uplink channels, band EU_863_870 allows 16", Fails(Device(), Europe with { UplinkChannels = [.. many], DownlinkChannels = [] }).Message);
        Assert.Equal("frequency plan `EU_863_870_TTN` has 8 uplink but 3 downlink channels", Fails(Device(), Europe with { DownlinkChannels = Europe.DownlinkChannels[..3] }).Message);
        Assert.Equal(
            "error:go.thethings.network/lorawan-stack-migrate/pkg/mac:plan_channels (frequency plan `EU_863_870_TTN` has 8 uplink but 3 downlink channels)",
            Fails(Device(), Europe with { DownlinkChannels = Europe.DownlinkChannels[..3] }).ToString());
        Build(Device(), Europe with { UplinkChannels = [.. many[..16]], DownlinkChannels = [.. many[..16]] });
        Build(Device(), Europe with { UplinkChannels = [], DownlinkChannels = [] });
        var america = EmbeddedFrequencyPlanStore.Find("US_902_928_FSB_2").Plan!;
        Assert.Equal("frequency plan `US_902_928_FSB_2` has 17 downlink channels, band US_902_928 allows 8", Fails(Device(), america with { UplinkChannels = [.. many], DownlinkChannels = [.. many] }).Message);
        var multicast = Device();
        multicast.Multicast = multicast.SupportsClassC = true;
        Build(multicast, Europe with { DownlinkChannels = Europe.DownlinkChannels[..3] });
    }

    [Fact]
    public void A_plan_without_downlink_channels_answers_where_it_hears()
    {
        var channels = Build(Device(), Europe with { DownlinkChannels = [] }).DesiredParameters.Channels;

        Assert.All(channels, channel => Assert.Equal(channel.UplinkFrequency, channel.DownlinkFrequency));
    }

    [Fact]
    public void A_settled_device_has_its_desired_parameters_and_its_own_RX1_delay()
    {
        Assert.True(MacStateBuilder.TryBuildSettled(Device(), Europe, RxDelay._1, out var state, out _));

        Assert.Equal(state.DesiredParameters, state.CurrentParameters);
        Assert.NotSame(state.DesiredParameters, state.CurrentParameters);
        Assert.Equal((8, RxDelay._1, DataRateIndex.DataRate3), (state.CurrentParameters.Channels.Count, state.CurrentParameters.Rx1Delay, state.CurrentParameters.Rx2DataRateIndex));
        Assert.False(MacStateBuilder.TryBuildSettled(Device(), Europe with { BandId = "XX" }, RxDelay._1, out _, out var failure));
        Assert.Equal("no_band_version", failure.Name);
    }

    [Fact]
    public void A_state_shares_nothing_with_the_device()
    {
        var device = Device(new MACSettings { PingSlotPeriodicity = new() { Value = PingSlotPeriod.PingEvery2S }, PingSlotDataRateIndex = new() { Value = DataRateIndex.DataRate1 } });
        var state = Build(device);
        device.MacSettings.PingSlotPeriodicity.Value = PingSlotPeriod.PingEvery128S;
        device.MacSettings.PingSlotDataRateIndex.Value = DataRateIndex.DataRate5;

        Assert.Equal(PingSlotPeriod.PingEvery2S, state.PingSlotPeriodicity.Value);
        Assert.Equal(DataRateIndex.DataRate1, state.CurrentParameters.PingSlotDataRateIndexValue.Value);
    }

    [Fact]
    public void A_plan_that_is_silent_leaves_the_RX2_data_rate_to_the_defaults_of_the_network() =>
        Assert.Equal(DataRateIndex.DataRate5, Build(Device(), Europe with { Rx2DataRate = null }, Defaults()).DesiredParameters.Rx2DataRateIndex);

    [Fact]
    public void A_frequency_that_a_band_of_fixed_channels_does_not_know_is_ignored()
    {
        var america = EmbeddedFrequencyPlanStore.Find("US_902_928_FSB_2").Plan!;
        var odd = america with { UplinkChannels = [new Channel(new Frequency(868_100_000), new(0), new(3)), .. america.UplinkChannels[1..]] };

        Assert.Equal(8, MacStateBuilder.EnabledUplinkFrequencies(Build(Device(), odd).DesiredParameters).Count());
    }

    [Fact]
    public void A_relay_keeps_its_forwarding_rules()
    {
        var relay = new RelaySettings { Serving = new() { UplinkForwardingRules = { new RelayUplinkForwardingRule { DeviceId = "abc", LastWFCnt = 7 } } } };

        Assert.Equal(relay.Serving.UplinkForwardingRules, Build(Device(new MACSettings { Relay = relay })).CurrentParameters.Relay.Serving.UplinkForwardingRules);
    }

    [Fact]
    public void Only_channels_with_an_uplink_are_factory_presets() =>
        Assert.Equal([868_100_000u], MacStateBuilder.EnabledUplinkFrequencies(new MACParameters
        {
            Channels =
            {
                new MACParameters.Types.Channel { EnableUplink = true },
                new MACParameters.Types.Channel { EnableUplink = true, UplinkFrequency = 868_100_000 },
                new MACParameters.Types.Channel { UplinkFrequency = 868_300_000 },
            },
        }));

    private static MACSettings Defaults() => new()
    {
        Rx1Delay = new() { Value = RxDelay._2 },
        Rx1DataRateOffset = new() { Value = DataRateOffset._1 },
        Rx2DataRateIndex = new() { Value = DataRateIndex.DataRate1 },
        Rx2Frequency = new() { Value = 869_100_000 },
        MaxDutyCycle = new() { Value = AggregatedDutyCycle.DutyCycle2 },
        PingSlotFrequency = new() { Value = 869_200_000 },
        BeaconFrequency = new() { Value = 869_300_000 },
        PingSlotDataRateIndex = new() { Value = DataRateIndex.DataRate2 },
        PingSlotPeriodicity = new() { Value = PingSlotPeriod.PingEvery4S },
        DesiredRx1Delay = new() { Value = RxDelay._5 },
        DesiredRx1DataRateOffset = new() { Value = DataRateOffset._2 },
        DesiredRx2DataRateIndex = new() { Value = DataRateIndex.DataRate5 },
        DesiredRx2Frequency = new() { Value = 869_400_000 },
        DesiredMaxDutyCycle = new() { Value = AggregatedDutyCycle.DutyCycle4 },
        DesiredPingSlotFrequency = new() { Value = 869_500_000 },
        DesiredBeaconFrequency = new() { Value = 869_600_000 },
        DesiredPingSlotDataRateIndex = new() { Value = DataRateIndex.DataRate4 },
        DesiredAdrAckLimitExponent = new() { Value = ADRAckLimitExponent.AdrAckLimit32 },
        DesiredAdrAckDelayExponent = new() { Value = ADRAckDelayExponent.AdrAckDelay16 },
        FactoryPresetFrequencies = { 868_300_000, 868_900_000 },
        Relay = new() { Serving = new() },
        DesiredRelay = new() { Served = new() { Always = new() } },
    };

    private static EndDevice Device(MACSettings? settings = null) =>
        new() { FrequencyPlanId = Europe.Id, LorawanVersion = MACVersion.MacV103, LorawanPhyVersion = PHYVersion.PhyV103RevA, MacSettings = settings };

    private static MACState Build(EndDevice device, FrequencyPlan? plan = null, MACSettings? defaults = null)
    {
        Assert.True(MacStateBuilder.TryBuild(device, plan ?? Europe, defaults, out var state, out var failure), failure?.ToString());
        return state;
    }

    private static Failure Fails(EndDevice device, FrequencyPlan? plan = null)
    {
        Assert.False(MacStateBuilder.TryBuild(device, plan ?? Europe, networkDefaults: null, out _, out var failure));
        return failure;
    }
}
