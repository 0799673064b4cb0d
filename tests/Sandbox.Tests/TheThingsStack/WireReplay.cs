using System.Globalization;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using TheThingsStack.Api;

namespace Sandbox.Tests.TheThingsStack;

/// <summary>
/// Plays recorded calls to the emulator over the wire and compares the answers. What the servers held that no row wrote is rebuilt by rules
/// from what the rows say about it; a rule may not touch what the rows of the same scenario wrote.
/// </summary>
public sealed partial class WireReplay : IAsyncDisposable
{
    /// <summary>Between the request ID and the time in a record.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(1);

    private readonly JumpClock clock;
    private readonly TtsCluster cluster;
    private readonly RawGrpcClient client;
    private readonly IReadOnlyList<WireRow> rows;
    private readonly Dictionary<(TtsServers, DeviceId), string> writtenBy = [];
    private readonly HashSet<(TtsServers, DeviceId)> createdByRow = [];

    private WireReplay(IReadOnlyList<WireRow> rows, JumpClock clock, TtsCluster cluster)
    {
        this.rows = rows;
        this.clock = clock;
        this.cluster = cluster;
        client = new RawGrpcClient(cluster.Address, trust: null);
    }

    /// <summary>What is wrong, by number of the row.</summary>
    public IDictionary<int, string> Problems { get; } = new Dictionary<int, string>();

    /// <summary>Rows compared by method; how often state came from the row's own answer is the second number.</summary>
    public SortedDictionary<string, (int Rows, int Seeded)> Methods { get; } = new(StringComparer.Ordinal);

    /// <summary>Rows that are not compared, by reason.</summary>
    public SortedDictionary<string, int> LeftOut { get; } = new(StringComparer.Ordinal);

    /// <summary>How often a rule rebuilt state.</summary>
    public SortedDictionary<string, int> Rules { get; } = new(StringComparer.Ordinal);

    public static async Task<WireReplay> RunAsync(IReadOnlyList<WireRow> rows)
    {
        var calls = rows.Where(row => row.Kind == "call").ToList();
        var time = new JumpClock(calls.Min(row => row.At) is { } first ? first.AddDays(-1) : DateTimeOffset.UnixEpoch);
        var replay = new WireReplay(calls, time, await TtsCluster.StartAsync(new TtsClusterOptions { Clock = time }));
        foreach (var kind in rows.Where(row => row.Kind != "call").GroupBy(row => row.Kind, StringComparer.Ordinal))
            replay.LeftOut[kind.Key switch { "run" => "runs of tools: their calls are rows of their own", "http" => "HTTP: the emulator speaks gRPC only", var other => other + ": no call" }] = kind.Count();
        replay.AddApplications();
        replay.AddKeys();
        var scenario = "";
        foreach (var row in calls)
        {
            if (row.Scenario != scenario)
                replay.StartScenario(scenario = row.Scenario);
            await replay.PlayAsync(row);
        }
        return replay;
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await cluster.DisposeAsync();
    }

    /// <summary>A scenario whose answers have rate limit headers ran against servers with 60 calls a minute and the burst that they show.</summary>
    private void StartScenario(string scenario)
    {
        var limit = rows.Where(row => row.Scenario == scenario).Select(row => row.Header("x-rate-limit-limit")).FirstOrDefault(limit => limit is not null);
        // Quotas of scenarios that follow each other at once are the same servers'.
        if (limit is null)
            cluster.RateLimit = null;
        else if (cluster.RateLimit is null)
            cluster.RateLimit = new TtsRateLimit(60, int.Parse(limit, CultureInfo.InvariantCulture));
    }

    /// <summary>Applications that some call was let into, with the fields that the rows show.</summary>
    private void AddApplications()
    {
        foreach (var group in rows.Where(row => row.ApplicationId is not null && !row.Error.EndsWith(":application_not_found", StringComparison.Ordinal)).GroupBy(row => row.ApplicationId!, StringComparer.Ordinal))
        {
            var application = new Application { Ids = new ApplicationIdentifiers { ApplicationId = group.Key } };
            foreach (var row in group)
            {
                if (row.Response is Application shown)
                    application.MergeFrom(shown);
            }
            if (group.Any(row => row.Status == 0 || row.Error != "pkg/auth/rights:no_application_rights"))
                cluster.AddApplication(application);
        }
    }

    /// <summary>Keys by what the rows say about them.</summary>
    private void AddKeys()
    {
        foreach (var group in rows.Where(row => row.Key is not null).GroupBy(row => row.Key!.Value.Id, StringComparer.Ordinal))
        {
            var good = group.Where(row => row.Error is not ("pkg/identityserver:api_key_not_found" or "pkg/identityserver:invalid_authorization")).ToList();
            if (good.Count == 0)
            {
                // A wrong secret tells that the key is there with another one.
                if (group.Any(row => row.Error == "pkg/identityserver:invalid_authorization"))
                    cluster.AddApiKey("other", $"NNSXS.{group.Key}.OTHER", "other", []);
                continue;
            }
            var info = good.Select(row => row.Response).OfType<AuthInfoResponse>().FirstOrDefault(answer => answer.ApiKey is not null);
            var applications = good.Where(row => row.ApplicationId is not null && (row.Status == 0 || row.Error == "pkg/auth/rights:insufficient_application_rights") && row.Response is not Rights { Rights_.Count: 0 })
                .Select(row => row.ApplicationId!).Distinct(StringComparer.Ordinal).ToList();
            var isAdmin = info?.IsAdmin ?? applications.Count > 1 || good.Any(row => row.Error.EndsWith(":application_not_found", StringComparison.Ordinal));
            var rights = info?.ApiKey.ApiKey.Rights.AsEnumerable()
                ?? good.Select(row => row.Response).OfType<Rights>().FirstOrDefault(answer => answer.Rights_.Count > 0)?.Rights_
                ?? All().Except(good.SelectMany(Missing));
            cluster.AddApiKey(
                isAdmin ? null : info?.ApiKey.EntityIds.ApplicationIds?.ApplicationId ?? applications.FirstOrDefault() ?? "none",
                $"NNSXS.{group.Key}.{good[0].Key!.Value.Secret}",
                info?.ApiKey.ApiKey.Name ?? "",
                [.. rights]);
        }

        static IEnumerable<Right> All() =>
            System.Enum.GetValues<Right>().Where(right => right is >= Right.ApplicationInfo and < Right.ApplicationAll or Right.ApplicationSettingsPackages);

        static IEnumerable<Right> Missing(WireRow row) =>
            row.Error == "pkg/auth/rights:insufficient_application_rights"
                ? row.Details!.Attributes.Fields["missing"].ListValue.Values.Select(value => All().First(right => RightName(right) == value.StringValue))
                : [];
    }

    private static string RightName(Right right) => EnumsReflection.Descriptor.EnumTypes.First(type => type.Name == nameof(Right)).FindValueByNumber((int)right).Name;

    private async Task PlayAsync(WireRow row)
    {
        if (row.At is { } at)
            clock.AdvanceTo(at);
        var seeded = Rebuild(row);
        var answer = await client.CallAsync(row.Path, row.RequestBytes, row.Authorization is { } authorization ? [("authorization", authorization)] : []);
        if (row is { Status: 0, Ids: not null } && !row.Method.EndsWith("/Get", StringComparison.Ordinal))
        {
            var written = (row.Server, DeviceId.Of(row.Ids));
            writtenBy[written] = row.Scenario;
            if (row.Response is EndDevice { CreatedAt: { } created, UpdatedAt: { } updated } && (created.Equals(updated) || row.Method.EndsWith("/Create", StringComparison.Ordinal)))
                createdByRow.Add(written);
        }
        if (Compare(row, answer) is { } problem)
            Problems[row.Number] = $"{row}: {problem}";
        var (count, own) = Methods.GetValueOrDefault(row.Method);
        Methods[row.Method] = (count + 1, own + (seeded ? 1 : 0));
    }

    private static string? Compare(WireRow row, RawAnswer answer)
    {
        if (answer.Status != row.Status)
            return $"status {answer.Status} \"{answer.Message}\", not {row.Status} \"{row.Message}\"";
        foreach (var (name, value) in row.Headers)
        {
            var ours = answer.Headers.GetValueOrDefault(name);
            if (name == "x-request-id" ? ours is not { Length: 26 } : ours != value)
                return $"header {name} is \"{ours}\", not \"{value}\"";
        }
        if (answer.Headers.Keys.FirstOrDefault(name => name.StartsWith("x-", StringComparison.Ordinal) && row.Header(name) is null) is { } extra)
            return $"header {extra} is \"{answer.Headers[extra]}\", and not there in the recording";
        if (row.Status != 0)
            return CompareError(row, answer);
        var expected = row.Response;
        var actual = row.Parse(answer.Response ?? []);
        if (expected is null || actual is null)
            return "no parser for this answer";
        AlignTimes(expected, actual);
        expected = WithoutVolatile(expected);
        actual = WithoutVolatile(actual);
        return expected.Equals(actual) ? null : $"answer {Cut(actual)}\n    not {Cut(expected)}";
    }

    private static string Cut(IMessage message)
    {
        var text = message.ToString() ?? "";
        return text.Length > 3000 ? text[..3000] : text;
    }

    private static string? CompareError(WireRow row, RawAnswer answer)
    {
        var ours = answer.Details is null ? null : TtsError.DetailsOf(new GrpcStatus((GrpcCode)row.Status, answer.Message, answer.Details));
        if (row.Details is not { } expected)
            return ours is null && answer.Message == row.Message ? null : $"details {ours}, not none; message \"{answer.Message}\"";
        if (ours is null)
            return $"no details, message \"{answer.Message}\"";
        expected = Comparable(expected);
        ours = Comparable(ours);
        if (!expected.Equals(ours))
            return $"error {ours}\n    not {expected}";
        return IsRandomField(expected) || answer.Message == row.Message ? null : $"message \"{answer.Message}\", not \"{row.Message}\"";
    }

    /// <summary>The Network Server checks in random order, so which field it names first is random (facts/tts-api.md section 15).</summary>
    private static bool IsRandomField(ErrorDetails details) => details is { Namespace: "pkg/networkserver", Name: "field_value" };

    private static ErrorDetails Comparable(ErrorDetails details)
    {
        var result = details.Clone();
        result.CorrelationId = "";
        if (result.Cause is { } cause)
            result.Cause = Comparable(cause);
        if (IsRandomField(result))
        {
            result.Attributes.Fields.Remove("field");
            result.Cause = null;
        }
        if (result.Attributes?.Fields.Values.Where(value => value.KindCase == Value.KindOneofCase.ListValue) is { } lists)
        {
            foreach (var list in lists)
            {
                var sorted = list.ListValue.Values.OrderBy(value => value.StringValue, StringComparer.Ordinal).ToList();
                list.ListValue.Values.Clear();
                list.ListValue.Values.Add(sorted);
            }
        }
        return result;
    }

    /// <summary>Times that the server made are equal when they are near enough.</summary>
    private static void AlignTimes(IMessage expected, IMessage actual)
    {
        switch (expected, actual)
        {
            case (EndDevice theirs, EndDevice ours):
                ours.CreatedAt = Near(theirs.CreatedAt, ours.CreatedAt);
                ours.UpdatedAt = Near(theirs.UpdatedAt, ours.UpdatedAt);
                if (theirs.Session is not null && ours.Session is not null)
                    ours.Session.StartedAt = Near(theirs.Session.StartedAt, ours.Session.StartedAt);
                break;
            case (EndDevices theirs, EndDevices ours):
                foreach (var (left, right) in theirs.EndDevices_.Zip(ours.EndDevices_))
                    AlignTimes(left, right);
                break;
        }
    }

    private static Timestamp? Near(Timestamp? theirs, Timestamp? ours) =>
        theirs is not null && ours is not null && (theirs.ToDateTimeOffset() - ours.ToDateTimeOffset()).Duration() <= Tolerance ? theirs : ours;

    private static IMessage WithoutVolatile(IMessage message)
    {
        switch (message)
        {
            case Rights rights:
                return new Rights { Rights_ = { rights.Rights_.Order() } };
            case GenerateDevAddrResponse address:
                return new GenerateDevAddrResponse { DevAddr = ByteString.CopyFrom((byte)(address.DevAddr[0] & 0xFE), 0, 0, 0) };
            case AuthInfoResponse info:
                var copy = info.Clone();
                if (copy.ApiKey?.ApiKey is { } key)
                {
                    key.CreatedAt = key.UpdatedAt = null;
                    Sort(key.Rights);
                }
                if (copy.UniversalRights is { } universal)
                    Sort(universal.Rights_);
                return copy;
            case EndDevice { Picture: not null } device:
                var pictured = device.Clone();
                foreach (var size in pictured.Picture.Sizes.Keys.ToList())
                    pictured.Picture.Sizes[size] = Ulid().Replace(pictured.Picture.Sizes[size], "ULID");
                return pictured;
            default:
                return message;
        }
    }

    private static void Sort(Google.Protobuf.Collections.RepeatedField<Right> rights)
    {
        var sorted = rights.Order().ToList();
        rights.Clear();
        rights.Add(sorted);
    }

    [GeneratedRegex("[0-9A-Z]{26}", RegexOptions.None, 1000)]
    private static partial Regex Ulid();
}
