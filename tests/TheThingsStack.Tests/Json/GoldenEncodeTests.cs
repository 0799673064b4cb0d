using System.Buffers;
using System.Text.Json;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;
using Xunit.Abstractions;

namespace TheThingsStack.Tests.Json;

public class GoldenEncodeTests(ITestOutputHelper output)
{
    private const string File = "tts-json-encode.jsonl.gz";

    [Fact]
    public void Every_recorded_device_is_written_as_the_original_writes_it() => Golden.Check(File, output.WriteLine, row =>
    {
        var device = EndDevice.Parser.ParseFrom(Convert.FromBase64String(row.Text("pb")!));
        var buffer = new ArrayBufferWriter<byte>();
        try
        {
            TtsJson.Write(device, buffer);
        }
        catch (TtsJsonException e)
        {
            Assert.Equal(0, buffer.WrittenCount);
            return row.Text("error") is null ? $"refused: {e.Message}; recorded {row.Text("text")}" : null;
        }
        var text = System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
        if (row.Text("error") is { } error)
            return $"written as {text}; the original refuses: {error}";
        return JsonText.Difference(row.Text("text")!, text) is { } difference ? $"{difference}\n  ours     {text}\n  recorded {row.Text("text")}" : null;
    });

    [Fact]
    public void What_the_original_reads_back_equal_reads_back_equal_here() => Golden.Check(
        File,
        output.WriteLine,
        row =>
        {
            if (row.Text("error") is not null)
                return null;
            var device = EndDevice.Parser.ParseFrom(Convert.FromBase64String(row.Text("pb")!));
            var text = TtsJson.WriteBytes(device);
            var lossless = !row.Json.TryGetProperty("roundtrip", out var how);
            try
            {
                var read = TtsJson.Read<EndDevice>(text);
                if (lossless || how.GetString() == "differs")
                    return read.Equals(device) == lossless ? null : $"{(lossless ? "differs" : "is equal")} after reading {System.Text.Encoding.UTF8.GetString(text)}";
                return $"read, but the original refuses: {how.GetString()}";
            }
            catch (TtsJsonException e)
            {
                return lossless ? $"not read back: {e.Message}" : null;
            }
        },
        "round trip");
}

/// <summary>Comparison of JSON texts as The Things Stack means it: member order counts inside messages, not inside maps; number texts count.</summary>
internal static class JsonText
{
    private static readonly HashSet<string> Maps = ["attributes", "locations", "rejected_data_rate_ranges", "sizes"];

    public static string? Difference(string recorded, string ours)
    {
        using var a = JsonDocument.Parse(recorded, new JsonDocumentOptions { MaxDepth = 1000 });
        using var b = JsonDocument.Parse(ours, new JsonDocumentOptions { MaxDepth = 1000 });
        return Difference(a.RootElement, b.RootElement, "", "");
    }

    private static string? Difference(JsonElement a, JsonElement b, string path, string name)
    {
        if (a.ValueKind != b.ValueKind)
            return $"{path}: {a.GetRawText()} became {b.GetRawText()}";
        switch (a.ValueKind)
        {
            case JsonValueKind.Object:
                var left = a.EnumerateObject().ToList();
                var right = b.EnumerateObject().ToList();
                if (Maps.Contains(name))
                {
                    left.Sort((x, y) => string.CompareOrdinal(x.Name, y.Name));
                    right.Sort((x, y) => string.CompareOrdinal(x.Name, y.Name));
                }
                var names = string.Join(',', left.Select(m => m.Name));
                var oursNames = string.Join(',', right.Select(m => m.Name));
                if (names != oursNames)
                    return $"{path}: members {names} became {oursNames}";
                return left.Zip(right).Select(pair => Difference(pair.First.Value, pair.Second.Value, $"{path}.{pair.First.Name}", pair.First.Name)).FirstOrDefault(d => d is not null);
            case JsonValueKind.Array:
                if (a.GetArrayLength() != b.GetArrayLength())
                    return $"{path}: {a.GetArrayLength()} elements became {b.GetArrayLength()}";
                return a.EnumerateArray().Zip(b.EnumerateArray()).Select((pair, i) => Difference(pair.First, pair.Second, $"{path}[{i}]", "")).FirstOrDefault(d => d is not null);
            default:
                return a.GetRawText() == b.GetRawText() ? null : $"{path}: {a.GetRawText()} became {b.GetRawText()}";
        }
    }
}
