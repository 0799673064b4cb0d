using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Xunit;
using Google.Protobuf;
using TheThingsStack.Api;

namespace Migration.Tests.Export;

public sealed partial class DeviceNamingTests
{
    [Theory]
    [InlineData("dev-1", "", "dev-1", null)]
    [InlineData("dev_1", "", "dev-1", "dev_1")]
    [InlineData("dev-1", "mig", "mig-dev-1", "dev-1")]
    [InlineData("dev_1", "x_y", "x-y-dev-1", "dev_1")]
    public void An_id_gets_its_prefix_and_dashes_and_keeps_the_old_one_as_attribute(string id, string prefix, string expected, string? oldId)
    {
        var device = FakeSource.EndDeviceNamed("my_app", id);
        var notes = new List<Note>();
        Assert.Null(DeviceNaming.Rename(device, new ExportOptions { DeviceIdPrefix = prefix }, notes));
        Assert.Equal((expected, "my-app"), (device.Ids.DeviceId, device.Ids.ApplicationIds.ApplicationId));
        Assert.Equal(oldId, device.Attributes.GetValueOrDefault("old-id"));
        Assert.Empty(notes);
    }

    [Fact]
    public void An_attribute_of_the_user_is_never_overwritten_by_the_old_id()
    {
        var device = FakeSource.EndDeviceNamed("my-app", "dev_1");
        device.Attributes.Add("old-id", "mine");
        device.Attributes.Add("old-id-2", "mine too");
        var notes = new List<Note>();
        Assert.Null(DeviceNaming.Rename(device, new ExportOptions(), notes));
        Assert.Equal(("mine", "mine too", "dev_1"), (device.Attributes["old-id"], device.Attributes["old-id-2"], device.Attributes["old-id-3"]));
        Assert.Equal("old_id_attribute_taken", notes.Single().Code);
    }

    [Theory]
    [InlineData("dev_1")]
    [InlineData("mine", "dev_1")]
    public void An_old_id_that_the_device_already_has_is_not_added_again(params string[] oldIds)
    {
        var device = FakeSource.EndDeviceNamed("my-app", "dev_1");
        for (var i = 0; i < oldIds.Length; i++)
            device.Attributes.Add(i == 0 ? "old-id" : $"old-id-{i + 1}", oldIds[i]);
        var before = device.Attributes.Clone();
        var notes = new List<Note>();
        Assert.Null(DeviceNaming.Rename(device, new ExportOptions(), notes));
        Assert.Equal(before, device.Attributes);
        Assert.Empty(notes);
    }

    [Fact]
    public void The_eui_becomes_the_id_when_asked_for_or_when_there_is_none()
    {
        var device = FakeSource.EndDeviceNamed("my-app", "dev-1");
        device.Ids.DevEui = ByteString.CopyFrom(Convert.FromHexString("70B3D57ED000ABCD"));
        var anonymous = device.Clone();
        anonymous.Ids.DeviceId = "";
        Assert.Null(DeviceNaming.Rename(device, new ExportOptions { EuiAsDeviceId = true, DeviceIdPrefix = "eu" }, []));
        Assert.Equal(("eu-70b3d57ed000abcd", "dev-1"), (device.Ids.DeviceId, device.Attributes["old-id"]));
        Assert.Null(DeviceNaming.Rename(anonymous, new ExportOptions(), []));
        Assert.Equal("70b3d57ed000abcd", anonymous.Ids.DeviceId);
        Assert.Empty(anonymous.Attributes);
        anonymous.Ids = new EndDeviceIdentifiers { ApplicationIds = new ApplicationIdentifiers { ApplicationId = "my-app" } };
        Assert.Equal("no_exported_id_or_eui", DeviceNaming.Rename(anonymous, new ExportOptions(), [])!.Name);
    }

    [Theory]
    [InlineData("my-app", "thirty-six-characters-long-device-id", null)]
    [InlineData("my-app", "thirty-seven-chars-long-device-id-xyz", "error:go.thethings.network/lorawan-stack-migrate/pkg/export:dev_id_exceeds_max_length (device ID `thirty-seven-chars-long-device-id-xyz` exceeds max length)")]
    [InlineData("an_application_with_a_name_too_long_x", "dev-1", "error:go.thethings.network/lorawan-stack-migrate/pkg/export:app_id_exceeds_max_length (application ID `an-application-with-a-name-too-long-x` exceeds max length)")]
    public void An_id_longer_than_36_characters_is_refused(string application, string id, string? failure)
    {
        var actual = DeviceNaming.Rename(FakeSource.EndDeviceNamed(application, id), new ExportOptions(), []);
        Assert.Equal(failure, actual?.ToString());
    }

    [Property]
    public void A_proposal_is_always_an_id_that_the_things_stack_takes(NonNull<string> id)
    {
        var proposal = DeviceNaming.Propose(id.Get);
        Assert.Matches(Accepted(), proposal);
        Assert.InRange(proposal.Length, 3, DeviceNaming.MaxLength);
    }

    [Fact]
    public void Proposals_for_long_ids_that_differ_at_the_end_differ() =>
        Assert.NotEqual(DeviceNaming.Propose(new string('a', 60) + "1"), DeviceNaming.Propose(new string('a', 60) + "2"));

    [GeneratedRegex("^[a-z0-9](?:[-]?[a-z0-9]){2,}$", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Accepted();
}
