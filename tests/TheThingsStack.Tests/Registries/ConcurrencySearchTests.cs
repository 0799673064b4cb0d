using TheThingsStack.Registries;

namespace TheThingsStack.Tests.Registries;

/// <summary>The search against servers whose rate depends on the calls under way, as two real ones did (facts/tts-api.md section 15).</summary>
public sealed class ConcurrencySearchTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 24, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Creates per second at 1, 2, 4, ... 128 under way; between them in straight lines.</summary>
    public static TheoryData<string, double[]> Servers => new()
    {
        { "near: 121 at 4, 82 at 32", [48, 88, 121, 112, 98, 82, 65, 50] },
        { "far: 45 at 4, 82 at 32", [11.5, 23, 45, 66, 78, 82, 80, 70] },
        { "grows to the end", [10, 20, 40, 80, 160, 320, 640, 1280] },
        { "one is best", [50, 40, 30, 25, 20, 15, 10, 5] },
        { "flat from two on", [50, 100, 100, 100, 100, 100, 100, 100] },
        { "best in the middle", [10, 20, 38, 70, 120, 90, 60, 40] },
    };

    [Fact]
    public void The_model_is_as_fast_as_the_recorded_server()
    {
        Assert.InRange(ServerModel.Near.RateAt(4), 121 * 0.97, 121 * 1.03);
        Assert.InRange(ServerModel.Near.RateAt(32), 82 * 0.97, 82 * 1.03);
        Assert.InRange(ServerModel.Far.RateAt(4), 45 * 0.95, 45 * 1.03);
        Assert.InRange(ServerModel.Far.RateAt(32), 82 * 0.97, 82 * 1.03);
    }

    /// <summary>Servers, and the share of their best rate that runs of 300, 1,000, 3,000 and 10,000 devices reach, ramp and search included.</summary>
    public static TheoryData<string, double[]> Runs => new()
    {
        { "near", [0.9, 0.95, 0.95, 0.95] },
        { "far", [0.7, 0.85, 0.9, 0.93] },
        { "fast far", [0.3, 0.6, 0.8, 0.9] },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void Short_runs_come_near_the_best_too(string server, double[] shares)
    {
        ServerModel New() => server switch
        {
            "near" => ServerModel.Near,
            "far" => ServerModel.Far,
            _ => ServerModel.FastFar,
        };
        var best = new[] { 1, 2, 3, 4, 6, 8, 12, 14, 16, 24, 32, 64, 128 }.Max(limit => New().RateAt(limit));
        foreach (var (devices, share) in new[] { 300, 1000, 3000, 10_000 }.Zip(shares))
        {
            var search = new ConcurrencySearch();

            var rate = New().Run(search, devices);

            Assert.True(rate >= best * share, $"{server}, {devices} devices: {rate:F1}/s of {best:F1}/s, at the end with {search.Limit}");
        }
    }

    [Theory]
    [InlineData("near", 1, 5)]
    [InlineData("far", 10, 20)]
    public void Once_found_the_best_is_kept(string server, int least, int most)
    {
        var model = server == "near" ? ServerModel.Near : ServerModel.Far;
        var search = new ConcurrencySearch();
        model.Run(search, 2000);
        var limits = new List<int>();

        model.Run(search, 10_000, limits.Add);

        Assert.True(limits.Count(limit => limit >= least && limit <= most) >= limits.Count * 0.9, string.Join(' ', limits.CountBy(limit => limit).OrderBy(pair => pair.Key)));
    }

    [Fact]
    public void Where_more_than_a_number_is_refused_that_number_is_found()
    {
        var model = new ServerModel([(1, 3000), (2, 6000)], TimeSpan.FromMilliseconds(20), 1) { Room = 12 };
        var search = new ConcurrencySearch();
        model.Run(search, 5000);
        var before = model.Refused;

        var rate = model.Run(search, 20_000);

        Assert.True(model.Refused - before < 20_000 / 6, $"{model.Refused - before} refused");
        Assert.True(rate > 500, $"{rate:F0}/s with {search.Limit}");
    }

    [Fact]
    public void The_start_doubles_with_each_round_trip()
    {
        var search = new ConcurrencySearch();

        // 4 + 8 + 16 + 32 + 64 would be one each.
        ServerModel.FastFar.Run(search, 250);

        Assert.Equal(128, search.Limit);
    }

    [Theory]
    [MemberData(nameof(Servers))]
    public void The_rate_comes_within_a_tenth_of_the_best(string server, double[] rates)
    {
        var search = new ConcurrencySearch();

        Work(search, rates, 3000);
        var (ended, seconds) = Work(search, rates, 6000);

        var best = Enumerable.Range(1, 128).Max(n => Rate(rates, n));
        Assert.True(ended / seconds >= best * 0.9, $"{server}: {ended / seconds:F1}/s at {search.Limit}, best {best}/s");
    }

    [Fact]
    public void Of_equal_amounts_the_smallest_is_used()
    {
        var search = new ConcurrencySearch();

        Work(search, [50, 100, 100, 100, 100, 100, 100, 100], 20_000);

        Assert.InRange(search.Limit, 2, 4);
    }

    [Fact]
    public void A_server_that_changes_is_followed()
    {
        double[] near = [48, 88, 121, 112, 98, 82, 65, 50];
        double[] far = [11.5, 23, 45, 66, 78, 82, 80, 70];
        var search = new ConcurrencySearch();
        Work(search, near, 5000);
        var before = search.Limit;

        Work(search, far, 30_000);

        Assert.InRange(before, 3, 6);
        Assert.True(Rate(far, search.Limit) > 82 * 0.9, $"at {search.Limit}");
    }

    [Fact]
    public void Refusals_lower_at_once_and_refusals_of_older_work_do_not_lower_again()
    {
        var search = new ConcurrencySearch();
        Work(search, [10, 20, 40, 80, 160, 320, 640, 1280], 5000);
        var before = search.Limit;
        var begun = search.Generation;

        for (var i = 0; i < before; i++)
            search.Refused(begun);

        Assert.Equal((int)(before * 0.6), search.Limit);
    }

    [Fact]
    public void Refusals_again_and_again_leave_one_under_way()
    {
        var search = new ConcurrencySearch();

        for (var i = 0; i < 100; i++)
            search.Refused(search.Generation);

        Assert.Equal(1, search.Limit);
    }

    [Fact]
    public void A_refusal_now_and_then_does_not_lower()
    {
        var search = new ConcurrencySearch();

        for (var i = 0; i < 100; i++)
        {
            Work(search, [10, 20, 40, 80, 160, 320, 640, 1280], 19);
            search.Refused(search.Generation);
        }

        Assert.Equal(0, search.Generation);
    }

    [Fact]
    public void Work_that_arrives_slowly_says_nothing_about_the_server()
    {
        var search = new ConcurrencySearch();

        for (var i = 0; i < 1000; i++)
            search.Ended(Start.AddSeconds(i / 5.0), saturated: false, TimeSpan.FromMilliseconds(30));

        Assert.Equal(4, search.Limit);
    }

    private DateTimeOffset now = Start;
    private uint noise = 12345;

    /// <summary>Ends work at the rate of the server, with times that vary by a third.</summary>
    private (int Ended, double Seconds) Work(ConcurrencySearch search, double[] rates, int count)
    {
        var begun = now;
        for (var i = 0; i < count; i++)
        {
            noise = (noise * 1664525) + 1013904223;
            var factor = 1 + (((noise >> 8) / (double)(1 << 24)) - 0.5) / 1.5;
            now += TimeSpan.FromSeconds(factor / Rate(rates, search.Limit));
            search.Ended(now, saturated: true, TimeSpan.FromSeconds(factor * search.Limit / Rate(rates, search.Limit)));
        }
        return (count, (now - begun).TotalSeconds);
    }

    private static double Rate(double[] rates, int underWay)
    {
        var step = Math.Log2(underWay);
        var low = Math.Min(rates.Length - 2, (int)step);
        return rates[low] + ((rates[low + 1] - rates[low]) * (step - low));
    }
}
