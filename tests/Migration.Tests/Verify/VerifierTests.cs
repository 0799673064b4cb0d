using System.Globalization;
using Migration.Journal;
using Migration.Verify;
using Rpc;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Migration.Tests.Verify;

/// <summary>The first look, the watch, and what is asked of the servers for it.</summary>
public sealed class VerifierTests
{
    private static readonly DateTimeOffset Start = SampleDevices.Imported.AddHours(1);

    private readonly JumpClock clock = new(Start);
    private readonly FakeTarget target;
    private readonly List<VerifiedDevice> settled = [];
    private readonly List<VerifyProgress> progress = [];

    public VerifierTests() => target = new FakeTarget(clock);

    public static TheoryData<CutOverState, EndDevice, Action<FakeTarget>> States => new()
    {
        { CutOverState.NeedsPowerCycle, SampleDevices.Otaa("dev"), _ => { } },
        { CutOverState.Joined, SampleDevices.Otaa("dev"), target => SampleDevices.Join(target["dev"], Start) },
        { CutOverState.Joined, SampleDevices.OtaaWithSession("dev"), target => SampleDevices.Join(target["dev"], Start) },
        { CutOverState.OnTarget, SampleDevices.OtaaWithSession("dev"), target => SampleDevices.Uplink(target["dev"], Start) },
        { CutOverState.OnTarget, SampleDevices.Abp("dev"), target => SampleDevices.Uplink(target["dev"], Start) },
        { CutOverState.NeedsGateway, SampleDevices.OtaaWithSession("dev"), _ => { } },
        { CutOverState.NeedsGateway, SampleDevices.Abp("dev"), _ => { } },
        { CutOverState.WaitsForUplink, WithAddress("260B0001"), _ => { } },
        { CutOverState.Differs, SampleDevices.Otaa("dev"), target => target["dev"].Identity!.Name = "other" },
        { CutOverState.Missing, SampleDevices.Otaa("dev"), target => target.Remove("dev", device => device with { Join = null }) },
        { CutOverState.Missing, SampleDevices.Otaa("nobody"), _ => { } },
        { CutOverState.OnTarget, Multicast(), _ => { } },
    };

    [Theory]
    [MemberData(nameof(States), DisableDiscoveryEnumeration = true)]
    public async Task A_look_tells_where_a_device_stands(CutOverState state, EndDevice sent, Action<FakeTarget> happens)
    {
        var onTarget = sent.Clone();
        onTarget.Ids.DeviceId = "dev";
        target.Add(onTarget);
        happens(target);

        await RunAsync([sent], TimeSpan.Zero);

        Assert.Equal(state, Assert.Single(settled).State);
    }

    [Fact]
    public async Task Servers_that_lack_a_device_are_named()
    {
        target.Add(SampleDevices.Otaa("half"));
        target.Remove("half", device => device with { Join = null, Application = null });

        await RunAsync([SampleDevices.Otaa("half"), SampleDevices.Otaa("none"), SampleDevices.Abp("abp")], TimeSpan.Zero);

        Assert.Equal(
            ["JoinServer, ApplicationServer", "IdentityServer, JoinServer, NetworkServer, ApplicationServer", "IdentityServer, NetworkServer, ApplicationServer"],
            settled.Select(device => string.Join(", ", CutOver.Each(device.Missing))));
    }

    [Fact]
    public async Task Twenty_devices_cost_one_call_at_the_identity_server_and_three_each_elsewhere()
    {
        var sent = Enumerable.Range(0, 45).Select(i => SampleDevices.Otaa($"dev-{i}")).ToList();
        sent.ForEach(target.Add);

        await RunAsync(sent, TimeSpan.Zero);

        Assert.Equal((3, 45, 45, 45), (target.CallsOf("identities"), target.CallsOf("network"), target.CallsOf("application"), target.CallsOf("join")));
        Assert.Equal(sent.Select(device => device.Ids.DeviceId), settled.Select(device => device.DeviceId));
    }

    [Fact]
    public async Task A_watch_ends_when_the_last_device_has_joined_and_gives_devices_as_they_arrive()
    {
        foreach (var id in (string[])["a-1", "b-1", "c-1"])
            target.Add(SampleDevices.Otaa(id));
        SampleDevices.Join(target["b-1"], Start);
        target.JoinsAt("c-1", Start.AddHours(1));
        target.JoinsAt("a-1", Start.AddHours(3));

        var end = await RunAsync([SampleDevices.Otaa("a-1"), SampleDevices.Otaa("b-1"), SampleDevices.Otaa("c-1")], TimeSpan.FromHours(24));

        Assert.Equal(new VerifyEnd(Interrupted: false, TimeIsUp: false), end);
        Assert.Equal(["b-1 02:00", "c-1 03:00", "a-1 05:00"], settled.Select(device => string.Create(CultureInfo.InvariantCulture, $"{device.DeviceId} {device.JoinedAt:HH:mm}")));
        Assert.All(settled, device => Assert.Equal(CutOverState.Joined, device.State));
        Assert.InRange(clock.GetUtcNow() - Start, TimeSpan.FromHours(3), TimeSpan.FromHours(3) + Watch.Longest);
    }

    [Fact]
    public async Task A_watch_ends_when_the_time_is_up_and_gives_the_rest_in_order()
    {
        target.Add(SampleDevices.Otaa("a-1"));
        target.Add(SampleDevices.Abp("b-1"));
        target.SendsAt("b-1", Start.AddHours(25));

        var end = await RunAsync([SampleDevices.Otaa("a-1"), SampleDevices.Abp("b-1")], TimeSpan.FromHours(24));

        Assert.Equal(new VerifyEnd(Interrupted: false, TimeIsUp: true), end);
        Assert.Equal([CutOverState.NeedsPowerCycle, CutOverState.NeedsGateway], settled.Select(device => device.State));
        Assert.Equal(TimeSpan.FromHours(24), clock.GetUtcNow() - Start);
    }

    [Fact]
    public async Task A_watch_of_many_devices_lists_pages_and_asks_only_for_devices_that_were_seen()
    {
        var sent = Enumerable.Range(0, 2500).Select(i => SampleDevices.Otaa(string.Create(CultureInfo.InvariantCulture, $"dev-{i:0000}"))).ToList();
        sent.ForEach(target.Add);
        target.JoinsAt("dev-2001", Start.AddSeconds(5));

        await RunAsync(sent, TimeSpan.FromSeconds(11));

        // A round after 10 s, and a full look when the time is up.
        Assert.Equal(6, target.CallsOf("page"));
        Assert.Equal(1 + 2499, target.CallsOf("session"));
        Assert.Equal(125, target.CallsOf("identities"));
        Assert.Equal(1, settled.Count(device => device.State == CutOverState.Joined));
    }

    [Fact]
    public async Task A_watch_asks_less_and_less_often_while_nothing_happens()
    {
        target.Add(SampleDevices.Otaa("dev"));

        await RunAsync([SampleDevices.Otaa("dev")], TimeSpan.FromHours(24));

        Assert.InRange(target.CallsOf("identities"), 24 * 60 / 5, (24 * 60 / 5) + 20);
    }

    [Fact]
    public async Task A_device_that_joined_is_found_even_where_nobody_notes_when_devices_are_seen()
    {
        target.Add(SampleDevices.Otaa("dev"));
        target.JoinsAt("dev", Start.AddMinutes(1));
        target.Fault = (_, _) =>
        {
            target["dev"].Identity!.LastSeenAt = null;
            return null;
        };

        var end = await RunAsync([SampleDevices.Otaa("dev")], TimeSpan.FromHours(24));

        Assert.False(end.TimeIsUp);
        Assert.Equal(CutOverState.Joined, Assert.Single(settled).State);
    }

    [Fact]
    public async Task A_join_right_after_the_import_counts_although_the_clock_of_the_export_was_ahead()
    {
        var sent = SampleDevices.OtaaWithSession("dev");
        sent.Session.StartedAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(Start.AddMinutes(20));
        target.Add(sent);
        SampleDevices.Join(target["dev"], Start.AddMinutes(1));

        await RunAsync([sent], TimeSpan.Zero);

        Assert.Equal(CutOverState.Joined, Assert.Single(settled).State);
    }

    [Fact]
    public async Task A_session_of_an_earlier_import_is_no_join_and_the_join_that_follows_is_seen()
    {
        target.Add(SampleDevices.OtaaWithSession("dev"));
        target.JoinsAt("dev", Start.AddHours(2));
        var sent = SampleDevices.OtaaWithSession("dev");
        (sent.Session, sent.MacState) = (null, null);

        await RunAsync([sent], TimeSpan.FromHours(1));
        Assert.Equal(CutOverState.NeedsPowerCycle, Assert.Single(settled).State);
        settled.Clear();
        await RunAsync([sent], TimeSpan.FromHours(24));

        Assert.Equal(CutOverState.Joined, Assert.Single(settled).State);
    }

    [Fact]
    public async Task A_cluster_that_is_away_for_an_hour_does_not_end_a_watch()
    {
        target.Add(SampleDevices.Otaa("dev"));
        target.JoinsAt("dev", Start.AddHours(3));
        target.Fault = (_, _) => clock.GetUtcNow() - Start is { TotalHours: > 1 and < 2 } ? FakeTarget.Failure(StatusCode.Unavailable) : null;

        await RunAsync([SampleDevices.Otaa("dev")], TimeSpan.FromHours(24));

        Assert.Equal(CutOverState.Joined, Assert.Single(settled).State);
        Assert.Contains(progress, step => step.Trouble?.Message == "Unavailable");
    }

    [Fact]
    public async Task A_device_that_is_deleted_during_a_watch_is_missing_at_its_end()
    {
        target.Add(SampleDevices.Otaa("dev"));
        target.Add(SampleDevices.Otaa("stays"));
        target.Fault = (_, _) =>
        {
            if (clock.GetUtcNow() - Start > TimeSpan.FromHours(1))
                target.Remove("dev", device => device with { Identity = null });
            return null;
        };

        await RunAsync([SampleDevices.Otaa("dev"), SampleDevices.Otaa("stays")], TimeSpan.FromHours(24));

        Assert.Equal([("dev", CutOverState.Missing), ("stays", CutOverState.NeedsPowerCycle)], settled.Select(device => (device.DeviceId, device.State)));
    }

    [Fact]
    public async Task A_round_that_breaks_off_after_a_device_was_seen_is_made_up_for_by_the_next_one()
    {
        // Two applications: the list of the second fails once, in the round in which that of the first tells of the uplink.
        var other = SampleDevices.Otaa("other");
        other.Ids.ApplicationIds.ApplicationId = "other-app";
        target.Add(SampleDevices.Otaa("dev"));
        target.Add(other);
        target.JoinsAt("dev", Start.AddSeconds(60));
        var rounds = 0;
        target.Fault = (call, application) => call == "identities" && application == "other-app" && clock.GetUtcNow() > Start.AddSeconds(60) && rounds++ == 0
            ? FakeTarget.Failure(StatusCode.Unavailable)
            : null;

        await RunAsync([SampleDevices.Otaa("dev"), other], TimeSpan.FromHours(1));

        Assert.True(rounds > 1);
        var told = progress.FindIndex(step => step.Trouble is not null);
        Assert.Equal((0, 1), (progress[told].Arrived, progress[told + 1].Arrived));
    }

    [Fact]
    public async Task A_key_that_is_refused_ends_a_watch_and_what_is_known_is_given()
    {
        target.Add(SampleDevices.Otaa("dev"));
        target.Fault = (_, _) => clock.GetUtcNow() > Start ? FakeTarget.Failure(StatusCode.Unauthenticated, notAuthorised: true) : null;

        var failure = await Assert.ThrowsAsync<TheThingsStack.Registries.RegistryException>(() => RunAsync([SampleDevices.Otaa("dev")], TimeSpan.FromHours(24)));

        Assert.True(failure.Failure.NotAuthorised);
        Assert.Equal(CutOverState.NeedsPowerCycle, Assert.Single(settled).State);
    }

    [Fact]
    public async Task A_device_that_cannot_be_read_is_not_checked_and_the_others_are()
    {
        foreach (var id in (string[])["a-1", "b-1"])
            target.Add(SampleDevices.Otaa(id));
        target.Fault = (call, device) => call == "network" && device == "a-1" ? FakeTarget.Failure(StatusCode.Internal) : null;

        await RunAsync([SampleDevices.Otaa("a-1"), SampleDevices.Otaa("b-1")], TimeSpan.Zero);

        Assert.Equal([("NotChecked", "Internal"), ("NeedsPowerCycle", null)], settled.Select(device => (device.State.ToString(), device.Failure?.Message)));
    }

    [Fact]
    public async Task Ctrl_C_gives_what_is_known()
    {
        target.Add(SampleDevices.Otaa("dev"));
        using var interrupt = new CancellationTokenSource();
        target.Fault = (_, _) =>
        {
            if (clock.GetUtcNow() - Start > TimeSpan.FromHours(1))
                interrupt.Cancel();
            return null;
        };

        var end = await RunAsync([SampleDevices.Otaa("dev")], TimeSpan.FromHours(24), interrupt: interrupt.Token);

        Assert.True(end.Interrupted);
        Assert.Equal(CutOverState.NeedsPowerCycle, Assert.Single(settled).State);
    }

    [Fact]
    public async Task A_line_that_cannot_be_read_is_told_and_does_not_stop_the_others()
    {
        target.Add(SampleDevices.Otaa("dev"));
        async IAsyncEnumerable<SentDevice> Lines()
        {
            yield return new SentDevice(0, 1, null, new Failure("line 1: not JSON"));
            yield return new SentDevice(1, 2, SampleDevices.Otaa("dev"), null);
            await Task.CompletedTask;
        }

        await new Verifier(target, new VerifyOptions { Clock = clock }).RunAsync(Lines(), Settle, progress.Add, CancellationToken.None);

        Assert.Equal([(1, CutOverState.NotChecked), (2, CutOverState.NeedsPowerCycle)], settled.Select(device => ((int)device.Line, device.State)));
    }

    [Fact]
    public async Task Nothing_of_a_settled_device_is_kept()
    {
        // The target makes its answers as it is asked, so that only the verifier could hold on to devices.
        var given = new List<WeakReference>();
        var alive = -1;
        var count = 0;
        async IAsyncEnumerable<SentDevice> Devices()
        {
            for (var i = 0; i < 10_000; i++)
            {
                yield return Next(i);
                await Task.Yield();
            }
            GC.Collect();
            alive = given.Count(reference => reference.IsAlive);
        }

        SentDevice Next(int i)
        {
            var device = SampleDevices.Otaa("dev-" + i.ToString(CultureInfo.InvariantCulture));
            given.Add(new WeakReference(device));
            return new SentDevice(i, i + 1, device, null);
        }

        await new Verifier(new EndlessTarget(), new VerifyOptions { Clock = clock, Wait = TimeSpan.FromHours(1) }).RunAsync(
            Devices(), device => { count += device.Device.State == CutOverState.Joined ? 1 : 0; return ValueTask.CompletedTask; }, _ => { }, CancellationToken.None);

        Assert.Equal(10_000, count);
        // Ten batches of twenty are in hand.
        Assert.InRange(alive, 0, 300);
    }

    private static EndDevice WithAddress(string address)
    {
        var device = SampleDevices.Abp("dev");
        device.Session.DevAddr = SampleDevices.Hex(address);
        return device;
    }

    private static EndDevice Multicast()
    {
        var device = SampleDevices.Abp("dev");
        device.Multicast = device.SupportsClassC = true;
        return device;
    }

    private ValueTask Settle(SettledDevice device)
    {
        settled.Add(device.Device);
        return ValueTask.CompletedTask;
    }

    private Task<VerifyEnd> RunAsync(IEnumerable<EndDevice> sent, TimeSpan wait, ISourceWitness? source = null, CancellationToken interrupt = default) =>
        new Verifier(target, new VerifyOptions { Clock = clock, Wait = wait, Source = source }).RunAsync(
            sent.Select((device, i) => new SentDevice(i, i + 1, device, null) { Journal = new JournalDeviceId("ttnv2", "app", device.Ids.DeviceId), AtSource = new SourceName("app", device.Ids.DeviceId) }).ToAsyncEnumerable(),
            Settle,
            progress.Add,
            interrupt);

    /// <summary>Has every device, joined.</summary>
    private sealed class EndlessTarget : ITargetDevices
    {
        public Task<Failure?> MissingRightsAsync(string application, CancellationToken cancellation) => Task.FromResult<Failure?>(null);

        public bool Tells(global::TheThingsStack.Import.DeviceServers server, string path) => true;

        public Task<IReadOnlyList<EndDevice>> IdentitiesAsync(string application, IReadOnlyList<string> deviceIds, CancellationToken cancellation) =>
            Task.FromResult<IReadOnlyList<EndDevice>>([.. deviceIds.Select(id => Joined(id).Identity!)]);

        public Task<EndDevice?> NetworkAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => Task.FromResult(Joined(ids.DeviceId).Network);

        public Task<EndDevice?> ApplicationAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => Task.FromResult(Joined(ids.DeviceId).Application);

        public Task<EndDevice?> JoinAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => Task.FromResult(Joined(ids.DeviceId).Join);

        public Task<EndDevice?> SessionAsync(EndDeviceIdentifiers ids, CancellationToken cancellation) => NetworkAsync(ids, cancellation);

        public Task<TheThingsStack.Registries.DevicePage> LastSeenAsync(string application, int page, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<IReadOnlyList<LoRaWan.DevAddrPrefix>> PrefixesAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<LoRaWan.DevAddrPrefix>>([]);

        private static TargetRecords Joined(string id)
        {
            var records = SampleDevices.Import(SampleDevices.Otaa(id));
            SampleDevices.Join(records, Start);
            return records;
        }
    }
}
