using System.Text;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;
using Xunit.Abstractions;

namespace TheThingsStack.Tests.Json;

public class GoldenDecodeTests(ITestOutputHelper output)
{
    private const string File = "tts-json-decode.jsonl.gz";

    [Fact]
    public void Every_recorded_text_is_read_as_the_original_reads_it_or_refused_by_a_rule()
    {
        var excused = new SortedDictionary<string, int>(StringComparer.Ordinal);
        Golden.Check(File, output.WriteLine, row =>
        {
            try
            {
                var device = TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(row.Text("text")!));
                if (row.Text("pb") is not { } pb || row.Json.TryGetProperty("cli", out _))
                    return $"{row.Text("mut")}: read, but the original refuses {row.Text("text")}: {row.Text("error")}";
                return device.Equals(Device(pb)) ? null : $"{row.Text("mut")}: {row.Text("text")} became {device}, not {Device(pb)}";
            }
            catch (TtsJsonException e)
            {
                if (row.Text("pb") is null || row.Json.TryGetProperty("cli", out _))
                    return null;
                if (e.Rule is null)
                    return $"{row.Text("mut")}: {row.Text("text")} refused: {e.Message}";
                excused[e.Rule] = excused.GetValueOrDefault(e.Rule) + 1;
                return null;
            }
        });
        output.WriteLine("rows that a rule excuses: " + string.Join(", ", excused.Select(p => $"{p.Key} {p.Value}")));
    }

    // Deep free-form objects need more levels than the library reads by default.
    private static EndDevice Device(string base64)
    {
        var device = new EndDevice();
        using var input = Google.Protobuf.CodedInputStream.CreateWithLimits(new MemoryStream(Convert.FromBase64String(base64)), int.MaxValue, 1000);
        device.MergeFrom(input);
        return device;
    }
}
