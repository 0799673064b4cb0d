using System.Globalization;
using Migration.Verify;
using TheThingsStack.Api;
using TheThingsStack.Errors;

namespace Migration.Tests.Verify;

/// <summary>What the old network says about devices, and what it is asked for that.</summary>
public sealed class OldNetworkTests
{
    private static readonly DateTimeOffset Start = SampleDevices.Imported.AddHours(1);

    private readonly JumpClock clock = new(Start);
    private readonly FakeTarget target;
    private readonly FakeWitness source = new();
    private readonly List<VerifiedDevice> settled = [];
    private readonly List<VerifyProgress> progress = [];

    public OldNetworkTests() => target = new FakeTarget(clock);

    public static TheoryData<string, CutOverState, Action<FakeTarget, object>> States => new()
    {
        { "gone there, not joined here", CutOverState.NeedsPowerCycle, (_, _) => { } },
        { "retired there, silent since", CutOverState.NeedsPowerCycle, (_, old) => Witness(old).Retired(Sent, SampleDevices.Imported.AddMinutes(-1)) },
        { "retired there, never heard", CutOverState.NeedsPowerCycle, (_, old) => Witness(old).Retired(Sent) },
        { "retired there, heard since", CutOverState.AliveAtSource, (_, old) => Witness(old).Retired(Sent, Start) },
        { "retired there, joined here", CutOverState.Joined, (target, old) => { Witness(old).Retired(Sent, Start.AddMinutes(-30)); SampleDevices.Join(target["dev"], Start); } },
        { "not retired, silent", CutOverState.LiveOnBoth, (_, old) => Witness(old).Live(Sent) },
        { "not retired, heard", CutOverState.LiveOnBoth, (_, old) => Witness(old).Live(Sent, Start) },
        { "not retired, joined here", CutOverState.LiveOnBoth, (target, old) => { Witness(old).Live(Sent); SampleDevices.Join(target["dev"], Start); } },
        { "not retired, and a field differs", CutOverState.LiveOnBoth, (target, old) => { Witness(old).Live(Sent); target["dev"].Identity!.Name = "other"; } },
        { "not retired, and not imported", CutOverState.Missing, (target, old) => { Witness(old).Live(Sent); target.Remove("dev", device => device with { Join = null }); } },
        { "retired, and a field differs", CutOverState.Differs, (target, old) => { Witness(old).Retired(Sent, Start); target["dev"].Identity!.Name = "other"; } },
    };

    private static EndDevice Sent => SampleDevices.Otaa("dev");

    [Theory]
    [MemberData(nameof(States), DisableDiscoveryEnumeration = true)]
    public async Task The_old_network_and_the_new_one_together_tell_where_a_device_stands(string what, CutOverState state, Action<FakeTarget, object> happens)
    {
        target.Add(Sent);
        happens(target, source);

        await RunAsync([Sent], TimeSpan.Zero);

        Assert.True(state == Assert.Single(settled).State, $"{what}: {settled[0].State}");
    }

    public static TheoryData<bool, bool, bool> SharedKeys => new()
    {
        { true, true, true }, { true, false, true }, { false, true, true }, { false, false, false },
    };

    [Theory]
    [MemberData(nameof(SharedKeys))]
    public void A_network_answers_a_device_when_it_has_its_root_key_or_its_session(bool hasRoot, bool hasSession, bool answers)
    {
        var sent = SampleDevices.OtaaWithSession();
        var there = sent.Clone();
        if (!hasRoot)
            there.RootKeys.AppKey = SampleDevices.Key("FF112233445566778899AABBCCDDEEFF");
        if (!hasSession)
            there.Session.Keys.FNwkSIntKey = SampleDevices.Key("00000000000000000000000000000000");

        Assert.Equal(answers, KeyMarks.Of(there).Answer(KeyMarks.Of(sent)));
    }

    [Fact]
    public void Devices_without_keys_answer_nobody()
    {
        var zero = new EndDevice { RootKeys = new RootKeys { AppKey = SampleDevices.Key("00000000000000000000000000000000") }, Session = new Session { DevAddr = SampleDevices.Hex("00000000") } };

        Assert.False(KeyMarks.Of(zero).Answer(KeyMarks.Of(zero)));
        Assert.False(KeyMarks.Of(new EndDevice()).Answer(KeyMarks.Of(new EndDevice())));
    }

    [Fact]
    public async Task One_list_does_for_all_and_only_devices_that_have_not_arrived_are_asked_for()
    {
        var sent = Enumerable.Range(0, 50).Select(i => SampleDevices.Otaa(string.Create(CultureInfo.InvariantCulture, $"dev-{i:00}"))).ToList();
        foreach (var device in sent)
        {
            target.Add(device);
            SampleDevices.Join(target[device.Ids.DeviceId], Start);
            source.Retired(device);
        }
        var late = SampleDevices.Otaa("late");
        target.Add(late);
        source.Retired(late, Start);
        source.Live(SampleDevices.Otaa("both"));
        target.Add(SampleDevices.Otaa("both"));

        await RunAsync([.. sent, late, SampleDevices.Otaa("both")], TimeSpan.Zero);

        Assert.Equal((1, "late"), (source.Lists, Assert.Single(source.Asked)));
        Assert.Equal((50, 1, 1), (settled.Count(d => d.State == CutOverState.Joined), settled.Count(d => d.State == CutOverState.AliveAtSource), settled.Count(d => d.State == CutOverState.LiveOnBoth)));
    }

    [Fact]
    public async Task A_watch_sees_that_a_device_was_retired_and_that_it_joined()
    {
        target.Add(Sent);
        source.Live(Sent, Start);
        source.BeforeList = () =>
        {
            if (clock.GetUtcNow() > Start.AddHours(1))
                source.Retired(Sent, Start);
        };
        target.JoinsAt("dev", Start.AddHours(2));

        var end = await RunAsync([Sent], TimeSpan.FromHours(24));

        Assert.False(end.TimeIsUp);
        var device = Assert.Single(settled);
        Assert.Equal((CutOverState.Joined, false), (device.State, device.LiveAtSource));
    }

    [Fact]
    public async Task A_watch_ends_without_a_device_that_nobody_retires()
    {
        target.Add(Sent);
        source.Live(Sent);
        target.JoinsAt("dev", Start.AddHours(2));

        var end = await RunAsync([Sent], TimeSpan.FromHours(24));

        Assert.True(end.TimeIsUp);
        var device = Assert.Single(settled);
        Assert.Equal((CutOverState.LiveOnBoth, Start.AddHours(2)), (device.State, device.JoinedAt));
    }

    [Fact]
    public async Task The_first_look_of_a_watch_does_not_wait_for_the_old_network_to_tell_of_each_device()
    {
        target.Add(Sent);
        source.Retired(Sent, Start);
        var asked = -1;

        await RunAsync([Sent], TimeSpan.FromMinutes(5), step =>
        {
            if (step.IsWatching && asked < 0)
                asked = source.Asked.Count;
        });

        Assert.Equal(0, asked);
        Assert.Equal(CutOverState.AliveAtSource, Assert.Single(settled).State);
    }

    [Fact]
    public async Task A_device_that_the_old_network_does_not_tell_about_is_not_checked()
    {
        target.Add(Sent);
        source.Retired(Sent);
        source.Fault = new FailureException(new Failure("NS is away"));

        await RunAsync([Sent], TimeSpan.Zero);

        var device = Assert.Single(settled);
        Assert.Equal((CutOverState.NotChecked, "NS is away"), (device.State, device.Failure?.Cause?.Message));
    }

    [Fact]
    public async Task An_old_network_that_cannot_be_used_ends_a_look_and_not_a_watch()
    {
        target.Add(Sent);
        source.Retired(Sent);
        target.JoinsAt("dev", Start.AddHours(2));
        source.Fault = new SourceUnavailableException(new Failure("handler away"));

        await Assert.ThrowsAsync<SourceUnavailableException>(() => RunAsync([Sent], TimeSpan.Zero));
        await RunAsync([Sent], TimeSpan.FromHours(24));

        Assert.Equal(CutOverState.Joined, Assert.Single(settled).State);
        Assert.Contains(progress, step => step.Trouble?.Message == "handler away");
    }

    [Fact]
    public async Task Of_the_IDs_that_a_renamed_device_may_have_there_the_one_it_has_is_found()
    {
        target.Add(Sent);
        var old = Sent;
        old.Ids.DeviceId = "dev_1";
        source.Live(old);

        await new Verifier(target, new VerifyOptions { Clock = clock, Source = source }).RunAsync(
            new[] { new SentDevice(0, 1, Sent, null) { AtSource = new SourceName("app", "no-such", "dev_1", "dev") } }.ToAsyncEnumerable(), Settle, progress.Add, CancellationToken.None);

        Assert.Equal(CutOverState.LiveOnBoth, Assert.Single(settled).State);
    }

    private static FakeWitness Witness(object old) => (FakeWitness)old;

    private ValueTask Settle(SettledDevice device)
    {
        settled.Add(device.Device);
        return ValueTask.CompletedTask;
    }

    private Task<VerifyEnd> RunAsync(IEnumerable<EndDevice> sent, TimeSpan wait, Action<VerifyProgress>? watch = null) =>
        new Verifier(target, new VerifyOptions { Clock = clock, Wait = wait, Source = source }).RunAsync(
            sent.Select((device, i) => new SentDevice(i, i + 1, device, null) { AtSource = new SourceName("app", device.Ids.DeviceId) }).ToAsyncEnumerable(),
            Settle,
            step =>
            {
                progress.Add(step);
                watch?.Invoke(step);
            },
            CancellationToken.None);
}
