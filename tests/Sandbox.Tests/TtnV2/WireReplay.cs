using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Sandbox.Grpc;
using Sandbox.TtnV2;
using Sandbox.TtnV2.Api;
using Sources.TtnV2.Api.Discovery;
using Sources.TtnV2.Api.Handler;

namespace Sandbox.Tests.TtnV2;

/// <summary>
/// Sends recorded calls to the emulator in their order and compares the answers.
///
/// What the recording does not show (devices registered before it began, records the recording rig removed by hand, servers it stopped,
/// calls of other clients) is put in place before a call by these rules, and every use of a rule is counted:
/// a device read for the first time, or changed between two scenarios, is taken from the answer; counters that became zero mean that the
/// network server lost the record; an error text names the server that is down, the application that owns a record, the record that is
/// missing. A device written in a scenario is never taken from an answer in that scenario.
/// </summary>
public sealed partial class WireReplay : IAsyncDisposable
{
    private readonly IReadOnlyList<WireRow> rows;
    private readonly JumpClock clock;
    private readonly HashSet<(string App, string Device)> written = [];
    private readonly HashSet<(string App, string Key)> known = [];
    private readonly HashSet<(string App, string Key)> exchanged = [];
    private readonly HashSet<(string App, string Key, string Right)> missingRights = [];
    private readonly HashSet<string> fillers = new(StringComparer.Ordinal);
    private TtnV2Cluster cluster = null!;
    private RawGrpcClient discovery = null!;
    private RawGrpcClient handler = null!;

    private WireReplay(IReadOnlyList<WireRow> rows)
    {
        this.rows = rows;
        var issued = rows.Select(row => row.IssuedAt).Where(at => at > 0).DefaultIfEmpty(1_800_000_000).Min();
        clock = new JumpClock(DateTimeOffset.FromUnixTimeSeconds(issued));
    }

    /// <summary>What is wrong, by number of the row.</summary>
    public IDictionary<int, string> Problems { get; } = new Dictionary<int, string>();

    /// <summary>How many rows of each kind were compared or skipped.</summary>
    public SortedDictionary<string, int> Kinds { get; } = new(StringComparer.Ordinal);

    /// <summary>How often each rule about what the recording does not show was used.</summary>
    public SortedDictionary<string, int> Rules { get; } = new(StringComparer.Ordinal);

    public static async Task<WireReplay> RunAsync(IReadOnlyList<WireRow> rows)
    {
        var replay = new WireReplay(rows);
        await replay.StartClusterAsync();
        foreach (var scenario in Scenarios(rows))
        {
            replay.written.Clear();
            if (scenario.Exists(row => row.IsRateLimited))
                await replay.RateLimitedAsync(scenario);
            else
                await replay.ScenarioAsync(scenario);
        }
        return replay;
    }

    public async ValueTask DisposeAsync()
    {
        discovery.Dispose();
        handler.Dispose();
        await cluster.DisposeAsync();
    }

    private static IEnumerable<List<WireRow>> Scenarios(IReadOnlyList<WireRow> rows)
    {
        List<WireRow> scenario = [];
        foreach (var row in rows)
        {
            if (scenario.Count > 0 && scenario[^1].Scenario != row.Scenario)
            {
                yield return scenario;
                scenario = [];
            }
            scenario.Add(row);
        }
        if (scenario.Count > 0)
            yield return scenario;
    }

    private static void Count(SortedDictionary<string, int> counts, string name) => counts[name] = counts.GetValueOrDefault(name) + 1;

    private async Task StartClusterAsync()
    {
        cluster = await TtnV2Cluster.StartAsync(new TtnV2ClusterOptions { Clock = clock, RateLimits = RateLimitProfile.PerSecond });
        discovery = new RawGrpcClient(cluster.DiscoveryAddress, trust: null);
        handler = new RawGrpcClient(cluster.HandlerAddress, cluster.HandlerCertificatePem);
        foreach (var row in rows)
        {
            if (row.Server == "account" && row.Method == "GET")
            {
                using var key = JsonDocument.Parse(row.AccountAnswer);
                cluster.AccountServer.Tokens.Trust(key.RootElement.GetProperty("key").GetString()!);
            }
            else if (row.Server == "discovery" && row.Response is { } response)
            {
                if (row.ShortMethod == "GetByAppID")
                    Register(GetByAppIDRequest.Parser.ParseFrom(row.Request).AppId);
                else if (row.ShortMethod == "Get")
                    RegisterAll(Announcement.Parser.ParseFrom(response));
                else if (row.ShortMethod == "GetAll")
                    AnnouncementsResponse.Parser.ParseFrom(response).Services.ToList().ForEach(RegisterAll);
            }
            else if (row.Server == "handler" && row.Target.App is { Length: > 0 } app)
            {
                cluster.Handler.Store.AddApplication(app);
                if (row.Key is { } key && MissingRight().Match(row.Message) is { Success: true } missing)
                    missingRights.Add((app, AccountKey(key), missing.Groups["right"].Value));
            }
        }
        foreach (var row in rows.Where(row => row.Message.StartsWith("Application not registered", StringComparison.Ordinal)))
            cluster.Handler.Store.RemoveApplication(row.Target.App);
        // Tokens were signed with a key that only this row shows.
        cluster.AccountServer.Tokens.ChecksSignatures = rows.Any(row => row.Server == "account" && row.Method == "GET");
    }

    private void RegisterAll(Announcement announcement)
    {
        foreach (var metadata in announcement.Metadata)
            Register(metadata.AppId);
    }

    private void Register(string app) => cluster.Discovery.Register(app, cluster.Announcement.Id);

    /// <summary>Whether a call got as far as the application's devices.</summary>
    private static bool PassedTheGate(WireRow row) => row.Status == 0
        || row.Message.StartsWith("handler:device:", StringComparison.Ordinal)
        || row.Message.StartsWith("Broker ", StringComparison.Ordinal)
        || row.Message.StartsWith("Could not re-register", StringComparison.Ordinal)
        || row.Message.StartsWith("Device with AppEUI", StringComparison.Ordinal)
        || row.Message.StartsWith("Application already", StringComparison.Ordinal)
        || row.Message.Contains("ttribute", StringComparison.Ordinal);

    private async Task ScenarioAsync(List<WireRow> scenario)
    {
        List<(string App, string Key, int Status)> exchanges = [];
        var before = cluster.AccountServer.Exchanges.Count;
        var firstExchange = scenario.Find(row => row is { Server: "account", Method: "POST" });
        for (var i = 0; i < scenario.Count; i++)
        {
            var row = scenario[i];
            // Every call finds its buckets full unless the scenario is about rate limits.
            clock.Advance(TimeSpan.FromSeconds(1));
            switch (row.Server)
            {
                case "client":
                    Count(Kinds, "not a call: a run of the Go tool");
                    break;
                case "account" when row.Method == "GET":
                    Count(Kinds, "not a call: the account server's public key");
                    break;
                case "account":
                    Apply(row);
                    exchanges.Add((row.Exchange.App, row.Exchange.Key, row.Exchange.Status));
                    break;
                default:
                    before += PrimeKey(row);
                    Prepare(scenario, i);
                    await CompareAsync(row);
                    break;
            }
        }
        var done = cluster.AccountServer.Exchanges.Skip(before).Select(e => (e.Application, e.Key, e.Status)).ToList();
        foreach (var _ in exchanges)
            Count(Kinds, "compared: key exchange of the handler");
        if (firstExchange is not null && !done.SequenceEqual(exchanges))
            Problems[firstExchange.Number] = $"exchanges {string.Join(' ', done)} instead of {string.Join(' ', exchanges)}";
        else if (firstExchange is null && done.Count > 0)
            Problems[scenario[0].Number] = $"exchanges that were not recorded: {string.Join(' ', done)}";
    }

    /// <summary>Takes over what the account server answered.</summary>
    private void Apply(WireRow row)
    {
        var (app, key, status, body) = row.Exchange;
        if (cluster.Handler.HoldsToken(app, key))
        {
            cluster.Handler.ForgetToken(app, key);
            Count(Rules, "the handler was restarted: it asks again for a token it had");
        }
        known.Add((app, key));
        exchanged.Add((app, key));
        if (status != 200)
        {
            cluster.AccountServer.Set(app, key, new AccessKeyOutcome.Refuse(status, body));
            return;
        }
        using var json = JsonDocument.Parse(body);
        var said = json.RootElement.GetProperty("expires_in").GetInt64();
        var claims = TokenIssuer.Parse(json.RootElement.GetProperty("access_token").GetString()!);
        // The token itself tells when it was made, unless it was made to lie about that.
        var now = claims.Expires < claims.IssuedAt ? claims.IssuedAt : Math.Min(claims.IssuedAt, claims.Expires - said);
        clock.AdvanceTo(DateTimeOffset.FromUnixTimeSeconds(now));
        cluster.AccountServer.Set(app, key, new AccessKeyOutcome.Grant(claims.Rights.GetValueOrDefault(app) ?? [])
        {
            Subject = claims.Subject,
            Lifetime = TimeSpan.FromSeconds(claims.Expires - now),
            IssuedIn = TimeSpan.FromSeconds(claims.IssuedAt - now),
            SaidLifetime = TimeSpan.FromSeconds(said),
        });
    }

    /// <summary>A key that is used without an exchange on record is one the handler holds a token for. Gives the exchanges this needs.</summary>
    private int PrimeKey(WireRow row)
    {
        cluster.AccountServer.Unreachable = null;
        if (row.Token is { } token)
        {
            if (token.Count(c => c == '.') == 2)
                clock.AdvanceTo(DateTimeOffset.FromUnixTimeSeconds(TokenIssuer.Parse(token).IssuedAt));
            return 0;
        }
        if (row.Server != "handler" || row.Key is not { } key || row.Target.App is not { Length: > 0 } app)
            return 0;
        if (row.Message.StartsWith("Post \"", StringComparison.Ordinal))
        {
            cluster.Handler.ForgetToken(app, key);
            cluster.AccountServer.Unreachable = row.Message;
            Count(Rules, "the account server is down");
            return 0;
        }
        if (exchanged.Remove((app, AccountKey(key))) || !PassedAuthentication(row) || cluster.Handler.HoldsToken(app, key))
            return 0;
        if (known.Add((app, AccountKey(key))))
        {
            var rights = AccountServer.AllRights.Where(right => !missingRights.Contains((app, AccountKey(key), right)));
            cluster.AccountServer.Set(app, key, new AccessKeyOutcome.Grant([.. rights]) { Lifetime = TimeSpan.FromDays(1) });
        }
        cluster.Handler.CacheToken(app, key);
        Count(Rules, "the handler holds a token that it got before the recording");
        return 1;
    }

    private static string AccountKey(string key) => key.Count(c => c == '.') == 1 ? key : $"{TokenIssuer.Issuer}.{key}";

    /// <summary>Whether the account server must have given a token for the call's key.</summary>
    private static bool PassedAuthentication(WireRow row) => PassedTheGate(row)
        || row.IsRateLimited
        || row.Message.StartsWith("permission denied: No", StringComparison.Ordinal)
        || row.Message.StartsWith("Application not registered", StringComparison.Ordinal)
        || row.Message.StartsWith("strconv", StringComparison.Ordinal);

    /// <summary>Puts in place what the recording does not show.</summary>
    private void Prepare(List<WireRow> scenario, int index)
    {
        var row = scenario[index];
        cluster.Broker.Unreachable = null;
        cluster.NetworkServer.Unreachable = null;
        if (row.Server != "handler")
            return;
        if (Outage().Match(row.Message) is { Success: true } outage)
        {
            var text = outage.Groups["text"].Value;
            if (outage.Groups["ns"].Success)
                cluster.NetworkServer.Unreachable = text;
            else
                cluster.Broker.Unreachable = text;
            Count(Rules, outage.Groups["ns"].Success ? "the network server is down" : "the broker is down");
        }
        var (app, id) = row.Target;
        switch (row.ShortMethod)
        {
            case "GetDevice" when row.Status == 0:
                PrepareGet(app, id, Device.Parser.ParseFrom(row.Response));
                break;
            case "GetDevice" or "DeleteDevice" when row.Status == 5 && row.Message.StartsWith("handler:device:", StringComparison.Ordinal):
                if (cluster.Device(app, id) is not null && !written.Contains((app, id)))
                    Forget(app, id, "a device was deleted between scenarios");
                break;
            case "GetDevice" or "DeleteDevice" when row.Message.StartsWith("Broker ", StringComparison.Ordinal) || row is { ShortMethod: "DeleteDevice", Status: 0 }:
                if (cluster.Device(app, id) is null)
                    AddUnseen(app, id, EuisOfLaterSet(scenario, index));
                PrepareOwner(row, app, id);
                break;
            case "GetDevicesForApplication" when row.Status == 0:
                PrepareList(row, app);
                break;
            case "SetDevice":
                PrepareSet(scenario, index, app, id);
                break;
            case "GetApplication" when row.Status == 0:
                cluster.Handler.Configure(Application.Parser.ParseFrom(row.Response));
                break;
        }
    }

    private void PrepareGet(string app, string id, Device answer)
    {
        var stored = cluster.Device(app, id);
        if (stored is null && !written.Contains((app, id)))
        {
            cluster.Add(answer);
            Count(Rules, "a device registered before the recording is taken from its first answer");
            return;
        }
        if (stored is null || SameRead(stored, answer))
            return;
        var lost = stored.Clone();
        lost.LorawanDevice.FCntUp = lost.LorawanDevice.FCntDown = 0;
        lost.LorawanDevice.LastSeen = 0;
        if (SameRead(lost, answer))
        {
            cluster.NetworkServer.Lose(cluster.Handler.Store.Find(app, id)!.Euis);
            Count(Rules, "the network server lost a record");
        }
        else if (!written.Contains((app, id)))
        {
            Forget(app, id, null);
            cluster.Add(answer);
            Count(Rules, SameButCounters(stored, answer)
                ? "a device sent uplinks between scenarios"
                : "a device was changed between scenarios");
        }
    }

    private static bool SameRead(Device a, Device b) => a.Equals(b);

    private static bool SameButCounters(Device a, Device b)
    {
        var (x, y) = (a.Clone(), b.Clone());
        foreach (var each in new[] { x, y })
        {
            each.LorawanDevice.FCntUp = each.LorawanDevice.FCntDown = 0;
            each.LorawanDevice.LastSeen = 0;
        }
        return x.Equals(y);
    }

    private void PrepareList(WireRow row, string app)
    {
        var total = int.Parse(row.Header("total") ?? "0", CultureInfo.InvariantCulture);
        var offset = row.Metadata.Where(m => m.Key == "offset").Select(m => int.Parse(m.Value, CultureInfo.InvariantCulture)).FirstOrDefault();
        if (row.Response is not { } response)
        {
            FillByBytes(app, total, row.ResponseBytes ?? 0);
            return;
        }
        foreach (var device in DeviceList.Parser.ParseFrom(response).Devices)
        {
            var stored = cluster.Device(app, device.DevId);
            if (written.Contains((app, device.DevId)) || (stored is not null && SameButCounters(stored, device)))
                continue;
            if (stored is not null)
                Forget(app, device.DevId, null);
            cluster.Add(device);
            Count(Rules, stored is null
                ? "a device registered before the recording is taken from its first answer"
                : "a device was changed between scenarios");
        }
        FillPage(app, offset, total, [.. DeviceList.Parser.ParseFrom(response).Devices.Select(d => d.DevId)]);
    }

    /// <summary>A page tells its own devices and the total; the devices of other pages that no row shows are filled in.</summary>
    private void FillPage(string app, int offset, int total, string[] page)
    {
        foreach (var filler in fillers.Where(f => f.StartsWith(app + "/", StringComparison.Ordinal)).ToList())
        {
            Forget(app, filler[(app.Length + 1)..], null);
            fillers.Remove(filler);
        }
        var ids = cluster.Devices(app).Select(d => d.DevId).ToList();
        if (page.Length > 0)
        {
            var inside = ids.Where(id => string.CompareOrdinal(id, page[0]) >= 0 && string.CompareOrdinal(id, page[^1]) <= 0).Except(page, StringComparer.Ordinal);
            // On the last page nothing may follow, on the first nothing may precede.
            var outside = ids.Where(id => (offset == 0 && string.CompareOrdinal(id, page[0]) < 0)
                || (offset + page.Length >= total && string.CompareOrdinal(id, page[^1]) > 0));
            foreach (var id in inside.Concat(outside).Where(id => !written.Contains((app, id))).ToList())
            {
                Forget(app, id, "a device was deleted between scenarios");
                ids.Remove(id);
            }
        }
        var first = page.Length > 0 ? page[0] : "\uFFFF";
        var last = page.Length > 0 ? page[^1] : "\uFFFF";
        var before = ids.Count(id => string.CompareOrdinal(id, first) < 0);
        var after = ids.Count(id => string.CompareOrdinal(id, last) > 0);
        Fill(app, "0-", (page.Length > 0 ? offset : total) - before);
        Fill(app, "zzz-", page.Length > 0 ? total - offset - page.Length - after : 0);
    }

    private void Fill(string app, string prefix, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var id = $"{prefix}filler-{i:D5}";
            AddUnseen(app, id, null);
            fillers.Add($"{app}/{id}");
        }
    }

    /// <summary>A list that was too long to be recorded: as many devices of the same size.</summary>
    private void FillByBytes(string app, int total, int bytes)
    {
        for (var i = cluster.Devices(app).Count; i < total; i++)
            cluster.Add(Unseen(app, $"dev-{i:D5}", null, i));
        var entry = bytes / total;
        var one = new DeviceList { Devices = { cluster.Handler.Store.List(app, 1).Page[0].ToMessage(counters: null) } }.CalculateSize();
        // A description of n bytes takes n + 3 bytes.
        var padding = entry - one - 3;
        if (bytes % total == 0 && padding >= 0)
        {
            foreach (var device in cluster.Handler.Store.List(app).Page)
                cluster.Handler.Store.Put(device with { Description = new string('x', padding) });
        }
        Count(Rules, "a list that was not recorded is filled with devices of the same size");
    }

    private void PrepareSet(List<WireRow> scenario, int index, string app, string id)
    {
        var row = scenario[index];
        Device set;
        try
        {
            set = Device.Parser.ParseFrom(row.Request);
        }
        catch (InvalidProtocolBufferException)
        {
            return;
        }
        if (set.LorawanDevice is not { } lorawan || cluster.Handler.Store.HasApplication(app) is false)
            return;
        var euis = new StoredDevice { AppId = app, DevId = id }.After(set).Euis;
        var stored = cluster.Handler.Store.Find(app, id);
        if (row.Status == 6)
        {
            if (stored is not null)
                Forget(app, id, "a device was deleted between scenarios");
            if (cluster.Handler.Store.FindByEuis(app, euis) is null)
                AddUnseen(app, "filler-same-euis", euis);
        }
        else if (row.Message.StartsWith("Broker did not delete device: NetworkServer did not delete device: ns:device:", StringComparison.Ordinal))
        {
            var parts = row.Message.Split(':', ' ');
            var at = Array.IndexOf(parts, "device", Array.LastIndexOf(parts, "ns"));
            var missing = new EuiPair(FromHex(parts[at + 1]), FromHex(parts[at + 2]));
            if (stored is null)
                AddUnseen(app, id, missing);
            cluster.NetworkServer.Lose(missing);
            Count(Rules, "the network server lost a record");
        }
        else if (row.Status == 7)
        {
            PrepareOwner(row, app, id, euis);
        }
        else if (row.Status == 0)
        {
            var absent = !lorawan.HasAppKey || !lorawan.HasAppSKey || !lorawan.HasNwkSKey || !lorawan.HasDevAddr;
            var later = scenario.Skip(index + 1).FirstOrDefault(next => next.Target == (app, id));
            if (stored is null && absent && !written.Contains((app, id)) && later is { ShortMethod: "GetDevice", Status: 0 })
            {
                // Keys that a Set leaves out are kept, so the answer after it shows what was there before.
                cluster.Add(Device.Parser.ParseFrom(later.Response));
                Count(Rules, "a device registered before the recording is taken from its first answer");
            }
            else if (stored is null && cluster.Handler.Store.FindByEuis(app, euis) is { } twin && !written.Contains((app, twin.DevId)))
            {
                Forget(app, twin.DevId, "a device was deleted between scenarios");
            }
            if (cluster.NetworkServer.Find(euis) is { } record && record.AppId != app)
            {
                cluster.NetworkServer.Lose(euis);
                Count(Rules, "the network server lost a record");
            }
            written.Add((app, id));
        }
    }

    /// <summary>Makes the application an error names the owner of the device's record at the network server.</summary>
    private void PrepareOwner(WireRow row, string app, string id, EuiPair? euis = null)
    {
        if (!row.Message.StartsWith("Broker ", StringComparison.Ordinal) || Owner().Match(row.Message) is not { Success: true } owner)
            return;
        var pair = euis ?? cluster.Handler.Store.Find(app, id)!.Euis;
        if (cluster.NetworkServer.Find(pair)?.AppId == owner.Groups["app"].Value)
            return;
        cluster.NetworkServer.Put(pair, new NetworkServerRecord { AppId = owner.Groups["app"].Value, DevId = "unseen" });
        Count(Rules, "another application owns the network server's record");
    }

    private static EuiPair? EuisOfLaterSet(List<WireRow> scenario, int index)
    {
        var set = scenario.Skip(index + 1).FirstOrDefault(row => row.ShortMethod == "SetDevice" && row.Target == scenario[index].Target);
        return set is null ? null : new StoredDevice { AppId = "", DevId = "" }.After(Device.Parser.ParseFrom(set.Request)).Euis;
    }

    private void AddUnseen(string app, string id, EuiPair? euis)
    {
        cluster.Add(Unseen(app, id, euis, id.GetHashCode(StringComparison.Ordinal)), onNetworkServer: euis is null);
        Count(Rules, "a device that no row shows must exist");
    }

    private static Device Unseen(string app, string id, EuiPair? euis, int number) => new()
    {
        AppId = app,
        DevId = id,
        LorawanDevice = new()
        {
            AppId = app,
            DevId = id,
            AppEui = euis?.AppEui ?? FromHex("70B3D57EF0000099"),
            DevEui = euis?.DevEui ?? ByteString.CopyFrom(BitConverter.GetBytes(0x0101_0101_0000_0000UL | (uint)number)),
        },
    };

    private static ByteString FromHex(string hex) => ByteString.CopyFrom(Convert.FromHexString(hex));

    private void Forget(string app, string id, string? rule)
    {
        if (cluster.Handler.Store.Find(app, id) is { } device && cluster.NetworkServer.Find(device.Euis)?.AppId == app)
            cluster.NetworkServer.Lose(device.Euis);
        cluster.Handler.Store.Remove(app, id);
        if (rule is not null)
            Count(Rules, rule);
    }

    private async Task CompareAsync(WireRow row)
    {
        if (row.ProxyError is { } unreachable)
        {
            await CompareFailureAsync(row, unreachable);
            return;
        }
        var answer = await SendAsync(row);
        Count(Kinds, $"compared: {row.Server} {row.ShortMethod}");
        if (Difference(row, answer) is { } problem)
            Problems[row.Number] = problem;
    }

    private Task<RawAnswer> SendAsync(WireRow row, CancellationToken cancellation = default)
    {
        (string Key, string Value)[] metadata = [.. row.Metadata];
        return row.Server == "handler" && metadata.DistinctBy(pair => pair.Key).Count() < metadata.Length
            ? RawHttp2.CallAsync(cluster.HandlerAddress, cluster.HandlerCertificatePem, row.Method, row.Request, metadata)
            : (row.Server == "discovery" ? discovery : handler).CallAsync(row.Method, row.Request, metadata, cancellation);
    }

    /// <summary>The recording proxy could not reach the handler, or the client gave up waiting.</summary>
    private async Task CompareFailureAsync(WireRow row, string reason)
    {
        Count(Kinds, $"compared: {row.Server} does not answer");
        if (reason.Contains("refused", StringComparison.Ordinal))
        {
            await cluster.StopHandlerAsync();
            try
            {
                await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(row));
            }
            finally
            {
                await cluster.StartHandlerAsync();
            }
        }
        else
        {
            cluster.Faults.Add(row.Method, new Fault.Hang());
            using var impatience = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SendAsync(row, impatience.Token));
            cluster.Faults.Clear();
        }
    }

    private static string? Difference(WireRow row, RawAnswer answer)
    {
        if (answer.Status != row.Status)
            return $"{row}: status {answer.Status} \"{answer.Message}\" instead of {row.Status} \"{row.Message}\"";
        if (WireRow.Masked(answer.Message) != WireRow.Masked(row.Message))
            return $"{row}: message \"{answer.Message}\" instead of \"{row.Message}\"";
        if (answer.TrailersOnly != row.TrailersOnly)
            return $"{row}: trailers-only {answer.TrailersOnly}";
        foreach (var header in new[] { "total", "selected", "content-type" })
        {
            if (answer.Headers.GetValueOrDefault(header) != row.Header(header))
                return $"{row}: header {header} is {answer.Headers.GetValueOrDefault(header)} instead of {row.Header(header)}";
        }
        if (row.ResponseBytes is { } bytes)
            return answer.Response?.Length == bytes ? null : $"{row}: {answer.Response?.Length} bytes instead of {bytes}";
        if (row.Response is not { } expected)
            return answer.Response is null ? null : $"{row}: a message that is not on record";
        if (answer.Response is not { } actual)
            return $"{row}: no message";
        return row.ShortMethod switch
        {
            "GetDevice" => Difference(row, Device.Parser.ParseFrom(expected), Device.Parser.ParseFrom(actual)),
            "GetDevicesForApplication" => Difference(row, DeviceList.Parser.ParseFrom(expected), DeviceList.Parser.ParseFrom(actual)),
            "GetByAppID" or "Get" => Difference(row, Masked(Announcement.Parser.ParseFrom(expected)), Masked(Announcement.Parser.ParseFrom(actual))),
            "GetAll" => Difference(row, Masked(AnnouncementsResponse.Parser.ParseFrom(expected)), Masked(AnnouncementsResponse.Parser.ParseFrom(actual))),
            _ => expected.AsSpan().SequenceEqual(actual) ? null : $"{row}: {Convert.ToHexString(actual)} instead of {Convert.ToHexString(expected)}",
        };
    }

    private static string? Difference<T>(WireRow row, T expected, T actual)
        where T : IMessage<T> =>
        !expected.Equals(actual) ? $"{row}: {actual} instead of {expected}"
        // Equality does not see whether a key is absent or empty; the size does.
        : expected.CalculateSize() != actual.CalculateSize() ? $"{row}: equal messages, but {actual.CalculateSize()} bytes instead of {expected.CalculateSize()}"
        : null;

    /// <summary>An announcement without port, certificate and key, which are new at every start.</summary>
    private static Announcement Masked(Announcement announcement)
    {
        announcement.NetAddress = WireRow.Masked(announcement.NetAddress);
        announcement.ApiAddress = WireRow.Masked(announcement.ApiAddress);
        announcement.Certificate = announcement.Certificate.Length > 0 ? announcement.Certificate.Split('\n')[0] : "";
        announcement.PublicKey = announcement.PublicKey.Length > 0 ? announcement.PublicKey.Split('\n')[0] : "";
        return announcement;
    }

    private static AnnouncementsResponse Masked(AnnouncementsResponse response)
    {
        foreach (var service in response.Services)
            Masked(service);
        return response;
    }

    [GeneratedRegex("^(?:Broker did not [a-z]+ device|Could not re-register missing device to Broker): unavailable: (?<ns>NetworkServer did not [a-z]+ device: unavailable: )?(?<text>.*)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Outage();

    [GeneratedRegex("No \"devices\" rights to Application \"(?<app>[^\"]*)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Owner();

    [GeneratedRegex("^permission denied: No \"(?<right>[^\"]*)\" rights", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MissingRight();
}
