using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Migration;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Mac;
using LoRaWanDevice = Sources.TtnV2.Api.LoRaWan.Device;
using V2Device = Sources.TtnV2.Api.Handler.Device;

namespace Sources.TtnV2;

/// <summary>What a mapping takes besides the record.</summary>
/// <param name="FrequencyPlanId">Plan of every device.</param>
/// <param name="WithSession">Whether sessions of OTAA devices are exported, and exported sessions are retired.</param>
/// <param name="ResetsToFrequencyPlan">Whether ABP devices get the frequencies of the plan as factory preset.</param>
/// <param name="LeavesNothing">Whether an ABP device leaves its session here also when sessions of OTAA devices stay: it is elsewhere before.</param>
internal sealed record TtnV2MappingOptions(string FrequencyPlanId, bool WithSession, bool ResetsToFrequencyPlan, bool LeavesNothing = false);

/// <summary>What a session needs from outside the record.</summary>
/// <param name="KeyId">Session key ID, 16 bytes; a new one for each device.</param>
/// <param name="StartedAt">Start of the session: V2 does not know it, so the time of the export.</param>
/// <param name="Plan">The frequency plan, or why there is none.</param>
internal sealed record TtnV2SessionContext(Func<ByteString> KeyId, DateTimeOffset StartedAt, FrequencyPlanResult Plan);

/// <summary>
/// A device of The Things Network V2 as an end device of The Things Stack (facts/ttnv2.md section 4, with the defects of section 6
/// mended). Pure.
/// </summary>
internal static class TtnV2Mapping
{
    /// <summary>Code of the note on ABP devices that V2 keeps serving.</summary>
    public const string AbpLeftRunning = "abp_left_running";

    /// <summary>Code of the note on devices that go with their session.</summary>
    public const string SessionKept = "session_kept";

    /// <summary>Code of the note on ABP devices that may be devices that join, without their AppKey.</summary>
    public const string AbpByRecord = "abp_by_record";

    private const string UserLocation = "user";

    /// <summary>True when the device goes with its session, so that its frame counters are needed: they are only in the answer to Get.</summary>
    public static bool NeedsCounters(TtnV2Device device, TtnV2MappingOptions options) =>
        device.Value?.LorawanDevice is { } lorawan && Rejection(device) is null && TakesSession(lorawan, options);

    /// <summary>Maps a device.</summary>
    public static MapResult Map(TtnV2Device device, TtnV2MappingOptions options, TtnV2SessionContext session)
    {
        if (Rejection(device) is { } rejection)
            return new MapResult.Rejected(rejection) { KeysGone = rejection.Name == "no_keys" };
        var record = device.Value!;
        var lorawan = record.LorawanDevice;
        var joins = IsSet(lorawan.AppKey);
        var notes = new List<Note>();
        var mapped = new EndDevice
        {
            Ids = new EndDeviceIdentifiers
            {
                DeviceId = device.Id,
                ApplicationIds = new ApplicationIdentifiers { ApplicationId = device.Application },
                DevEui = Eui(lorawan.DevEui),
                JoinEui = Eui(lorawan.AppEui),
            },
            Name = device.Id,
            Description = record.Description,
            LorawanVersion = MACVersion.MacV102,
            LorawanPhyVersion = PHYVersion.PhyV102RevB,
            FrequencyPlanId = options.FrequencyPlanId,
            MacSettings = new MACSettings
            {
                Supports32BitFCnt = new TheThingsStack.Api.BoolValue { Value = lorawan.Uses32BitFCnt },
                // V2 never asks for the device status; devices that do not answer would be asked for ever.
                StatusTimePeriodicity = new Duration(),
                StatusCountPeriodicity = 0,
            },
        };
        mapped.Attributes.Add(record.Attributes);
        if (lorawan.DisableFCntCheck)
            mapped.MacSettings.ResetsFCnt = new TheThingsStack.Api.BoolValue { Value = true };
        if (joins)
        {
            mapped.SupportsJoin = true;
            mapped.RootKeys = new RootKeys { AppKey = new KeyEnvelope { Key = lorawan.AppKey } };
        }
        AddLocation(mapped, record, notes);

        var retires = joins ? RetireScope.RootKeys : RetireScope.None;
        if (TakesSession(lorawan, options))
        {
            if (AddSession(mapped, lorawan, options, session, notes) is { } failure)
                return new MapResult.Rejected(failure);
            if (options.WithSession || options.LeavesNothing)
                retires |= RetireScope.Session;
        }
        else if (options.WithSession && HasPartOfSession(lorawan))
        {
            notes.Add(new Note(
                "partial_session",
                $"V2 has only part of a session (no {MissingSessionFields(lorawan)}): it is not exported and not cleared, the device has to join anew"));
        }
        return new MapResult.Mapped(mapped, retires, notes);
    }

    /// <summary>What a person has to do about the devices of a note.</summary>
    public static string? Guide(string noteCode) => noteCode switch
    {
        AbpLeftRunning =>
            "delete these devices from V2 once they are imported, or both networks answer them; move the gateways that hear them to The Things Stack, "
            + "because Packet Broker does not route their DevAddr; then set their RX1 delay: they keep the 1 s of V2, 5 s is recommended. A device among them "
            + "that joins has lost its AppKey to an earlier run: do not import its line, name the journal of that run with --journal and export again",
        AbpByRecord =>
            "see that they are ABP devices. One that joins has lost its AppKey to an earlier run or another tool, and would not join at The Things Stack: "
            + "name the journal of that run with --journal and export again, or put back the AppKey",
        SessionKept =>
            "these devices keep the DevAddr and the RX1 delay of 1 s of V2: move the gateways that hear them to The Things Stack, because Packet Broker "
            + "does not route their DevAddr",
        _ => null,
    };

    /// <summary>Why a record cannot become an end device at all; null when it can.</summary>
    private static Failure? Rejection(TtnV2Device device)
    {
        if (!device.IsDecoded)
            return device.Problem;
        if (device.Value.LorawanDevice is not { } lorawan)
        {
            return Failure.Named("source/ttnv2", "no_lorawan_device", "not a LoRaWAN device: the record has no LoRaWAN part") with
            {
                Advice = "delete it in V2 or register it again as a LoRaWAN device",
            };
        }
        var joins = IsSet(lorawan.AppKey);
        if (!joins && !HasSession(lorawan))
            return NoKeys(lorawan);
        if (!IsSet(lorawan.DevEui))
        {
            return joins
                ? Failure.Named("source/ttnv2", "register_on_join_template", "a template that registers devices when they join: it has no DevEUI") with
                {
                    Advice = "it is not a device, nothing was changed about it; The Things Stack has end device templates instead",
                }
                : Failure.Named("source/ttnv2", "no_dev_eui", "the device has no DevEUI") with
                {
                    Advice = "give it its DevEUI in V2 and export it again",
                };
        }
        return null;
    }

    private static Failure NoKeys(LoRaWanDevice lorawan) =>
        Failure.Named("source/ttnv2", "no_keys", HasPartOfSession(lorawan)
            ? $"the device has no AppKey and only part of a session (no {MissingSessionFields(lorawan)})"
            : "the device has no keys: no AppKey and no session") with
        {
            Advice = "if an earlier run has exported it, its key is already cleared here: restore it with `rollback`, or point --journal at the journal of the earlier run; otherwise give it keys in V2",
        };

    private static bool TakesSession(LoRaWanDevice lorawan, TtnV2MappingOptions options) =>
        HasSession(lorawan) && (options.WithSession || !IsSet(lorawan.AppKey));

    private static bool HasSession(LoRaWanDevice lorawan) => IsSet(lorawan.DevAddr) && IsSet(lorawan.NwkSKey) && IsSet(lorawan.AppSKey);

    private static bool HasPartOfSession(LoRaWanDevice lorawan) =>
        !HasSession(lorawan) && (IsSet(lorawan.DevAddr) || IsSet(lorawan.NwkSKey) || IsSet(lorawan.AppSKey));

    private static string MissingSessionFields(LoRaWanDevice lorawan)
    {
        var missing = new List<string>();
        if (!IsSet(lorawan.DevAddr))
            missing.Add("DevAddr");
        if (!IsSet(lorawan.NwkSKey))
            missing.Add("NwkSKey");
        if (!IsSet(lorawan.AppSKey))
            missing.Add("AppSKey");
        return string.Join(", ", missing);
    }

    private static Failure? AddSession(
        EndDevice mapped, LoRaWanDevice lorawan, TtnV2MappingOptions options, TtnV2SessionContext context, List<Note> notes)
    {
        if (context.Plan.Plan is not { } plan)
            return context.Plan.Failure;
        if (!MacStateBuilder.TryBuildSettled(mapped, plan, RxDelay._1, out var state, out var failure))
            return failure;
        mapped.MacState = state;
        mapped.Session = new Session
        {
            DevAddr = lorawan.DevAddr,
            Keys = new SessionKeys
            {
                FNwkSIntKey = new KeyEnvelope { Key = lorawan.NwkSKey },
                AppSKey = new KeyEnvelope { Key = lorawan.AppSKey },
            },
            LastFCntUp = lorawan.FCntUp,
            // V2 has the next counter, The Things Stack the last used one. One less would let The Things Stack use 0 again when V2 has 1,
            // so the value is taken as it is: one number is skipped.
            LastNFCntDown = lorawan.FCntDown,
            StartedAt = Timestamp.FromDateTimeOffset(context.StartedAt),
        };
        if (IsSet(lorawan.AppKey))
        {
            mapped.Session.Keys.SessionKeyId = context.KeyId();
            notes.Add(new Note(SessionKept, "goes with its session"));
            if (BandVersions.TryGet(plan, mapped.LorawanPhyVersion, out var band, out _) && TtnV2PlanFit.NoteForJoinedDevice(plan, band) is { } text)
                notes.Add(new Note("rx2_differs", text));
            return null;
        }
        notes.Add(options.WithSession || options.LeavesNothing
            ? new Note(SessionKept, "goes with its session")
            : new Note(AbpLeftRunning, "an ABP device: exported with its session, and left running in V2", NeedsPerson: true));
        // V2 keeps nothing that tells the two apart: constraints are what somebody wrote, and it does not give the nonces away.
        if ((options.WithSession || options.LeavesNothing) && IsSet(lorawan.AppEui))
            notes.Add(new Note(AbpByRecord, "goes as an ABP device: it has a session, no AppKey, and an AppEUI as devices that join have", NeedsPerson: true));
        mapped.MacSettings.Rx1Delay = new RxDelayValue { Value = RxDelay._1 };
        if (options.ResetsToFrequencyPlan)
            mapped.MacSettings.FactoryPresetFrequencies.Add(MacStateBuilder.EnabledUplinkFrequencies(state.DesiredParameters));
        return null;
    }

    private static void AddLocation(EndDevice mapped, V2Device record, List<Note> notes)
    {
        if (float.IsNaN(record.Latitude) || float.IsNaN(record.Longitude))
        {
            notes.Add(new Note("location_not_a_number", "its location is not a number and was left out"));
            return;
        }
        if (record.Latitude == 0 && record.Longitude == 0 && record.Altitude == 0)
            return;
        mapped.Locations.Add(UserLocation, new Location
        {
            Latitude = Degrees(record.Latitude),
            Longitude = Degrees(record.Longitude),
            Altitude = record.Altitude,
            Source = LocationSource.SourceRegistry,
        });
    }

    /// <summary>The shortest decimal that stands for the 32 bit number: 52.37, not 52.369998931884766.</summary>
    private static double Degrees(float value) =>
        double.Parse(value.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>Absent, empty and all-zero mean "none" (facts/ttnv2.md section 3.3).</summary>
    private static bool IsSet(ByteString value) => value.Span.ContainsAnyExcept((byte)0);

    private static ByteString Eui(ByteString value) => value.Length == 0 ? ByteString.CopyFrom(new byte[8]) : value;
}
