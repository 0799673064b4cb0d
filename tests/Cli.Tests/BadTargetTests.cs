using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;
using Rpc.Tests.Servers;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace Cli.Tests;

/// <summary>
/// What the user reads when a The Things Stack cannot be used: each mistake and each breakdown against each command that talks to one, with
/// everything that is printed up to the summary, and the exit code (BadTargets.txt). The clock stands still unless a case moves it: a command
/// that tried again and again would never end.
/// </summary>
public sealed partial class BadTargetTests : IAsyncLifetime, IDisposable
{
    private const string App = "my-app";

    private static readonly string[] Commands = ["import", "verify", "tts"];
    private static readonly Lazy<Dictionary<(string Case, string Command), string>> Expected = new(ReadTable);

    private readonly TemporaryFolder folder = new();
    private readonly PausingClock clock = new(new DateTimeOffset(2026, 11, 24, 20, 0, 0, TimeSpan.Zero));
    private readonly List<IAsyncDisposable> servers = [];
    private readonly Dictionary<string, byte[]> files = [];
    private readonly Dictionary<string, string> variables = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> names = new(StringComparer.Ordinal);
    private string application = App;

    /// <summary>Ends when the clock is to move on by <see cref="patience"/>; null when it stands still.</summary>
    private Func<Task>? heard;
    private TimeSpan patience;
    private TtsCluster cluster = null!;
    private string key = "";
    private string address = "";

    public async Task InitializeAsync()
    {
        cluster = await TtsCluster.StartAsync(new TtsClusterOptions { Clock = clock });
        key = cluster.AddApplication(App);
        address = cluster.Address;
        servers.Add(cluster);
    }

    public async Task DisposeAsync()
    {
        foreach (var server in servers)
            await server.DisposeAsync();
    }

    public void Dispose() => folder.Dispose();

    /// <summary>How a case changes the world; gives more words of the command line.</summary>
    private delegate Task<string[]> Setup(BadTargetTests world);

    private static readonly Dictionary<string, Setup> Cases = new()
    {
        ["no key"] = w => w.WithKey(""),
        ["unknown key"] = w => w.WithKey("NNSXS.AAAA.BBBB"),
        ["wrong secret"] = w => w.WithKey(w.key[..^4] + "AAAA"),
        ["expired key"] = w =>
        {
            w.cluster.AddApiKey(App, "NNSXS.OLD.SECRET", "old", [], w.clock.GetUtcNow().AddDays(-1));
            return w.WithKey("NNSXS.OLD.SECRET");
        },
        ["user name for a key"] = w => w.WithKey("admin"),
        ["half a key"] = w => w.WithKey("NNSXS.AAAA"),
        ["token of another kind"] = w => w.WithKey("XXXXX.AAAA.BBBB"),
        ["key of another application"] = w => w.WithKey(w.cluster.AddApplication("other-app")),
        ["key that may only read traffic"] = w => w.WithKey(w.cluster.AddApiKey(App, Right.ApplicationTrafficRead)),
        ["key that may only read devices"] = w => w.WithKey(w.cluster.AddApiKey(App, Right.ApplicationDevicesRead)),
        ["key that may only write devices"] = w => w.WithKey(w.cluster.AddApiKey(App, Right.ApplicationDevicesWrite, Right.ApplicationDevicesWriteKeys)),
        ["no such application"] = w =>
        {
            w.application = "no-such-app";
            return Words("--insecure");
        },
        ["admin, no such application"] = w =>
        {
            w.application = "no-such-app";
            return w.WithKey(w.cluster.AddAdminKey());
        },
        ["TLS to the plaintext port"] = w => w.WithAuthority(),
        ["plaintext to the TLS port"] = w =>
        {
            w.address = w.cluster.TlsAddress;
            return Words("--insecure");
        },
        ["firewall, TLS"] = w => w.Swallow(),
        ["firewall, plaintext"] = w => w.Swallow("--insecure"),
        ["gRPC server that never answers"] = w =>
        {
            var called = new TaskCompletionSource();
            w.cluster.Faults.Add("*", new Fault.Run(call =>
            {
                called.TrySetResult();
                return Task.Delay(Timeout.Infinite, call.Cancellation);
            }));
            w.heard = () => called.Task;
            w.patience = TimeSpan.FromSeconds(9);
            return Words("--insecure");
        },
        ["connection refused"] = async w =>
        {
            await using (var server = new TcpServer((_, _) => Task.CompletedTask))
                w.address = server.Address.ToString();
            return ["--insecure"];
        },
        ["unknown host"] = w =>
        {
            w.address = "tts.example.invalid:8884";
            return Words();
        },
        ["address without port"] = w =>
        {
            w.address = "tts.example.com";
            return Words();
        },
        ["address of the Console"] = w =>
        {
            w.address = "https://tts.example.com/console";
            return Words();
        },
        ["unknown authority"] = async w =>
        {
            await w.Web(Certificates.Leaf);
            return [];
        },
        ["certificate for another name"] = w => w.Web(Certificates.WrongName),
        ["expired certificate"] = w =>
        {
            w.clock.SetUtcNow(new DateTimeOffset(2040, 1, 2, 3, 4, 0, TimeSpan.Zero));
            return w.Web(Certificates.Leaf);
        },
        ["CA file that is not there"] = w => Words("--ca-file", "/no/such/file.pem"),
        ["CA file that is none"] = w => Words("--ca-file", w.File("ca.pem", "hello")),
        ["Console port without TLS"] = w => w.Web(null, HttpProtocols.Http1),
        ["Console port with TLS, HTTP/1"] = w => w.Web(Certificates.Leaf, HttpProtocols.Http1),
        ["Console port with TLS, HTTP/2"] = w => w.Web(Certificates.Leaf),
        ["proxy page 502"] = w => w.Web(Certificates.Leaf, status: 502, page: "<html><head><title>502 Bad Gateway</title></head></html>"),
        ["proxy page 403"] = w => w.Web(Certificates.Leaf, status: 403, page: "<html><head><title>Access denied by policy</title></head></html>"),
        ["redirect"] = w => w.Web(Certificates.Leaf, status: 302, page: ""),
        ["proxy that refuses"] = w => w.Proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
        ["proxy that is none"] = w => w.Proxy("SSH-2.0-OpenSSH_9.6\r\n"),
        ["network server at the application server's address"] = w => w.Four(c => c.ApplicationServerAddress, "network"),
        ["application server refused"] = w => w.Four(_ => "localhost:1", "application"),
        ["join server is absent there"] = w => w.Four(c => c.NetworkServerAddress, "join"),
        ["identity server at the network server's address"] = w => w.Four(c => c.NetworkServerAddress, "identity"),
        ["older: no AuthInfo"] = w => w.Without("EntityAccess/AuthInfo"),
        ["older: no ListRights"] = w => w.Without("ApplicationAccess/ListRights"),
        ["older: no DevAddr prefixes"] = w => w.Without("Ns/GetDeviceAddressPrefixes"),
        ["older: no default JoinEUI"] = w => w.Without("Js/GetDefaultJoinEUI"),
        ["older: no list of plans"] = w => w.Without("Configuration/ListFrequencyPlans"),
        ["older: no batch"] = w => w.Without("EndDeviceBatchRegistry/Get"),
        ["older: paths of the Network Server"] = w => w.Older("mac_settings", "mac_settings.rx1_delay", "mac_settings.rx1_delay.value"),
        ["older: paths of the Identity Server"] = w => w.Older("attributes"),
        ["older: session"] = w => w.Older("session.keys.f_nwk_s_int_key.key", "session", "session.dev_addr"),
        ["database down"] = w => w.Always(new Fault.Fail(GrpcCode.Unavailable, "error:pkg/util/store:database_unavailable (database unavailable)")),
        ["always refused for load"] = w => w.Always(new Fault.Fail(GrpcCode.ResourceExhausted, "slow down")),
        ["server panics"] = w => w.Always(new Fault.Fail(GrpcCode.Internal, "error:pkg/rpcmiddleware/rpclog:rpc_recovered (Internal Server Error)")),
        ["answer without trailers"] = w => w.Always(new Fault.NoTrailers()),
    };

    public static TheoryData<string, string> CasesAndCommands()
    {
        var data = new TheoryData<string, string>();
        foreach (var name in Cases.Keys)
        {
            foreach (var command in Commands)
                data.Add(name, command);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(CasesAndCommands))]
    public async Task What_is_wrong_is_named_with_the_server_the_cause_and_the_remedy(string name, string command)
    {
        var (exitCode, text) = await RunAsync(Cases[name], command);
        Assert.Equal(Expected.Value.GetValueOrDefault((name, command)), $"exit code {exitCode.ToString(CultureInfo.InvariantCulture)}\n{text}");
    }

    [Fact]
    public void Every_expected_text_belongs_to_a_case() =>
        Assert.Equal([], Expected.Value.Keys.Where(key => !Cases.ContainsKey(key.Case) || !Commands.Contains(key.Command)));

    /// <summary>Reads the table: <c>== case</c>, then <c>-- command exit code, command exit code</c> before each text.</summary>
    private static Dictionary<(string Case, string Command), string> ReadTable()
    {
        var table = new Dictionary<(string, string), string>();
        var name = "";
        var commands = Array.Empty<string>();
        var text = new List<string>();
        foreach (var line in System.IO.File.ReadLines(Path.Combine(AppContext.BaseDirectory, "BadTargets.txt")).Append("== end"))
        {
            if (!line.StartsWith("== ", StringComparison.Ordinal) && !line.StartsWith("-- ", StringComparison.Ordinal))
            {
                text.Add(line);
                continue;
            }
            foreach (var command in commands)
                table.Add((name, command.Split(' ')[0]), $"exit code {command.Split(' ')[1]}\n{string.Join('\n', text).TrimEnd('\n')}");
            text.Clear();
            commands = line.StartsWith("-- ", StringComparison.Ordinal) ? line[3..].Split(", ") : [];
            if (commands.Length == 0)
                name = line[3..];
        }
        return table;
    }

    private async Task<(int ExitCode, string Text)> RunAsync(Setup setup, string command)
    {
        cluster.Put(Device(1));
        var words = await setup(this);
        if (key.Length > 0)
            variables["TTS_APP_API_KEY"] = key;
        string[] line = command switch
        {
            "import" => ["import", "-", "--application-id", application, "--default-grpc-address", address, .. words],
            "verify" => ["verify", "-", "--application-id", application, "--default-grpc-address", address, .. words],
            _ => ["tts", "application", application, "--app-id", application, "--default-grpc-address", address, "--dry-run", .. words],
        };
        var run = new CliRun(line)
        {
            Clock = clock,
            Variables = variables,
            Files = files,
            Input = [.. TtsJson.WriteBytes(Device(command == "import" ? (byte)2 : (byte)1)), (byte)'\n'],
        }.RunAsync();
        if (heard is not null)
        {
            await await Task.WhenAny(heard(), run);
            clock.Advance(patience);
        }
        // A command that waits for a clock that stands still has tried again where it should not.
        var result = await run.WaitAsync(TimeSpan.FromMinutes(2));
        return (result.ExitCode, Shown(command == "tts" ? result.Error : string.Concat(result.Output.Split('\n').Skip(1).Select(row => row + "\n")) + result.Error));
    }

    /// <summary>What is printed before the summary, with names for what differs from run to run.</summary>
    private string Shown(string text)
    {
        var summary = text.IndexOf("Summary", StringComparison.Ordinal);
        text = (summary < 0 ? text : text[..summary]).TrimEnd('\n').Replace(folder.Path, "FOLDER", StringComparison.Ordinal);
        foreach (var (name, server) in names)
            text = text.Replace(server, name, StringComparison.Ordinal);
        text = text.Replace(address, "SERVER", StringComparison.Ordinal);
        // The resolver of a computer without a network says something else about a host that does not exist.
        text = text.Replace("the host name cannot be resolved now", "no such host", StringComparison.Ordinal)
            .Replace("Check the network and the name servers of this computer.", "Check the spelling of the host name.", StringComparison.Ordinal);
        return CorrelationId().Replace(text, "correlation_id=ID");
    }

    [GeneratedRegex("correlation_id=[0-9a-f]{32}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CorrelationId();

    private static Task<string[]> Words(params string[] words) => Task.FromResult(words);

    private Task<string[]> WithKey(string other)
    {
        key = other;
        return Words("--insecure");
    }

    private Task<string[]> WithAuthority() => Words("--ca-file", File("ca.pem", cluster.CaCertificatePem));

    private string File(string name, string text)
    {
        var path = Path.Combine(folder.Path, name);
        System.IO.File.WriteAllText(path, text);
        files[path] = Encoding.UTF8.GetBytes(text);
        return path;
    }

    private Task<string[]> Swallow(params string[] words)
    {
        var spoken = new TaskCompletionSource();
        var server = TcpServer.Silent(spoken);
        servers.Add(server);
        address = server.Address.ToString();
        heard = () => spoken.Task;
        patience = TimeSpan.FromSeconds(8);
        return Words(words);
    }

    private async Task<string[]> Web(X509Certificate2? certificate, HttpProtocols protocols = HttpProtocols.Http2, int status = 200, string page = "<html><head><title>The Things Stack</title></head></html>")
    {
        var server = await WebServer.StartAsync(
            async context =>
            {
                context.Response.StatusCode = status;
                context.Response.ContentType = "text/html";
                if (status == 302)
                    context.Response.Headers.Location = "https://login.example.com/";
                await context.Response.WriteAsync(page);
            },
            certificate,
            protocols);
        servers.Add(server);
        address = server.Address.ToString();
        return certificate is null ? ["--insecure"] : ["--ca-file", File("ca.pem", Certificates.Authority.ExportCertificatePem())];
    }

    private Task<string[]> Proxy(string answer)
    {
        var server = TcpServer.Saying(Encoding.ASCII.GetBytes(answer));
        servers.Add(server);
        names["PROXY"] = server.Address.ToString();
        variables["HTTPS_PROXY"] = "http://" + server.Address;
        address = "eu1.cloud.thethings.network:8884";
        return Words();
    }

    private async Task<string[]> Four(Func<TtsCluster, string> wrong, string which)
    {
        cluster = await TtsCluster.StartAsync(new TtsClusterOptions { Clock = clock, FourListeners = true });
        servers.Add(cluster);
        key = cluster.AddApplication(App);
        cluster.Put(Device(1));
        names["IDENTITY"] = cluster.Address;
        names["NETWORK"] = cluster.NetworkServerAddress;
        names["APPLICATION"] = cluster.ApplicationServerAddress;
        names["JOIN"] = cluster.JoinServerAddress;
        string At(string name, string right) => name == which ? wrong(cluster) : right;
        return
        [
            "--insecure",
            "--identity-server-grpc-address", At("identity", cluster.Address), "--network-server-grpc-address", At("network", cluster.NetworkServerAddress),
            "--application-server-grpc-address", At("application", cluster.ApplicationServerAddress), "--join-server-grpc-address", At("join", cluster.JoinServerAddress),
        ];
    }

    private Task<string[]> Without(string method)
    {
        cluster.Faults.Add(method, new Fault.Fail(GrpcCode.Unimplemented, $"unknown method {method.Split('/')[1]} for service ttn.lorawan.v3.{method.Split('/')[0]}"));
        return Words("--insecure");
    }

    private Task<string[]> Always(Fault fault)
    {
        cluster.Faults.Add("*", fault);
        clock.PausesPass = true;
        return Words("--insecure");
    }

    private async Task<string[]> Older(params string[] paths)
    {
        cluster = await TtsCluster.StartAsync(new TtsClusterOptions { Clock = clock, RefusedPaths = paths });
        servers.Add(cluster);
        key = cluster.AddApplication(App);
        cluster.Put(Device(1));
        address = cluster.Address;
        return ["--insecure"];
    }

    /// <summary>Stands still, or lets pauses between attempts pass at once; the time for a connection or an answer does not pass by itself.</summary>
    private sealed class PausingClock(DateTimeOffset now) : FakeTimeProvider(now)
    {
        private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

        public bool PausesPass { get; set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            if (PausesPass && state is not CancellationTokenSource && dueTime > TimeSpan.Zero && dueTime <= LongestPause)
                ThreadPool.QueueUserWorkItem(_ => Advance(dueTime));
            return timer;
        }
    }

    private static EndDevice Device(byte number) => new()
    {
        Ids = new EndDeviceIdentifiers
        {
            ApplicationIds = new ApplicationIdentifiers { ApplicationId = App },
            DeviceId = $"meter-{number}",
            DevEui = ByteString.CopyFrom(0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, number),
            JoinEui = ByteString.CopyFrom(0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, 0),
        },
        Name = "Meter",
        SerialNumber = "sn-1",
        SupportsJoin = true,
        LorawanVersion = MACVersion.MacV103,
        LorawanPhyVersion = PHYVersion.PhyV103RevA,
        FrequencyPlanId = "EU_863_870_TTN",
        MacSettings = new MACSettings { Rx1Delay = new RxDelayValue { Value = RxDelay._5 } },
        RootKeys = new RootKeys { AppKey = new KeyEnvelope { Key = ByteString.CopyFrom(Enumerable.Repeat((byte)0x11, 16).ToArray()) } },
    };
}
