using Migration.Import;

namespace Migration.Tests.Import;

/// <summary>The note that a journal keeps of an import.</summary>
public sealed class ImportTargetTests
{
    public static TheoryData<string, AbpAdjustments> Notes => new()
    {
        { "my-app at eu1.example:8884", new AbpAdjustments() },
        { "my-app at eu1.example:8884 with rx1-delay=5", new AbpAdjustments { Rx1Delay = 5 } },
        { "my-app at eu1.example:8884 with resets-f-cnt=false supports-32-bit-f-cnt=true", new AbpAdjustments { ResetsFCnt = false, Supports32BitFCnt = true } },
        { "my-app at eu1.example:8884 with rx1-delay=15 resets-f-cnt=true supports-32-bit-f-cnt=false factory-presets=true", new AbpAdjustments { Rx1Delay = 15, ResetsFCnt = true, Supports32BitFCnt = false, FactoryPresetsFromPlan = true } },
    };

    [Theory]
    [MemberData(nameof(Notes))]
    public void A_note_says_where_a_device_went_and_what_was_changed_and_is_read_again(string note, AbpAdjustments abp)
    {
        ArgumentNullException.ThrowIfNull(note);
        var target = new ImportTarget("my-app", "eu1.example:8884", abp);

        Assert.Equal(note, target.ToString());
        Assert.Equal(target, ImportTarget.Of(note));
        Assert.True(ImportTarget.Of(note)!.IsSamePlace(new ImportTarget("my-app", "eu1.example:8884", new AbpAdjustments { Rx1Delay = 1 })));
    }

    [Theory]
    [InlineData("my-app")]
    [InlineData("my-app at eu2.example:8884")]
    [InlineData("your-app at eu1.example:8884")]
    public void Another_application_or_cluster_is_another_place(string note) =>
        Assert.False(ImportTarget.Of(note)!.IsSamePlace(new ImportTarget("my-app", "eu1.example:8884", new AbpAdjustments())));

    [Fact]
    public void What_a_later_version_adds_to_a_note_does_not_disturb()
    {
        Assert.Equal(new ImportTarget("my-app", "eu1.example:8884", new AbpAdjustments { Rx1Delay = 5 }), ImportTarget.Of("my-app at eu1.example:8884 with colour=red rx1-delay=5 resets-f-cnt"));
        Assert.Null(ImportTarget.Of(null));
    }
}
