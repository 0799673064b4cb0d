using System.Net;
using System.Text;
using LoRaWan.Regional;
using Microsoft.Extensions.Time.Testing;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;

namespace TheThingsStack.Tests.FrequencyPlans;

/// <summary>Plans from a folder or a server: what is read, inherited and refused, and with which words.</summary>
public sealed class RepositoryFrequencyPlanStoreTests
{
    private const string Index = """
        - id: BASE
          name: Base
          base-frequency: 868
          file: base.yml
          country-codes: [nl, no]
        - {id: OVER, base-id: BASE, name: Over, file: over.yml}
        - {id: ORPHAN, base-id: GONE, file: over.yml}
        - {id: MISSING, file: missing.yml}
        - {id: A, base-id: B, file: base.yml}
        - {id: B, base-id: A, file: base.yml}
        - {id: OVER-OVER, base-id: OVER, file: empty.yml}
        - {id: OUTSIDE, file: ../base.yml}
        - {id: ADDRESS, file: 'https://example.com/x.yml'}
        - {id: NAMELESS}
        - {id: BASE, file: missing.yml}
        """;

    private const string Base = """
        band-id: EU_863_870
        uplink-channels: &channels
          - {frequency: 868100000, min-data-rate: 0, max-data-rate: 5, radio: 0}
          - {frequency: 868_300_000, min-data-rate: 0, max-data-rate: 5}
        downlink-channels: *channels
        lora-standard-channel: {frequency: 868300000, data-rate: 6, radio: 1}
        rx2-default-data-rate: 0
        max-eirp: 14.5
        dwell-time: {uplinks: true, downlinks: false, duration: 400ms}
        radios: [{enable: true}]
        """;

    [Fact]
    public async Task A_plan_is_read_with_its_units()
    {
        var plan = await Find("BASE", ("base.yml", Base));

        Assert.Equal(["868.1 MHz DR0-DR5", "868.3 MHz DR0-DR5"], plan.UplinkChannels.Select(channel => channel.ToString()));
        Assert.Equal(plan.UplinkChannels.AsEnumerable(), plan.DownlinkChannels);
        Assert.Equal(new FixedRateChannel(new Frequency(868_300_000), new DataRateIndex(6)), plan.LoRaStandardChannel);
        Assert.Equal(14.5f, plan.MaxEirpDbm);
        Assert.Equal(new DwellTime(true, false, TimeSpan.FromMilliseconds(400)), plan.DwellTime);
        Assert.Null(plan.Rx2Frequency);
        Assert.Equal(868, plan.BaseFrequencyMegahertz);
        Assert.Equal(["nl", "no"], plan.CountryCodes.AsEnumerable());
    }

    [Theory]
    [InlineData("128000")]
    [InlineData("128us")]
    public async Task A_plan_may_listen_before_it_talks_for_less_than_a_millisecond(string scanTime)
    {
        var plan = await Find("OVER", ("base.yml", Base), ("over.yml", $"listen-before-talk:\n  rssi-offset: -4\n  rssi-target: -80\n  scan-time: {scanTime}\n"));

        Assert.Equal(new ListenBeforeTalk(-80, -4, TimeSpan.FromMicroseconds(128)), plan.ListenBeforeTalk);
    }

    [Fact]
    public async Task An_extension_replaces_what_it_sets_as_a_whole()
    {
        var plan = await Find("OVER", ("base.yml", Base), ("over.yml", "rx2-channel: {frequency: 869525000}\ndwell-time: {downlinks: false}\nuplink-channels: []\n"));

        Assert.Equal("EU_863_870", plan.BandId);
        Assert.Equal(new Frequency(869_525_000), plan.Rx2Frequency);
        Assert.Equal(new DataRateIndex(0), plan.Rx2DataRate);
        Assert.Equal(new DwellTime(null, false, null), plan.DwellTime);
        Assert.Equal(2, plan.UplinkChannels.Length);
        Assert.Equal("Over", plan.Name);
    }

    [Fact]
    public async Task The_base_of_a_base_does_not_count() =>
        Assert.Equal(
            ["error:pkg/frequencyplans:invalid (invalid frequency plan)", "error:pkg/band:band_not_found (band `@latest` not found)"],
            await Fails("OVER-OVER", ("base.yml", Base), ("over.yml", "max-eirp: 10"), ("empty.yml", "")));

    [Theory]
    [InlineData("XX", "error:pkg/frequencyplans:not_found (frequency plan `XX` not found)")]
    [InlineData("", "error:pkg/frequencyplans:not_found (frequency plan `` not found)")]
    [InlineData("ORPHAN", "error:pkg/frequencyplans:read_base (read the base `GONE` of frequency plan `ORPHAN`)", "error:pkg/frequencyplans:not_found (frequency plan `GONE` not found)")]
    [InlineData("MISSING", "error:pkg/frequencyplans:read (read frequency plan `MISSING`)", "error:pkg/frequencyplans:fetch (fetching failed)", "error:pkg/fetch:fetch_file (fetch file `missing.yml`)", "missing.yml is not there")]
    [InlineData("A", "error:pkg/frequencyplans:read_base (read the base `B` of frequency plan `A`)", "frequency-plans.yml: plans are based on each other in a circle: A -> B -> A")]
    [InlineData("OUTSIDE", "error:pkg/frequencyplans:read (read frequency plan `OUTSIDE`)", "error:pkg/frequencyplans:fetch (fetching failed)", "error:pkg/fetch:fetch_file (fetch file `../base.yml`)", "the file lies outside the folder of the frequency plans")]
    [InlineData("ADDRESS", "error:pkg/frequencyplans:read (read frequency plan `ADDRESS`)", "error:pkg/fetch:scheme_specified (URI scheme should not be specified)")]
    [InlineData("NAMELESS", "error:pkg/frequencyplans:read (read frequency plan `NAMELESS`)", "error:pkg/frequencyplans:fetch (fetching failed)", "error:pkg/fetch:fetch_file (fetch file ``)", "the index names no file for this plan")]
    public async Task A_plan_that_cannot_be_had_says_why(string id, params string[] stack) =>
        Assert.Equal(stack, await Fails(id, ("base.yml", Base), ("over.yml", "max-eirp: 10")));

    [Theory]
    [InlineData("band-id: EU_863_870\nuplink-channels: [{frequency: 868.1}]", "base.yml:2: uplink-channels[0].frequency is `868.1`, expected a frequency in Hz, for example 868100000")]
    [InlineData("uplink-channels:\n- {frequency: 868100000}\n- {frequency: 868300}", "base.yml:3: uplink-channels[1].frequency is `868300`, expected a frequency in Hz, for example 868100000 for 868.1 MHz")]
    [InlineData("rx2-default-data-rate: 300", "base.yml:1: rx2-default-data-rate is `300`, expected a data rate index of 0 to 255")]
    [InlineData("rx2-default-data-rate: -1", "base.yml:1: rx2-default-data-rate is `-1`, expected a data rate index of 0 to 255")]
    [InlineData("max-eirp: 500", "base.yml:1: max-eirp is `500`, expected a power in dBm, for example 16")]
    [InlineData("max-eirp: .nan", "base.yml:1: max-eirp is `.nan`, expected a power in dBm, for example 16")]
    [InlineData("dwell-time: {uplinks: true, duration: 400}", "base.yml:1: dwell-time.duration is `400`, expected a duration with unit, for example 400ms")]
    [InlineData("dwell-time: {uplinks: maybe}", "base.yml:1: dwell-time.uplinks is `maybe`, expected true or false")]
    [InlineData("dwell-time: 400ms", "base.yml:1: dwell-time is `400ms`, expected an object")]
    [InlineData("uplink-channels: 5", "base.yml:1: uplink-channels is `5`, expected a list")]
    [InlineData("uplink-channels: [5]", "base.yml:1: uplink-channels[0] is `5`, expected a channel")]
    [InlineData("band-id: [EU]", "base.yml:1: band-id is a list, expected a text")]
    [InlineData("- a", "base.yml:1: is a list, expected a frequency plan")]
    [InlineData("a: *b", "base.yml:1: alias *b names nothing before it")]
    [InlineData("a: &a [*a]", "base.yml:1: alias *a names nothing before it")]
    [InlineData("a: b\n---\nc: d", "base.yml:2: more than one document")]
    public async Task A_file_that_is_no_plan_says_where_and_what(string yaml, string message) =>
        Assert.Equal(
            ["error:pkg/frequencyplans:read (read frequency plan `BASE`)", "error:pkg/frequencyplans:parse_file (parse file)", message],
            await Fails("BASE", ("base.yml", yaml)));

    [Theory]
    [InlineData("{", "base.yml:")]
    [InlineData("a: b: c", "base.yml:1:")]
    [InlineData("\t- x", "base.yml:1:")]
    public async Task Text_that_is_no_YAML_says_where(string yaml, string start) =>
        Assert.StartsWith(start, (await Fails("BASE", ("base.yml", yaml)))[2], StringComparison.Ordinal);

    [Theory]
    [InlineData("band-id: EU_863_870\ndwell-time: {uplinks: true}", "error:pkg/frequencyplans:no_dwell_time_duration (no dwell time duration specified)")]
    [InlineData("band-id: UZ_923_DRAFT", "error:pkg/band:band_not_found (band `UZ_923_DRAFT@latest` not found)")]
    [InlineData("max-eirp: 1", "error:pkg/band:band_not_found (band `@latest` not found)")]
    public async Task A_plan_that_makes_no_sense_is_invalid(string yaml, string cause) =>
        Assert.Equal(["error:pkg/frequencyplans:invalid (invalid frequency plan)", cause], await Fails("BASE", ("base.yml", yaml)));

    [Fact]
    public async Task A_channel_with_dwell_time_needs_its_duration() =>
        Assert.Equal(
            [
                "error:pkg/frequencyplans:invalid (invalid frequency plan)",
                "error:pkg/frequencyplans:channel (invalid frequency plan channel `1`)",
                "error:pkg/frequencyplans:no_dwell_time_duration (no dwell time duration specified)",
            ],
            await Fails("BASE", ("base.yml", "band-id: EU_863_870\nuplink-channels: [{frequency: 868100000}, {frequency: 868300000, dwell-time: {enabled: true}}]")));

    [Theory]
    [InlineData("a: b")]
    [InlineData("- x")]
    [InlineData("- ~")]
    [InlineData("- {id: [x]}")]
    [InlineData("- {id: x, base-frequency: 868.3}")]
    public async Task An_index_that_is_none_spoils_every_plan(string index)
    {
        var stack = Stack((await Store(index).FindAsync("BASE", default)).Failure!);

        Assert.Equal(["error:pkg/frequencyplans:read_list (read the list of frequency plans)", "error:pkg/frequencyplans:parse_file (parse file)"], stack[..2]);
        Assert.StartsWith("frequency-plans.yml:1: ", stack[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_YAML_bomb_stays_small()
    {
        var bomb = new StringBuilder("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
        for (var i = 1; i < 20; i++)
            bomb.Append(System.Globalization.CultureInfo.InvariantCulture, $"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 10))}]\n");
        bomb.Append("band-id: EU_863_870\nuplink-channels: *a19\n");

        Assert.Equal("base.yml:19: uplink-channels[0] is a list, expected a channel", (await Fails("BASE", ("base.yml", bomb.ToString())))[2]);
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(200_000)]
    public async Task Nesting_is_limited(int depth) =>
        Assert.Contains("nested deeper than 32", (await Fails("BASE", ("base.yml", new string('[', depth))))[2], StringComparison.Ordinal);

    [Fact]
    public async Task Merged_keys_and_repeated_keys_follow_YAML()
    {
        var plan = await Find("BASE", ("base.yml", "x: &x {band-id: US_902_928, max-eirp: 1}\n<<: *x\nband-id: EU_863_870\nmax-eirp: 3\nmax-eirp: 4"));

        Assert.Equal(("EU_863_870", 4f), (plan.BandId, plan.MaxEirpDbm));
    }

    [Fact]
    public async Task Index_and_plans_are_read_once_per_run()
    {
        var files = new Files(Index, [("base.yml", Base), ("over.yml", "max-eirp: 10")]);
        var store = new RepositoryFrequencyPlanStore(files, new FakeTimeProvider());

        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => store.FindAsync(i % 2 == 0 ? "BASE" : "OVER", default).AsTask()));

        Assert.Equal(["base.yml", "base.yml", "frequency-plans.yml", "over.yml"], files.Read.Order(StringComparer.Ordinal));
        Assert.NotNull((await store.FindAsync("BASE", default)).Plan);
        Assert.Equal(4, files.Read.Count);
    }

    [Fact]
    public async Task A_failure_is_remembered_for_one_minute()
    {
        var clock = new FakeTimeProvider();
        var files = new Files(Index, []);
        var store = new RepositoryFrequencyPlanStore(files, clock);
        await store.FindAsync("BASE", default);
        files.Add("base.yml", Base);

        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.NotNull((await store.FindAsync("BASE", default)).Failure);
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.NotNull((await store.FindAsync("BASE", default)).Plan);
    }

    [Fact]
    public async Task A_list_gives_the_plans_that_can_be_read_and_the_failures()
    {
        var results = new List<FrequencyPlanResult>();
        await foreach (var result in Store(Index, ("base.yml", Base), ("over.yml", "max-eirp: 10")).ListAsync(default))
            results.Add(result);

        Assert.Equal(["BASE", "OVER"], results.Where(result => result.Plan is not null).Select(result => result.Plan!.Id));
        Assert.Equal(8, results.Count(result => result.Failure is not null));
    }

    [Fact]
    public async Task An_unknown_plan_gives_the_nearest_names_of_repository_and_program()
    {
        var failure = (await Store(Index).FindAsync("EU_863_870_TTM", default)).Failure!;

        Assert.StartsWith("nearest names: EU_863_870_TTN, ", failure.Advice, StringComparison.Ordinal);
        Assert.StartsWith("nearest names: EU_863_870_TTN, EU_863_870", EmbeddedFrequencyPlanStore.Find("EU868").Failure!.Advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/tmp/plans", "error:pkg/fetch:scheme_not_specified (URI scheme not specified)")]
    [InlineData("example.com/plans", "error:pkg/fetch:scheme_not_specified (URI scheme not specified)")]
    [InlineData("ftp://example.com", "unsupported protocol scheme \"ftp\" in the address of the frequency plans")]
    [InlineData("https://", "the address of the frequency plans cannot be read")]
    public void An_address_that_cannot_be_used_is_refused_at_once(string address, string message) =>
        Assert.Equal(message, Assert.Throws<FailureException>(() => RepositoryFrequencyPlanStore.FromAddress(address, () => throw new InvalidOperationException(), TimeProvider.System)).Failure.ToString());

    [Fact]
    public async Task An_empty_address_is_missed_only_when_a_plan_is_needed()
    {
        var store = RepositoryFrequencyPlanStore.FromAddress("", () => throw new InvalidOperationException(), TimeProvider.System);

        Assert.Equal("error:pkg/fetch:scheme_not_specified (URI scheme not specified)", Stack((await store.FindAsync("BASE", default)).Failure!)[^1]);
    }

    [Fact]
    public async Task A_file_address_is_a_folder()
    {
        var folder = Directory.CreateTempSubdirectory();
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "frequency-plans.yml"), Index);
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "base.yml"), Base);
        var store = RepositoryFrequencyPlanStore.FromAddress(new Uri(folder.FullName).AbsoluteUri, () => throw new InvalidOperationException(), TimeProvider.System);

        Assert.Equal("EU_863_870", (await store.FindAsync("BASE", default)).Plan?.BandId);
        Assert.Contains($"open {Path.Combine(folder.FullName, "missing.yml")}: no such file or directory", Stack((await store.FindAsync("MISSING", default)).Failure!)[^1], StringComparison.Ordinal);
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("https://plans.example/x", "https://plans.example/x/frequency-plans.yml")]
    [InlineData("https://plans.example/x/?token=secret", "https://plans.example/x/frequency-plans.yml?token=secret")]
    public async Task The_file_name_comes_behind_the_path(string address, string asked)
    {
        using var server = new Server(_ => Answer(HttpStatusCode.NotFound, "no"));

        var failure = (await Http(address, server).FindAsync("BASE", default)).Failure!;

        Assert.Equal([asked], server.Asked);
        Assert.Equal("https://plans.example/x/frequency-plans.yml: answers 404 Not Found", Stack(failure)[^1]);
    }

    [Fact]
    public async Task Redirects_are_followed_within_TLS()
    {
        using var server = new Server(uri => uri.AbsolutePath.StartsWith("/new/", StringComparison.Ordinal)
            ? Answer(HttpStatusCode.OK, uri.AbsolutePath.EndsWith("base.yml", StringComparison.Ordinal) ? Base : Index)
            : Redirect(new Uri("https://other.example/new" + uri.AbsolutePath)));

        Assert.NotNull((await Http("https://plans.example", server).FindAsync("BASE", default)).Plan);
        Assert.Equal(4, server.Asked.Count);
    }

    [Fact]
    public async Task Bad_answers_say_who_answered_what()
    {
        Assert.Equal("https://p.example/frequency-plans.yml: redirects to http://p.example/plain, which is not protected by TLS", await Problem(_ => Redirect(new Uri("http://p.example/plain"))));
        Assert.Equal("https://p.example/frequency-plans.yml: redirects more than 5 times, last to https://p.example/frequency-plans.yml", await Problem(_ => Redirect(new Uri("/frequency-plans.yml", UriKind.Relative))));
        Assert.Equal("https://p.example/frequency-plans.yml: redirects without saying where", await Problem(_ => Answer(HttpStatusCode.Found, "")));
        Assert.Equal("https://p.example/frequency-plans.yml: answers an HTML page, not YAML", await Problem(_ => Answer(HttpStatusCode.OK, " <!DOCTYPE html><p>login")));
        Assert.Equal("https://p.example/frequency-plans.yml: answers an HTML page, not YAML", await Problem(_ => Answer(HttpStatusCode.OK, "login", "text/html")));
        Assert.Equal("https://p.example/frequency-plans.yml: answers more than 1048576 bytes", await Problem(_ => Answer(HttpStatusCode.OK, new string('a', 1 << 21))));
        Assert.Equal("https://p.example/frequency-plans.yml: no route", await Problem(_ => throw new HttpRequestException("no route")));
    }

    [Fact]
    public async Task A_server_that_hangs_ends_after_the_timeout()
    {
        var clock = new FakeTimeProvider();
        using var server = new Server(_ => null);
        var store = RepositoryFrequencyPlanStore.FromAddress("https://p.example", () => server, clock);

        var find = store.FindAsync("BASE", default).AsTask();
        await server.WasAsked;
        clock.Advance(RepositoryFrequencyPlanStore.DefaultTimeout);

        Assert.Equal("https://p.example/frequency-plans.yml: no answer within 30 s", Stack((await find).Failure!)[^1]);
    }

    private static async Task<string> Problem(Func<Uri, HttpResponseMessage?> answer)
    {
        using var server = new Server(answer);
        return Stack((await Http("https://p.example", server).FindAsync("BASE", default)).Failure!)[^1];
    }

    private static RepositoryFrequencyPlanStore Http(string address, HttpMessageHandler server) =>
        RepositoryFrequencyPlanStore.FromAddress(address, () => server, new FakeTimeProvider());

    private static HttpResponseMessage Answer(HttpStatusCode status, string body, string type = "text/plain") =>
        new(status) { Content = new StringContent(body, Encoding.UTF8, type) };

    private static HttpResponseMessage Redirect(Uri to)
    {
        var answer = Answer(HttpStatusCode.MovedPermanently, "moved");
        answer.Headers.Location = to;
        return answer;
    }

    private static RepositoryFrequencyPlanStore Store(string index, params (string Name, string Text)[] files) => new(new Files(index, files), new FakeTimeProvider());

    private static async Task<FrequencyPlan> Find(string id, params (string Name, string Text)[] files)
    {
        var (plan, failure) = await Store(Index, files).FindAsync(id, default);
        Assert.Null(failure);
        return plan!;
    }

    private static async Task<string[]> Fails(string id, params (string Name, string Text)[] files) => Stack((await Store(Index, files).FindAsync(id, default)).Failure!);

    private static string[] Stack(Failure failure)
    {
        var stack = new List<string>();
        for (var link = failure; link is not null; link = link.Cause)
            stack.Add(link.ToString());
        return [.. stack];
    }

    private sealed class Files(string index, IEnumerable<(string Name, string Text)> files) : IPlanFiles
    {
        private readonly Dictionary<string, string> texts = files.Append((RepositoryFrequencyPlanStore.IndexFile, index)).ToDictionary(file => file.Item1, file => file.Item2);
        private readonly Lock readLock = new();

        public List<string> Read { get; } = [];

        public string Location => "memory";

        public void Add(string name, string text) => texts[name] = text;

        public async Task<string> ReadAsync(string file, CancellationToken cancellation)
        {
            var name = string.Join('/', PlanFileNames.Segments(file));
            lock (readLock)
                Read.Add(name);
            await Task.Yield();
            return texts.TryGetValue(name, out var text) ? text : throw new FailureException(FrequencyPlanFailures.Fetch(file, $"{name} is not there"));
        }
    }

    /// <summary>An HTTP server in memory; an answer of null is none, ever.</summary>
    private sealed class Server(Func<Uri, HttpResponseMessage?> answer) : HttpMessageHandler
    {
        private readonly TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<string> Asked { get; } = [];

        public Task WasAsked => asked.Task;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked.Add(request.RequestUri!.AbsoluteUri);
            asked.TrySetResult();
            if (answer(request.RequestUri) is { } response)
                return response;
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException();
        }
    }
}
