using System.Text;
using Google.Protobuf;
using Migration.Import;
using Migration.Journal;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Testing;
using TheThingsStack.Import;

namespace Cli.Tests.Journals;

/// <summary>
/// What people, other tools and backups do to devices and journal between two commands: no key is lost by it, no device is retired that the
/// target does not have, and none is on both sides without a word.
/// </summary>
public sealed class BetweenRunsTests : IAsyncLifetime, IDisposable
{
    private const string App = "my-app";
    private const string Target = "target";
    private const string Key = "ttn-account-v2.key-of-the-tests-between-runs";

    private static readonly ByteString OtherKey = ByteString.CopyFrom(Enumerable.Repeat((byte)0x0E, 16).ToArray());
    private static readonly ByteString NoKey = ByteString.CopyFrom(new byte[16]);

    private readonly TemporaryFolder folder = new();
    private readonly Dictionary<string, byte[]> files = [];
    private TtnV2Cluster source = null!;
    private TtsCluster target = null!;
    private string targetKey = "";

    public async Task InitializeAsync()
    {
        source = await TtnV2Cluster.StartAsync();
        source.AddApplication(App, Key);
        foreach (var id in (string[])["meter-1", "meter-2"])
            source.Add(SampleDevices.Joined(App, id));
        source.Add(SampleDevices.Abp(App, "pump"));
        target = await TtsCluster.StartAsync();
        targetKey = target.AddApplication(Target);
    }

    public async Task DisposeAsync()
    {
        await source.DisposeAsync();
        await target.DisposeAsync();
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_device_that_the_target_has_with_other_keys_is_not_retired_when_conflicts_are_skipped()
    {
        Assert.Equal(0, (await StraightAsync()).ExitCode);
        var there = target.Device(Target, "meter-1");
        there.Join!.RootKeys.AppKey.Key = OtherKey;
        target.Put(Target, "meter-1", there);
        await RunAsync("rollback", "meter-1", "--journal", Journal);

        var result = await StraightAsync("--import-on-conflict", "skip");

        Assert.Equal(3, result.ExitCode);
        Assert.True(HasKey("meter-1"));
        Assert.Contains("  not imported      1  listed below; not retired at ttnv2\n", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_app_key_that_somebody_takes_from_the_source_after_it_was_written_stays_in_the_journal(bool rotated)
    {
        var key = source.Device(App, "meter-1")!.LorawanDevice.AppKey;
        target.Faults.Add("NsEndDeviceRegistry/Set", new Sandbox.Grpc.Fault.Fail(Sandbox.Grpc.GrpcCode.InvalidArgument, "no such band here"), item: "meter-1");
        Assert.Equal(3, (await StraightAsync()).ExitCode);
        target.Faults.Clear();
        SetKey("meter-1", rotated ? OtherKey : NoKey);

        var result = await StraightAsync();

        var shown = await RunAsync("journal", "show", "meter-1", "--reveal", "--journal", Journal);
        Assert.Contains(Convert.ToHexString(key.Span), shown.Output, StringComparison.Ordinal);
        // A device without AppKey and with its session is as a retirement without sessions leaves it: it goes with the key of the journal.
        Assert.Equal(rotated ? 3 : 0, result.ExitCode);
        Assert.Contains(rotated ? "other_root_key" : "cleared_at_source", result.Error, StringComparison.Ordinal);
        Assert.Equal(rotated ? TtsServers.None : TtsServers.All, target.Device(Target, "meter-1").Servers);
    }

    [Fact]
    public async Task A_device_that_was_put_back_is_not_retired_by_a_later_retire()
    {
        await ExportAsync();
        await ImportAsync();
        Assert.Equal(0, (await RollbackAsync("meter-1")).ExitCode);
        var back = source.Device(App, "meter-1");

        var result = await RunAsync("ttnv2", "retire", "--yes", "--journal", Journal);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(back, source.Device(App, "meter-1"));
        Assert.Null(source.Device(App, "pump"));
    }

    [Fact]
    public async Task An_abp_device_whose_import_failed_is_not_deleted_with_the_others()
    {
        source.Add(SampleDevices.Abp(App, "valve"));
        await ExportAsync();
        target.Faults.Add("NsEndDeviceRegistry/Set", new Sandbox.Grpc.Fault.Fail(Sandbox.Grpc.GrpcCode.InvalidArgument, "no such band here"), item: "valve");
        Assert.Equal(3, (await ImportAsync()).ExitCode);

        var result = await RunAsync("ttnv2", "retire", "--yes", "--journal", Journal);

        Assert.NotNull(source.Device(App, "valve"));
        Assert.Null(source.Device(App, "pump"));
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("not_imported", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_no_device_came_through_a_retire_touches_none()
    {
        target.Faults.Add("NsEndDeviceRegistry/Set", new Sandbox.Grpc.Fault.Fail(Sandbox.Grpc.GrpcCode.InvalidArgument, "no such band here"));
        Assert.Equal(3, (await StraightAsync()).ExitCode);
        var before = source.Devices(App);

        var result = await RunAsync("ttnv2", "retire", "--yes", "--journal", Journal);

        Assert.Equal(before, source.Devices(App));
        Assert.Equal(3, result.ExitCode);
    }

    [Fact]
    public async Task A_device_that_was_deleted_at_the_target_is_imported_again()
    {
        await ExportAsync();
        Assert.Equal(0, (await ImportAsync()).ExitCode);
        target.Put(Target, "meter-1", new TtsDevice(null, null, null, null));

        var result = await ImportAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Equal(TtsServers.All, target.Device(Target, "meter-1").Servers);
    }

    [Fact]
    public async Task Straight_through_a_device_that_was_deleted_at_the_target_is_brought_there_again()
    {
        Assert.Equal(0, (await StraightAsync()).ExitCode);
        target.Put(Target, "meter-1", new TtsDevice(null, null, null, null));

        var result = await StraightAsync();

        Assert.Equal(0, result.ExitCode);
        Assert.Equal(TtsServers.All, target.Device(Target, "meter-1").Servers);
    }

    [Fact]
    public async Task A_device_that_is_only_known_as_verified_leaves_the_target_too()
    {
        await ExportAsync();
        await ImportAsync(withJournal: false);
        await VerifyAsync();

        var result = await RollbackAsync("meter-1");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal((true, TtsServers.None), (HasKey("meter-1"), target.Device(Target, "meter-1").Servers));
    }

    [Fact]
    public async Task A_device_that_has_another_id_at_the_target_by_now_is_not_put_back_beside_it()
    {
        await ExportAsync();
        await ImportAsync();
        var there = target.Device(Target, "meter-1");
        target.Put(Target, "meter-1", new TtsDevice(null, null, null, null));
        foreach (var record in (TheThingsStack.Api.EndDevice?[])[there.Identity, there.Network, there.Application, there.Join])
            record!.Ids.DeviceId = "renamed";
        target.Put(Target, "renamed", there);

        var result = await RollbackAsync("meter-1");

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("renamed", result.Error, StringComparison.Ordinal);
        Assert.False(HasKey("meter-1"));
    }

    [Fact]
    public async Task A_device_with_other_keys_that_this_migration_never_imported_stays_at_the_target()
    {
        await ExportAsync();
        await ImportAsync(withJournal: false);
        var there = target.Device(Target, "meter-1");
        there.Join!.RootKeys.AppKey.Key = OtherKey;
        target.Put(Target, "meter-1", there);

        var result = await RollbackAsync("meter-1", "--application-id", Target);

        Assert.Equal(3, result.ExitCode);
        Assert.Equal(TtsServers.All, target.Device(Target, "meter-1").Servers);
    }

    [Fact]
    public async Task A_device_that_got_other_keys_at_the_source_after_its_retirement_needs_a_person()
    {
        await ExportAsync();
        SetKey("meter-1", OtherKey);

        var result = await ExportAsync();

        Assert.Contains("Needs a person:\n", result.Error, StringComparison.Ordinal);
        Assert.Matches("1  other_keys_at_source:.*\n(.*\n)? +meter-1\n", result.Error);
    }

    [Fact]
    public async Task A_renamed_device_with_an_attribute_old_id_of_its_own_is_known_to_the_import()
    {
        var device = SampleDevices.Otaa(App, "tank_1");
        device.Attributes["old-id"] = "0815";
        source.Add(device);
        await ExportAsync();

        Assert.Equal(0, (await ImportAsync()).ExitCode);

        Assert.Contains("tank_1: imported", (await RunAsync("journal", "show", "tank_1", "--journal", Journal)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_under_two_names_is_held_by_one_run()
    {
        if (OperatingSystem.IsWindows())
            return;
        await ExportAsync();
        File.CreateSymbolicLink(folder.File("link.journal"), Journal);
        await using var held = DeviceJournal.Open(new JournalOptions(Journal, null, "1", TimeProvider.System));

        var result = await RunAsync("ttnv2", "retire", "--yes", "--journal", folder.File("link.journal"));

        Assert.Contains("is in use by another run", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_does_not_leave_out_a_device_that_was_put_back_and_is_still_on_the_target()
    {
        await ExportAsync();
        await ImportAsync();
        await RunAsync("rollback", "meter-1", "--journal", Journal);

        var result = await RunAsync("verify", "--journal", Journal, "--default-grpc-address", target.Address, "--insecure");

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("1 of the journal left out: put back at the source and not removed from The Things Stack", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_of_the_journal_from_before_a_retirement_does_not_cost_the_app_key()
    {
        var key = source.Device(App, "meter-1")!.LorawanDevice.AppKey;
        await ExportAsync();
        await RunAsync("rollback", "--journal", Journal);
        var backup = await File.ReadAllBytesAsync(Journal);
        await ExportAsync();
        await File.WriteAllBytesAsync(Journal, backup);

        var result = await ExportAsync();

        var shown = await RunAsync("journal", "show", "meter-1", "--reveal", "--journal", Journal);
        Assert.Contains(Convert.ToHexString(key.Span), shown.Output, StringComparison.Ordinal);
        Assert.Contains($"\"key\":\"{Convert.ToHexString(key.Span)}\"", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_that_the_target_has_from_an_import_before_the_rollback_is_not_taken_for_a_join()
    {
        await ExportAsync(withSession: true);
        await ImportAsync();
        Assert.Equal(3, (await RunAsync("rollback", "meter-1", "--journal", Journal)).ExitCode);
        var device = source.Device(App, "meter-1")!;
        device.LorawanDevice.DevAddr = ByteString.CopyFrom(0x26, 1, 0x77, 0x77);
        device.LorawanDevice.NwkSKey = ByteString.CopyFrom(Enumerable.Repeat((byte)0x77, 16).ToArray());
        device.LorawanDevice.AppSKey = ByteString.CopyFrom(Enumerable.Repeat((byte)0x78, 16).ToArray());
        source.Add(device);

        var export = await ExportAsync(withSession: true);
        var import = await ImportAsync();
        var verify = await VerifyAsync();

        Assert.Contains("1  put_back_before: ", export.Error, StringComparison.Ordinal);
        Assert.Equal(3, import.ExitCode);
        Assert.Contains("1  exists: ", import.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("joined", verify.Error, StringComparison.Ordinal);
        Assert.Contains("    differs                 1\n", verify.Error, StringComparison.Ordinal);

        Assert.Equal(0, (await ImportAsync(more: ["--on-conflict", "update"])).ExitCode);
        Assert.Equal(device.LorawanDevice.DevAddr, target.Device(Target, "meter-1").Network!.Session.DevAddr);
        Assert.DoesNotContain("differs", (await VerifyAsync()).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_was_deleted_and_is_at_its_old_cluster_again_is_deleted_again()
    {
        await using var old = await TtsCluster.StartAsync();
        var oldKey = old.AddApplication("old-app");
        files["key"] = Encoding.UTF8.GetBytes(targetKey);
        TtsSampleDevices.AddMany(old, "old-app", 3);
        string[] words =
        [
            "tts", "application", "old-app", "--delete-source-device", "--default-grpc-address", old.Address, "--insecure", "--app-api-key", oldKey,
            "--import-to", Target, "--import-default-grpc-address", target.Address, "--import-insecure", "--import-app-api-key-file", "key", "--journal", Journal,
        ];
        Assert.Equal(0, (await RunAsync(words)).ExitCode);
        Assert.Empty(old.DeviceIds("old-app"));
        TtsSampleDevices.AddMany(old, "old-app", 1);

        var result = await RunAsync(words);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Empty(old.DeviceIds("old-app"));
    }

    [Fact]
    public async Task A_device_that_is_named_and_got_its_key_back_by_hand_is_retired_again()
    {
        var key = source.Device(App, "meter-1")!.LorawanDevice.AppKey;
        await ExportAsync();
        SetKey("meter-1", key);

        var result = await RunAsync("ttnv2", "device", "meter-1", "--with-session=false", "--journal", Journal);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.False(HasKey("meter-1"));
    }

    [Fact]
    public async Task A_named_device_that_got_other_keys_after_its_retirement_needs_a_person()
    {
        await ExportAsync();
        SetKey("meter-1", OtherKey);

        var result = await RunAsync("ttnv2", "device", "meter-1", "--with-session=false", "--journal", Journal);

        Assert.Contains("1  other_keys_at_source: ", result.Error, StringComparison.Ordinal);
        Assert.Equal(OtherKey, source.Device(App, "meter-1")!.LorawanDevice.AppKey);
    }

    [Fact]
    public async Task A_retired_device_that_the_source_does_not_tell_about_keeps_its_line_and_needs_a_person()
    {
        await ExportAsync();
        source.Faults.Add("GetDevice", new Sandbox.Grpc.Fault.Fail(Sandbox.Grpc.GrpcCode.Internal, "not now"), item: "meter-1");

        var result = await RunAsync("ttnv2", "device", "meter-1", "--with-session=false", "--journal", Journal);

        Assert.Contains("\"device_id\":\"meter-1\"", result.Output, StringComparison.Ordinal);
        Assert.Contains("1  not_looked_at: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_of_v2_cannot_be_muted_so_it_is_not_cleared_in_its_place()
    {
        await ExportAsync();
        var before = source.Devices(App);

        var result = await RunAsync("ttnv2", "retire", "pump", "--way", "mute", "--yes", "--journal", Journal);

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("no_such_way", result.Error, StringComparison.Ordinal);
        Assert.Equal(before, source.Devices(App));
    }

    [Fact]
    public async Task A_device_that_verify_misses_at_the_target_is_not_retired_after_it()
    {
        await ExportAsync();
        Assert.Equal(0, (await ImportAsync()).ExitCode);
        // The only ABP device, which the export has left running.
        target.Put(Target, "pump", new TtsDevice(null, null, null, null));
        Assert.Equal(3, (await VerifyAsync()).ExitCode);

        var result = await RunAsync("ttnv2", "retire", "--yes", "--journal", Journal);

        Assert.NotNull(source.Device(App, "pump"));
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("not_imported", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_verify_misses_all_devices_none_is_retired_and_an_import_brings_them_back()
    {
        await ExportAsync();
        await ImportAsync();
        foreach (var id in (string[])["meter-1", "meter-2", "pump"])
            target.Put(Target, id, new TtsDevice(null, null, null, null));
        await VerifyAsync();

        var retire = await RunAsync("ttnv2", "retire", "--yes", "--journal", Journal);
        Assert.NotNull(source.Device(App, "pump"));
        Assert.Equal(3, retire.ExitCode);

        Assert.Equal(0, (await ImportAsync()).ExitCode);
        Assert.Equal(0, (await RunAsync("ttnv2", "retire", "--yes", "--journal", Journal)).ExitCode);
        Assert.Null(source.Device(App, "pump"));
    }

    [Theory]
    [InlineData("UPDATE device SET record = zeroblob(length(record))")]
    [InlineData("UPDATE device SET created = 9000000000000000000")]
    [InlineData("UPDATE device SET attempts = 9000000000000000000")]
    public async Task A_damaged_entry_leaves_one_device_to_a_person_and_the_others_go_on(string damage)
    {
        await ExportAsync();
        using (var journal = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Journal};Pooling=False"))
        {
            journal.Open();
            using var command = journal.CreateCommand();
#pragma warning disable CA2100 // A constant.
            command.CommandText = $"{damage} WHERE device_id = 'meter-1'";
#pragma warning restore CA2100
            Assert.Equal(1, command.ExecuteNonQuery());
        }

        var import = await ImportAsync();
        Assert.Equal(3, import.ExitCode);
        Assert.Contains("  imported          2  of 3\n", import.Error, StringComparison.Ordinal);
        Assert.Contains("1  damaged: ", import.Error, StringComparison.Ordinal);

        var verify = await VerifyAsync();
        Assert.Equal(3, verify.ExitCode);
        Assert.Contains("    not_checked             1\n", verify.Error, StringComparison.Ordinal);

        var retire = await RunAsync("ttnv2", "retire", "--yes", "--journal", Journal);
        Assert.Equal(3, retire.ExitCode);
        Assert.Null(source.Device(App, "pump"));

        var rollback = await RollbackAsync();
        Assert.Equal(3, rollback.ExitCode);
        Assert.Equal((false, true), (HasKey("meter-1"), HasKey("meter-2")));

        var export = await ExportAsync();
        Assert.Equal(1, export.ExitCode);
        Assert.Contains("  exported          2  of 3\n", export.Error, StringComparison.Ordinal);
        Assert.False(HasKey("meter-2"));
    }

    [Fact]
    public async Task A_full_disk_under_the_file_of_rejects_ends_the_run_and_leaves_nothing_half_done()
    {
        source.Add(SampleDevices.Template(App, "a-template"));

        var result = await RunAsync(new FullStream(), "ttnv2", "application", App, "--with-session=false", "--journal", Journal, "--rejects", "rejects.jsonl");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("rejects.jsonl", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("please report", result.Error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("retire intended", (await RunAsync("status", "--journal", Journal)).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DeviceServers.None)]
    [InlineData(DeviceServers.NetworkServer)]
    public async Task What_a_watch_saw_before_another_run_came_is_not_noted_after_it(DeviceServers missing)
    {
        await ExportAsync();
        await ImportAsync();
        var name = new JournalDeviceId("ttnv2", App, "meter-1");
        using var watch = Cli.Verify.VerifyJournal.Open(Journal, TimeProvider.System, mayWrite: true);
        await watch.SeenAsync(name, new ImportTarget(Target, target.Address, new AbpAdjustments()), missing);
        await RollbackAsync("meter-1");
        if (missing != DeviceServers.None)
        {
            await ExportAsync();
            await ImportAsync();
        }
        var before = watch.Reader.Find(name)!.TargetSide;

        Assert.Equal(0, await watch.FinishAsync());

        Assert.Equal((before, missing == DeviceServers.None ? TargetSide.Unknown : TargetSide.Imported), (watch.Reader.Find(name)!.TargetSide, before));
    }

    [Fact]
    public async Task Verify_against_another_application_takes_nothing_back()
    {
        await ExportAsync();
        await ImportAsync();
        targetKey = target.AddApplication("empty");

        await RunAsync("verify", "--journal", Journal, "--application-id", "empty", "--default-grpc-address", target.Address, "--insecure");

        Assert.Contains("meter-1: imported", (await RunAsync("journal", "show", "meter-1", "--journal", Journal)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_verify_finds_in_part_is_not_retired_and_leaves_the_target_with_a_rollback()
    {
        await ExportAsync();
        await ImportAsync();
        var there = target.Device(Target, "pump");
        target.Put(Target, "pump", there with { Application = null });
        await VerifyAsync();

        Assert.Equal(3, (await RunAsync("ttnv2", "retire", "pump", "--yes", "--journal", Journal)).ExitCode);
        Assert.NotNull(source.Device(App, "pump"));
        var result = await RollbackAsync("pump");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal(TtsServers.None, target.Device(Target, "pump").Servers);
    }

    [Fact]
    public async Task A_device_that_was_put_back_and_cleared_again_does_not_leave_the_target()
    {
        await ExportAsync();
        await ImportAsync();
        await RunAsync("rollback", "meter-1", "--journal", Journal);
        SetKey("meter-1", NoKey);

        var result = await RollbackAsync();

        Assert.Equal(TtsServers.All, target.Device(Target, "meter-1").Servers);
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("1  retired_again: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_was_put_back_and_cleared_again_is_put_back_again_when_it_is_named()
    {
        await ExportAsync();
        await RunAsync("rollback", "--journal", Journal);
        SetKey("meter-1", NoKey);

        Assert.Contains("1  retired_again: ", (await RunAsync("rollback", "--journal", Journal)).Error, StringComparison.Ordinal);
        var result = await RunAsync("rollback", "meter-1", "--journal", Journal);

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(HasKey("meter-1"));
    }

    [Fact]
    public async Task A_device_that_only_the_target_answers_does_not_leave_it_although_the_journal_has_not_retired_it()
    {
        await ExportAsync();
        await ImportAsync();
        var pump = source.Device(App, "pump")!;
        pump.LorawanDevice.NwkSKey = NoKey;
        source.Add(pump);

        var result = await RollbackAsync("pump");

        Assert.Equal(3, result.ExitCode);
        Assert.Contains("not_at_source", result.Error, StringComparison.Ordinal);
        Assert.NotEqual(TtsServers.None, target.Device(Target, "pump").Servers);
    }

    [Fact]
    public async Task An_id_that_two_applications_of_a_journal_have_has_to_be_named_with_its_application()
    {
        source.AddApplication("other-app", Key);
        source.Add(SampleDevices.Joined("other-app", "meter-1"));
        await RunAsync("ttnv2", "application", App, "other-app", "--with-session=false", "--journal", Journal);

        var both = await RunAsync("rollback", "meter-1", "--journal", Journal);
        Assert.Equal(3, both.ExitCode);
        Assert.Contains("`my-app`, `other-app`", both.Error, StringComparison.Ordinal);
        Assert.False(HasKey("meter-1"));

        var one = await RunAsync("rollback", "my-app/meter-1", "--journal", Journal);
        Assert.True(one.ExitCode == 0, one.Error);
        Assert.True(HasKey("meter-1"));
        Assert.False(source.Device("other-app", "meter-1")!.LorawanDevice.AppKey.Span.ContainsAnyExcept((byte)0));
    }

    private string Journal => folder.File("run.journal");

    private bool HasKey(string id) => source.Device(App, id)!.LorawanDevice.AppKey.Span.ContainsAnyExcept((byte)0);

    private void SetKey(string id, ByteString key)
    {
        var device = source.Device(App, id)!;
        device.LorawanDevice.AppKey = key;
        source.Add(device);
    }

    private async Task<CliResult> ExportAsync(bool withSession = false)
    {
        var result = await RunAsync("ttnv2", "application", App, withSession ? "--with-session" : "--with-session=false", "--journal", Journal);
        files["devices.json"] = Encoding.UTF8.GetBytes(result.Output);
        return result;
    }

    private Task<CliResult> StraightAsync(params string[] words) =>
        RunAsync(["ttnv2", "application", App, "--with-session=false", "--import-to", Target, "--import-default-grpc-address", target.Address, "--import-insecure", "--journal", Journal, .. words]);

    private Task<CliResult> ImportAsync(bool withJournal = true, string[]? more = null) =>
        RunAsync(["import", "devices.json", "--application-id", Target, "--default-grpc-address", target.Address, "--insecure", .. withJournal ? (string[])["--journal", Journal] : [], .. more ?? []]);

    private Task<CliResult> VerifyAsync() =>
        RunAsync("verify", "--journal", Journal, "--application-id", Target, "--default-grpc-address", target.Address, "--insecure");

    private Task<CliResult> RollbackAsync(params string[] words) =>
        RunAsync(["rollback", .. words, "--journal", Journal, "--default-grpc-address", target.Address, "--insecure"]);

    private Task<CliResult> RunAsync(params string[] words) => RunAsync(null, words);

    private Task<CliResult> RunAsync(Stream? created, params string[] words) => new CliRun(words)
    {
        CreateFile = path => created ?? File.Create(path),
        Variables = new Dictionary<string, string>(source.Variables(App, Key))
        {
            ["TTS_APP_API_KEY"] = targetKey,
        },
        Files = files,
        StateFolder = folder.Path,
        Clock = TimeProvider.System,
    }.RunAsync();

    /// <summary>A file on a disk without room.</summary>
    private sealed class FullStream : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("No space left on device");

        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("No space left on device");
    }
}
