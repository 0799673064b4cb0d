using System.Globalization;
using Google.Protobuf;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;

namespace Sandbox.Commands;

/// <summary>Both networks of the tour, and the folder of its files, as they are at its end.</summary>
public sealed record TourWorld(TtnV2Cluster Source, TtsCluster Target, string Folder);

/// <summary>
/// The guided tour: a migration from V2 to The Things Stack with the real program against two networks on this machine, from the dry run to the
/// report, and one device that goes back. After every command both networks are compared with what they must be.
/// </summary>
public sealed class Tour(TextWriter output)
{
    /// <summary>The application of The Things Stack that gets the devices.</summary>
    public const string TargetId = "city-on-v3";

    /// <summary>The meter that nobody power-cycles, and that goes back to V2.</summary>
    public const string Straggler = "meter-004";

    private const string TargetKey = "NNSXS.SANDBOXONLY.THISKEYISMADEUPFORTHETOUR";
    private const string Pump = "pump-abp";
    private const string Journal = "night.journal";
    private const string Session = "gauge-1";

    private static readonly string[] Joining = ["half-a-session", "meter-001", "meter-002", "meter-003", "weather-roof"];
    private static readonly SampleApplication City = SampleApplication.City;
    private static readonly SampleApplication River = SampleApplication.Session;

    private readonly TourText text = new(output);
    private readonly List<string> problems = [];
    private readonly Dictionary<string, string> variables = new(StringComparer.Ordinal);
    private TtnV2Cluster source = null!;
    private TtsCluster target = null!;
    private ToolRun tool = null!;
    private int chapter;

    /// <summary>Called at the end, while the networks still run; for tests.</summary>
    public Func<TourWorld, Task>? AtEnd { get; init; }

    /// <summary>Runs the tour; gives 0 when everything was as expected.</summary>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("ttn-lw-migrate-tour-");
        try
        {
            await using var v2 = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { RateLimits = RateLimitProfile.PerSecond });
            await using var v3 = await TtsCluster.StartAsync();
            (source, target) = (v2, v3);
            City.AddTo(source);
            River.AddTo(source);
            target.AddApplication(TargetId);
            target.AddApiKey(TargetId, TargetKey, "tour", []);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "v2-ca.pem"), source.CaCertificatePem, cancellation);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "v3-ca.pem"), target.CaCertificatePem, cancellation);
            tool = new ToolRun(folder.FullName, variables);
            Introduce(folder.FullName);
            await ExportAsync(cancellation);
            await ImportAsync(cancellation);
            await RetireAsync(cancellation);
            await ArriveAsync(folder.FullName, cancellation);
            await GoBackAsync(cancellation);
            await MoveSessionAsync(cancellation);
            Account();
            if (AtEnd is not null)
                await AtEnd(new TourWorld(source, target, folder.FullName));
        }
        catch (OperationCanceledException)
        {
            output.WriteLine("\nThe tour was stopped.");
            return 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        return Close();
    }

    private string Servers => $"--default-grpc-address {target.TlsAddress} --ca-file v3-ca.pem";

    private void Introduce(string folder)
    {
        text.Say("A city moves its devices from The Things Network V2 to The Things Stack. Both networks run on this machine, on loopback only, and "
            + "all keys are made up. The commands are typed to the real program, as you would; \"|\" marks what it prints.");
        output.WriteLine();
        text.Say($"V2: discovery {source.DiscoveryTlsAddress}, handler {source.HandlerAddress}. The Things Stack: {target.TlsAddress}. Folder: {folder}");
        output.WriteLine();
        text.Say($"The application {City.Id} in V2:");
        foreach (var sample in City.Devices)
            text.Item($"{sample.Device.DevId,-42}{sample.Why}");
        output.WriteLine();
        Export("TTNV2_APP_ID", City.Id);
        Export("TTNV2_APP_ACCESS_KEY", City.AccessKey);
        Export("FREQUENCY_PLAN_ID", "EU_863_870_TTN");
        Export("TTNV2_DISCOVERY_SERVER_ADDRESS", source.DiscoveryTlsAddress);
        Export("TTNV2_CA_CERT", "v2-ca.pem");
        Export("TTS_APP_API_KEY", TargetKey);
    }

    private async Task ExportAsync(CancellationToken cancellation)
    {
        string[] export = ["--source", "ttnv2", City.Id, "--ttnv2.with-session=false"];
        Chapter("Look first", "A dry run visits every device and lists every problem; nothing changes anywhere.");
        var dry = await RunExportAsync(["application", "--dry-run", "--verbose", .. export], new ExportAsked(City, null, DryRun: true), cancellation);
        Done(dry, "V2 is as before. Exit code 1, because five devices need somebody; the other seven can go.");

        Chapter("Write devices.json", "Each line is written and kept in the journal first; only then is that device's AppKey cleared in V2.");
        var real = await RunExportAsync(["application", .. export, "--journal", Journal], new ExportAsked(City, null, DryRun: false), cancellation);
        Done(real, "six AppKeys are gone from V2, so those devices can not join there again; the five that were refused have kept theirs. "
            + "Stopped halfway? The same command goes on.");
    }

    private async Task ImportAsync(CancellationToken cancellation)
    {
        var import = $"import devices.json --application-id {TargetId} {Servers}";
        Chapter("Ask The Things Stack", "The dry run of the import checks rights, identifiers, plans and addresses against the target, and creates nothing.");
        var dry = await RunAsync($"{import} --dry-run", exitCode: 0, cancellation);
        Done([.. dry, .. Wrong(target.DeviceIds(TargetId).Count > 0, "the dry run created devices")], "The Things Stack is still empty.");

        Chapter("Import", "Each device is created on the four servers, or on none. One that fails does not stop the others, and the same command again is safe.");
        var real = await RunAsync($"{import} --journal {Journal}", exitCode: 0, cancellation);
        string[] expected = [.. Joining.Append(Straggler).Append(Pump).Order(StringComparer.Ordinal)];
        Done([.. real, .. Wrong(!target.DeviceIds(TargetId).SequenceEqual(expected), $"The Things Stack has {string.Join(' ', target.DeviceIds(TargetId))}")], "The Things Stack has seven devices.");
    }

    private async Task RetireAsync(CancellationToken cancellation)
    {
        Chapter("Retire", "An ABP device has no AppKey to clear: it has to be deleted from V2 once it is imported, or both networks answer it.");
        var found = await RunAsync($"ttnv2 retire --yes --journal {Journal}", exitCode: 0, cancellation);
        Done([.. found, .. Wrong(source.Device(City.Id, Pump) is not null, $"{Pump} is still in V2"), .. Wrong(source.Devices(City.Id).Count != City.Devices.Count - 1, "V2 lost other devices")],
            $"{Pump} is no longer in V2; nothing else changed there. The journal has it, should it have to go back.");
    }

    private async Task ArriveAsync(string folder, CancellationToken cancellation)
    {
        var verify = $"verify --journal {Journal} {Servers}";
        Chapter("Has anything arrived?", "verify compares each device on the four servers with what was sent, and says what it still waits for.");
        var before = await RunAsync(verify, exitCode: 3, cancellation);
        Done(before, "everything is as sent; nothing has joined yet (exit code 3).");

        output.WriteLine();
        text.Say("Meanwhile the town's people power-cycle their meters, and the pump's gateway moves:");
        var wrong = new List<string>();
        foreach (var id in Joining)
        {
            var inV2 = source.Device(City.Id, id.Replace("weather-roof", "weather_roof", StringComparison.Ordinal))!.LorawanDevice.AppKey;
            var address = target.Join(TargetId, id);
            wrong.AddRange(Wrong(address is null, $"{id} could not join"));
            text.Item($"{id,-16}V2 {(inV2 == StoredDevice.NoKey ? "refuses its join-request" : "ACCEPTS its join-request")}; The Things Stack accepts it, DevAddr {Hex(address)}");
            wrong.AddRange(Wrong(inV2 != StoredDevice.NoKey, $"{id} can still join V2"));
        }
        wrong.AddRange(Wrong(!target.Uplink(TargetId, Pump), $"the uplink of {Pump} was not taken"));
        text.Item($"{Pump,-16}goes on with its session: an uplink arrives");
        text.Item($"{Straggler,-16}sits in a cellar whose door is locked");

        Chapter("Look again, with a report", "--report writes one page for the customer: counts, joins over time, what to do for each device. --wait 24h would watch until all have arrived.");
        var after = await RunAsync($"{verify} --report report.html", exitCode: 3, cancellation);
        var report = Path.Combine(folder, "report.html");
        wrong.AddRange(Wrong(!File.Exists(report), "there is no report"));
        if (File.Exists(report))
        {
            var page = await File.ReadAllTextAsync(report, cancellation);
            wrong.AddRange(Wrong(!page.Contains(Straggler, StringComparison.Ordinal), "the report does not name the device that has not arrived"));
        }
        Done([.. after, .. wrong], "six of seven have arrived, one needs a person.");
    }

    private async Task GoBackAsync(CancellationToken cancellation)
    {
        Chapter("One device goes back", "Nobody opens that cellar tonight, so the device returns to V2. It leaves The Things Stack first: it must not be on both sides.");
        var original = City.Devices.Single(sample => sample.Device.DevId == Straggler).Device.LorawanDevice.AppKey;
        var found = await RunAsync($"rollback {Straggler} --journal {Journal} {Servers}", exitCode: 0, cancellation);
        Done(
            [
                .. found,
                .. Wrong(source.Device(City.Id, Straggler)!.LorawanDevice.AppKey != original, $"{Straggler} does not have its AppKey back"),
                .. Wrong(target.Device(TargetId, Straggler).Servers != TtsServers.None, $"{Straggler} is still on The Things Stack"),
            ],
            $"{Straggler} has its AppKey back in V2 and is gone from The Things Stack. Without the target's address the program puts the key back too, "
                + "and lists the device under \"Needs a person\" until it is removed there.");

        Chapter("Where are we?", "The journal knows how far each device has come, and what comes next.");
        Done(await RunAsync($"status --journal {Journal}", exitCode: 0, cancellation), "six verified, one restored, five refused: twelve.");
    }

    private async Task MoveSessionAsync(CancellationToken cancellation)
    {
        Chapter("And with the session", "Where gateways move too, a device can keep its session and need not join: the guide leaves --with-session=false away.");
        Export("TTNV2_APP_ID", River.Id);
        Export("TTNV2_APP_ACCESS_KEY", River.AccessKey);
        var found = await RunExportAsync(["device", "--source", "ttnv2", Session, "--journal", "river.journal"], new ExportAsked(River, [Session], DryRun: false), cancellation);
        found = [.. found, .. await RunAsync($"import devices.json --application-id {TargetId} {Servers} --journal river.journal", exitCode: 0, cancellation)];
        output.WriteLine();
        text.Say($"{Session} sends its next message, and The Things Stack takes it: counter {(target.Device(TargetId, Session).Network?.Session?.LastFCntUp + 1)?.ToString(CultureInfo.InvariantCulture)}.");
        found = [.. found, .. Wrong(!target.Uplink(TargetId, Session), $"the uplink of {Session} was not taken")];
        found = [.. found, .. await RunAsync($"verify --journal river.journal {Servers}", exitCode: 0, cancellation)];
        Done(found, "it has arrived without a join, its counters go on, and V2 has no key of it left.");
    }

    /// <summary>Each device, and where it lives now.</summary>
    private void Account()
    {
        text.Title("All devices, at the end");
        foreach (var sample in City.Devices.Concat(River.Devices))
        {
            var id = sample.Device.DevId;
            var v2 = source.Device(sample.Device.AppId, id)?.LorawanDevice;
            var there = target.Device(TargetId, id.Replace('_', '-')).Servers != TtsServers.None;
            var here = v2 is not null && (v2.AppKey != StoredDevice.NoKey || (sample.Fate == Fate.ExportedAsAbp && v2.NwkSKey != StoredDevice.NoKey));
            var place = (here, there) switch
            {
                (true, true) => "ON BOTH SIDES",
                (true, false) => sample.Fate == Fate.Rejected ? "V2, as before: needs somebody" : "V2, with its key",
                (false, true) => "The Things Stack",
                _ => sample.Device.LorawanDevice.AppKey == StoredDevice.NoKey || !sample.Device.LorawanDevice.HasAppKey ? "nowhere: it never had a key" : "NOWHERE",
            };
            text.Item($"{id,-42}{place}");
            problems.AddRange(Wrong(place is "ON BOTH SIDES" or "NOWHERE", $"{id}: {place}"));
        }
    }

    private int Close()
    {
        output.WriteLine();
        if (problems.Count == 0)
        {
            text.Say("Everything was as expected, and nothing is left behind on this machine.");
            text.Say("Chapters 2, 4 and 5 are also one command, each device on the target before it is retired: `ttnv2 application APP --import-to APP2`.");
            text.Say("Your turn: `dotnet run --project sandbox -- serve` keeps both networks running and prints these commands with what they need; README.md has your first real migration.");
            return 0;
        }
        text.Say("NOT as expected:");
        foreach (var problem in problems)
            text.Item(problem);
        return 1;
    }

    private void Chapter(string title, string why)
    {
        text.Title(string.Create(CultureInfo.InvariantCulture, $"{++chapter}. {title}"));
        text.Say(why);
        output.WriteLine();
    }

    private void Export(string name, string value)
    {
        variables[name] = value;
        text.Command($"export {name}=\"{value}\"");
    }

    /// <summary>An export into devices.json, compared with what it must do.</summary>
    private async Task<IReadOnlyList<string>> RunExportAsync(string[] words, ExportAsked asked, CancellationToken cancellation)
    {
        text.Command($"ttn-lw-migrate {string.Join(' ', words.Select(word => word == asked.Application.Id || asked.Devices?.Contains(word) == true ? $"\"{word}\"" : word))} > devices.json");
        var before = source.Devices(asked.Application.Id);
        var result = await tool.RunAsync(words, null, "devices.json", cancellation);
        text.Output(result.Stderr);
        text.Say(string.Create(CultureInfo.InvariantCulture, $"devices.json has {result.Lines.Count} line{(result.Lines.Count == 1 ? "" : "s")}; the first one, keys shortened here:"));
        foreach (var line in result.Lines.Take(1))
            text.Device(line);
        return ExportCheck.Check(asked, result, before, source.Devices(asked.Application.Id));
    }

    private async Task<IReadOnlyList<string>> RunAsync(string command, int exitCode, CancellationToken cancellation)
    {
        text.Command($"ttn-lw-migrate {command}");
        var result = await tool.RunAsync(command.Split(' '), null, "stdout.txt", cancellation);
        text.Output(string.Join('\n', [.. result.Lines, result.Stderr]));
        return [.. Wrong(result.ExitCode != exitCode, string.Create(CultureInfo.InvariantCulture, $"exit code {result.ExitCode} instead of {exitCode}"))];
    }

    private void Done(IReadOnlyList<string> found, string notice)
    {
        problems.AddRange(found);
        text.Say(found.Count == 0 ? $"Checked: {notice}" : $"WRONG: {string.Join("; ", found)}");
    }

    private static string Hex(ByteString? address) => address is null ? "none" : Convert.ToHexString(address.Span);

    private static string[] Wrong(bool isWrong, string problem) => isWrong ? [problem] : [];
}
