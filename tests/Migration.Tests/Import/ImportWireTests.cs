using System.Globalization;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Migration.Import;
using Rpc;
using Sandbox.Tests.TheThingsStack;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Registries;
using Xunit.Abstractions;

namespace Migration.Tests.Import;

/// <summary>
/// Every recorded run of <c>ttn-lw-cli end-devices create</c> against real servers: our import of the same devices makes the same calls with the
/// same messages in the same order, but for the differences named here and in CHANGELOG.md.
/// </summary>
public sealed class ImportWireTests(ITestOutputHelper output)
{
    private const string File = "tts-wire.jsonl.gz";
    private const string Probe = "ttn-lw-migrate-probe";

    private const string AskedOnce = "the application is asked for once a run, not once a device";
    private const string SortedMask = "a mask names each path once, sorted";
    private const string WholeParameters = "MAC parameters go whole, so that zeros arrive";
    private const string NotSent = "a device that a server would refuse is not sent, and nothing has to be taken back";
    private const string LookedAt = "a device that is there is looked at, to say whose it is";
    private const string NotKept = "a device of a run whose device calls were not kept in the recording is imported";
    private const string GoesOn = "a device after the one that ended the official CLI's run is imported";

    private static readonly string[] Wholes = ["mac_state.current_parameters", "mac_state.desired_parameters"];

    private readonly SortedDictionary<string, int> differences = new(StringComparer.Ordinal);

    [Fact]
    public async Task Every_recorded_creation_is_made_with_its_requests_but_for_named_differences()
    {
        var rows = Golden.Rows(File).Where(row => row.Text("kind") is "call" or "run").ToList();
        var runs = rows.Where(row => row.Text("kind") == "run" && Arguments(row) is var words && words.Contains("end-devices") && words.Contains("create")).ToList();
        var failures = new List<string>();
        var compared = 0;
        foreach (var run in runs)
        {
            var calls = rows.Where(row => row.Text("kind") == "call" && row.Text("scenario") == run.Text("scenario")).Select(row => new WireRow(row)).ToList();
            compared += calls.Count;
            if (await ReplayAsync(run, calls) is { } problem)
                failures.Add($"{run.Text("scenario")}: {problem}");
        }
        foreach (var (difference, count) in differences)
            output.WriteLine($"{count,5} times: {difference}");
        Golden.Report(File, compared, failures.Count, output.WriteLine, "import");
        Assert.True(failures.Count == 0, string.Join('\n', failures));
        Assert.True(runs.Count == 0 || compared > runs.Count, "the recorded runs have no calls");
    }

    private static List<string> Arguments(GoldenRow run) => [.. run.Json.GetProperty("args").EnumerateArray().Select(word => word.GetString()!)];

    private async Task<string?> ReplayAsync(GoldenRow run, List<WireRow> calls)
    {
        var words = Arguments(run);
        var name = words[words.IndexOf("--application-id") + 1];
        await using var cluster = await TtsCluster.StartAsync();
        var token = Prepare(cluster, name, calls);
        Assert.True(ApiKey.TryParse(token, out var key, out _));
        await using var client = new ClusterClient(new ClusterOptions
        {
            Addresses = ClusterAddresses.At(HostPort.Parse(cluster.Address)),
            Key = key,
            Tls = null,
            Clock = TimeProvider.System,
        });
        using var file = new MemoryStream(Encoding.UTF8.GetBytes(run.Text("stdin") ?? ""));
        var results = new List<ImportedDevice>();
        var summary = await new Importer(client, new ImportOptions { Application = name }, EmbeddedFrequencyPlanStore.Instance, AdaptiveConcurrency.Fixed(TimeProvider.System, 1), TimeProvider.System)
            .RunAsync(file, new Listed(results));

        var sent = cluster.Requests.All.Select(request => request.Method["/ttn.lorawan.v3.".Length..])
            .Zip(cluster.Requests.All, (method, request) => (Method: method, Request: WireRow.ParseRequest(method, request.Request))).ToList();
        return CompareOnce(calls, sent, summary)
            ?? DeviceIds(calls.Select(call => call.Ids)).Select(id => CompareDevice(id, calls, sent, results)).FirstOrDefault(problem => problem is not null)
            ?? CompareOthers(calls, sent, results, run.Json.GetProperty("rc").GetInt32());
    }

    /// <summary>An application and the devices that the recorded errors tell of.</summary>
    private static string Prepare(TtsCluster cluster, string name, List<WireRow> calls)
    {
        if (calls.Exists(call => call.Error.EndsWith(":application_not_found", StringComparison.Ordinal)))
            return cluster.AddApplication("another-app");
        var application = new Application { Ids = new ApplicationIdentifiers { ApplicationId = name } };
        foreach (var shown in calls.Select(call => call.Response).OfType<Application>())
            application.MergeFrom(shown);
        cluster.AddApplication(application);
        if (calls.Select(call => call.Header("x-rate-limit-limit")).FirstOrDefault(limit => limit is not null) is { } burst)
            cluster.RateLimit = new TtsRateLimit(60, int.Parse(burst, CultureInfo.InvariantCulture)) { Methods = ["ApplicationRegistry/Get"] };
        var made = new HashSet<string>(StringComparer.Ordinal);
        foreach (var call in calls.Where(call => call.Method == "EndDeviceRegistry/Create"))
        {
            if (call.Status == 0)
                made.Add(call.Ids!.DeviceId);
            if (call.Error == "pkg/util/store:id_taken" && !made.Contains(call.Ids!.DeviceId))
                Put(name, call.Ids.DeviceId, new EndDeviceIdentifiers());
            if (!call.Error.EndsWith(":end_device_euis_taken", StringComparison.Ordinal))
                continue;
            var named = call.Details!.Attributes.Fields;
            if (!made.Contains(named["device_id"].StringValue))
                Put(named["application_id"].StringValue, named["device_id"].StringValue, call.Ids!);
        }
        return cluster.AddApiKey(name);

        void Put(string app, string id, EndDeviceIdentifiers euis)
        {
            var device = new EndDevice { Ids = new EndDeviceIdentifiers { DevEui = euis.DevEui, JoinEui = euis.JoinEui } };
            cluster.Put(app, id, new TtsDevice(device, device, device, device));
        }
    }

    /// <summary>What is asked before the first device is asked once, and changes nothing.</summary>
    private string? CompareOnce(List<WireRow> calls, List<(string Method, IMessage? Request)> sent, ImportSummary summary)
    {
        var before = sent.Where(call => WireRow.IdsOf(call.Request) is null or { DeviceId: Probe }).Select(call => call.Method).ToList();
        if (before.GroupBy(method => method, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            return $"{twice.Key} is called {twice.Count()} times";
        if (before.FirstOrDefault(method => method.Split('/')[1] is "Create" or "Set" or "Update" or "Delete") is { } change)
            return $"{change} before the first device";
        var recorded = calls.Count(call => call.Method == "ApplicationRegistry/Get");
        if (calls.Exists(call => call.Error.EndsWith(":application_not_found", StringComparison.Ordinal)))
            return summary.Stopped?.Name == "no_application_rights" ? null : $"the application is not there, and the run says {summary.Stopped}";
        if (summary.Stopped is { } stopped)
            return $"stopped: {stopped}";
        Count(AskedOnce, recorded - before.Count(method => method == "ApplicationRegistry/Get"));
        return null;
    }

    private string? CompareDevice(string id, List<WireRow> calls, List<(string Method, IMessage? Request)> sent, List<ImportedDevice> results)
    {
        var recorded = calls.Where(call => call.Ids?.DeviceId == id).ToList();
        var ours = sent.Where(call => WireRow.IdsOf(call.Request)?.DeviceId == id).ToList();
        var refusal = recorded.FirstOrDefault(call => call.Status is not (0 or 6) && !call.Method.EndsWith("/Delete", StringComparison.Ordinal));
        if (refusal is not null)
        {
            var failure = results.FirstOrDefault(result => result.DeviceId == id)?.Failure;
            if (ours.Count > 0)
                return $"{id} would be refused, and {ours[0].Method} was sent";
            if ($"{failure?.Namespace}:{failure?.Name}" != refusal.Error)
                return $"{id} is refused with {failure}, not {refusal.Error}";
            Count(NotSent, 1);
            return null;
        }
        for (var i = 0; i < recorded.Count; i++)
        {
            if (i >= ours.Count || ours[i].Method != recorded[i].Method)
                return $"{id}: {(i < ours.Count ? ours[i].Method : "nothing")} in place of {recorded[i].Method}";
            var expected = Ours(recorded[i].Request!);
            if (!expected.Equals(ours[i].Request))
                return $"{id}: {ours[i].Method} {ours[i].Request}\n    not {expected}";
        }
        var rest = ours.Skip(recorded.Count).ToList();
        if (rest.Count == 0)
            return null;
        if (recorded is not [.., { Status: 6 }] || rest.Exists(call => !call.Method.EndsWith("/Get", StringComparison.Ordinal)))
            return $"{id}: {rest[0].Method} was not recorded";
        Count(LookedAt, 1);
        return null;
    }

    /// <summary>What the recording does not have: only devices after the one at which the official CLI gave up.</summary>
    private string? CompareOthers(List<WireRow> calls, List<(string Method, IMessage? Request)> sent, List<ImportedDevice> results, int exitCode)
    {
        var others = DeviceIds(sent.Select(call => WireRow.IdsOf(call.Request))).Except(DeviceIds(calls.Select(call => call.Ids))).ToList();
        var areKept = calls.Exists(call => call.Ids is not null);
        if (others.Count > 0 && exitCode == 0 && areKept)
            return $"{others[0]} was not recorded";
        if (others.FirstOrDefault(id => results.FirstOrDefault(result => result.DeviceId == id)?.Result != ImportResult.Imported) is { } failed)
            return $"{failed} is not imported";
        Count(areKept ? GoesOn : NotKept, others.Count);
        return null;
    }

    private static IEnumerable<string> DeviceIds(IEnumerable<EndDeviceIdentifiers?> ids) =>
        ids.Select(found => found?.DeviceId).OfType<string>().Where(id => id != Probe).Distinct(StringComparer.Ordinal);

    /// <summary>The recorded request as ours is.</summary>
    private IMessage Ours(IMessage recorded)
    {
        if (recorded is not SetEndDeviceRequest set)
            return recorded;
        var request = set.Clone();
        var paths = set.FieldMask.Paths.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (!paths.SequenceEqual(set.FieldMask.Paths))
            Count(SortedMask, 1);
        foreach (var whole in Wholes.Where(whole => paths.Exists(path => FieldPath.IsBelow(path, whole))))
        {
            paths.RemoveAll(path => FieldPath.IsBelow(path, whole));
            paths.Add(whole);
            Count(WholeParameters, 1);
        }
        request.FieldMask = new FieldMask { Paths = { paths.Order(StringComparer.Ordinal) } };
        return request;
    }

    private void Count(string difference, int count)
    {
        if (count > 0)
            differences[difference] = differences.GetValueOrDefault(difference) + count;
    }

    private sealed class Listed(List<ImportedDevice> results) : IProgress<ImportedDevice>
    {
        public void Report(ImportedDevice value) => results.Add(value);
    }
}
