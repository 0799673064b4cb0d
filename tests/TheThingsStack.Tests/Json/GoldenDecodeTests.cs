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

    [Fact]
    public void A_file_of_devices_is_read_as_the_importers_read_it()
    {
        var excused = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var chunk = 0;
        Golden.Check(
            File,
            output.WriteLine,
            row =>
            {
                var expected = new List<string>();
                var refuses = row.Text("error") is not null;
                if (row.Text("pb") is { } pb)
                    expected.Add(pb);
                if (row.Json.TryGetProperty("cli", out var cli))
                {
                    expected = [.. cli.GetProperty("pbs").EnumerateArray().Select(p => p.GetString()!)];
                    refuses = cli.TryGetProperty("error", out _);
                }
                var read = new List<EndDevice>();
                var text = Encoding.UTF8.GetBytes(row.Text("text")!);
                // Blocks of 1 to 97 bytes: no place in a file is special.
                chunk = (chunk % 97) + 1;
                try
                {
                    foreach (var line in Devices.Read(new ChunkedStream(text, Math.Max(chunk, text.Length / 200))))
                        read.Add(line.Require());
                    if (refuses)
                        return $"{row.Text("mut")}: read, but the original refuses {row.Text("text")}";
                }
                catch (TtsJsonException e)
                {
                    if (!refuses && e.Rule is null)
                        return $"{row.Text("mut")}: {row.Text("text")} refused: {e.Message}";
                    if (e.Rule is not null && (!refuses || read.Count < expected.Count))
                    {
                        excused[e.Rule] = excused.GetValueOrDefault(e.Rule) + 1;
                        expected = [.. expected.Take(read.Count)];
                    }
                    else if (text[0] == (byte)'[')
                    {
                        // The original gives no device of a list that is broken at its end.
                        return null;
                    }
                }
                return expected.Select(Device).SequenceEqual(read) ? null : $"{row.Text("mut")}: {read.Count} devices of {row.Text("text")}, not {expected.Count}";
            },
            "files");
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

/// <summary>Reads all devices of a stream.</summary>
internal static class Devices
{
    public static IEnumerable<DeviceLine> Read(Stream stream, bool keepRaw = false) => new DeviceJsonReader(stream, keepRaw).ReadAsync().ToBlockingEnumerable();
}

/// <summary>Gives a few bytes at a time, as a slow pipe does.</summary>
internal sealed class ChunkedStream(byte[] bytes, int chunk) : MemoryStream(bytes)
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        base.ReadAsync(buffer[..Math.Min(buffer.Length, chunk)], cancellationToken);
}
