using Microsoft.Extensions.Time.Testing;
using Sources.TtnV2;

namespace Sources.Tests.TtnV2;

public sealed class PacerTests : IDisposable
{
    private readonly FakeTimeProvider clock = new(DateTimeOffset.UnixEpoch);
    private readonly Pacer pacer;

    public PacerTests() => pacer = new Pacer(clock, 5, TimeSpan.FromSeconds(1));

    [Fact]
    public void Five_calls_start_at_once_and_five_more_each_second()
    {
        var starts = Start(23);
        Assert.Equal([5, 5, 5, 5, 3], starts.GroupBy(s => (int)s.TotalSeconds).Select(g => g.Count()));
        Assert.All(starts.Zip(starts.Skip(5)), pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void Calls_after_a_pause_start_at_once()
    {
        Start(5);
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.All(Start(5), s => Assert.Equal(TimeSpan.Zero, s));
    }

    [Fact]
    public void A_refusal_holds_back_the_next_calls_and_slows_the_pace_until_answers_come()
    {
        Start(5);
        pacer.Refused();
        Assert.Equal(TimeSpan.FromSeconds(1.5), pacer.Interval);
        Assert.All(Start(5), s => Assert.True(s >= TimeSpan.FromSeconds(1.5)));
        for (var i = 0; i < 30; i++)
            pacer.Served();
        Assert.Equal(TimeSpan.FromSeconds(1), pacer.Interval);
    }

    [Fact]
    public void Calls_refused_together_count_once()
    {
        for (var i = 0; i < 16; i++)
            pacer.Refused();
        Assert.Equal(TimeSpan.FromSeconds(1.5), pacer.Interval);
    }

    [Fact]
    public void However_often_it_is_refused_the_pace_never_stops()
    {
        for (var i = 0; i < 50; i++)
        {
            pacer.Refused();
            clock.Advance(TimeSpan.FromMinutes(1));
        }
        Assert.Equal(TimeSpan.FromSeconds(4), pacer.Interval);
    }

    [Fact]
    public async Task A_call_that_is_no_longer_wanted_takes_no_place()
    {
        Start(5);
        using var cancelled = new CancellationTokenSource();
        var waiting = pacer.WaitAsync(cancelled.Token);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.All(Start(5), s => Assert.Equal(TimeSpan.Zero, s));
    }

    public void Dispose() => pacer.Dispose();

    /// <summary>Starts calls one after the other; gives when each started, from now.</summary>
    private List<TimeSpan> Start(int calls)
    {
        var from = clock.GetUtcNow();
        var starts = new List<TimeSpan>();
        for (var i = 0; i < calls; i++)
        {
            var turn = pacer.WaitAsync(CancellationToken.None);
            for (var steps = 0; !turn.IsCompleted; steps++)
            {
                Assert.True(steps < 100_000, "never started");
                clock.Advance(TimeSpan.FromMilliseconds(10));
                SpinWait.SpinUntil(() => turn.IsCompleted, TimeSpan.Zero);
            }
            starts.Add(clock.GetUtcNow() - from);
        }
        return starts;
    }
}
