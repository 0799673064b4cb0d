using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Json;

namespace Migration.Filters;

/// <summary>
/// A devices file worked on in batches: one thread reads, the others work, results come in the order of the file. Memory holds the few
/// batches in hand.
/// </summary>
internal static class DeviceBatches
{
    /// <summary>Devices worked on in one go: enough that handing over costs nothing, few enough that memory stays small.</summary>
    private const int BatchSize = 64;

    /// <summary>Batches in hand.</summary>
    private const int InHand = 4;

    /// <exception cref="TtsJsonException">The file is not JSON at that place; the results of all devices before were given.</exception>
    public static IAsyncEnumerable<T> WorkAsync<T>(Stream input, bool keepRaw, bool validate, Func<IReadOnlyList<DeviceLine>, Task<T>> work, CancellationToken cancellation) =>
        ReadAsync(new DeviceJsonReader(input, keepRaw, validate), cancellation)
            .InOrderAsync(InHand, (batch, stop) => Task.Run(() => work(batch), stop), cancellation);

    private static async IAsyncEnumerable<IReadOnlyList<DeviceLine>> ReadAsync(DeviceJsonReader reader, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var batch = new List<DeviceLine>(BatchSize);
        ExceptionDispatchInfo? problem = null;
        await using var lines = reader.ReadAsync(cancellation).GetAsyncEnumerator(cancellation);
        while (true)
        {
            try
            {
                if (!await lines.MoveNextAsync())
                    break;
            }
            catch (TtsJsonException e)
            {
                problem = ExceptionDispatchInfo.Capture(e);
                break;
            }
            batch.Add(lines.Current);
            if (batch.Count == BatchSize)
            {
                yield return batch;
                batch = new List<DeviceLine>(BatchSize);
            }
        }
        if (batch.Count > 0)
            yield return batch;
        problem?.Throw();
    }
}

/// <summary>Plans by ID for many devices: a missing plan is looked for once, not for every device that names it.</summary>
internal sealed class PlanLookup(IFrequencyPlanStore plans)
{
    /// <summary>A file of nonsense must not fill the memory with plans that do not exist.</summary>
    private const int MaxRemembered = 1000;

    private readonly ConcurrentDictionary<string, FrequencyPlanResult> results = new(StringComparer.Ordinal);

    public ValueTask<FrequencyPlanResult> FindAsync(string id, CancellationToken cancellation) =>
        results.TryGetValue(id, out var known) ? new(known) : SearchAsync(id, cancellation);

    private async ValueTask<FrequencyPlanResult> SearchAsync(string id, CancellationToken cancellation)
    {
        var result = await plans.FindAsync(id, cancellation);
        if (results.Count < MaxRemembered)
            results.TryAdd(id, result);
        return result;
    }
}
