using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Migration;

/// <summary>Concurrent work whose results keep the order of its input.</summary>
internal static class OrderedWork
{
    /// <summary>
    /// Runs <paramref name="work"/> on items as they come, at most <paramref name="limit"/> at a time counting those that are done but not
    /// yet taken, and gives each result as soon as those before it are given. A failure of the input or of the work surfaces at its place.
    /// </summary>
    public static async IAsyncEnumerable<TResult> InOrderAsync<TItem, TResult>(
        this IAsyncEnumerable<TItem> items,
        int limit,
        Func<TItem, CancellationToken, Task<TResult>> work,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var room = new SemaphoreSlim(limit);
        var running = Channel.CreateUnbounded<Task<TResult>>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var feeding = FeedAsync();
        try
        {
            await foreach (var task in running.Reader.ReadAllAsync(CancellationToken.None))
            {
                yield return await task;
                room.Release();
            }
            await feeding;
        }
        finally
        {
            await stop.CancelAsync();
            await feeding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (running.Reader.TryRead(out var task))
                await ((Task)task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task FeedAsync()
        {
            try
            {
                await foreach (var item in items.WithCancellation(stop.Token))
                {
                    await room.WaitAsync(stop.Token);
                    running.Writer.TryWrite(work(item, stop.Token));
                }
            }
            finally
            {
                running.Writer.Complete();
            }
        }
    }
}
