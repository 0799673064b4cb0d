using System.Globalization;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Rpc;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;
using TheThingsStack.Registries;

namespace TheThingsStack.Tests.Registries;

/// <summary>Calls to servers that stumble (facts/tts-api.md section 11). Pauses pass at once, on a clock of their own.</summary>
public sealed class CallTests : IAsyncLifetime
{
    private const string App = "my-app";

    private readonly PausingClock clock = new();
    private readonly List<string> log = [];
    private TtsCluster cluster = null!;
    private string key = "";
    private ClusterClient client = null!;

    public async Task InitializeAsync()
    {
        cluster = await TtsCluster.StartAsync(new TtsClusterOptions { Clock = clock });
        key = cluster.AddApplication(App);
        client = NewClient();
    }

    public async Task DisposeAsync()
    {
        await client.DisposeAsync();
        await cluster.DisposeAsync();
    }

    /// <summary>A fault that strikes the first calls, how often, the calls that are made, and whether the last one succeeds.</summary>
    public static TheoryData<string, int, int, bool> Faults => new()
    {
        // Passing: again, six times in all.
        { "Unavailable", 1, 2, true },
        { "Unavailable", 5, 6, true },
        { "Unavailable", 6, 6, false },
        { "DeadlineExceeded", 1, 2, true },
        { "ResourceExhausted", 5, 6, true },
        { "ResourceExhausted", 6, 6, false },
        { "drop", 1, 2, true },
        // For good: once.
        { "Aborted", 1, 1, false },
        { "InvalidArgument", 1, 1, false },
        { "NotFound", 1, 1, false },
        { "AlreadyExists", 1, 1, false },
        { "PermissionDenied", 1, 1, false },
        { "Unauthenticated", 1, 1, false },
        { "FailedPrecondition", 1, 1, false },
        { "Unimplemented", 1, 1, false },
        { "Internal", 1, 1, false },
        { "Unknown", 1, 1, false },
        { "DataLoss", 1, 1, false },
        { "no trailers", 1, 1, false },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_call_is_repeated_where_that_may_help_and_only_there(string fault, int times, int calls, bool succeeds)
    {
        // The server has answered before: else a failure to get through is the user's to solve.
        await client.Identity.ListRightsAsync(App, default);
        cluster.Faults.Add("ApplicationRegistry/Get", Of(fault), to: times);

        var failure = await Record.ExceptionAsync(() => client.Identity.GetApplicationAsync(App, [], default));

        Assert.Equal((calls, succeeds), (cluster.Requests.For("ApplicationRegistry/Get").Count, failure is null));
        Assert.True(failure is null or RegistryException, $"{failure}");
    }

    [Fact]
    public async Task A_rate_limit_is_kept_to_before_a_call_is_refused()
    {
        cluster.RateLimit = new TtsRateLimit(PerMinute: 60, Burst: 5) { Methods = ["ApplicationAccess/ListRights"] };

        for (var i = 0; i < 30; i++)
            await client.Identity.ListRightsAsync(App, default);

        Assert.Equal(30, cluster.Requests.Count);
        Assert.DoesNotContain(cluster.Requests.All, request => request.Status?.Code == GrpcCode.ResourceExhausted);
    }

    [Fact]
    public async Task A_rate_limit_that_others_use_up_is_waited_for_as_long_as_it_takes()
    {
        cluster.RateLimit = new TtsRateLimit(PerMinute: 12, Burst: 1) { Methods = ["ApplicationAccess/ListRights"] };
        await using var other = NewClient();
        await other.Identity.ListRightsAsync(App, default);

        await client.Identity.ListRightsAsync(App, default);

        var refused = cluster.Requests.All.Count(request => request.Status?.Code == GrpcCode.ResourceExhausted);
        Assert.InRange(refused, 1, 12);
    }

    [Theory]
    [InlineData("Unavailable")]
    [InlineData("drop")]
    public async Task A_create_that_was_done_though_its_answer_was_lost_counts_as_done(string fault)
    {
        await client.Identity.ListRightsAsync(App, default);
        cluster.Faults.Add("EndDeviceRegistry/Create", Of(fault, apply: true), to: 1);

        var created = await client.Identity.CreateAsync(Device("Meter"), default);

        Assert.Equal("Meter", created.Name);
        Assert.Equal(
            ["EndDeviceRegistry/Create", "EndDeviceRegistry/Create", "EndDeviceRegistry/Get"],
            cluster.Requests.All.Skip(1).Select(request => string.Join('/', request.Method.Split('.')[^1])));
    }

    [Theory]
    [InlineData("Meter of somebody else", 0)]
    [InlineData("Meter", 3600)]
    public async Task A_device_of_somebody_else_is_not_taken_for_one_whose_answer_was_lost(string name, int secondsBefore)
    {
        cluster.Put(Device(name));
        clock.Advance(TimeSpan.FromSeconds(secondsBefore));
        await client.Identity.ListRightsAsync(App, default);
        cluster.Faults.Add("EndDeviceRegistry/Create", Of("Unavailable"), to: 1);

        var failure = await Assert.ThrowsAsync<RegistryException>(() => client.Identity.CreateAsync(Device("Meter"), default));

        Assert.Equal("pkg/util/store:id_taken", failure.ErrorName);
        Assert.Equal(name, cluster.Device(App, "meter-1").Identity!.Name);
    }

    [Fact]
    public async Task A_create_that_was_refused_at_once_is_not_looked_into()
    {
        cluster.Put(Device("Meter"));

        await Assert.ThrowsAsync<RegistryException>(() => client.Identity.CreateAsync(Device("Meter"), default));

        Assert.Equal(1, cluster.Requests.Count);
    }

    [Fact]
    public async Task A_delete_that_was_done_though_its_answer_was_lost_is_done()
    {
        cluster.Put(Device("Meter"));
        await client.Identity.ListRightsAsync(App, default);
        cluster.Faults.Add("EndDeviceRegistry/Delete", Of("Unavailable", apply: true), to: 1);

        await client.Identity.DeleteAsync(Device("Meter").Ids, default);

        Assert.Null(cluster.Device(App, "meter-1").Identity);
    }

    [Fact]
    public async Task A_warning_of_a_server_is_logged_once()
    {
        cluster.Faults.Add("ApplicationAccess/ListRights", new Fault.Run(call =>
        {
            call.ResponseHeaders["warning"] = "this method will go away";
            return Task.CompletedTask;
        }));

        await client.Identity.ListRightsAsync(App, default);
        await client.Identity.ListRightsAsync(App, default);

        Assert.Equal([$"Warning: The Things Stack at {cluster.Address} warns: this method will go away"], log);
    }

    [Fact]
    public async Task A_server_that_answers_nothing_for_half_a_minute_is_gone_and_one_device_that_cannot_be_served_is_not_the_server()
    {
        await client.Identity.ListRightsAsync(App, default);
        cluster.Faults.Add("ApplicationRegistry/Get", Of("Unavailable"));

        var first = await Assert.ThrowsAsync<RegistryException>(() => client.Identity.GetApplicationAsync(App, [], default));
        clock.Advance(TimeSpan.FromSeconds(30));
        var second = await Assert.ThrowsAsync<RegistryException>(() => client.Identity.GetApplicationAsync(App, [], default));

        Assert.Equal((false, true), (first.ConcernsAll, second.ConcernsAll));
    }

    [Fact]
    public async Task A_server_that_lets_every_call_wait_until_its_time_is_over_is_given_up_after_half_a_minute_not_after_six_calls()
    {
        await client.Identity.ListRightsAsync(App, default);
        cluster.Faults.ByChance = _ =>
        {
            clock.Advance(TimeSpan.FromSeconds(19));
            return Of("Unavailable");
        };

        var failure = await Assert.ThrowsAsync<RegistryException>(() => client.Identity.GetApplicationAsync(App, [], default));

        Assert.Equal((2, true), (cluster.Requests.For("ApplicationRegistry/Get").Count, failure.ConcernsAll));
    }

    [Fact]
    public async Task A_server_that_is_started_again_is_waited_for_longer_than_one_call_is_repeated()
    {
        await client.Identity.ListRightsAsync(App, default);
        await cluster.StopAsync();
        // The pause after the sixth attempt.
        clock.Before = pause => pause == TimeSpan.FromSeconds(6.4) ? cluster.RestartAsync() : Task.CompletedTask;

        Assert.NotEmpty(await client.Identity.ListRightsAsync(App, default));
    }

    [Fact]
    public async Task A_server_that_stays_away_is_given_up_after_half_a_minute()
    {
        await client.Identity.ListRightsAsync(App, default);
        await cluster.StopAsync();

        var failure = await Assert.ThrowsAsync<RegistryException>(() => client.Identity.ListRightsAsync(App, default));

        Assert.InRange(failure.Duration, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30));
        Assert.True(failure.ConcernsAll);
    }

    private static Fault Of(string name, bool apply = false) => name switch
    {
        "drop" => new Fault.DropConnection(apply),
        "no trailers" => new Fault.NoTrailers(),
        _ => new Fault.Fail(Enum.Parse<GrpcCode>(name), "by script", apply),
    };

    private static EndDevice Device(string name) => new()
    {
        Ids = new EndDeviceIdentifiers
        {
            ApplicationIds = new ApplicationIdentifiers { ApplicationId = App },
            DeviceId = "meter-1",
            DevEui = ByteString.CopyFrom(0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, 1),
            JoinEui = ByteString.CopyFrom(0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, 0),
        },
        Name = name,
    };

    private ClusterClient NewClient() => new(new ClusterOptions
    {
        Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)),
        Key = ApiKey.TryParse(key, out var parsed, out _) ? parsed : throw new InvalidOperationException(),
        Tls = null,
        Clock = clock,
        Log = new ListLogger(log),
    });

    /// <summary>Lets pauses between calls pass at once; the time for a connection or an answer does not pass by itself.</summary>
    private sealed class PausingClock() : FakeTimeProvider(new DateTimeOffset(2026, 11, 24, 20, 0, 0, TimeSpan.Zero))
    {
        private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

        /// <summary>What happens during a pause.</summary>
        public Func<TimeSpan, Task> Before { get; set; } = static _ => Task.CompletedTask;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            if (state is not CancellationTokenSource && dueTime > TimeSpan.Zero && dueTime <= LongestPause)
                ThreadPool.QueueUserWorkItem(_ => _ = PassAsync(dueTime));
            return timer;

            async Task PassAsync(TimeSpan time)
            {
                await Before(time);
                Advance(time);
            }
        }
    }

    private sealed class ListLogger(List<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (lines)
                lines.Add(string.Create(CultureInfo.InvariantCulture, $"{logLevel}: {formatter(state, exception)}"));
        }
    }
}
