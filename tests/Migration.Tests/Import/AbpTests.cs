using Migration.Import;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;
using static Migration.Tests.Import.ImportRun;

namespace Migration.Tests.Import;

/// <summary>What the guide has people adjust by hand for ABP devices (facts/cli-surface.md section 8, steps 19 to 21).</summary>
public sealed class AbpTests
{
    [Fact]
    public async Task Without_options_a_device_stays_as_its_line_is_and_an_RX1_delay_of_1_s_is_told()
    {
        var (settings, run) = await SettingsAsync(new AbpAdjustments(), Abp(1));

        Assert.Equal(new MACSettings(), settings ?? new MACSettings());
        Assert.Contains("rx1_delay_1s", run.Notes);
        Assert.DoesNotContain("abp_adjusted", run.Notes);
    }

    [Fact]
    public async Task RX1_delay_is_set_also_in_the_MAC_state_and_the_warning_is_gone()
    {
        var (settings, run) = await SettingsAsync(new AbpAdjustments { Rx1Delay = 5 }, Abp(1));

        Assert.Equal(RxDelay._5, settings!.Rx1Delay.Value);
        Assert.DoesNotContain("rx1_delay_1s", run.Notes);
        Assert.Contains("abp_adjusted", run.Notes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Counters_that_start_again_and_their_width_are_set_as_asked_false_too(bool value)
    {
        var (settings, _) = await SettingsAsync(new AbpAdjustments { ResetsFCnt = value, Supports32BitFCnt = value }, Abp(1));

        Assert.Equal(value, settings!.ResetsFCnt.Value);
        Assert.Equal(value, settings.Supports32BitFCnt.Value);
        Assert.Null(settings.Rx1Delay);
    }

    [Fact]
    public async Task Factory_presets_are_the_channels_of_the_plan()
    {
        var (settings, _) = await SettingsAsync(new AbpAdjustments { FactoryPresetsFromPlan = true }, Abp(1));

        Assert.Equal(
            [868_100_000UL, 868_300_000UL, 868_500_000UL, 867_100_000UL, 867_300_000UL, 867_500_000UL, 867_700_000UL, 867_900_000UL],
            settings!.FactoryPresetFrequencies);
    }

    [Fact]
    public async Task Devices_that_join_are_not_touched()
    {
        var (settings, run) = await SettingsAsync(new AbpAdjustments { Rx1Delay = 5, ResetsFCnt = true, Supports32BitFCnt = true, FactoryPresetsFromPlan = true }, Otaa(1));

        Assert.Equal(new MACSettings(), settings ?? new MACSettings());
        Assert.DoesNotContain("abp_adjusted", run.Notes);
    }

    [Theory]
    [InlineData(ConflictWay.Fail, 0, 0, 1)]
    [InlineData(ConflictWay.Skip, 0, 1, 0)]
    [InlineData(ConflictWay.Update, 1, 0, 0)]
    [InlineData(ConflictWay.Replace, 1, 0, 0)]
    public async Task Options_for_a_device_that_is_there_without_them_are_never_taken_for_done(ConflictWay way, int updated, int skipped, int failed)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Abp(1));

        var options = Options with { OnConflict = way, Abp = new AbpAdjustments { Rx1Delay = 5, ResetsFCnt = true } };
        var run = await cluster.ImportAsync(key, options, Abp(1));
        var again = await cluster.ImportAsync(key, options, Abp(1));

        Assert.Equal((0, updated, skipped, failed), run.Counts);
        Assert.Equal(updated == 1, run.Summary.Notes.Any(note => note.Code == "abp_adjusted"));
        Assert.Equal(updated == 1, cluster.Device(App, "dev-1").Network!.MacSettings?.Rx1Delay?.Value == RxDelay._5);
        // Once they are there, the same command has nothing to do.
        Assert.Equal(updated == 1 ? (0, 0, 1, 0) : run.Counts, again.Counts);
        if (failed == 1)
            Assert.Equal("the device is there already, with other MAC settings than the options ask for (mac_settings.rx1_delay, mac_settings.resets_f_cnt)", run.Failure!.Message);
    }

    private static async Task<(MACSettings? Settings, ImportOutcome Run)> SettingsAsync(AbpAdjustments adjustments, string line)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        var run = await cluster.ImportAsync(key, Options with { Abp = adjustments }, line);
        Assert.Equal((1, 0, 0, 0), run.Counts);
        var device = cluster.Device(App, "dev-1").Network!;
        if (adjustments.Rx1Delay is { } delay && device.MacState is { } state && !device.SupportsJoin)
            Assert.Equal((RxDelay)delay, state.CurrentParameters.Rx1Delay);
        return (device.MacSettings, run);
    }
}
