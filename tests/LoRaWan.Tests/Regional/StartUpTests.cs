using System.Reflection;
using LoRaWan.Regional;

namespace LoRaWan.Tests.Regional;

/// <summary>Commands that need no band must not pay for the tables.</summary>
public sealed class StartUpTests
{
    [Fact]
    public void Only_the_two_table_types_read_something_when_they_are_first_touched()
    {
        var lazy = typeof(Band).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(Band).Namespace && type.TypeInitializer is not null && !type.Name.StartsWith('<'))
            .Select(type => type.Name);
        Assert.Equal(["BandTable", "FrequencyPlanTable"], lazy.Order());
    }

    [Fact]
    public void Types_outside_the_regional_parameters_do_not_know_them()
    {
        var namespaces = typeof(DevEui).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(DevEui).Namespace)
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            .Select(field => field.FieldType.Namespace);
        Assert.DoesNotContain(typeof(Band).Namespace, namespaces);
    }

    [Fact]
    public void The_tables_are_read_once()
    {
        Assert.Same(FrequencyPlans.Embedded, FrequencyPlans.Embedded);
        Assert.True(Band.TryGet("EU_863_870", PhyVersion.V1_0_2RevB, out var first));
        Assert.True(Band.TryGet("EU_863_870", PhyVersion.V1_0_2RevB, out var second));
        Assert.Same(first, second);
    }
}
