using System.Globalization;
using System.Text;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;
using TheThingsStack.Validation;

namespace TheThingsStack.Tests.Json;

/// <summary>
/// Random and mutated texts. The default run is short; a long one:
/// <c>FUZZ_ITERATIONS=5000000 dotnet test tests/TheThingsStack.Tests --filter JsonFuzzTests</c> (seed in FUZZ_SEED).
/// </summary>
public class JsonFuzzTests
{
    private static readonly int Iterations = Number("FUZZ_ITERATIONS", 3000);
    private static readonly int Seed = Number("FUZZ_SEED", 20260101);
    private static readonly byte[][] Seeds = [.. Golden.Rows("tts-json-encode.jsonl.gz").Where(r => r.Text("kind") == "random").Take(200).Select(r => Encoding.UTF8.GetBytes(r.Text("text") ?? "{}")), "{\"name\":\"x\",\"zzz\":[1e3,{\"a\":null}]}"u8.ToArray()];

    [Fact]
    public void Random_bytes_are_read_or_refused()
    {
        var random = new Random(Seed);
        for (var i = 0; i < Iterations; i++)
        {
            var text = new byte[random.Next(64)];
            random.NextBytes(text);
            if (text.Length > 0 && random.Next(2) == 0)
                text[0] = (byte)'{';
            Check(text);
        }
    }

    [Fact]
    public void Mutated_devices_are_read_or_refused_and_what_is_read_reads_back_equal()
    {
        var random = new Random(Seed);
        for (var i = 0; i < Iterations; i++)
            Check(Mutate(Seeds[random.Next(Seeds.Length)], random));
    }

    [Fact]
    public void Mutated_files_are_read_or_refused_in_any_chunks()
    {
        var random = new Random(Seed);
        for (var i = 0; i < Iterations / 4; i++)
        {
            byte[] text = [.. Seeds[random.Next(Seeds.Length)], (byte)'\n', .. Mutate(Seeds[random.Next(Seeds.Length)], random), (byte)'\n'];
            var (one, first) = Read(new MemoryStream(text));
            var (other, second) = Read(new ChunkedStream(text, random.Next(1, 2000)));
            Assert.Equal(one, other);
            Assert.Equal(first, second);
        }
    }

    private static (List<EndDevice?> Devices, string? Error) Read(Stream stream)
    {
        var devices = new List<EndDevice?>();
        try
        {
            foreach (var line in Devices.Read(stream))
                devices.Add(line.Device);
            return (devices, null);
        }
        catch (TtsJsonException e)
        {
            return (devices, e.Message);
        }
    }

    private static void Check(byte[] text)
    {
        EndDevice device;
        try
        {
            device = TtsJson.Read<EndDevice>(text);
        }
        catch (TtsJsonException e)
        {
            Assert.True(e.Line >= 1);
            return;
        }
        _ = DeviceValidator.Validate(device);
        try
        {
            var again = TtsJson.WriteBytes(device);
            // Writing normalises (negative zero, durations through a double); after that nothing may change any more.
            Assert.Equal(Encoding.UTF8.GetString(again), Encoding.UTF8.GetString(TtsJson.WriteBytes(TtsJson.Read<EndDevice>(again))));
        }
        catch (TtsJsonException e)
        {
            Assert.True(e.Reason.Contains("duration", StringComparison.Ordinal) || e.Reason.Contains("year", StringComparison.Ordinal), e.Message);
        }
    }

    private static byte[] Mutate(byte[] seed, Random random)
    {
        var text = seed.ToList();
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var at = random.Next(text.Count + 1);
            switch (random.Next(5))
            {
                case 0 when at < text.Count:
                    text[at] = (byte)random.Next(256);
                    break;
                case 1 when at < text.Count:
                    text.RemoveRange(at, Math.Min(random.Next(1, 8), text.Count - at));
                    break;
                case 2:
                    text.InsertRange(at, text.Skip(random.Next(text.Count)).Take(random.Next(40)).ToArray());
                    break;
                case 3:
                    text.Insert(at, "{}[]\",:\\0919.-+eEnutf \n"u8[random.Next(23)]);
                    break;
                default:
                    text.InsertRange(at, Encoding.UTF8.GetBytes(((string[])["null", "1e400", "\"\\ud800\"", "[[[[", "{\"a\":", "-0", "\"value\":", "01"])[random.Next(8)]));
                    break;
            }
            if (text.Count == 0)
                text.Add((byte)'{');
        }
        return [.. text];
    }

    private static int Number(string name, int value) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : value;
}
