using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using LoRaWan;
using LoRaWan.Regional;
using Migration;
using TheThingsStack.Api;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;
using TheThingsStack.Mac;
using DevAddr = LoRaWan.DevAddr;
using DevEui = LoRaWan.DevEui;
using JoinEui = LoRaWan.JoinEui;

namespace Sources.Wanesy;

/// <summary>What a mapping needs from outside the row.</summary>
/// <param name="KeyId">Session key ID, 16 bytes; a new one for each device.</param>
/// <param name="StartedAt">Start of the session: the file does not know it, so the time of the export.</param>
/// <param name="Plan">The frequency plan, or why there is none; needed as <see cref="WanesyMapping.NeedsPlan"/> says.</param>
internal sealed record WanesyMappingContext(Func<ByteString> KeyId, DateTimeOffset StartedAt, FrequencyPlanResult Plan);

/// <summary>A row of Wanesy as an end device of The Things Stack (facts/wanesy.md section 4, with the defects of section 6 mended). Pure.</summary>
internal static class WanesyMapping
{
    /// <summary>Code of the note on devices that have to be removed by hand, which are all.</summary>
    public const string RemoveInWanesy = "remove_in_wanesy";

    private const string NoCounters = "no_frame_counters";
    private const string UnreadableName = "unreadable_name";
    private const string NoNwkKey = "no_nwk_key";
    private const string OtherRegion = "other_region";
    private const string Package = "source/wanesy";
    private const string UserLocation = "user";

    private static readonly WanesyColumn[] Keys =
        [WanesyColumn.AppKey, WanesyColumn.DevAddr, WanesyColumn.NwkSKey, WanesyColumn.AppSKey, WanesyColumn.FNwkSIntKey, WanesyColumn.SNwkSIntKey];

    /// <summary>True when the mapping asks for the frequency plan: for the MAC state of a session, and for data rates of class B.</summary>
    public static bool NeedsPlan(WanesyDevice row) =>
        (row.Has(WanesyColumn.DevAddr) && row.Has(WanesyColumn.NwkSKey) && row.Has(WanesyColumn.AppSKey)) || row.Has(WanesyColumn.PingSlotDr);

    /// <summary>True when two rows have the same DevEUI, keys and session.</summary>
    public static bool HaveSameKeys(WanesyDevice a, WanesyDevice b) =>
        a.DevEui == b.DevEui && Keys.All(c => string.Equals(a[c], b[c], StringComparison.OrdinalIgnoreCase));

    /// <summary>What a person has to do about the devices of a note.</summary>
    public static string? Guide(string noteCode) => noteCode switch
    {
        RemoveInWanesy =>
            "remove these devices in the Wanesy Management Center once they are imported, or both networks answer them; nothing is changed there from here",
        UnreadableName =>
            "save the file as UTF-8 (in a spreadsheet: \"CSV UTF-8\") and run the command again, or correct these names after the import",
        NoCounters =>
            "look the counters up in Wanesy and write them into the columns `fcntUp` and `fcntDown`; with a downlink counter that is too low the device ignores downlinks",
        NoNwkKey =>
            "their sessions go on, but they cannot join The Things Stack: get the NwkKey from whoever made the device and set it after the import",
        OtherRegion =>
            "devices on another band than the plan are not heard: export the devices of each region by themselves, each with a frequency plan of its region",
        _ => null,
    };

    /// <summary>Maps a row.</summary>
    public static MapResult Map(WanesyDevice row, string frequencyPlanId, WanesyMappingContext context)
    {
        if ((row.Problem ?? DevEuiProblem(row)) is { } problem)
            return new MapResult.Rejected(problem);
        var fields = new WanesyFields(row);
        fields.Hex<DevEui>(WanesyColumn.DevEui);
        var versions = WanesyVersions.Read(row, fields);
        var joins = Joins(row, fields);
        var deviceClass = ClassOf(row, fields);
        var mapped = new EndDevice
        {
            Ids = new EndDeviceIdentifiers
            {
                ApplicationIds = new ApplicationIdentifiers { ApplicationId = row.Application },
                DevEui = Bytes(row.DevEui!.Value),
            },
            Name = row[WanesyColumn.Name],
            LorawanVersion = versions?.Mac ?? default,
            LorawanPhyVersion = versions?.Phy ?? default,
            FrequencyPlanId = frequencyPlanId,
            SupportsJoin = joins,
            SupportsClassB = deviceClass == 'B',
            SupportsClassC = deviceClass == 'C',
            MacSettings = new MACSettings(),
        };
        if (joins)
            AddRootKeys(mapped, row, fields);
        AddLocation(mapped, fields);
        AddRadioSettings(mapped, row, fields, context);
        AddSession(mapped, row, fields, context);
        if (fields.Failure is { } failure)
            return new MapResult.Rejected(failure);

        if (mapped.Name.Contains('\uFFFD', StringComparison.Ordinal))
            fields.Notes.Add(new Note(UnreadableName, "its name has letters that are not UTF-8; they are lost", NeedsPerson: true));
        CheckRegion(row, frequencyPlanId, fields, context);
        fields.AddNotesOnForm();
        fields.Notes.Add(new Note(RemoveInWanesy, "has to be removed from Wanesy by hand", NeedsPerson: true));
        return new MapResult.Mapped(mapped, RetireScope.None, fields.Notes);
    }

    private static Failure? DevEuiProblem(WanesyDevice row)
    {
        if (row.DevEui is not null)
            return null;
        var where = row.Where(WanesyColumn.DevEui);
        if (row.Has(WanesyColumn.DevEui) && !WanesyHex.TryRead(row[WanesyColumn.DevEui], out DevEui _, out _, out var reason))
            return WanesyHex.InvalidEui("the DevEUI " + reason) with { Advice = $"{where}: write 16 hex digits without anything between them" };
        return Failure.Named(Package, "no_dev_eui", "the row has no DevEUI") with { Advice = $"{where}: write the DevEUI of the device, or remove the row" };
    }

    private static bool Joins(WanesyDevice row, WanesyFields fields)
    {
        var activation = row[WanesyColumn.Activation];
        if (activation.Equals("OTAA", StringComparison.OrdinalIgnoreCase))
            return true;
        if (!activation.Equals("ABP", StringComparison.OrdinalIgnoreCase))
            fields.Refuse(WanesyColumn.Activation, "invalid_activation", $"activation `{activation}` is neither OTAA nor ABP", "write OTAA or ABP");
        return false;
    }

    private static char ClassOf(WanesyDevice row, WanesyFields fields)
    {
        switch (row[WanesyColumn.ClassType].ToUpperInvariant())
        {
            case "A":
                return 'A';
            case "B":
                return 'B';
            case "C":
                return 'C';
            case "":
                fields.Notes.Add(new Note("class_assumed", "no class in the file: class A, which every device has"));
                return 'A';
            default:
                fields.Refuse(WanesyColumn.ClassType, "invalid_class", $"class `{row[WanesyColumn.ClassType]}` is not A, B or C", "write A, B or C");
                return 'A';
        }
    }

    private static void AddRootKeys(EndDevice mapped, WanesyDevice row, WanesyFields fields)
    {
        if (fields.HexOrZero<JoinEui>(WanesyColumn.AppEui) is { } joinEui)
            mapped.Ids.JoinEui = Bytes(joinEui);
        else if (!row.Has(WanesyColumn.AppEui))
            fields.Refuse(WanesyColumn.AppEui, "no_join_eui", "the device joins, but has no JoinEUI", "write the JoinEUI (AppEUI) of the device");
        if (fields.Hex<AesKey>(WanesyColumn.AppKey) is { } appKey)
            mapped.RootKeys = new RootKeys { AppKey = Key(appKey) };
        else
            fields.Refuse(WanesyColumn.AppKey, "no_app_key", "the device joins, but has no AppKey", "write the AppKey of the device");
        if (mapped.LorawanVersion == MACVersion.MacV11)
            fields.Notes.Add(new Note(NoNwkKey, "LoRaWAN 1.1, and the file has no NwkKey: the device cannot join", NeedsPerson: true));
    }

    private static void AddLocation(EndDevice mapped, WanesyFields fields)
    {
        if (fields.Degrees(WanesyColumn.Latitude, 90) is not { } latitude || fields.Degrees(WanesyColumn.Longitude, 180) is not { } longitude)
            return;
        mapped.Locations.Add(UserLocation, new Location
        {
            Latitude = latitude,
            Longitude = longitude,
            Altitude = fields.Altitude() ?? 0,
            Source = LocationSource.SourceRegistry,
        });
    }

    /// <summary>
    /// What Wanesy has set is what the network wants; an ABP device, which nobody can tell at a join, has it from the factory too. For a
    /// device that joins it must not count as the state before the join: the join accept goes out with the values of the band.
    /// </summary>
    private static void AddRadioSettings(EndDevice mapped, WanesyDevice row, WanesyFields fields, WanesyMappingContext context)
    {
        var settings = mapped.MacSettings;
        var fromFactory = !mapped.SupportsJoin;
        if (fields.Rx2DataRateIndex() is { } rx2)
            settings.DesiredRx2DataRateIndex = DataRate(rx2);
        if (fields.Rx1DataRateOffset() is { } offset)
        {
            settings.DesiredRx1DataRateOffset = new DataRateOffsetValue { Value = (DataRateOffset)offset };
            if (fromFactory)
                settings.Rx1DataRateOffset = settings.DesiredRx1DataRateOffset.Clone();
        }
        if (fields.Frequency(WanesyColumn.Rx2Freq) is { } frequency)
        {
            settings.DesiredRx2Frequency = new FrequencyValue { Value = frequency.Hertz };
            if (fromFactory)
                settings.Rx2Frequency = settings.DesiredRx2Frequency.Clone();
        }
        if (fields.Switch(WanesyColumn.AdrEnabled) == false)
            settings.Adr = new ADRSettings { Disabled = new ADRSettings.Types.DisabledMode() };
        if (mapped.SupportsClassB)
            AddPingSlots(mapped, row, fields, context);
        if (row.Has(WanesyColumn.CFList))
            fields.Notes.Add(new Note("channels_of_plan", "the channels of `cfList` are not taken over; those of the frequency plan apply"));
        if (row.Has(WanesyColumn.DwellTime))
            fields.Notes.Add(new Note("dwell_time_of_plan", "`dwellTime` is not taken over; the frequency plan decides"));
    }

    private static void AddPingSlots(EndDevice mapped, WanesyDevice row, WanesyFields fields, WanesyMappingContext context)
    {
        var settings = mapped.MacSettings;
        if (fields.Frequency(WanesyColumn.PingSlotFreq) is { } frequency)
            settings.DesiredPingSlotFrequency = new ZeroableFrequencyValue { Value = frequency.Hertz };
        Band? band = null;
        if (context.Plan.Plan is { } plan)
            BandVersions.TryGet(plan, mapped.LorawanPhyVersion, out band, out _);
        if (fields.DataRateIndex(WanesyColumn.PingSlotDr, band) is { } rate)
            settings.DesiredPingSlotDataRateIndex = DataRate(rate);
        if (!row.Has(WanesyColumn.PingSlotFreq) && !row.Has(WanesyColumn.PingSlotDr))
            fields.Notes.Add(new Note("ping_slots_of_band", "class B without ping slot settings in the file: those of the band apply"));
    }

    private static void AddSession(EndDevice mapped, WanesyDevice row, WanesyFields fields, WanesyMappingContext context)
    {
        var devAddr = fields.Hex<DevAddr>(WanesyColumn.DevAddr);
        var nwkSKey = fields.Hex<AesKey>(WanesyColumn.NwkSKey);
        var appSKey = fields.Hex<AesKey>(WanesyColumn.AppSKey);
        AesKey? fNwkSIntKey = null;
        AesKey? sNwkSIntKey = null;
        var missing = new List<WanesyColumn>();
        void Need(bool isThere, WanesyColumn column)
        {
            if (!isThere)
                missing.Add(column);
        }
        Need(devAddr is not null, WanesyColumn.DevAddr);
        Need(nwkSKey is not null, WanesyColumn.NwkSKey);
        Need(appSKey is not null, WanesyColumn.AppSKey);
        var wantedValues = 3;
        if (mapped.LorawanVersion == MACVersion.MacV11)
        {
            fNwkSIntKey = fields.Hex<AesKey>(WanesyColumn.FNwkSIntKey);
            sNwkSIntKey = fields.Hex<AesKey>(WanesyColumn.SNwkSIntKey);
            Need(fNwkSIntKey is not null, WanesyColumn.FNwkSIntKey);
            Need(sNwkSIntKey is not null, WanesyColumn.SNwkSIntKey);
            wantedValues = 5;
        }
        if (missing.Count > 0)
        {
            var text = string.Join(", ", missing.Select(c => $"`{WanesyColumns.NameOf(c)}`"));
            if (!mapped.SupportsJoin)
                fields.Refuse(missing[0], "no_session", $"an ABP device without {text}", "write the values of the device; without them it has no session");
            else if (missing.Count < wantedValues)
                fields.Notes.Add(new Note("partial_session", $"the file has only part of a session (no {text}): it is left out, the device has to join anew"));
            return;
        }

        var upCounter = fields.Counter(WanesyColumn.FCntUp);
        var downCounter = fields.Counter(WanesyColumn.FCntDown);
        var rx1Delay = fields.Rx1Delay() ?? 1;
        if (fields.Failure is not null)
            return;
        // LoRaWAN's own default is 1 s, and 0 means 1 s; any other delay must outlive a reset of the MAC state.
        if (rx1Delay > 1)
            mapped.MacSettings.Rx1Delay = new RxDelayValue { Value = (RxDelay)rx1Delay };
        if (context.Plan.Plan is not { } plan)
        {
            fields.Refuse(context.Plan.Failure!);
            return;
        }
        if (!MacStateBuilder.TryBuildSettled(mapped, plan, (RxDelay)rx1Delay, out var state, out var failure))
        {
            fields.Refuse(failure);
            return;
        }
        if (upCounter is null || downCounter is null)
            fields.Notes.Add(new Note(NoCounters, "a session without frame counters in the file: they begin at 0", NeedsPerson: true));
        mapped.MacState = state;
        mapped.Session = new Session
        {
            DevAddr = Bytes(devAddr!.Value),
            Keys = new SessionKeys { AppSKey = Key(appSKey!.Value) },
            LastFCntUp = upCounter?.Value ?? 0,
            LastNFCntDown = downCounter?.Value ?? 0,
            LastAFCntDown = downCounter?.Value ?? 0,
        };
        if (fNwkSIntKey is { } forwarding && sNwkSIntKey is { } serving)
        {
            mapped.Session.Keys.FNwkSIntKey = Key(forwarding);
            mapped.Session.Keys.SNwkSIntKey = Key(serving);
            mapped.Session.Keys.NwkSEncKey = Key(nwkSKey!.Value);
        }
        else
        {
            mapped.Session.Keys.FNwkSIntKey = Key(nwkSKey!.Value);
        }
        if (!mapped.SupportsJoin)
            return;
        mapped.Session.StartedAt = Timestamp.FromDateTimeOffset(context.StartedAt);
        mapped.Session.Keys.SessionKeyId = context.KeyId();
    }

    /// <summary>One plan for all rows is easily the wrong one for some.</summary>
    private static void CheckRegion(WanesyDevice row, string frequencyPlanId, WanesyFields fields, WanesyMappingContext context)
    {
        if ((context.Plan.Plan ?? EmbeddedFrequencyPlanStore.Find(frequencyPlanId).Plan) is not { } plan)
        {
            fields.Notes.Add(new Note(
                "frequency_plan_not_checked", $"the frequency plan `{frequencyPlanId}` is not one that is known here; see that the device can use it", NeedsPerson: true));
            return;
        }
        var region = row[WanesyColumn.RfRegion];
        // AS923 stands for each of its groups.
        if (region.Length == 0 || !Band.TryGetIdOfRegion(region, out var band) || plan.BandId == band
            || (region.Equals("AS923", StringComparison.OrdinalIgnoreCase) && plan.BandId.StartsWith(band, StringComparison.Ordinal)))
        {
            return;
        }
        fields.Notes.Add(new Note(OtherRegion, $"Wanesy has it in {region}, the frequency plan `{frequencyPlanId}` is of band {plan.BandId}", NeedsPerson: true));
    }

    private static DataRateIndexValue DataRate(int index) => new() { Value = (TheThingsStack.Api.DataRateIndex)index };

    private static KeyEnvelope Key(AesKey key) => new() { Key = Bytes(key) };

    private static ByteString Bytes<T>(T value)
        where T : struct, IHexValue<T> => UnsafeByteOperations.UnsafeWrap(value.ToByteArray());
}
