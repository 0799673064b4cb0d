using System.Buffers;
using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using TheThingsStack.Api;
using TheThingsStack.Json;
using TheThingsStack.Validation;

namespace Benchmarks;

/// <summary>
/// Speed of the JSON of The Things Stack over recorded devices (GOLDEN_DIR, default ../shared/golden): one thread, best of several rounds,
/// MB of JSON per second and bytes allocated per device. A measured loop, so that all figures come from one short run.
/// </summary>
internal static class JsonBenchmarks
{
    public static int Run(string[] args)
    {
        var seconds = args.Length > 0 ? double.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture) : 1.5;
        Measure("random devices of tts-json-encode", Texts("tts-json-encode.jsonl.gz", "text", "random"), seconds);
        Measure("devices with session and MAC state of tts-import", Texts("tts-import.jsonl.gz", "device", kind: null).Where(t => t.AsSpan().IndexOf("\"mac_state\""u8) >= 0), seconds);
        LargeFile(1_000_000);
        return 0;
    }

    // A file of a million devices as it streams by: memory must not follow.
    private static void LargeFile(int devices)
    {
        var lines = Texts("tts-json-encode.jsonl.gz", "text", "random").Select(t => (byte[])[.. t, (byte)'\n']).ToArray();
        long read = 0;
        var watch = Stopwatch.StartNew();
        var before = Environment.WorkingSet;
        long peak = 0;
        foreach (var line in new DeviceJsonReader(new RepeatingStream(lines, devices)).ReadAsync().ToBlockingEnumerable())
        {
            if (++read % 50_000 == 0)
                peak = Math.Max(peak, Environment.WorkingSet);
        }
        Console.WriteLine($"{read} devices in one file: {watch.Elapsed.TotalSeconds:F1} s, working set {before >> 20} MiB before, {peak >> 20} MiB at most");
    }

    private sealed class RepeatingStream(byte[][] lines, int count) : MemoryStream
    {
        private int next;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var written = 0;
            while (next < count && lines[next % lines.Length] is var line && written + line.Length <= buffer.Length)
            {
                line.CopyTo(buffer[written..]);
                written += line.Length;
                next++;
            }
            return ValueTask.FromResult(written);
        }
    }

    private static void Measure(string name, IEnumerable<byte[]> source, double seconds)
    {
        var texts = new List<byte[]>();
        var devices = new List<EndDevice>();
        foreach (var text in source)
        {
            try
            {
                devices.Add(TtsJson.Read<EndDevice>(text));
                texts.Add(TtsJson.WriteBytes(devices[^1]));
            }
            catch (TtsJsonException)
            {
                // A recorded error row.
            }
        }
        var bytes = texts.Sum(t => (long)t.Length);
        Console.WriteLine($"{name}: {devices.Count} devices, {bytes / (double)devices.Count:F0} bytes of JSON each");
        var output = new ArrayBufferWriter<byte>((int)Math.Min(bytes + 1024, int.MaxValue));
        Report("write", bytes, devices.Count, seconds, () =>
        {
            output.ResetWrittenCount();
            foreach (var device in devices)
                TtsJson.Write(device, output);
        });
        Report("read", bytes, devices.Count, seconds, () =>
        {
            foreach (var text in texts)
                TtsJson.Read<EndDevice>(text);
        });
        var file = new MemoryStream();
        foreach (var text in texts)
        {
            file.Write(text);
            file.WriteByte((byte)'\n');
        }
        Report("read as a file", file.Length, devices.Count, seconds, () =>
        {
            file.Position = 0;
            foreach (var line in new DeviceJsonReader(file).ReadAsync().ToBlockingEnumerable())
                line.Require();
        });
        Report("validate", bytes, devices.Count, seconds, () =>
        {
            foreach (var device in devices)
                DeviceValidator.Validate(device);
        });
        // What the objects themselves cost: the same wire bytes parsed by the library.
        var wires = devices.ConvertAll(d => Google.Protobuf.MessageExtensions.ToByteArray(d));
        Report("(protobuf parse alone)", bytes, devices.Count, seconds, () =>
        {
            foreach (var wire in wires)
                EndDevice.Parser.ParseFrom(wire);
        });
    }

    private static void Report(string name, long bytes, int devices, double seconds, Action round)
    {
        for (var warm = Stopwatch.StartNew(); warm.Elapsed.TotalSeconds < seconds / 2;)
            round();
        var best = TimeSpan.MaxValue;
        long allocated = 0;
        for (var total = Stopwatch.StartNew(); total.Elapsed.TotalSeconds < seconds;)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var watch = Stopwatch.StartNew();
            round();
            if (watch.Elapsed < best)
                best = watch.Elapsed;
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Console.WriteLine($"  {name,-24} {bytes / best.TotalSeconds / 1e6,8:F0} MB/s {devices / best.TotalSeconds,10:F0} devices/s {allocated / devices,8} bytes allocated per device");
    }

    private static IEnumerable<byte[]> Texts(string file, string member, string? kind)
    {
        var folder = Environment.GetEnvironmentVariable("GOLDEN_DIR") is { Length: > 0 } given ? given : Path.Combine("..", "shared", "golden");
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(folder, file)), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
        {
            using var row = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 1000 });
            if (!row.RootElement.TryGetProperty(member, out var value) || (kind is not null && row.RootElement.GetProperty("kind").GetString() != kind))
                continue;
            yield return System.Text.Encoding.UTF8.GetBytes(value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText());
        }
    }
}
