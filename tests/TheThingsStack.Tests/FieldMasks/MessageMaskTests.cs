using Google.Protobuf;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;

namespace TheThingsStack.Tests.FieldMasks;

public sealed class MessageMaskTests
{
    private static EndDevice Device => new()
    {
        Ids = new EndDeviceIdentifiers { DeviceId = "dev" },
        Attributes = { ["a"] = "b" },
        BatteryPercentage = 0.5f,
        UsedDevNonces = { 1, 2 },
        MacSettings = new MACSettings { Adr = new ADRSettings { Dynamic = new ADRSettings.Types.DynamicMode { MinNbTrans = 2 } }, Rx1Delay = new RxDelayValue { Value = RxDelay._5 } },
        Session = new Session { DevAddr = ByteString.CopyFrom(1, 2, 3, 4), LastFCntUp = 7, Keys = new SessionKeys { FNwkSIntKey = new KeyEnvelope { Key = ByteString.CopyFrom(new byte[16]) } } },
    };

    private static MessageMask Mask(params string[] paths) => MessageMask.Create(EndDevice.Descriptor, paths);

    [Fact]
    public void Selecting_gives_the_masked_fields_and_nothing_else()
    {
        var selected = Mask("session.last_f_cnt_up", "battery_percentage.value", "attributes", "mac_settings.adr.mode.dynamic.min_nb_trans", "used_dev_nonces").Select(Device);
        Assert.Equal(
            new EndDevice
            {
                Attributes = { ["a"] = "b" },
                BatteryPercentage = 0.5f,
                UsedDevNonces = { 1, 2 },
                MacSettings = new MACSettings { Adr = new ADRSettings { Dynamic = new ADRSettings.Types.DynamicMode { MinNbTrans = 2 } } },
                Session = new Session { LastFCntUp = 7 },
            },
            selected);
    }

    [Fact]
    public void Selecting_every_path_gives_the_message_itself() =>
        Assert.Equal(Device, MessageMask.Create(EndDevice.Descriptor, AllowedPaths.All).Select(Device));

    [Fact]
    public void Copying_takes_away_what_the_source_does_not_have()
    {
        var target = Device;
        Mask("session.last_f_cnt_up", "mac_settings.adr", "battery_percentage", "used_dev_nonces").Copy(new EndDevice(), target);
        Assert.Equal(0u, target.Session.LastFCntUp);
        Assert.Equal(4, target.Session.DevAddr.Length);
        Assert.Null(target.MacSettings.Adr);
        Assert.NotNull(target.MacSettings.Rx1Delay);
        Assert.Null(target.BatteryPercentage);
        Assert.Empty(target.UsedDevNonces);
    }

    [Fact]
    public void Copying_creates_no_message_that_neither_side_has()
    {
        var target = new EndDevice();
        Mask("session.keys.f_nwk_s_int_key.key", "mac_state.current_parameters.rx1_delay").Copy(new EndDevice(), target);
        Assert.Equal(new EndDevice(), target);
    }

    [Fact]
    public void A_whole_oneof_is_replaced_by_the_member_that_is_set()
    {
        var target = Device;
        Mask("mac_settings.adr.mode").Copy(new EndDevice { MacSettings = new MACSettings { Adr = new ADRSettings { Disabled = new ADRSettings.Types.DisabledMode() } } }, target);
        Assert.Equal(ADRSettings.ModeOneofCase.Disabled, target.MacSettings.Adr.ModeCase);
    }

    [Theory]
    [InlineData("mac_settings.adr.mode")]
    [InlineData("mac_settings.adr.mode.static", "mac_settings.adr.mode.dynamic")]
    [InlineData("mac_settings.adr.mode.dynamic", "mac_settings.adr.mode.static")]
    [InlineData("mac_settings.adr.mode", "mac_settings.adr.mode.dynamic.margin")]
    public void The_member_that_is_set_is_selected_whatever_other_members_the_mask_names(params string[] paths)
    {
        var chosen = new EndDevice { MacSettings = new MACSettings { Adr = new ADRSettings { Static = new ADRSettings.Types.StaticMode { NbTrans = 1 } } } };
        Assert.Equal(chosen, Mask(paths).Select(chosen));
    }

    [Fact]
    public void Clearing_leaves_the_messages_around()
    {
        var target = Device;
        Mask("session.keys.f_nwk_s_int_key.key").Clear(target);
        Assert.NotNull(target.Session.Keys.FNwkSIntKey);
        Assert.True(target.Session.Keys.FNwkSIntKey.Key.IsEmpty);
    }

    [Fact]
    public void Copies_share_nothing_with_the_source()
    {
        var source = Device;
        var target = Mask("session").Select(source);
        source.Session.LastFCntUp = 99;
        Assert.Equal(7u, target.Session.LastFCntUp);
    }

    [Theory]
    [InlineData("no_such_field")]
    [InlineData("session.no_such_field")]
    [InlineData("name.value")]
    [InlineData("mac_settings.adr.dynamic")]
    [InlineData("attributes.a")]
    public void A_path_that_does_not_exist_is_named(string path)
    {
        Assert.False(MessageMask.TryCreate(EndDevice.Descriptor, ["name", path], out _, out var unknown));
        Assert.Equal(path, unknown);
    }

    [Fact]
    public void Every_path_of_the_table_exists() => Assert.All(AllowedPaths.All, path => Assert.True(MessageMask.Exists(EndDevice.Descriptor, path), path));

    [Fact]
    public void Differences_name_the_deepest_fields()
    {
        var other = Device;
        other.Session.LastFCntUp = 8;
        other.Session.Keys.NwkSEncKey = new KeyEnvelope();
        other.MacSettings.Adr.Static = new ADRSettings.Types.StaticMode { NbTrans = 1 };
        other.Attributes["a"] = "c";
        Assert.Equal(
            ["attributes", "mac_settings.adr.mode.dynamic.min_nb_trans", "mac_settings.adr.mode.static.nb_trans", "session.last_f_cnt_up"],
            Mask("attributes", "mac_settings", "session").Differences(Device, other).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Covering_looks_up_and_touching_looks_both_ways()
    {
        var mask = Mask("session.keys", "name");
        Assert.True(mask.Covers("session.keys.f_nwk_s_int_key.key"));
        Assert.False(mask.Covers("session"));
        Assert.True(mask.Touches("session"));
        Assert.False(mask.Touches("session.dev_addr"));
        Assert.False(mask.Covers("names"));
    }

    [Fact]
    public void Paths_that_hold_something_are_the_deepest() => Assert.Equal(
        ["ids.device_id", "attributes", "mac_settings.rx1_delay", "mac_settings.adr.mode.dynamic.min_nb_trans", "session.dev_addr", "session.keys.f_nwk_s_int_key.key", "session.last_f_cnt_up", "used_dev_nonces", "battery_percentage"],
        FieldPath.NonZero(Device));
}
