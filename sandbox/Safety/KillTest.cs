using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Sandbox.Commands;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Sources.TtnV2.Api.Handler;
using LoRaWanDevice = Sources.TtnV2.Api.LoRaWan.Device;

namespace Sandbox.Safety;

/// <summary>Which migrations a kill test makes.</summary>
public enum KillTestWay
{
    /// <summary>In turn.</summary>
    Both,

    /// <summary>Into a file: export, retire, rollback.</summary>
    File,

    /// <summary>Straight through into The Things Stack, and back.</summary>
    Straight,
}

/// <summary>How the kill test goes.</summary>
public sealed record KillTestOptions
{
    /// <summary>SIGKILLs in all.</summary>
    public int Kills { get; init; } = 30;

    /// <summary>SIGKILLs of one migration, before it may come to its end.</summary>
    public int KillsPerMigration { get; init; } = 15;

    /// <summary>Devices of a migration: joined, never joined and ABP.</summary>
    public int Devices { get; init; } = 200;

    /// <summary>Which migrations.</summary>
    public KillTestWay Way { get; init; }

    /// <summary>Decides the instants and the faults.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Share of calls that fail, from 0 to 1.</summary>
    public double Failures { get; init; } = 0.1;

    /// <summary>Longest time until a kill.</summary>
    public TimeSpan LongestRun { get; init; } = TimeSpan.FromSeconds(3);
}

/// <summary>What the kill test found.</summary>
/// <param name="Kills">SIGKILLs that met a running program.</param>
/// <param name="Migrations">Migrations that came to their end, with their rollback.</param>
/// <param name="Runs">Runs of the program.</param>
/// <param name="FailedCalls">Calls that the cluster let fail.</param>
/// <param name="Problems">What went wrong; empty when no key was lost and everything is as asked.</param>
public sealed record KillTestResult(int Kills, int Migrations, int Runs, int FailedCalls, IReadOnlyList<string> Problems);

/// <summary>
/// Migrates devices with the built program, kills it at random instants while calls fail, runs it again until it is done, and compares:
/// every device once in the output with its original keys, the source retired exactly as asked, and after a rollback as it was. Straight
/// through also: after every kill each device is alive at the source or complete at the target; at the end it is at the target, once, with
/// its keys, and not alive at the source; after the rollback the other way round.
/// </summary>
public sealed class KillTest(KillTestOptions options, TextWriter output)
{
    private const string App = "my-app";
    private const string Key = "ttn-account-v2.a-key-for-the-kill-test-that-must-never-show";
    private const string Target = "target-app";
    private const int MostRuns = 8;

    private readonly Random random = new(options.Seed);
    private readonly Lock gate = new();
    private readonly Random chance = new(options.Seed + 1);
    private readonly List<string> problems = [];
    private readonly List<string> secrets = [];
    private int kills;
    private int runs;
    private int failedCalls;

    /// <summary>Runs to the end.</summary>
    public async Task<KillTestResult> RunAsync(CancellationToken cancellation)
    {
        var migrations = 0;
        while (kills < options.Kills && problems.Count == 0)
        {
            var killsHere = Math.Min(options.KillsPerMigration, options.Kills - kills);
            var isStraight = options.Way == KillTestWay.Straight || (options.Way == KillTestWay.Both && migrations % 2 == 1);
            var withSession = (options.Way == KillTestWay.Both ? migrations / 2 : migrations) % 2 == 0;
            if (isStraight)
                await GoStraightAsync(withSession, killsHere, cancellation);
            else
                await MigrateAsync(withSession, killsHere, cancellation);
            migrations++;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{migrations} migrations, {kills} kills, {runs} runs, {failedCalls} failed calls, {problems.Count} problems"));
        }
        return new KillTestResult(kills, migrations, runs, failedCalls, problems);
    }

    private async Task MigrateAsync(bool withSession, int killsHere, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-kill-");
        await using var cluster = await StartSourceAsync();
        var before = cluster.Devices(App);
        var tool = new ToolRun(folder.FullName, Variables(cluster, withSession));

        var phases = withSession ? 2 : 3;
        var exported = await UntilDoneAsync(tool, ["ttnv2", "application", App, "--rejects", "rejects.json"], "devices.json", killsHere / phases, cancellation);
        CheckLines(before, exported);
        CheckSource("after the export", before, cluster.Devices(App), d => Retired(d, withSession));
        if (!withSession)
        {
            // The ABP devices were left running; the guide has them deleted.
            await UntilDoneAsync(tool, ["ttnv2", "retire", "--yes"], "retire.txt", killsHere / phases, cancellation);
            CheckSource("after retiring", before, cluster.Devices(App), d => IsSet(d.LorawanDevice.AppKey) ? Retired(d, withSession) : null);
        }
        var again = await UntilDoneAsync(tool, ["ttnv2", "application", App], "again.json", 0, cancellation);
        CheckLines(before, again);
        await UntilDoneAsync(tool, ["rollback", "--verbose"], "rollback.txt", killsHere - (killsHere / phases * (phases - 1)), cancellation);
        CheckSource("after the rollback", before, cluster.Devices(App), d => d);
        Tidy(folder);
    }

    private async Task GoStraightAsync(bool withSession, int killsHere, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-kill-");
        await using var cluster = await StartSourceAsync();
        await using var target = await TtsCluster.StartAsync();
        var key = target.AddApplication(Target);
        target.Faults.ByChance = ByChance;
        secrets.Add(key);
        var before = cluster.Devices(App);
        var tool = new ToolRun(folder.FullName, new Dictionary<string, string>(Variables(cluster, withSession)) { ["TTS_APP_API_KEY"] = key });
        string[] command = ["ttnv2", "application", App, "--import-to", Target, "--import-default-grpc-address", target.Address, "--import-insecure", "--rejects", "rejects.json"];

        void NoneOnNone()
        {
            foreach (var device in before)
            {
                if (!IsAlive(cluster.Device(App, device.DevId)) && !IsComplete(device, target.Device(Target, device.DevId)))
                    problems.Add($"after a kill: {device.DevId} is neither alive at the source nor complete at the target");
            }
        }

        var exported = await UntilDoneAsync(tool, command, "devices.json", killsHere - (killsHere / 3), cancellation, NoneOnNone);
        CheckLines(before, exported);
        CheckSource("after going straight through", before, cluster.Devices(App), d => Retired(d, withSession || !IsSet(d.LorawanDevice.AppKey)));
        CheckTarget(before, target);
        var again = await UntilDoneAsync(tool, command, "again.json", 0, cancellation);
        CheckLines(before, again);
        CheckTarget(before, target);
        await UntilDoneAsync(tool, ["rollback", "--verbose", "--default-grpc-address", target.Address, "--insecure"], "rollback.txt", killsHere / 3, cancellation);
        CheckSource("after the rollback", before, cluster.Devices(App), d => d);
        problems.AddRange(target.DeviceIds(Target).Select(id => $"after the rollback: {id} is still at the target"));
        Tidy(folder);
    }

    private void Tidy(DirectoryInfo folder)
    {
        if (problems.Count == 0)
            folder.Delete(recursive: true);
        else
            output.WriteLine("kept for a look: " + folder.FullName);
    }

    private async Task<TtnV2Cluster> StartSourceAsync()
    {
        var cluster = await TtnV2Cluster.StartAsync();
        cluster.AddApplication(App, Key);
        for (var i = 1; i <= options.Devices; i++)
        {
            var id = string.Create(CultureInfo.InvariantCulture, $"meter-{i:D4}");
            cluster.Add((i % 3) switch { 0 => SampleDevices.Otaa(App, id), 1 => SampleDevices.Joined(App, id, (uint)i, (uint)i / 2), _ => SampleDevices.Abp(App, id, (uint)i + 7) });
        }
        secrets.Clear();
        secrets.Add(Key);
        secrets.AddRange(cluster.Devices(App).SelectMany(d => Keys(d.LorawanDevice)));
        cluster.Faults.ByChance = ByChance;
        return cluster;
    }

    private static Dictionary<string, string> Variables(TtnV2Cluster cluster, bool withSession) => new(cluster.Variables(App, Key))
    {
        ["TTNV2_WITH_SESSION"] = withSession ? "true" : "false",
    };

    private static bool IsAlive(Device? device) =>
        device?.LorawanDevice is { } lorawan && (IsSet(lorawan.AppKey) || (IsSet(lorawan.DevAddr) && IsSet(lorawan.NwkSKey) && IsSet(lorawan.AppSKey)));

    private static bool IsComplete(Device source, TtsDevice found) =>
        found.Servers == (IsSet(source.LorawanDevice.AppKey) ? TtsServers.All : TtsServers.All & ~TtsServers.Join);

    private void CheckTarget(IReadOnlyList<Device> before, TtsCluster target)
    {
        foreach (var device in before)
        {
            var found = target.Device(Target, device.DevId);
            var lorawan = device.LorawanDevice;
            if (!IsComplete(device, found))
            {
                problems.Add($"{device.DevId} is only on these servers of the target: {found.Servers}");
                continue;
            }
            if (IsSet(lorawan.AppKey) && found.Join!.RootKeys.AppKey.Key != lorawan.AppKey)
                problems.Add($"{device.DevId} has another AppKey at the target");
            if (found.Network!.Session is { DevAddr.IsEmpty: false } session)
            {
                if (session.DevAddr != lorawan.DevAddr || session.Keys.FNwkSIntKey.Key != lorawan.NwkSKey || found.Application!.Session.Keys.AppSKey.Key != lorawan.AppSKey)
                    problems.Add($"{device.DevId} has another session at the target");
            }
            else if (!IsSet(lorawan.AppKey))
            {
                problems.Add($"{device.DevId} has no session at the target");
            }
        }
        problems.AddRange(target.DeviceIds(Target).Except(before.Select(d => d.DevId)).Select(id => $"{id} is at the target and was never at the source"));
    }

    /// <summary>Kills the command a number of times, then runs it until it says that it is done; gives the lines of the last run.</summary>
    private async Task<ToolResult> UntilDoneAsync(ToolRun tool, string[] command, string file, int killsHere, CancellationToken cancellation, Action? afterKill = null)
    {
        ToolResult? last = null;
        while (killsHere > 0)
        {
            using var kill = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            kill.CancelAfter(options.LongestRun * random.NextDouble());
            runs++;
            try
            {
                last = await tool.RunAsync(command, null, file, kill.Token);
                Look(command, last);
                // It was faster than the executioner. What is done stays done, so that the next kill meets a run that has less to do.
                killsHere--;
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                killsHere--;
                kills++;
                afterKill?.Invoke();
            }
        }
        for (var run = 0; run < MostRuns; run++)
        {
            runs++;
            last = await tool.RunAsync(command, null, file, cancellation);
            Look(command, last);
            if (last.ExitCode == 0)
                return last;
        }
        problems.Add($"`{string.Join(' ', command)}` does not come to an end: exit code {last!.ExitCode}\n{last.Stderr}");
        return last;
    }

    private void Look(string[] command, ToolResult result)
    {
        foreach (var secret in secrets)
        {
            if (result.Stderr.Contains(secret, StringComparison.OrdinalIgnoreCase))
                problems.Add($"`{string.Join(' ', command)}` shows a key on standard error");
        }
    }

    private Fault? ByChance(string method)
    {
        lock (gate)
        {
            if (chance.NextDouble() >= options.Failures)
                return null;
            failedCalls++;
            var apply = chance.Next(2) == 0;
            // A refusal for the rate makes the program pause, a cut connection fails every call on it: few of them, or waiting is all there is.
            return chance.Next(60) switch
            {
                0 => new Fault.Fail(GrpcCode.ResourceExhausted, "Rate limit for client \"x\" reached"),
                1 => new Fault.Fail(GrpcCode.Internal, "Broker did not return device: Internal error: [ResourceExhausted] Rate limit for client \"x\" reached", apply),
                < 30 => new Fault.Fail(GrpcCode.Unavailable, "unavailable: broker is restarting", apply),
                < 58 => new Fault.Fail(GrpcCode.DeadlineExceeded, "context deadline exceeded", apply),
                _ => new Fault.DropConnection(apply),
            };
        }
    }

    private void CheckLines(IReadOnlyList<Device> before, ToolResult result)
    {
        var lines = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var line in result.Lines)
        {
            using var document = JsonDocument.Parse(line);
            var id = document.RootElement.GetProperty("ids").GetProperty("device_id").GetString()!;
            if (!lines.TryAdd(id, document.RootElement.Clone()))
                problems.Add($"{id} is twice in the output");
        }
        foreach (var device in before)
        {
            if (!lines.Remove(device.DevId, out var line))
            {
                problems.Add($"{device.DevId} is not in the output");
                continue;
            }
            var lorawan = device.LorawanDevice;
            Compare(device, "AppKey", lorawan.AppKey, line, "root_keys", "app_key", "key");
            if (line.TryGetProperty("session", out _) || !IsSet(lorawan.AppKey))
            {
                Compare(device, "DevAddr", lorawan.DevAddr, line, "session", "dev_addr");
                Compare(device, "NwkSKey", lorawan.NwkSKey, line, "session", "keys", "f_nwk_s_int_key", "key");
                Compare(device, "AppSKey", lorawan.AppSKey, line, "session", "keys", "app_s_key", "key");
            }
        }
        problems.AddRange(lines.Keys.Select(id => $"{id} is in the output and was never at the source"));
    }

    private void Compare(Device device, string what, ByteString expected, JsonElement line, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (line.ValueKind != JsonValueKind.Object || !line.TryGetProperty(name, out line))
            {
                if (IsSet(expected))
                    problems.Add($"{device.DevId}: the line has no {what}");
                return;
            }
        }
        if (line.GetString() != Convert.ToHexString(expected.Span))
            problems.Add($"{device.DevId}: the line has another {what}");
    }

    /// <summary>Compares the source with what it should be: null for a device that should be gone. Counters may be higher.</summary>
    private void CheckSource(string when, IReadOnlyList<Device> before, IReadOnlyList<Device> now, Func<Device, Device?> expectation)
    {
        var there = now.ToDictionary(d => d.DevId, StringComparer.Ordinal);
        foreach (var device in before)
        {
            there.Remove(device.DevId, out var found);
            var expected = expectation(device);
            if (expected is null != found is null)
                problems.Add($"{when}: {device.DevId} {(found is null ? "is gone" : "is still there")}");
            if (expected is null || found is null)
                continue;
            if (found.LorawanDevice.FCntUp < expected.LorawanDevice.FCntUp || found.LorawanDevice.FCntDown < expected.LorawanDevice.FCntDown)
                problems.Add($"{when}: {device.DevId} has lower counters");
            if (!Comparable(found).Equals(Comparable(expected)))
                problems.Add($"{when}: {device.DevId} is not as it should be");
        }
        problems.AddRange(there.Keys.Select(id => $"{when}: {id} was made up"));
    }

    private static Device Retired(Device device, bool withSession)
    {
        var retired = device.Clone();
        var lorawan = retired.LorawanDevice;
        lorawan.ClearAppKey();
        if (withSession)
        {
            lorawan.ClearDevAddr();
            lorawan.ClearNwkSKey();
            lorawan.ClearAppSKey();
        }
        return retired;
    }

    private static Device Comparable(Device device)
    {
        var copy = device.Clone();
        var lorawan = copy.LorawanDevice;
        (lorawan.FCntUp, lorawan.FCntDown, lorawan.LastSeen) = (0, 0, 0);
        if (!IsSet(lorawan.AppKey))
            lorawan.ClearAppKey();
        if (!IsSet(lorawan.DevAddr))
            lorawan.ClearDevAddr();
        if (!IsSet(lorawan.NwkSKey))
            lorawan.ClearNwkSKey();
        if (!IsSet(lorawan.AppSKey))
            lorawan.ClearAppSKey();
        return copy;
    }

    private static IEnumerable<string> Keys(LoRaWanDevice device) =>
        new[] { device.AppKey, device.NwkSKey, device.AppSKey }.Where(IsSet).Select(k => Convert.ToHexString(k.Span));

    private static bool IsSet(ByteString value) => value.Span.ContainsAnyExcept((byte)0);
}
