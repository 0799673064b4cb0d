using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Migration.Filters;
using TheThingsStack.Api;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;
using TheThingsStack.Json;

namespace Benchmarks;

/// <summary>
/// Speed and memory of <c>add-mac-state</c> and <c>check</c> over many devices, beside reading the same JSON with one thread. The devices
/// come from a stream that makes them, so that neither disk nor a large buffer counts. Arguments: count (1000000), mixture (eu, us, mixed).
/// </summary>
internal static class FilterBenchmarks
{
    public static int Run(string[] args)
    {
        var count = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 1_000_000;
        var mixture = args.Length > 1 ? args[1] : "eu";
        Console.WriteLine($"{count} devices ({mixture}), {Environment.ProcessorCount} cores");
        var without = new Templates(mixture, withState: false);
        var with = new Templates(mixture, withState: true);
        foreach (var (name, templates) in new[] { ("without MAC state", without), ("with MAC state", with) })
        {
            Console.WriteLine($"{name}: {templates.Average:F0} bytes of JSON each");
            // Warm up, so that the table start-up and the first compilation do not count.
            Read(new DeviceStream(templates, 30_000)).Wait();
            Check(new DeviceStream(templates, 30_000)).Wait();
            Report("read JSON, one thread", count, () => Read(new DeviceStream(templates, count)));
            Profile(templates);
            if (ReferenceEquals(templates, without))
            {
                Report("add-mac-state", count, () => new AddMacStateFilter(EmbeddedFrequencyPlanStore.Instance, null, replace: false)
                    .RunAsync(new DeviceStream(templates, count), Stream.Null, _ => { }, default));
            }
            else
            {
                Report("add-mac-state --replace", count, () => new AddMacStateFilter(EmbeddedFrequencyPlanStore.Instance, null, replace: true)
                    .RunAsync(new DeviceStream(templates, count), Stream.Null, _ => { }, default));
            }
            Report("check", count, () => Check(new DeviceStream(templates, count)));
        }
        return 0;
    }

    private static async Task Read(Stream stream)
    {
        await foreach (var line in new DeviceJsonReader(stream).ReadAsync())
            line.Require();
    }

    private static async Task Check(Stream stream)
    {
        long refused = 0;
        await foreach (var device in new CheckFilter(EmbeddedFrequencyPlanStore.Instance, ImportWay.OfficialCli).RunAsync(stream, default))
            refused += device.IsAccepted ? 0 : 1;
        if (refused > 0)
            throw new InvalidOperationException($"{refused} devices refused");
    }

    /// <summary>What one device costs in each step, one thread.</summary>
    private static void Profile(Templates templates)
    {
        const int Rounds = 30_000;
        var devices = templates.Texts.Select(text => TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(text.Replace(Templates.Eui, "0000000000000001", StringComparison.Ordinal)))).ToArray();
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        var lines = templates.Texts.Select(text => Encoding.UTF8.GetBytes(text.Replace(Templates.Eui, "0000000000000001", StringComparison.Ordinal))).ToArray();
        var plans = devices.Select(device => EmbeddedFrequencyPlanStore.Find(device.FrequencyPlanId)).ToArray();
        var reading = Step("  read JSON", i => TtsJson.Read<EndDevice>(lines[i % lines.Length]));
        Step("  validation of a message", i => TheThingsStack.Validation.DeviceValidator.Validate(devices[i % devices.Length]));
        var rules = Step("  import rules, fields valid", i => ImportRules.Check(devices[i % devices.Length], plans[i % plans.Length], ImportWay.OfficialCli, isValid: true));
        var readingOnly = Whole("  reader", new DeviceJsonReader(new DeviceStream(templates, Rounds)));
        var validating = Whole("  reader that validates", new DeviceJsonReader(new DeviceStream(templates, Rounds), validate: true));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  reading is {readingOnly / (validating + rules):P0} of what check needs without its search for duplicates ({reading:F1} us without the reader)"));
        Step("  MAC state", i => Build(devices[i % devices.Length]));
        var states = devices.Select(Build).ToArray();
        Step("  MAC state to JSON", i =>
        {
            output.ResetWrittenCount();
            TtsJson.Write(states[i % states.Length], output);
        });

        static double Whole(string name, DeviceJsonReader reader)
        {
            var before = ThreadClock.Microseconds();
            // The stream gives its bytes at once, so that all of it runs on this thread.
            var lines = reader.ReadAsync().GetAsyncEnumerator();
            while (lines.MoveNextAsync().AsTask().GetAwaiter().GetResult())
                lines.Current.Require();
            return Print(name, (ThreadClock.Microseconds() - before) / Rounds, 0);
        }

        static double Step(string name, Action<int> step)
        {
            for (var i = 0; i < Rounds / 10; i++)
                step(i);
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            var before = ThreadClock.Microseconds();
            for (var i = 0; i < Rounds; i++)
                step(i);
            return Print(name, (ThreadClock.Microseconds() - before) / Rounds, (GC.GetAllocatedBytesForCurrentThread() - allocated) / Rounds);
        }

        static double Print(string name, double microseconds, long bytes)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-34} {microseconds,8:F2} us CPU/device {bytes,8} B/device"));
            return microseconds;
        }
    }

    private static MACState Build(EndDevice device)
    {
        var plan = EmbeddedFrequencyPlanStore.Find(device.FrequencyPlanId).Plan!;
        return TheThingsStack.Mac.MacStateBuilder.TryBuild(device, plan, null, out var state, out var failure) ? state : throw new InvalidOperationException(failure.ToString());
    }

    private static void Report(string name, int count, Func<Task> run)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long peak = 0;
        using var stop = new CancellationTokenSource();
        var watcher = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                peak = Math.Max(peak, Process.GetCurrentProcess().WorkingSet64);
                await Task.Delay(50);
            }
        });
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        run().GetAwaiter().GetResult();
        var seconds = watch.Elapsed.TotalSeconds;
        var cpuSeconds = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalSeconds;
        stop.Cancel();
        watcher.Wait();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-32} {count / seconds,10:F0} devices/s  {cpuSeconds / count * 1e6,6:F1} us CPU/device  peak {peak >> 20} MiB"));
    }

    /// <summary>CPU time of this thread: of two runs on a busy machine it is the better one to compare.</summary>
    private static class ThreadClock
    {
        private const int ThreadCpuTime = 3;

        public static double Microseconds() =>
            clock_gettime(ThreadCpuTime, out var time) == 0 ? time.Seconds * 1e6 + time.Nanoseconds / 1e3 : throw new PlatformNotSupportedException("no CPU clock of threads");

        [DllImport("libc")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int clock_gettime(int clock, out Timespec time);

        [StructLayout(LayoutKind.Sequential)]
        private readonly struct Timespec
        {
            public readonly long Seconds;
            public readonly long Nanoseconds;
        }
    }

    /// <summary>Device lines with a place for the EUI.</summary>
    private sealed class Templates
    {
        public const string Eui = "@@@@@@@@@@@@@@@@";

        private static readonly (string Plan, string Phy, string Mac)[] Europe = [("EU_863_870_TTN", "PHY_V1_0_3_REV_A", "MAC_V1_0_3")];
        private static readonly (string Plan, string Phy, string Mac)[] America = [("US_902_928_FSB_2", "PHY_V1_0_3_REV_A", "MAC_V1_0_3")];
        private static readonly (string Plan, string Phy, string Mac)[] Others = [("AS_923_925", "RP002_V1_0_2", "MAC_V1_0_4"), ("IN_865_867", "PHY_V1_0_2_REV_B", "MAC_V1_0_2")];

        public Templates(string mixture, bool withState)
        {
            var kinds = mixture switch { "eu" => Europe, "us" => America, _ => [.. Europe, .. Europe, .. Others, .. America] };
            Texts = [.. kinds.Select(kind => Make(kind.Plan, kind.Phy, kind.Mac, withState))];
            Lines = [.. Texts.Select(text => Encoding.UTF8.GetBytes(text + "\n"))];
            Places = [.. Lines.Select(line => Indexes(line).ToArray())];
        }

        public string[] Texts { get; }
        public byte[][] Lines { get; }
        public int[][] Places { get; }
        public double Average => Lines.Average(line => line.Length);

        private static string Make(string plan, string phy, string mac, bool withState)
        {
            var text = $$$"""{"ids":{"device_id":"meter-{{{Eui.ToLowerInvariant()}}}","application_ids":{"application_id":"water-meters"},"dev_eui":"{{{Eui}}}","join_eui":"70B3D57ED0000000"},"name":"Water meter {{{Eui}}}","attributes":{"street":"Prinsengracht 263","old-id":"meter_17"},"version_ids":{"brand_id":"acme","model_id":"aqua-2"},"lorawan_version":"{{{mac}}}","lorawan_phy_version":"{{{phy}}}","frequency_plan_id":"{{{plan}}}","supports_join":true,"root_keys":{"app_key":{"key":"A1A2A3A4A5A6A7A8A9AAABACADAEAFA0"}},"mac_settings":{"rx1_delay":1,"supports_32_bit_f_cnt":true},"session":{"dev_addr":"26011F01","keys":{"session_key_id":"AYkB","f_nwk_s_int_key":{"key":"101112131415161718191A1B1C1D1E1F"},"app_s_key":{"key":"707172737475767778797A7B7C7D7E7F"}},"last_f_cnt_up":4711,"last_n_f_cnt_down":17}}""";
            if (!withState)
                return text;
            var device = TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(text.Replace(Eui, "0000000000000001", StringComparison.Ordinal)));
            return $"{text[..^1]},\"mac_state\":{Encoding.UTF8.GetString(TtsJson.WriteBytes(Build(device)))}}}";
        }

        private static IEnumerable<int> Indexes(byte[] line)
        {
            for (var i = 0; i + 16 <= line.Length; i++)
            {
                if (line.AsSpan(i, 16).SequenceEqual("@@@@@@@@@@@@@@@@"u8))
                    yield return i;
            }
        }
    }

    /// <summary>Lines of devices, each with its own EUI and ID, made when they are read.</summary>
    private sealed class DeviceStream(Templates templates, int count) : Stream
    {
        private byte[] line = [];
        private int position;
        private int next;

        public override int Read(Span<byte> buffer)
        {
            var written = 0;
            while (written < buffer.Length && (position < line.Length || Advance()))
            {
                var length = Math.Min(buffer.Length - written, line.Length - position);
                line.AsSpan(position, length).CopyTo(buffer[written..]);
                position += length;
                written += length;
            }
            return written;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        private bool Advance()
        {
            if (next == count)
                return false;
            var kind = next % templates.Lines.Length;
            line = templates.Lines[kind];
            // Digits only, so that the same text is good for the ID as well.
            var number = (++next).ToString("D16", CultureInfo.InvariantCulture);
            foreach (var place in templates.Places[kind])
                Encoding.ASCII.GetBytes(number, line.AsSpan(place, 16));
            position = 0;
            return true;
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
