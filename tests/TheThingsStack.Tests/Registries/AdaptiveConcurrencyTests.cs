using Microsoft.Extensions.Time.Testing;
using TheThingsStack.Registries;

namespace TheThingsStack.Tests.Registries;

public sealed class AdaptiveConcurrencyTests
{
    private readonly FakeTimeProvider clock = new();

    [Fact]
    public async Task No_more_is_under_way_than_allowed_and_turns_are_given_in_order()
    {
        var concurrency = AdaptiveConcurrency.Fixed(clock, 2);
        var first = await concurrency.EnterAsync(default);
        using var second = await concurrency.EnterAsync(default);
        var third = concurrency.EnterAsync(default);
        var fourth = concurrency.EnterAsync(default);
        Assert.False(third.IsCompleted);

        first.Dispose();

        using var turn = await third;
        Assert.False(fourth.IsCompleted);
    }

    [Fact]
    public async Task A_turn_that_is_no_longer_wanted_goes_to_the_next()
    {
        var concurrency = AdaptiveConcurrency.Fixed(clock, 1);
        var first = await concurrency.EnterAsync(default);
        using var cancel = new CancellationTokenSource();
        var second = concurrency.EnterAsync(cancel.Token);
        var third = concurrency.EnterAsync(default);

        await cancel.CancelAsync();
        first.Dispose();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        using var turn = await third;
    }

    [Fact]
    public async Task A_turn_given_back_twice_counts_once()
    {
        var concurrency = AdaptiveConcurrency.Fixed(clock, 1);
        var first = await concurrency.EnterAsync(default);
        first.Dispose();
        first.Dispose();

        using var second = await concurrency.EnterAsync(default);

        Assert.False(concurrency.EnterAsync(default).IsCompleted);
    }

    /// <summary>Rounds of work that take 100 ms each, however much is under way.</summary>
    [Fact]
    public async Task While_work_takes_no_longer_the_limit_doubles()
    {
        var concurrency = AdaptiveConcurrency.Adaptive(clock);
        var inHand = new List<AdaptiveConcurrency.Turn>();
        for (var round = 0; round < 12; round++)
        {
            while (inHand.Count < concurrency.Limit)
                inHand.Add(await concurrency.EnterAsync(default));
            var next = inHand.Select(_ => concurrency.EnterAsync(default)).ToList();
            clock.Advance(TimeSpan.FromMilliseconds(100));
            foreach (var turn in inHand)
            {
                turn.Done();
                turn.Dispose();
            }
            inHand = [.. await Task.WhenAll(next)];
        }

        Assert.Equal(concurrency.Most, concurrency.Limit);
    }

    [Fact]
    public async Task Refusals_lower_the_limit()
    {
        var concurrency = AdaptiveConcurrency.Adaptive(clock, start: 10);

        for (var i = 0; i < 10; i++)
        {
            using var turn = await concurrency.EnterAsync(default);
            turn.Refused();
        }

        Assert.True(concurrency.Limit < 10, $"{concurrency.Limit}");
    }
}
