using System.Text;
using Sandbox.TheThingsStack;
using Sandbox.TtnV2;
using Testing;

namespace Cli.Tests;

/// <summary>
/// The commands in README and docs do what the text around them says: each is run against the emulated networks, ends with 0 and prints no key.
/// A block that cannot be run says so and why, <c>```bash not run here: REASON</c>, and is counted here.
/// </summary>
public sealed class DocumentTests
{
    private const string V2Key = "ttn-account-v2.xxxx";
    private const string StackKey = "NNSXS.XXXX.XXXX";
    private const string Stack = "eu1.cloud.thethings.network:8884";
    private const string Export = "ttn-lw-migrate ttnv2 application my-app > devices.json\n";
    private const string ExportWithJournal = "ttn-lw-migrate ttnv2 application my-app --journal my-app.journal > devices.json\n";
    private const string Import = "ttn-lw-migrate import devices.json --application-id my-app --default-grpc-address " + Stack;
    private const string SetStackKey = "export TTS_APP_API_KEY=" + StackKey + "\n";

    private static readonly string[] Ids = ["meter-0001", "meter-0002", "meter-0003"];

    /// <summary>What the reader of a page has done before; a page that is not here is read first.</summary>
    private static readonly Dictionary<string, string> Before = new(StringComparer.Ordinal)
    {
        ["docs/tasks/resume.md"] = Export,
        ["docs/tasks/retire.md"] = Export,
        ["docs/tasks/rollback.md"] = Export,
        ["docs/tasks/import.md"] = Export,
        ["docs/tasks/verify.md"] = ExportWithJournal + SetStackKey + Import + " --journal my-app.journal\n",
    };

    /// <summary>Pages with blocks that are marked as not run, and how many.</summary>
    private static readonly Dictionary<string, int> NotRun = new(StringComparer.Ordinal)
    {
        ["README.md"] = 1,
        ["docs/tasks/guide.md"] = 1,
        ["docs/tasks/straight-through.md"] = 1,
    };

    /// <summary>README and every page about a task or a source.</summary>
    public static TheoryData<string> Documents => new(
        new[] { "docs/tasks", "docs/sources" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Testing.Golden.RepositoryRoot, folder), "*.md").Select(file => $"{folder}/{Path.GetFileName(file)}"))
            .Prepend("README.md").Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task Every_command_of_the_document_works_as_typed(string document)
    {
        await using var world = await World.StartAsync(fillStack: document == "docs/sources/tts.md");
        await world.Shell.RunAsync(Before.GetValueOrDefault(document, ""));
        var text = await File.ReadAllTextAsync(Path.Combine(Testing.Golden.RepositoryRoot, document));
        var (run, notRun) = (0, 0);
        foreach (var block in DocumentedCommands.AllBlocks(text))
        {
            if (block.IsMarkedAsNotRun)
            {
                notRun++;
                continue;
            }
            // What is typed is marked as such; anything else must not look like it.
            Assert.True(block.Language == "bash" || !block.Text.Contains("ttn-lw-migrate ", StringComparison.Ordinal), $"{document}: a block with commands is not marked as bash:\n{block.Text}");
            if (block.Language != "bash")
                continue;
            foreach (var command in await world.Shell.RunAsync(block.Text))
            {
                Assert.True(command.Result is { ExitCode: 0 }, $"{command.Line}: {(command.Result is null ? "not a command of this program" : command.Result.ExitCode)}\n{command.Result?.Error}");
                run += command.Words[0] == "ttn-lw-migrate" ? 1 : 0;
                world.AssertNoSecret(command);
            }
        }
        Assert.True(run > 0, "the document has no command any more");
        Assert.Equal(NotRun.GetValueOrDefault(document), notRun);
        await world.AssertNoDeviceIsOnBothSidesAsync();
    }

    /// <summary>Both networks as the documents assume them, and a user at a terminal.</summary>
    private sealed class World : IAsyncDisposable
    {
        private readonly TtnV2Cluster source;
        private readonly TtsCluster stack;
        private readonly TemporaryFolder state = new();
        private readonly List<string> secrets = [V2Key, StackKey];
        private bool filled;

        private World(TtnV2Cluster source, TtsCluster stack)
        {
            (this.source, this.stack) = (source, stack);
            Shell = new DocumentedCommands { StateFolder = state.Path, Clock = TimeProvider.System, Before = DevicesArrive };
        }

        public DocumentedCommands Shell { get; }

        public static async Task<World> StartAsync(bool fillStack)
        {
            var world = new World(await TtnV2Cluster.StartAsync(), await TtsCluster.StartAsync());
            world.Fill(fillStack);
            return world;
        }

        /// <summary>No key is printed; lines of an export go into a file.</summary>
        public void AssertNoSecret(DocumentedResult command)
        {
            var printed = command.Result!.Error + (command.Line.Contains(" > ", StringComparison.Ordinal) || command.Words.Contains("--reveal") ? "" : command.Result.Output);
            foreach (var secret in secrets)
                Assert.False(printed.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{command.Line} prints a key:\n{printed}");
            foreach (var (name, bytes) in Shell.Files.Where(file => file.Key.EndsWith(".html", StringComparison.Ordinal) || file.Key.StartsWith("rejects", StringComparison.Ordinal)))
                Assert.All(secrets, secret => Assert.False(Encoding.UTF8.GetString(bytes).Contains(secret, StringComparison.OrdinalIgnoreCase), $"{command.Line} writes a key into {name}"));
        }

        /// <summary>A device of V2 that The Things Stack has too has no key to join with left there.</summary>
        public Task AssertNoDeviceIsOnBothSidesAsync()
        {
            foreach (var id in Ids)
            {
                var there = new[] { "my-app", "my-new-app" }.Any(app => stack.Device(app, id).Servers != TtsServers.None);
                var key = source.Device("my-app", id)?.LorawanDevice.AppKey;
                Assert.False(there && key is not null && key.Span.ContainsAnyExcept((byte)0) && !filled, $"{id} is on both sides");
            }
            return Task.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            await source.DisposeAsync();
            await stack.DisposeAsync();
            state.Dispose();
        }

        private void Fill(bool fillStack)
        {
            source.AddApplication("my-app", V2Key);
            foreach (var id in Ids)
            {
                var device = SampleDevices.Joined("my-app", id, 10, 2);
                source.Add(device);
                secrets.AddRange(new[] { device.LorawanDevice.AppKey, device.LorawanDevice.NwkSKey, device.LorawanDevice.AppSKey }.Select(key => Convert.ToHexString(key.Span)));
            }
            source.Add(SampleDevices.Abp("my-app", "pump-0001"));
            stack.AddApplication("my-app");
            stack.AddApplication("my-new-app");
            stack.AddApiKey(null, StackKey, "of the documents", []);
            if (fillStack)
                FillStack();
            Directory.CreateDirectory(state.File("named"));
            Shell.Variables["TTNV2_DISCOVERY_SERVER_INSECURE"] = "true";
            Shell.Variables["TTNV2_DISCOVERY_SERVER_ADDRESS"] = source.DiscoveryAddress;
            Shell.Variables["TTNV2_REQUESTS_PER_SECOND"] = "0";
            Shell.Variables["TTNV2_APP_ID"] = "my-app";
            Shell.Variables["TTNV2_APP_ACCESS_KEY"] = V2Key;
            Shell.Variables["FREQUENCY_PLAN_ID"] = "EU_863_870_TTN";
            Shell.Variables["TTS_INSECURE"] = "true";
            Shell.Addresses[Stack] = stack.Address;
            Shell.Files["device_ids.txt"] = Encoding.UTF8.GetBytes(string.Join('\n', Ids) + "\n");
            Shell.Files["devices.csv"] = "devEui,macVersion,regParamsRevision,activation,appEui,appKey,name,classType,rfRegion\n70B3D57ED0000001,1.0.2,B,OTAA,70B3D57ED0000010,0123456789ABCDEF0123456789ABCDEF,One,A,EU868\n"u8.ToArray();
            secrets.Add("0123456789ABCDEF0123456789ABCDEF");
        }

        private void FillStack()
        {
            filled = true;
            stack.AddApplication("other-app");
            for (var i = 0; i < Ids.Length; i++)
            {
                foreach (var application in new[] { "my-app", "other-app" })
                {
                    var device = TtsSampleDevices.Device(application, i + 1);
                    device.Ids.DeviceId = Ids[i];
                    stack.Put(device);
                    if (device.RootKeys is { } keys)
                        secrets.Add(Convert.ToHexString(keys.AppKey.Key.Span));
                }
            }
        }

        /// <summary>Somebody has power-cycled the devices before the reader looks whether they have arrived.</summary>
        private void DevicesArrive(IReadOnlyList<string> words)
        {
            if (words is not [_, "verify", ..])
                return;
            foreach (var application in new[] { "my-app", "my-new-app" })
            {
                foreach (var id in stack.DeviceIds(application))
                    Assert.True(stack.Device(application, id).Network?.Session is null ? stack.Join(application, id) is not null : stack.Uplink(application, id));
            }
        }
    }
}
