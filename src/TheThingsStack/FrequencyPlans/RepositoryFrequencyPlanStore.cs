using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using LoRaWan.Regional;
using TheThingsStack.Errors;
using Plans = LoRaWan.Regional.FrequencyPlans;

namespace TheThingsStack.FrequencyPlans;

/// <summary>
/// Plans of a repository laid out like <c>TheThingsNetwork/lorawan-frequency-plans</c>: an index <c>frequency-plans.yml</c> and plan files
/// beside it, with one level of inheritance (facts/frequency-plans.md sections 2 to 5). Nothing is read before the first question; the
/// index and every plan are read once per run, a failure is remembered for one minute. Safe for concurrent use.
/// </summary>
public sealed class RepositoryFrequencyPlanStore : IFrequencyPlanStore
{
    /// <summary>Name of the index.</summary>
    public const string IndexFile = "frequency-plans.yml";

    /// <summary>Time allowed for one file over HTTP.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan FailureLifetime = TimeSpan.FromMinutes(1);

    private readonly IPlanFiles files;
    private readonly TimeProvider time;
    private readonly ConcurrentDictionary<string, Task<(FrequencyPlanResult Result, long At)>> plans = new(StringComparer.Ordinal);
    private readonly Lock indexLock = new();
    private Task<(IReadOnlyList<FrequencyPlan>? Entries, Failure? Failure, long At)>? index;

    internal RepositoryFrequencyPlanStore(IPlanFiles files, TimeProvider time)
    {
        this.files = files;
        this.time = time;
    }

    /// <summary>Opens a local folder.</summary>
    public static RepositoryFrequencyPlanStore FromFolder(string folder, TimeProvider time) => new(new FolderPlanFiles(folder), time);

    /// <summary>
    /// Opens an address: <c>https:</c> and <c>http:</c> read over the network, <c>file:</c> a local folder.
    /// </summary>
    /// <param name="address">The folder that holds the index. Empty: the failure comes with the first plan that is needed.</param>
    /// <param name="createHandler">
    /// Makes the handler for HTTP, once and only for an HTTP address; it must check certificates and not follow redirects itself.
    /// </param>
    /// <param name="time">Clock of timeouts and of remembered failures.</param>
    /// <param name="timeout">Time allowed for one file; <see cref="DefaultTimeout"/> when null.</param>
    /// <exception cref="FailureException"><c>pkg/fetch:scheme_not_specified</c>, or the address cannot be used.</exception>
    public static RepositoryFrequencyPlanStore FromAddress(string address, Func<HttpMessageHandler> createHandler, TimeProvider time, TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(createHandler);
        if (address.Length == 0)
            return new(new NoPlanFiles(), time);
        if (!address.Contains(':', StringComparison.Ordinal) || address.StartsWith('/'))
            throw new FailureException(FrequencyPlanFailures.SchemeNotSpecified());
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri))
            throw new FailureException(new Failure("the address of the frequency plans cannot be read") { Advice = "write it like https://example.com/frequency-plans" });
        if (uri.IsFile)
            return FromFolder(uri.LocalPath, time);
        if (uri.Scheme != Uri.UriSchemeHttps && uri.Scheme != Uri.UriSchemeHttp)
        {
            throw new FailureException(new Failure($"unsupported protocol scheme \"{uri.Scheme}\" in the address of the frequency plans")
            {
                Advice = "use https://, http:// or file://",
            });
        }
        return new(new HttpPlanFiles(uri, new HttpMessageInvoker(createHandler()), timeout ?? DefaultTimeout, time), time);
    }

    /// <inheritdoc/>
    public ValueTask<FrequencyPlanResult> FindAsync(string id, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(id);
        return plans.TryGetValue(id, out var known) && known.IsCompletedSuccessfully && known.Result is { Result.Plan: not null } found
            ? new(found.Result)
            : new(ResolveOnceAsync(id, cancellation));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<FrequencyPlanResult> ListAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var (entries, failure) = await IndexAsync().WaitAsync(cancellation).ConfigureAwait(false);
        if (failure is not null)
            throw new FailureException(failure);
        foreach (var id in entries!.Select(entry => entry.Id).Where(id => id.Length > 0).Distinct(StringComparer.Ordinal))
            yield return await FindAsync(id, cancellation).ConfigureAwait(false);
    }

    private async Task<FrequencyPlanResult> ResolveOnceAsync(string id, CancellationToken cancellation)
    {
        // A caller that gives up must not take the answer away from the others, so the shared work has no cancellation; it is bounded by its timeout.
        var task = plans.GetOrAdd(id, ResolveAsync);
        var (result, at) = await task.WaitAsync(cancellation).ConfigureAwait(false);
        if (result.Failure is null || time.GetElapsedTime(at) < FailureLifetime)
            return result;
        plans.TryUpdate(id, ResolveAsync(id), task);
        return (await plans[id].WaitAsync(cancellation).ConfigureAwait(false)).Result;
    }

    private async Task<(FrequencyPlanResult Result, long At)> ResolveAsync(string id)
    {
        FrequencyPlanResult result;
        try
        {
            result = new(await ReadAsync(id).ConfigureAwait(false), null);
        }
        catch (FailureException e)
        {
            result = new(null, e.Failure);
        }
        return (result, time.GetTimestamp());
    }

    private async Task<(IReadOnlyList<FrequencyPlan>? Entries, Failure? Failure)> IndexAsync()
    {
        Task<(IReadOnlyList<FrequencyPlan>? Entries, Failure? Failure, long At)> task;
        lock (indexLock)
        {
            if (index is { IsCompletedSuccessfully: true } known && known.Result is { Failure: not null, At: var at } && time.GetElapsedTime(at) >= FailureLifetime)
                index = null;
            task = index ??= ReadIndexAsync();
        }
        var (entries, failure, _) = await task.ConfigureAwait(false);
        return (entries, failure);
    }

    private async Task<(IReadOnlyList<FrequencyPlan>? Entries, Failure? Failure, long At)> ReadIndexAsync()
    {
        // Leave the caller's lock first.
        await Task.Yield();
        try
        {
            using var text = new StringReader(await files.ReadAsync(IndexFile, CancellationToken.None).ConfigureAwait(false));
            return (PlanFileReader.ReadIndex(IndexFile, text), null, time.GetTimestamp());
        }
        catch (FailureException e)
        {
            return (null, FrequencyPlanFailures.ReadList(e.Failure), time.GetTimestamp());
        }
        catch (YamlFormatException e)
        {
            return (null, FrequencyPlanFailures.ReadList(FrequencyPlanFailures.ParseFile(e.Message)), time.GetTimestamp());
        }
    }

    private async Task<FrequencyPlan> ReadAsync(string id)
    {
        var (index, failure) = await IndexAsync().ConfigureAwait(false);
        if (failure is not null)
            throw new FailureException(failure);
        var entry = Entry(index!, id) ?? throw NotFound(index!, id);
        var plan = await ReadFileAsync(entry, cause => FrequencyPlanFailures.Read(id, cause)).ConfigureAwait(false);
        if (entry.BaseId is { } baseId)
        {
            var baseline = Entry(index!, baseId) ?? throw new FailureException(FrequencyPlanFailures.ReadBase(id, baseId, NotFound(index!, baseId).Failure));
            RefuseCircle(index!, entry);
            plan = plan.Over(await ReadFileAsync(baseline, cause => FrequencyPlanFailures.ReadBase(id, baseId, cause)).ConfigureAwait(false));
        }
        return plan.FindFault() is { } fault ? throw new FailureException(FrequencyPlanFailures.Invalid(plan, fault)) : plan;
    }

    private async Task<FrequencyPlan> ReadFileAsync(FrequencyPlan entry, Func<Failure, Failure> wrap)
    {
        try
        {
            using var text = new StringReader(await files.ReadAsync(entry.File ?? "", CancellationToken.None).ConfigureAwait(false));
            return PlanFileReader.ReadPlan(entry, text);
        }
        catch (FailureException e)
        {
            throw new FailureException(wrap(e.Failure), e);
        }
        catch (YamlFormatException e)
        {
            throw new FailureException(wrap(FrequencyPlanFailures.ParseFile(e.Message)), e);
        }
    }

    private static FailureException NotFound(IReadOnlyList<FrequencyPlan> index, string id) =>
        new(FrequencyPlanFailures.NotFound(id,
            [.. Plans.Embedded.FindByAlias(id).Select(plan => plan.Id).Concat(new Plans(index.Concat(Plans.Embedded.All)).NearestIds(id)).Distinct().Take(3)]));

    private static FrequencyPlan? Entry(IReadOnlyList<FrequencyPlan> index, string id) =>
        id.Length == 0 ? null : index.FirstOrDefault(entry => entry.Id == id);

    /// <summary>Only one level of bases is applied, so a circle does no harm; it is a mistake all the same, and half of such a plan is missing.</summary>
    private static void RefuseCircle(IReadOnlyList<FrequencyPlan> index, FrequencyPlan entry)
    {
        var path = new List<string> { entry.Id };
        for (var at = entry; at?.BaseId is { } baseId && path.Count <= index.Count + 1; at = Entry(index, baseId))
        {
            path.Add(baseId);
            if (baseId == entry.Id)
            {
                throw new FailureException(FrequencyPlanFailures.ReadBase(entry.Id, entry.BaseId!, new Failure(
                    $"{IndexFile}: plans are based on each other in a circle: {string.Join(" -> ", path)}")
                { Advice = "correct base-id in the index" }));
            }
        }
    }
}
