using Sources.TtnV2;

namespace Sources.Tests.TtnV2;

/// <summary>MAC states of the plans compiled in.</summary>
internal static class TestMacStates
{
    public static MacStateBuilder ForPlan(string plan) => RecordSource.SomeState;
}
