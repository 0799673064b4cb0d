using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Rpc;
using TheThingsStack.Registries;

namespace TheThingsStack.Tests.Registries;

/// <summary>Calls keep within the limits that servers tell, so that none is refused (facts/tts-api.md section 11).</summary>
public sealed class RatePacerTests
{
    private const string Get = "/ttn.lorawan.v3.ApplicationRegistry/Get";
    private const string Create = "/ttn.lorawan.v3.EndDeviceRegistry/Create";

    private readonly FakeTimeProvider clock = new(new DateTimeOffset(2026, 11, 24, 0, 0, 0, TimeSpan.Zero));
    private readonly RatePacer pacer;

    public RatePacerTests() => pacer = new RatePacer(clock);

    [Fact]
    public void Without_headers_nothing_waits()
    {
        for (var i = 0; i < 100; i++)
        {
            Assert.True(pacer.WaitAsync(Get, "app", default).IsCompletedSuccessfully);
            pacer.Observe(Get, "app", perDevice: false, new Metadata(), refused: false);
        }
    }

    [Fact]
    public async Task When_nothing_is_left_the_next_call_waits_until_there_is()
    {
        Told(Get, "app", limit: 60, available: 0, reset: 59);

        var wait = pacer.WaitAsync(Get, "app", default);

        Assert.False(wait.IsCompleted);
        clock.Advance(TimeSpan.FromMilliseconds(999));
        Assert.False(wait.IsCompleted);
        clock.Advance(TimeSpan.FromMilliseconds(2));
        await wait;
    }

    [Fact]
    public void Another_method_and_another_application_do_not_wait()
    {
        Told(Get, "app", limit: 60, available: 0, reset: 59);

        Assert.True(pacer.WaitAsync(Create, "app", default).IsCompletedSuccessfully);
        Assert.True(pacer.WaitAsync(Get, "other-app", default).IsCompletedSuccessfully);
    }

    [Fact]
    public void Calls_under_way_count()
    {
        Told(Get, "app", limit: 10, available: 3, reset: 60);

        var waits = Enumerable.Range(0, 5).Select(_ => pacer.WaitAsync(Get, "app", default)).ToList();

        Assert.Equal([true, true, true, false, false], waits.Select(wait => wait.IsCompleted));
    }

    [Fact]
    public void Devices_with_limits_of_their_own_do_not_wait_for_each_other()
    {
        for (var i = 0; i < 100; i++)
        {
            Assert.True(pacer.WaitAsync(Create, $"app.dev-{i}", default).IsCompletedSuccessfully);
            Told(Create, $"app.dev-{i}", limit: 10, available: 9, reset: 0, perDevice: true);
        }
    }

    [Fact]
    public void Devices_whose_answers_count_down_together_share_a_limit()
    {
        for (var i = 1; i <= 5; i++)
            Told(Create, $"app.dev-{i}", limit: 10, available: 10 - i, reset: 6 * i, perDevice: true);

        var waits = Enumerable.Range(6, 7).Select(i => pacer.WaitAsync(Create, $"app.dev-{i}", default)).ToList();

        Assert.Equal([true, true, true, true, true, false, false], waits.Select(wait => wait.IsCompleted));
    }

    [Fact]
    public async Task After_a_refusal_all_calls_of_the_method_wait_a_second_and_then_keep_the_pace()
    {
        Told(Create, "app.dev-1", limit: 10, available: 0, reset: 59, perDevice: true, refused: true);

        var first = pacer.WaitAsync(Create, "app.dev-2", default);
        Assert.False(first.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(1.1));
        await first;
        var second = pacer.WaitAsync(Create, "app.dev-3", default);
        Assert.False(second.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(6.1));
        await second;
    }

    [Fact]
    public async Task A_limit_that_would_let_a_call_pass_only_tomorrow_is_asked_again_after_a_minute()
    {
        Told(Get, "app", limit: 1, available: 0, reset: 86_400);

        var wait = pacer.WaitAsync(Get, "app", default);

        Assert.False(wait.IsCompleted);
        clock.Advance(TimeSpan.FromMinutes(1) + TimeSpan.FromMilliseconds(1));
        await wait;
    }

    [Fact]
    public async Task Waiting_ends_when_it_is_cancelled()
    {
        Told(Get, "app", limit: 60, available: 0, reset: 59);
        using var cancel = new CancellationTokenSource();
        var wait = pacer.WaitAsync(Get, "app", cancel.Token);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
    }

    private void Told(string method, string entity, int limit, int available, int reset, bool perDevice = false, bool refused = false)
    {
        string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
        var headers = new Metadata
        {
            { "x-rate-limit-limit", Text(limit) },
            { "x-rate-limit-available", Text(available) },
            { "x-rate-limit-reset", Text(reset) },
            { "x-rate-limit-retry", "0" },
        };
        pacer.Observe(method, entity, perDevice, headers, refused);
    }
}
