using System.Text;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Sandbox.Grpc;
using Sandbox.TheThingsStack;
using Testing;
using TheThingsStack.Api;
using TheThingsStack.FieldMasks;
using TheThingsStack.Import;
using TheThingsStack.Json;
using Xunit.Abstractions;

namespace Sandbox.Tests.TheThingsStack;

/// <summary>Every device that a real The Things Stack was asked to import, given to the emulator in the calls of the official CLI.</summary>
public sealed class ImportReplayTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string File = "tts-import.jsonl.gz";
    private const string Application = "target-app";
    private const string Host = "127.0.0.1";

    private static readonly MessageMask Deprecated = MessageMask.Create(MACParameters.Descriptor, ["adr_ack_limit", "adr_ack_delay", "ping_slot_data_rate_index"]);

    private TtsCluster cluster = null!;
    private string token = "";

    public async Task InitializeAsync()
    {
        cluster = await TtsCluster.StartAsync(new TtsClusterOptions { Host = Host });
        token = cluster.AddApplication(Application);
    }

    public async Task DisposeAsync() => await cluster.DisposeAsync();

    [Fact]
    public void The_emulator_gives_the_verdict_of_the_real_servers_to_every_device_that_the_CLI_sends() =>
        Golden.Check(File, output.WriteLine, row => Check(row, whole: false, row.Json), "emulator");

    [Fact]
    public void The_emulator_gives_the_verdict_of_the_real_servers_to_whole_parameters() => Golden.Check(
        File,
        output.WriteLine,
        row => row.Json.TryGetProperty("grpc_whole_parameters", out var verdict) && row.Text("id") != "foreign-addresses" ? Check(row, whole: true, verdict) : null,
        "emulator whole parameters");

    private string? Check(GoldenRow row, bool whole, JsonElement verdict)
    {
        // These depend on what the server held.
        if (row.Text("id")!.StartsWith("dup-", StringComparison.Ordinal))
            return null;
        var accepted = verdict.GetProperty("accepted").GetBoolean();
        if (!accepted && !verdict.GetProperty("error").TryGetProperty("name", out _))
            return null;
        EndDevice device;
        try
        {
            device = TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(row.Json.GetProperty("device").GetRawText()));
        }
        catch (TtsJsonException)
        {
            return accepted ? "cannot be read" : null;
        }
        device.Ids ??= new EndDeviceIdentifiers();
        device.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = Application };
        if (!whole)
        {
            device.NetworkServerAddress = device.ApplicationServerAddress = Host;
            if (device.SupportsJoin)
            {
                device.JoinServerAddress = Host;
                // The CLI asks the Join Server for its default JoinEUI.
                if (device.Ids.JoinEui.IsEmpty)
                    device.Ids.JoinEui = Google.Protobuf.ByteString.CopyFrom(new byte[8]);
            }
        }
        var (error, method) = Import(device, whole);
        var wrong = error is null ? CompareStored(row.Json, whole, device) : null;
        cluster.Put(Application, device.Ids.DeviceId, new TtsDevice(null, null, null, null));
        if (accepted)
            return error is null ? wrong : $"{row.Text("id")} accepted, but {method}: {error.Message}";
        var expected = verdict.GetProperty("error");
        var name = $"{expected.GetProperty("namespace").GetString()}:{expected.GetProperty("name").GetString()}";
        if (error is null)
            return $"{row.Text("id")} not accepted: {name} {expected.GetRawText()[..200]}";
        var details = TtsError.DetailsOf(error);
        if ($"{details?.Namespace}:{details?.Name}" != name)
            return $"{row.Text("id")} {name} expected, not {error.Message}";
        return !expected.TryGetProperty("method", out var full) || full.GetString()!.EndsWith("." + method, StringComparison.Ordinal) ? null : $"{row.Text("id")} {full} expected, not {method}";
    }

    private (GrpcStatus? Error, string Method) Import(EndDevice device, bool whole)
    {
        var masks = ImportMasks.For(device);
        var method = "";
        try
        {
            Call("EndDeviceRegistry/Create", new CreateEndDeviceRequest { EndDevice = Part(device, masks.IdentityServer) });
            if (masks.JoinServer.Count > 0)
                Set("JsEndDeviceRegistry/Set", masks.JoinServer);
            Set("NsEndDeviceRegistry/Set", whole ? Whole(masks.NetworkServer, device) : masks.NetworkServer);
            Set("AsEndDeviceRegistry/Set", masks.ApplicationServer);
            return (null, method);
        }
        catch (GrpcStatusException e)
        {
            return (e.Status, method);
        }

        void Set(string name, IReadOnlyList<string> paths) =>
            Call(name, new SetEndDeviceRequest { EndDevice = Part(device, paths), FieldMask = new FieldMask { Paths = { paths } } });

        void Call(string name, Google.Protobuf.IMessage request)
        {
            method = name;
            cluster.CallAsync<EndDevice>(name, request, token).GetAwaiter().GetResult();
        }
    }

    private static List<string> Whole(IReadOnlyList<string> paths, EndDevice device)
    {
        var result = paths.Where(path => !IsIn(path, "mac_state.current_parameters") && !IsIn(path, "mac_state.desired_parameters")).ToList();
        if (device.MacState?.CurrentParameters is not null)
            result.Add("mac_state.current_parameters");
        if (device.MacState?.DesiredParameters is not null)
            result.Add("mac_state.desired_parameters");
        return result;

        static bool IsIn(string path, string parent) => path == parent || FieldPath.IsBelow(path, parent);
    }

    private static EndDevice Part(EndDevice device, IReadOnlyList<string> paths)
    {
        var part = MessageMask.Create(EndDevice.Descriptor, paths).Select(device);
        part.Ids = device.Ids.Clone();
        return part;
    }

    private string? CompareStored(JsonElement row, bool whole, EndDevice device)
    {
        var stored = cluster.Device(Application, device.Ids.DeviceId);
        if (whole)
        {
            return device.MacState is not { } sent || stored.Network?.MacState is not { } kept
                || (IsKept(sent.CurrentParameters, kept.CurrentParameters) && IsKept(sent.DesiredParameters, kept.DesiredParameters))
                ? null
                : $"{row.GetProperty("id")} parameters {kept}, not {sent}";
        }
        if (!row.TryGetProperty("stored", out var records))
            return null;
        foreach (var server in new[] { "is", "ns", "as", "js" })
        {
            if (!records.TryGetProperty(server, out var json) || json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("ids", out _))
                continue;
            var ours = Get(server, device.Ids);
            var theirs = TtsJson.Read<EndDevice>(Encoding.UTF8.GetBytes(json.GetRawText()));
            var wanted = Comparable(theirs);
            var got = Comparable(ours);
            if (!wanted.Equals(got))
                return $"{row.GetProperty("id")} {server}: {string.Join(' ', MessageMask.Create(EndDevice.Descriptor, EndDevice.Descriptor.Fields.InDeclarationOrder().Select(field => field.Name)).Differences(wanted, got).Select(path => $"{path} {FieldPath.Find(got, path)}, not {FieldPath.Find(wanted, path)};"))}";
        }
        return null;
    }

    private EndDevice Get(string server, EndDeviceIdentifiers ids)
    {
        var (service, call) = server switch
        {
            "is" => ("EndDeviceRegistry", MaskedCall.IdentityServerGet),
            "ns" => ("NsEndDeviceRegistry", MaskedCall.NetworkServerGet),
            "as" => ("AsEndDeviceRegistry", MaskedCall.ApplicationServerGet),
            _ => ("JsEndDeviceRegistry", MaskedCall.JoinServerGet),
        };
        var request = new GetEndDeviceRequest
        {
            EndDeviceIds = new EndDeviceIdentifiers { DeviceId = ids.DeviceId, ApplicationIds = ids.ApplicationIds },
            FieldMask = new FieldMask { Paths = { AllowedPaths.For(call) } },
        };
        return cluster.CallAsync<EndDevice>(service + "/Get", request, token).GetAwaiter().GetResult();
    }

    /// <summary>Parameters that are sent stay as they are, except fields that are deprecated and dropped.</summary>
    private static bool IsKept(MACParameters? sent, MACParameters kept)
    {
        if (sent is null)
            return true;
        var rest = sent.Clone();
        Deprecated.Clear(rest);
        return rest.Equals(kept);
    }

    private static EndDevice Comparable(EndDevice record)
    {
        var result = record.Clone();
        result.CreatedAt = result.UpdatedAt = null;
        if (result.Session is { } session)
            session.StartedAt = null;
        if (result.VersionIds is { } version && version.CalculateSize() == 0)
            result.VersionIds = null;
        if (result.LoraAllianceProfileIds is { } profile && profile.CalculateSize() == 0)
            result.LoraAllianceProfileIds = null;
        return result;
    }
}
