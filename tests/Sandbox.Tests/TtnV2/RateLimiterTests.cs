using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Microsoft.Extensions.Time.Testing;
using Sandbox.Grpc;
using Sandbox.TtnV2;

namespace Sandbox.Tests.TtnV2;

public sealed class RateLimiterTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider clock = new();

    [Fact]
    public void A_bucket_starts_full_and_gives_five()
    {
        var bucket = Bucket();
        Assert.All(Enumerable.Range(0, 5), _ => Assert.Equal(TimeSpan.Zero, bucket.Take(RateLimiter.LongestSleep)));
        Assert.Null(bucket.Take(RateLimiter.LongestSleep));
    }

    [Theory]
    [InlineData(300, null)]
    [InlineData(499, null)]
    [InlineData(500, 500)]
    [InlineData(600, 400)]
    [InlineData(999, 1)]
    [InlineData(1000, 0)]
    public void The_sixth_call_waits_for_the_next_whole_second_of_the_bucket_or_is_refused(int at, int? wait)
    {
        var bucket = Bucket();
        for (var i = 0; i < 5; i++)
            bucket.Take(TimeSpan.Zero);
        clock.Advance(TimeSpan.FromMilliseconds(at));
        Assert.Equal(wait is { } ms ? TimeSpan.FromMilliseconds(ms) : null, bucket.Take(RateLimiter.LongestSleep));
    }

    [Fact]
    public void Seconds_count_from_the_creation_of_the_bucket_and_not_from_its_first_use()
    {
        var bucket = Bucket();
        clock.Advance(TimeSpan.FromMilliseconds(2_700));
        for (var i = 0; i < 5; i++)
            bucket.Take(TimeSpan.Zero);
        Assert.Equal(TimeSpan.FromMilliseconds(300), bucket.Take(RateLimiter.LongestSleep));
    }

    [Fact]
    public void At_most_five_calls_are_promised_the_tokens_of_the_next_second()
    {
        var bucket = Bucket();
        for (var i = 0; i < 5; i++)
            bucket.Take(TimeSpan.Zero);
        clock.Advance(TimeSpan.FromMilliseconds(600));
        Assert.Equal(5, Enumerable.Range(0, 20).Count(_ => bucket.Take(RateLimiter.LongestSleep) is not null));
        clock.Advance(TimeSpan.FromMilliseconds(400));
        // They are spent when the second comes.
        Assert.Null(bucket.Take(RateLimiter.LongestSleep));
    }

    [Fact]
    public void One_call_every_200_ms_is_never_refused_and_never_waits()
    {
        var bucket = Bucket();
        for (var i = 0; i < 1_000; i++)
        {
            Assert.Equal(TimeSpan.Zero, bucket.Take(RateLimiter.LongestSleep));
            clock.Advance(TimeSpan.FromMilliseconds(200));
        }
    }

    [Property]
    public Property No_more_calls_are_served_than_tokens_were_born() => Prop.ForAll(
        ArbMap.Default.GeneratorFor<byte>().ArrayOf().ToArbitrary(),
        pauses =>
        {
            var time = new FakeTimeProvider();
            var bucket = new TokenBucket(time, 5, 5, Second);
            var start = time.GetTimestamp();
            var served = new List<TimeSpan>();
            foreach (var pause in pauses)
            {
                time.Advance(TimeSpan.FromMilliseconds(pause * 4));
                if (bucket.Take(RateLimiter.LongestSleep) is { } wait)
                    served.Add(time.GetElapsedTime(start) + wait);
            }
            return served.Select((at, i) => i + 1 <= 5 + (5 * (at.Ticks / Second.Ticks))).All(ok => ok);
        });

    [Fact]
    public async Task The_servers_of_2019_count_by_the_hour_and_count_refusals_too()
    {
        var limiter = new RateLimiter(clock, RateLimitProfile.PerHour, "client");
        for (var i = 0; i < 5_000; i++)
            await limiter.TakeAsync("my-app", CancellationToken.None);
        for (var i = 0; i < 5_000; i++)
        {
            var refusal = await Assert.ThrowsAsync<GrpcStatusException>(() => limiter.TakeAsync("my-app", CancellationToken.None));
            Assert.Equal(new GrpcStatus(GrpcCode.ResourceExhausted, "Rate limit for client reached"), refusal.Status);
        }
        clock.Advance(TimeSpan.FromHours(1));
        await Assert.ThrowsAsync<GrpcStatusException>(() => limiter.TakeAsync("my-app", CancellationToken.None));
    }

    private TokenBucket Bucket() => new(clock, 5, 5, Second);
}
