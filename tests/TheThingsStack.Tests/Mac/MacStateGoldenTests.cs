using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;
using TheThingsStack.Mac;
using Xunit.Abstractions;

namespace TheThingsStack.Tests.Mac;

/// <summary>Every recorded MAC state of The Things Stack, value by value, and every recorded refusal.</summary>
public sealed class MacStateGoldenTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("mac-state-systematic.jsonl.gz")]
    [InlineData("mac-state-random.jsonl.gz")]
    public void A_state_is_the_one_The_Things_Stack_builds(string file) =>
        Golden.Check(file, output.WriteLine, row => Compare(row.Json));

    private static string? Compare(JsonElement row)
    {
        var device = Read<EndDevice>(row.GetProperty("device"));
        var failure = Build(device, out var state);
        if (row.TryGetProperty("error", out var error))
            return failure == error.GetString() ? null : $"expected {error.GetString()}, got {failure ?? "a state"}";
        var expected = Read<MACState>(row.GetProperty("state"));
        return failure ?? (expected.Equals(state) ? null : $"expected {Text(expected)}\n     got {Text(state!)}");
    }

    private static string? Build(EndDevice device, out MACState? state)
    {
        state = null;
        var (plan, failure) = EmbeddedFrequencyPlanStore.Find(device.FrequencyPlanId);
        return failure is not null || !MacStateBuilder.TryBuild(device, plan!, networkDefaults: null, out state, out failure) ? failure.ToString() : null;
    }

    private static T Read<T>(JsonElement json)
        where T : IMessage<T>, new() => TtsJson.Read<T>(Encoding.UTF8.GetBytes(json.GetRawText()));

    private static string Text(IMessage message)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        TtsJson.Write(message, buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
