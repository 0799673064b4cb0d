using System.Text;
using Google.Protobuf;
using Migration.Import;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;
using static Migration.Tests.Import.ImportRun;

namespace Migration.Tests.Import;

/// <summary>Devices that the target has already, and remains of devices that it does not have any more.</summary>
public sealed class ConflictTests
{
    private const string NewKey = "C1C2C3C4C5C6C7C8C9CACBCCCDCECFC0";

    [Theory]
    [InlineData(ConflictWay.Fail, "exists", false)]
    [InlineData(ConflictWay.Skip, null, false)]
    [InlineData(ConflictWay.Update, null, true)]
    [InlineData(ConflictWay.Replace, null, true)]
    public async Task A_device_that_is_there_with_another_key_is_treated_as_asked(ConflictWay way, string? failure, bool changes)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1), Otaa(2));

        var run = await cluster.ImportAsync(key, Options with { OnConflict = way }, Otaa(1, key: NewKey), Otaa(2), Otaa(3));

        // The one that is there exactly so is never a conflict, and others go on.
        Assert.Equal((1, changes ? 1 : 0, way == ConflictWay.Skip ? 2 : 1, failure is null ? 0 : 1), run.Counts);
        Assert.Equal(failure, run.Failure?.Name);
        Assert.Equal(changes, Convert.ToHexString(cluster.Device(App, "dev-1").Join!.RootKeys.AppKey.Key.Span) == NewKey);
        Assert.Equal(TtsServers.All, cluster.Device(App, "dev-1").Servers);
    }

    [Theory]
    [InlineData(ConflictWay.Fail)]
    [InlineData(ConflictWay.Skip)]
    [InlineData(ConflictWay.Update)]
    [InlineData(ConflictWay.Replace)]
    public async Task The_dry_run_foretells_it_and_changes_nothing(ConflictWay way)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1));
        var before = cluster.Device(App, "dev-1");

        var foretold = await cluster.ImportAsync(key, Options with { OnConflict = way, DryRun = true }, Otaa(1, key: NewKey));
        Assert.Equal(before, cluster.Device(App, "dev-1"));
        var real = await cluster.ImportAsync(key, Options with { OnConflict = way }, Otaa(1, key: NewKey));

        Assert.Equal(real.Counts, foretold.Counts);
        Assert.Equal(real.Failure?.Name, foretold.Failure?.Name);
    }

    [Fact]
    public async Task Update_changes_a_device_that_has_the_same_keys_but_another_name_and_leaves_the_one_that_is_there_exactly_so()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1), Otaa(2));
        cluster.Join(App, "dev-1");
        var session = cluster.Device(App, "dev-1").Network!.Session;

        var update = Options with { OnConflict = ConflictWay.Update };
        var run = await cluster.ImportAsync(key, update, Otaa(1, more: ",\"name\":\"North\""), Otaa(2));
        var again = await cluster.ImportAsync(key, update, Otaa(1, more: ",\"name\":\"North\""), Otaa(2));

        Assert.Equal((0, 1, 1, 0), run.Counts);
        Assert.Equal("North", cluster.Device(App, "dev-1").Identity!.Name);
        Assert.Equal(session, cluster.Device(App, "dev-1").Network!.Session);
        Assert.Equal((0, 0, 2, 0), again.Counts);
    }

    [Fact]
    public async Task Update_keeps_the_session_of_a_device_that_has_joined_at_the_target()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1));
        Assert.NotNull(cluster.Join(App, "dev-1"));
        var session = cluster.Device(App, "dev-1").Network!.Session;

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Update }, Otaa(1, key: NewKey));

        Assert.Equal((0, 1, 0, 0), run.Counts);
        Assert.Contains("session_kept", run.Notes);
        var kept = cluster.Device(App, "dev-1").Network!.Session;
        Assert.Equal((session.DevAddr, session.Keys.FNwkSIntKey), (kept.DevAddr, kept.Keys.FNwkSIntKey));
    }

    [Theory]
    [InlineData(30, true, true)]
    [InlineData(30, false, false)]
    [InlineData(-30, false, false)]
    public async Task Whether_a_session_comes_of_a_join_is_for_the_join_server_to_say_and_not_for_the_clock(int minutesAhead, bool joins, bool kept)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        // What an earlier import has left; then the device got another session at its source, and is exported by a machine whose clock is wrong.
        await cluster.ImportAsync(key, Otaa(1, more: SessionOf("26011F01", minutesAhead: 0)));
        if (joins)
            cluster.Join(App, "dev-1");
        var there = cluster.Device(App, "dev-1").Network!.Session.DevAddr;

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Update }, Otaa(1, key: NewKey, more: SessionOf("26011F02", minutesAhead)));

        Assert.Equal((0, 1, 0, 0), run.Counts);
        Assert.Equal(kept ? there : Bytes("26011F02"), cluster.Device(App, "dev-1").Network!.Session.DevAddr);
    }

    [Fact]
    public async Task A_device_that_has_left_a_session_joined_at_the_target_long_ago_gets_the_one_it_has_now()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1));
        cluster.Join(App, "dev-1");

        await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Update }, Otaa(1, more: SessionOf("26011F02", minutesAhead: 600)));

        Assert.Equal(Bytes("26011F02"), cluster.Device(App, "dev-1").Network!.Session.DevAddr);
    }

    [Fact]
    public async Task A_device_of_the_same_ID_with_other_EUIs_is_never_touched()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(7, id: "dev-1"));
        var before = cluster.Device(App, "dev-1");

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Replace, PruneLeftovers = true }, Otaa(1));

        Assert.Equal("id_taken", run.Failure?.Name);
        Assert.Equal(before, cluster.Device(App, "dev-1"));
    }

    [Fact]
    public async Task Replace_takes_the_place_of_the_same_device_under_another_ID()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1, id: "former"));

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Replace }, Otaa(1));

        Assert.Equal((0, 1, 0, 0), run.Counts);
        Assert.Equal(["dev-1"], cluster.DeviceIds(App));
    }

    [Fact]
    public async Task A_device_of_another_application_is_named_and_left_alone()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.AddApplication("foreign-app");
        var foreign = TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(Otaa(1, id: "theirs")));
        foreign.Ids.ApplicationIds.ApplicationId = "foreign-app";
        cluster.Put(foreign);

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Replace, PruneLeftovers = true }, Otaa(1));

        Assert.Equal("euis_taken", run.Failure?.Name);
        Assert.Contains("`theirs` of application `foreign-app`", run.Failure!.Message, StringComparison.Ordinal);
        Assert.Equal(["theirs"], cluster.DeviceIds("foreign-app"));
    }

    [Theory]
    [InlineData("EndDeviceRegistry/Create")]
    [InlineData("NsEndDeviceRegistry/Set")]
    [InlineData("AsEndDeviceRegistry/Set")]
    [InlineData("NsEndDeviceRegistry/Delete")]
    [InlineData("EndDeviceRegistry/Delete")]
    public async Task A_replacement_that_fails_puts_the_former_device_back(string method)
    {
        await using var cluster = await TtsCluster.StartAsync();
        cluster.AddApplication(App);
        var key = cluster.AddApiKey(App, Right.ApplicationDevicesRead, Right.ApplicationDevicesReadKeys, Right.ApplicationDevicesWrite, Right.ApplicationDevicesWriteKeys);
        const string more = ""","name":"Former","attributes":{"site":"roof"},"formatters":{"up_formatter":"FORMATTER_CAYENNELPP"},"mac_settings":{"rx1_delay":5},"session":{"dev_addr":"26011F01","keys":{"session_key_id":"AQIDBA==","f_nwk_s_int_key":{"key":"101112131415161718191A1B1C1D1E1F"},"app_s_key":{"key":"707172737475767778797A7B7C7D7E7F"}},"last_f_cnt_up":42}""";
        await cluster.ImportAsync(key, Otaa(1, more: more));
        var before = cluster.Device(App, "dev-1");
        // The call before the replacement is the second of its kind, that of putting back the last.
        cluster.Faults.Add(method, new Fault.Fail(GrpcCode.FailedPrecondition, "not now"), item: "dev-1", from: method == "EndDeviceRegistry/Create" ? 2 : 1, to: method == "EndDeviceRegistry/Create" ? 2 : 1);

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Replace }, Otaa(1, key: NewKey));

        Assert.Equal("replace_failed", run.Failure?.Name);
        Assert.Contains("put back", run.Failure!.Message, StringComparison.Ordinal);
        Assert.Contains("not now", run.Failure.Cause!.Message, StringComparison.Ordinal);
        var after = cluster.Device(App, "dev-1");
        Assert.Equal(Lasting(before.Identity), Lasting(after.Identity));
        Assert.Equal(Lasting(before.Network), Lasting(after.Network));
        Assert.Equal(Lasting(before.Application), Lasting(after.Application));
        Assert.Equal(Lasting(before.Join), Lasting(after.Join));

        static EndDevice Lasting(EndDevice? record)
        {
            var copy = record!.Clone();
            copy.CreatedAt = copy.UpdatedAt = null;
            if (copy.Session is not null)
                copy.Session.StartedAt = null;
            return copy;
        }
    }

    [Fact]
    public async Task What_is_replaced_is_kept_in_a_private_file_that_can_be_imported()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        using var folder = new TemporaryFolder();
        await cluster.ImportAsync(key, Otaa(1), Abp(2));
        var path = Path.Combine(folder.Path, "state", "replaced.json");
        await using (var former = new FormerDevicesFile(path))
        {
            // The first device cannot be created, nor put back: its line is all there is.
            cluster.Faults.Add("EndDeviceRegistry/Create", new Fault.Fail(GrpcCode.FailedPrecondition, "not now"), item: "dev-1", from: 2);
            var run = await cluster.ImportTextAsync(key, Options with { OnConflict = ConflictWay.Replace }, Otaa(1, key: NewKey) + Abp(2, "26011F02"), former: former);
            Assert.Equal("replace_half_done", run.Failure?.Name);
            Assert.Contains(path, run.Failure!.Advice, StringComparison.Ordinal);
            Assert.True(former.IsUsed);
        }
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));

        cluster.Faults.Clear();
        var lines = await File.ReadAllTextAsync(path);
        Assert.Equal(2, lines.Count(c => c == '\n'));
        var back = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Update }, lines);

        Assert.Equal((1, 1, 0, 0), back.Counts);
        Assert.Equal("A1A2A3A4A5A6A7A8A9AAABACADAEAFA0", Convert.ToHexString(cluster.Device(App, "dev-1").Join!.RootKeys.AppKey.Key.Span));
        Assert.Equal("26011F01", Convert.ToHexString(cluster.Device(App, "dev-2").Network!.Session.DevAddr.Span));
    }

    [Fact]
    public async Task Replacing_needs_the_right_to_read_keys_before_a_device_is_touched()
    {
        await using var cluster = await TtsCluster.StartAsync();
        cluster.AddApplication(App);
        var key = cluster.AddApiKey(App, Right.ApplicationDevicesRead, Right.ApplicationDevicesWrite, Right.ApplicationDevicesWriteKeys);

        var run = await cluster.ImportAsync(key, Options with { OnConflict = ConflictWay.Replace }, Otaa(1));

        Assert.Contains("RIGHT_APPLICATION_DEVICES_READ_KEYS", run.Summary.Stopped!.Message, StringComparison.Ordinal);
        Assert.Empty(cluster.DeviceIds(App));
    }

    public static TheoryData<TtsServers, int, bool> Leftovers()
    {
        var data = new TheoryData<TtsServers, int, bool>();
        foreach (var server in (TtsServers[])[TtsServers.Network, TtsServers.Application, TtsServers.Join])
        {
            // Of the same EUIs, and of others.
            data.Add(server, 1, false);
            data.Add(server, 1, true);
            data.Add(server, 7, false);
            data.Add(server, 7, true);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Leftovers))]
    public async Task Remains_on_one_server_fail_the_device_and_name_the_flag_or_are_removed_when_asked(TtsServers server, int euis, bool prune)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Put(App, "dev-1", On(server, Remains(Otaa(euis, id: "dev-1"))));

        var foretold = await cluster.ImportAsync(key, Options with { PruneLeftovers = prune, DryRun = true }, Otaa(1));
        var run = await cluster.ImportAsync(key, Options with { PruneLeftovers = prune }, Otaa(1));

        Check(cluster, run, foretold, server, prune, prune ? TtsServers.All : server);
    }

    [Theory]
    [InlineData(TtsServers.Network, false)]
    [InlineData(TtsServers.Network, true)]
    [InlineData(TtsServers.Application, false)]
    [InlineData(TtsServers.Application, true)]
    [InlineData(TtsServers.Join, false)]
    [InlineData(TtsServers.Join, true)]
    public async Task Remains_of_the_same_EUIs_under_another_ID_are_found_too(TtsServers server, bool prune)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Put(App, "old-id", On(server, Remains(Otaa(1, id: "old-id"))));

        var run = await cluster.ImportAsync(key, Options with { PruneLeftovers = prune }, Otaa(1));

        Check(cluster, run, null, server, prune, prune ? TtsServers.All : TtsServers.None);
        Assert.Equal(prune ? TtsServers.None : server, cluster.Device(App, "old-id").Servers);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Remains_that_are_in_the_way_of_completing_a_device_fail_it_and_name_the_flag_or_are_removed_when_asked(bool prune)
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        await cluster.ImportAsync(key, Otaa(1), Otaa(7, id: "former"));
        // The Network Server has another device under the ID, the Application Server none.
        cluster.Put(App, "dev-1", cluster.Device(App, "dev-1") with { Network = cluster.Device(App, "former").Network, Application = null });
        cluster.Put(App, "former", new TtsDevice(null, null, null, null));

        var run = await cluster.ImportAsync(key, Options with { PruneLeftovers = prune }, Otaa(1));

        Assert.Equal((0, prune ? 1 : 0, 0, prune ? 0 : 1), run.Counts);
        Assert.Equal(prune ? null : "leftover", run.Failure?.Name);
        Assert.Equal((prune ? TtsServers.All : TtsServers.All & ~TtsServers.Application, prune ? 1 : 7), (cluster.Device(App, "dev-1").Servers, cluster.Device(App, "dev-1").Network!.Ids.DevEui[7]));
    }

    [Fact]
    public async Task Remains_stay_also_when_an_attempt_got_no_answer_before_they_were_found()
    {
        await using var cluster = await TtsCluster.StartAsync();
        var key = cluster.AddApplication(App);
        cluster.Put(App, "dev-1", On(TtsServers.Network, Remains(Otaa(7, id: "dev-1"))));
        cluster.Faults.Add("NsEndDeviceRegistry/Set", new Fault.Fail(GrpcCode.Unavailable, "gone"), item: "dev-1", to: 1);

        var run = await cluster.ImportAsync(key, Otaa(1));

        Check(cluster, run, null, TtsServers.Network, prune: false, TtsServers.Network);
    }

    private static void Check(TtsCluster cluster, ImportOutcome run, ImportOutcome? foretold, TtsServers server, bool prune, TtsServers expected)
    {
        foreach (var outcome in new[] { run, foretold }.OfType<ImportOutcome>())
        {
            Assert.Equal(prune ? (1, 0, 0, 0) : (0, 0, 0, 1), outcome.Counts);
            if (prune)
            {
                Assert.Contains("leftovers_pruned", outcome.Notes);
                continue;
            }
            Assert.Equal("leftover", outcome.Failure?.Name);
            Assert.Contains($"{server} Server", outcome.Failure!.Message, StringComparison.Ordinal);
            Assert.Contains("--prune-leftovers", outcome.Failure.Advice, StringComparison.Ordinal);
        }
        Assert.Equal(expected, cluster.Device(App, "dev-1").Servers);
    }

    private static EndDevice Remains(string line)
    {
        var device = TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(line));
        device.CreatedAt = device.UpdatedAt = new() { Seconds = 1_700_000_000 };
        return device;
    }

    private static TtsDevice On(TtsServers server, EndDevice record) => new(
        null,
        server == TtsServers.Network ? record : null,
        server == TtsServers.Application ? record : null,
        server == TtsServers.Join ? record : null);

    private static ByteString Bytes(string hex) => ByteString.CopyFrom(Convert.FromHexString(hex));

    private static string SessionOf(string address, int minutesAhead) =>
        $$$"""
        ,"session":{"dev_addr":"{{{address}}}","keys":{"session_key_id":"{{{Convert.ToBase64String(Encoding.ASCII.GetBytes(address))}}}","f_nwk_s_int_key":{"key":"{{{address}}}{{{address}}}{{{address}}}{{{address}}}"},"app_s_key":{"key":"707172737475767778797A7B7C7D7E7F"}},"started_at":"{{{DateTimeOffset.UtcNow.AddMinutes(minutesAhead).ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture)}}}"}
        """.Trim();
}
