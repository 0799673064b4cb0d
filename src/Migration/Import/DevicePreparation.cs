using LoRaWan;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FieldMasks;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Import;

namespace Migration.Import;

/// <summary>
/// Makes of a line what is sent to each server, or says why the target would not take it. Calls no one. As the official CLI does, and better
/// where facts/tts-api.md section 7 says how: MAC parameters go whole, so that zeros arrive; what no server takes is dropped with a note.
/// </summary>
internal sealed class DevicePreparation(ImportOptions options, TargetFacts facts, IFrequencyPlanStore plans)
{
    /// <summary>Code of the note about a device that the options for ABP devices have changed.</summary>
    public const string AdjustedCode = "abp_adjusted";

    private static readonly string[] Wholes = ["mac_state.current_parameters", "mac_state.desired_parameters"];

    /// <summary>Prepares a device; the one given is not changed.</summary>
    public async ValueTask<(PreparedDevice? Prepared, Failure? Failure)> PrepareAsync(EndDevice line, CancellationToken cancellation)
    {
        var device = line.Clone();
        var notes = new List<Note>();
        Identify(device, notes);
        var plan = await plans.FindAsync(device.FrequencyPlanId, cancellation);
        Adjust(device, plan, notes);
        Drop(device, notes);
        if (device.FrequencyPlanId.Length > 0 && facts.FrequencyPlans?.Contains(device.FrequencyPlanId) == false)
            return (null, UnknownPlan(device.FrequencyPlanId));

        var findings = ImportRules.Check(device, plan, ImportWay.WholeParameters);
        var whole = true;
        if (findings.Any(IsError))
        {
            // Incomplete parameters pass field by field; the Network Server fills in its defaults.
            var single = ImportRules.Check(device, plan, ImportWay.OfficialCli);
            if (!single.Any(IsError))
            {
                findings = single;
                whole = false;
                notes.Add(new Note("mac_parameters_incomplete", "its MAC state lacks parameters, which the Network Server fills with its defaults: zeros in it do not arrive"));
            }
        }
        var errors = ImportRules.Verdict(findings);
        if (errors.Count > 0)
            return (null, Refusal(device, errors));
        foreach (var warning in findings.Where(finding => finding.Severity == ImportSeverity.Warning))
            notes.Add(new Note(warning.Rule[2..].Replace('-', '_'), warning.Field.Length > 0 ? $"`{warning.Field}`: {warning.Message}" : warning.Message));
        Warn(device, notes);
        return (Split(device, whole, notes), null);
    }

    /// <summary>Splits a device of the target for putting it back, as it is.</summary>
    public async ValueTask<PreparedDevice> SplitAsync(EndDevice former, CancellationToken cancellation)
    {
        var plan = await plans.FindAsync(former.FrequencyPlanId, cancellation);
        return Split(former, !ImportRules.Check(former, plan, ImportWay.WholeParameters).Any(IsError), []);
    }

    private static bool IsError(ImportFinding finding) => finding.Severity == ImportSeverity.Error;

    private void Identify(EndDevice device, List<Note> notes)
    {
        device.Ids ??= new EndDeviceIdentifiers();
        device.Ids.ApplicationIds = new ApplicationIdentifiers { ApplicationId = options.Application };
        // The Network Server takes it from the session; the Join Server refuses it. One that contradicts the session is for a person.
        if (device.Session is null || device.Session.DevAddr.Equals(device.Ids.DevAddr))
            device.Ids.DevAddr = Google.Protobuf.ByteString.Empty;
        device.NetworkServerAddress = facts.NetworkServerHost;
        device.ApplicationServerAddress = facts.ApplicationServerHost;
        device.JoinServerAddress = device.SupportsJoin ? facts.JoinServerHost : "";
        if (!device.SupportsJoin || device.Ids.JoinEui.Length > 0 || facts.DefaultJoinEui.IsEmpty)
            return;
        device.Ids.JoinEui = facts.DefaultJoinEui;
        notes.Add(new Note("default_join_eui", $"it has no JoinEUI and got the default one of the cluster, {Convert.ToHexString(facts.DefaultJoinEui.Span)}", NeedsPerson: true));
    }

    private void Adjust(EndDevice device, FrequencyPlanResult plan, List<Note> notes)
    {
        if (device.SupportsJoin || device.Multicast || options.Abp == new AbpAdjustments())
            return;
        var settings = device.MacSettings ??= new MACSettings();
        if (options.Abp.Rx1Delay is { } seconds)
        {
            settings.Rx1Delay = new RxDelayValue { Value = (RxDelay)seconds };
            foreach (var parameters in new[] { device.MacState?.CurrentParameters, device.MacState?.DesiredParameters })
            {
                if (parameters is not null)
                    parameters.Rx1Delay = (RxDelay)seconds;
            }
        }
        if (options.Abp.ResetsFCnt is { } resets)
            settings.ResetsFCnt = new BoolValue { Value = resets };
        if (options.Abp.Supports32BitFCnt is { } wide)
            settings.Supports32BitFCnt = new BoolValue { Value = wide };
        if (options.Abp.FactoryPresetsFromPlan && plan.Plan is { } found)
        {
            settings.FactoryPresetFrequencies.Clear();
            settings.FactoryPresetFrequencies.AddRange(found.UplinkChannels.Select(channel => channel.Frequency.Hertz));
        }
        notes.Add(new Note(AdjustedCode, "its MAC settings are those that the options say"));
    }

    /// <summary>What no server takes, or what would do harm there.</summary>
    private static void Drop(EndDevice device, List<Note> notes)
    {
        if (device.Picture is not null)
        {
            device.Picture = null;
            notes.Add(new Note("picture_not_imported", "its picture is not imported"));
        }
        // Keys that only the old cluster can unwrap, and its labels, are of no use to the new one.
        if (device.RootKeys is { } root)
        {
            var wasEmpty = root.CalculateSize() == 0;
            root.AppKey = Unwrap(root.AppKey);
            root.NwkKey = Unwrap(root.NwkKey);
            if (!wasEmpty && root.CalculateSize() == 0)
                device.RootKeys = null;
        }
        if (device.Session?.Keys is { } session)
        {
            session.AppSKey = Unwrap(session.AppSKey);
            session.FNwkSIntKey = Unwrap(session.FNwkSIntKey);
            session.NwkSEncKey = Unwrap(session.NwkSEncKey);
            session.SNwkSIntKey = Unwrap(session.SNwkSIntKey);
        }
        foreach (var parameters in new[] { device.MacState?.CurrentParameters, device.MacState?.DesiredParameters })
        {
            if (parameters is null)
                continue;
#pragma warning disable CS0612 // Deprecated fields of old exports: with them the parameters cannot go whole.
            parameters.AdrAckLimit = 0;
            parameters.AdrAckDelay = 0;
            parameters.PingSlotDataRateIndex = DataRateIndex.DataRate0;
#pragma warning restore CS0612
        }

        // An empty key is not a zero key: what only the old cluster can unwrap is left out.
        KeyEnvelope? Unwrap(KeyEnvelope? envelope)
        {
            if (envelope is null || (envelope.KekLabel.Length == 0 && envelope.EncryptedKey.IsEmpty))
                return envelope;
            if (envelope.Key.IsEmpty)
            {
                notes.Add(new Note("wrapped_key_lost", "one of its keys is wrapped for the old cluster and cannot be imported", NeedsPerson: true));
                return null;
            }
            notes.Add(new Note("kek_label_dropped", "a key label of the old cluster was left out"));
            return new KeyEnvelope { Key = envelope.Key };
        }
    }

    private void Warn(EndDevice device, List<Note> notes)
    {
        if (device.Session is { DevAddr.Length: 4 } session && facts.DevAddrPrefixes.Count > 0)
        {
            var address = DevAddr.FromBytes(session.DevAddr.Span);
            if (!facts.DevAddrPrefixes.Any(prefix => prefix.Contains(address)))
            {
                notes.Add(new Note(
                    "dev_addr_of_another_network",
                    "its DevAddr is not in the blocks of the target network: uplinks arrive only through gateways that are connected to the target itself",
                    NeedsPerson: true));
            }
        }
        if (!device.SupportsJoin && !device.Multicast && (device.MacSettings?.Rx1Delay ?? device.MacSettings?.DesiredRx1Delay) is not { Value: > RxDelay._1 })
        {
            notes.Add(new Note(
                "rx1_delay_1s",
                "its RX1 delay is 1 s: over a slow backhaul or the Packet Broker downlinks come too late; program the device for 5 s and import it with --rx1-delay 5 (--import-rx1-delay 5 beside --import-to)"));
        }
    }

    private static PreparedDevice Split(EndDevice device, bool whole, List<Note> notes)
    {
        var masks = ImportMasks.For(device);
        IReadOnlyList<string> network = masks.NetworkServer;
        if (whole && device.MacState is { } state)
        {
            var wholes = Wholes.Where(path => path == Wholes[0] ? state.CurrentParameters is not null : state.DesiredParameters is not null).ToList();
            network = [.. network.Where(path => !wholes.Exists(above => FieldPath.IsBelow(path, above) || path == above)).Concat(wholes).Order(StringComparer.Ordinal)];
        }
        // IDs of the old record and times are not the device's own.
        var lost = masks.Dropped.Where(path => path is not ("created_at" or "updated_at")).ToList();
        if (lost.Count > 0)
            notes.Add(new Note("not_imported", $"no server takes {string.Join(", ", lost.Take(5).Select(path => $"`{path}`"))}{(lost.Count > 5 ? " and others" : "")}"));
        return new PreparedDevice(
            Part(device, masks.IdentityServer),
            device.SupportsJoin ? Part(device, masks.JoinServer) : null,
            Part(device, network),
            Part(device, masks.ApplicationServer),
            notes);
    }

    private static ServerPart Part(EndDevice device, IReadOnlyList<string> paths)
    {
        var part = MessageMask.Create(EndDevice.Descriptor, paths).Select(device);
        part.Ids = device.Ids.Clone();
        return new ServerPart(part, paths);
    }

    private static Failure Refusal(EndDevice device, IReadOnlyList<ImportFinding> errors)
    {
        var first = errors[0];
        var colon = first.Error.LastIndexOf(':');
        var text = first.Field.Length > 0 ? $"`{first.Field}`: {first.Message}" : first.Message;
        return new Failure(errors.Count == 1 ? text : $"{text} (and {errors.Count - 1} more, see `ttn-lw-migrate check`)")
        {
            Namespace = colon < 0 ? "import" : first.Error[..colon],
            Name = colon < 0 ? "refused" : first.Error[(colon + 1)..],
            Attributes = new Dictionary<string, string> { ["device_id"] = device.Ids.DeviceId, ["field"] = first.Field },
            Advice = "correct the device in the file and import it again; no server was asked",
        };
    }

    private static Failure UnknownPlan(string plan) => new($"the target has no frequency plan `{plan}`")
    {
        Namespace = "pkg/frequencyplans",
        Name = "not_found",
        Attributes = new Dictionary<string, string> { ["id"] = plan, ["field"] = "frequency_plan_id" },
        Advice = "give the device a plan of the target: `ttn-lw-migrate frequency-plans` lists those of this program, the Console those of the cluster",
    };
}
