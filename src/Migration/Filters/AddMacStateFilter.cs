using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;
using TheThingsStack.Mac;

namespace Migration.Filters;

/// <summary>A device that did not get what it should have got.</summary>
/// <param name="Line">Line on which it starts, from 1.</param>
/// <param name="DeviceId">Its ID; empty when it has none or cannot be read.</param>
/// <param name="Failure">Why.</param>
public sealed record FilterProblem(long Line, string DeviceId, Failure Failure);

/// <summary>What became of the devices.</summary>
/// <param name="Added">Got a MAC state.</param>
/// <param name="Replaced">Got a new one for the one they had.</param>
/// <param name="HadOne">Keep the one they have.</param>
/// <param name="WithoutSession">Need none.</param>
/// <param name="Failed">Should have got one and did not, or could not be read; passed on as they are.</param>
public sealed record AddMacStateSummary(long Added, long Replaced, long HadOne, long WithoutSession, long Failed)
{
    /// <summary>Devices in all.</summary>
    public long Devices => Added + Replaced + HadOne + WithoutSession + Failed;
}

/// <summary>
/// Gives a MAC state to every device that has a session and none. Reads device JSON, writes one line per device in the same order; what is
/// not touched is written as it was.
/// </summary>
/// <param name="plans">Frequency plans.</param>
/// <param name="networkDefaults">Default MAC settings of the target network; null assumes none.</param>
/// <param name="replace">Also builds anew the states there are.</param>
public sealed class AddMacStateFilter(IFrequencyPlanStore plans, MACSettings? networkDefaults, bool replace)
{
    private static readonly byte[] Member = ",\"mac_state\":"u8.ToArray();

    private enum Outcome
    {
        Added,
        Replaced,
        HadOne,
        WithoutSession,
        Failed,
    }

    /// <summary>A file of random settings must not fill the memory with states.</summary>
    private const int MaxRemembered = 1000;

    private readonly PlanLookup plans = new(plans);

    /// <summary>States as JSON: of a million devices nearly all have the state of another one.</summary>
    private readonly ConcurrentDictionary<StateKey, byte[]> states = new();

    private readonly ConcurrentBag<ArrayBufferWriter<byte>> writers = [];

    /// <summary>Runs over a file.</summary>
    /// <param name="input">Device JSON, lines or a list.</param>
    /// <param name="output">Gets the lines; flushed at the end.</param>
    /// <param name="report">Told of each problem, in the order of the file.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="TtsJsonException">The file is not JSON at some place; the devices before it are written.</exception>
    public async Task<AddMacStateSummary> RunAsync(Stream input, Stream output, Action<FilterProblem> report, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(report);
        var counts = new long[5];
        await foreach (var batch in DeviceBatches.WorkAsync(input, keepRaw: true, validate: false, lines => WorkAsync(lines, cancellation), cancellation))
        {
            await output.WriteAsync(batch.Lines.WrittenMemory, cancellation);
            batch.Problems.ForEach(report);
            for (var i = 0; i < counts.Length; i++)
                counts[i] += batch.Counts[i];
            batch.Lines.ResetWrittenCount();
            writers.Add(batch.Lines);
        }
        await output.FlushAsync(cancellation);
        return new(
            counts[(int)Outcome.Added], counts[(int)Outcome.Replaced], counts[(int)Outcome.HadOne], counts[(int)Outcome.WithoutSession], counts[(int)Outcome.Failed]);
    }

    private async Task<Batch> WorkAsync(IReadOnlyList<DeviceLine> lines, CancellationToken cancellation)
    {
        var batch = new Batch(writers.TryTake(out var writer) ? writer : new ArrayBufferWriter<byte>(1 << 16));
        foreach (var line in lines)
        {
            var (outcome, failure) = await WorkAsync(line, batch.Lines, cancellation);
            batch.Counts[(int)outcome]++;
            if (failure is not null)
                batch.Problems.Add(new FilterProblem(line.Problem?.Line ?? line.Line, line.Device?.Ids?.DeviceId ?? "", failure));
        }
        return batch;
    }

    private async ValueTask<(Outcome Outcome, Failure? Failure)> WorkAsync(DeviceLine line, ArrayBufferWriter<byte> output, CancellationToken cancellation)
    {
        if (line.Device is not { } device)
        {
            WriteAsItWas(line, output);
            return (Outcome.Failed, new Failure(line.Problem is { Path.Length: > 0 } problem ? $"{problem.Path}: {problem.Reason}" : line.Problem!.Reason) { Advice = "correct this device; it is passed on as it is" });
        }
        if (device.Session is null || (device.MacState is not null && !replace))
        {
            WriteAsItWas(line, output);
            return (device.Session is null ? Outcome.WithoutSession : Outcome.HadOne, null);
        }
        var (state, failure) = await StateAsync(device, cancellation);
        if (state is null)
        {
            WriteAsItWas(line, output);
            return (Outcome.Failed, failure);
        }
        var outcome = device.MacState is null ? Outcome.Added : Outcome.Replaced;
        Write(line, device, state, output);
        return (outcome, null);
    }

    private async ValueTask<(byte[]? State, Failure? Failure)> StateAsync(EndDevice device, CancellationToken cancellation)
    {
        var key = new StateKey(
            device.FrequencyPlanId, device.LorawanPhyVersion, device.LorawanVersion, device.SupportsClassB, device.SupportsClassC, device.Multicast, device.MacSettings);
        if (states.TryGetValue(key, out var known))
            return (known, null);
        var (plan, failure) = await plans.FindAsync(device.FrequencyPlanId, cancellation);
        if (failure is not null || !MacStateBuilder.TryBuild(device, plan!, networkDefaults, out var state, out failure))
            return (null, failure);
        var json = TtsJson.WriteBytes(state);
        if (states.Count < MaxRemembered)
            states.TryAdd(key, json);
        return (json, null);
    }

    private static void Write(DeviceLine line, EndDevice device, byte[] state, ArrayBufferWriter<byte> output)
    {
        var raw = line.Raw.Span;
        if (!CanAppend(raw))
        {
            device.MacState = null;
            raw = TtsJson.WriteBytes(device);
        }
        // Where possible everything that stands in the line stays as it is, members that we do not know included.
        output.Write(raw[..^1]);
        output.Write(Member);
        output.Write(state);
        output.Write("}\n"u8);
    }

    /// <summary>A line that already names the member, even as null, is written anew.</summary>
    private static bool CanAppend(ReadOnlySpan<byte> raw) =>
        raw is [(byte)'{', .., (byte)'}'] && raw.Length > 2
        && raw.IndexOf("mac_state"u8) < 0 && raw.IndexOf("macState"u8) < 0 && !raw.ContainsAny((byte)'\n', (byte)'\r') && raw.IndexOf("\\u"u8) < 0;

    private static void WriteAsItWas(DeviceLine line, ArrayBufferWriter<byte> output)
    {
        var raw = line.Raw.Span;
        var target = output.GetSpan(raw.Length + 1);
        // Line ends stand between members only (within texts they are escaped), so a blank does as well.
        raw.CopyTo(target);
        target[..raw.Length].Replace((byte)'\n', (byte)' ');
        target[..raw.Length].Replace((byte)'\r', (byte)' ');
        target[raw.Length] = (byte)'\n';
        output.Advance(raw.Length + 1);
    }

    /// <summary>Everything of a device that its MAC state depends on.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct StateKey(string Plan, PHYVersion Phy, MACVersion Version, bool ClassB, bool ClassC, bool Multicast, MACSettings? Settings);

    private sealed class Batch(ArrayBufferWriter<byte> lines)
    {
        public ArrayBufferWriter<byte> Lines { get; } = lines;
        public List<FilterProblem> Problems { get; } = [];
        public long[] Counts { get; } = new long[5];
    }
}
