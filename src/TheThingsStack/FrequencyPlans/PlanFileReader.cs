using System.Collections.Immutable;
using System.Globalization;
using LoRaWan.Regional;

namespace TheThingsStack.FrequencyPlans;

/// <summary>
/// Reads index and plan files (facts/frequency-plans.md sections 2 and 4): unknown members are ignored, types and units are checked,
/// errors say file, line, member and what was found.
/// </summary>
internal sealed class PlanFileReader(string file)
{
    /// <summary>LoRaWAN has no band below this; a smaller frequency is written in kHz or MHz.</summary>
    private const ulong LeastFrequencyHz = 100_000_000;

    /// <summary>No device sends with more; a larger EIRP is written in mW.</summary>
    private const float GreatestEirpDbm = 60;

    /// <summary>A shorter dwell time is written in milliseconds without unit; bare numbers are nanoseconds.</summary>
    private static readonly TimeSpan LeastDwellTime = TimeSpan.FromMilliseconds(1);

    /// <summary>Reads the index: plans that know what the index says of them, and nothing else. An entry without ID matches nothing.</summary>
    /// <exception cref="YamlFormatException">Not a list of plans.</exception>
    public static IReadOnlyList<FrequencyPlan> ReadIndex(string file, TextReader text) => new PlanFileReader(file).Index(YamlTree.Read(file, text));

    /// <summary>Reads the file of a plan.</summary>
    /// <param name="entry">The plan as the index has it.</param>
    /// <param name="text">Text of <see cref="FrequencyPlan.File"/>.</param>
    /// <exception cref="YamlFormatException">Not a plan.</exception>
    public static FrequencyPlan ReadPlan(FrequencyPlan entry, TextReader text) =>
        new PlanFileReader(entry.File ?? "").Plan(entry, YamlTree.Read(entry.File ?? "", text));

    private List<FrequencyPlan> Index(YamlValue document)
    {
        if (document is YamlScalar { IsNull: true })
            return [];
        var entries = new List<FrequencyPlan>();
        foreach (var item in document is YamlList list ? list.Items : throw Wrong(document, "", "a list of frequency plans"))
        {
            var path = At("", entries.Count);
            if (item is not YamlMap map)
                throw Wrong(item, path, "a frequency plan with id and file");
            entries.Add(new FrequencyPlan
            {
                Id = Text(map, path, "id"),
                BaseId = Text(map, path, "base-id") is { Length: > 0 } baseId ? baseId : null,
                Name = Text(map, path, "name"),
                Description = Text(map, path, "description"),
                BaseFrequencyMegahertz = (int?)Whole(map, path, "base-frequency", ushort.MaxValue),
                File = Text(map, path, "file"),
                Gateways = Boolean(map, path, "gateways"),
                CountryCodes = [.. Items(map, "country-codes").OfType<YamlScalar>().Select(code => code.Text)],
            });
        }
        return entries;
    }

    private FrequencyPlan Plan(FrequencyPlan entry, YamlValue document)
    {
        if (document is YamlScalar { IsNull: true })
            return entry;
        if (document is not YamlMap map)
            throw Wrong(document, "", "a frequency plan");
        return entry with
        {
            BandId = Text(map, "", "band-id"),
            UplinkChannels = Channels(map, "uplink-channels"),
            DownlinkChannels = Channels(map, "downlink-channels"),
            LoRaStandardChannel = FixedRate(map, "lora-standard-channel"),
            FskChannel = FixedRate(map, "fsk-channel"),
            Rx2Frequency = ChannelFrequency(map, "rx2-channel"),
            Rx2DataRate = DataRate(map, "", "rx2-default-data-rate"),
            PingSlotFrequency = ChannelFrequency(map, "ping-slot"),
            PingSlotDataRate = DataRate(map, "", "ping-slot-default-data-rate"),
            MaxEirpDbm = Eirp(map, "", "max-eirp"),
            DwellTime = Map(map, "", "dwell-time") is { } dwell
                ? new(Boolean(dwell, "dwell-time", "uplinks"), Boolean(dwell, "dwell-time", "downlinks"), Duration(dwell, "dwell-time", "duration", LeastDwellTime))
                : default,
            TimeOffAir = Map(map, "", "time-off-air") is { } pause
                ? new(Decimal(pause, "time-off-air", "fraction") ?? 0, Duration(pause, "time-off-air", "duration") ?? default)
                : default,
            ListenBeforeTalk = Map(map, "", "listen-before-talk") is { } listen
                ? new(
                    Decimal(listen, "listen-before-talk", "rssi-target") ?? 0,
                    Decimal(listen, "listen-before-talk", "rssi-offset") ?? 0,
                    Duration(listen, "listen-before-talk", "scan-time") ?? default)
                : null,
            SubBands = [.. Items(map, "sub-bands").Select((item, i) => SubBand(item, At("sub-bands", i)))],
        };
    }

    private ImmutableArray<Channel> Channels(YamlMap plan, string member) => [.. Items(plan, member).Select((item, i) => Channel(item, At(member, i)))];

    private Channel Channel(YamlValue item, string path)
    {
        if (item is YamlScalar { IsNull: true })
            return default;
        if (item is not YamlMap map)
            throw Wrong(item, path, "a channel");
        var dwellPath = Join(path, "dwell-time");
        return new Channel(Frequency(map, path, "frequency") ?? default, DataRate(map, path, "min-data-rate") ?? default, DataRate(map, path, "max-data-rate") ?? default)
        {
            DwellTime = Map(map, path, "dwell-time") is { } dwell ? new(Boolean(dwell, dwellPath, "enabled"), Duration(dwell, dwellPath, "duration", LeastDwellTime)) : null,
        };
    }

    private SubBand SubBand(YamlValue item, string path) => item is YamlMap map
        ? new(Frequency(map, path, "min-frequency") ?? default, Frequency(map, path, "max-frequency") ?? default, Decimal(map, path, "duty-cycle"), Eirp(map, path, "max-eirp"))
        : throw Wrong(item, path, "a sub-band");

    private FixedRateChannel? FixedRate(YamlMap plan, string member) => Map(plan, "", member) is { } map
        ? new(Frequency(map, member, "frequency") ?? default, DataRate(map, member, "data-rate") ?? default)
        : null;

    /// <summary>A channel that is there without frequency has 0 Hz, which is not the same as no channel.</summary>
    private Frequency? ChannelFrequency(YamlMap plan, string member) =>
        Map(plan, "", member) is { } map ? Frequency(map, member, "frequency") ?? default(Frequency) : null;

    private IReadOnlyList<YamlValue> Items(YamlMap map, string member) => Value(map, member) switch
    {
        null => [],
        YamlList list => list.Items,
        var other => throw Wrong(other, member, "a list"),
    };

    private YamlMap? Map(YamlMap map, string path, string member) => Value(map, member) switch
    {
        null => null,
        YamlMap inner => inner,
        var other => throw Wrong(other, Join(path, member), "an object"),
    };

    private string Text(YamlMap map, string path, string member) => Value(map, member) switch
    {
        null => "",
        YamlScalar scalar => scalar.Text,
        var other => throw Wrong(other, Join(path, member), "a text"),
    };

    private Frequency? Frequency(YamlMap map, string path, string member)
    {
        if (Whole(map, path, member, ulong.MaxValue, "a frequency in Hz, for example 868100000") is not { } frequency)
            return null;
        return frequency is > 0 and < LeastFrequencyHz
            ? throw Wrong(map.Entries[member], Join(path, member), "a frequency in Hz, for example 868100000 for 868.1 MHz")
            : new Frequency(frequency);
    }

    private DataRateIndex? DataRate(YamlMap map, string path, string member) =>
        Whole(map, path, member, byte.MaxValue, "a data rate index of 0 to 255") is { } index ? new DataRateIndex((byte)index) : null;

    private float? Decimal(YamlMap map, string path, string member)
    {
        const string Expected = "a number";
        return Scalar(map, path, member, Expected) is not { } scalar ? null
            : Number(scalar) is { } value ? (float)value
            : throw Wrong(scalar, Join(path, member), Expected);
    }

    private float? Eirp(YamlMap map, string path, string member)
    {
        const string Expected = "a power in dBm, for example 16";
        return Scalar(map, path, member, Expected) is not { } scalar ? null
            : Number(scalar) is { } value && Math.Abs(value) <= GreatestEirpDbm ? (float)value
            : throw Wrong(scalar, Join(path, member), Expected);
    }

    /// <summary>A duration of zero, or of at least <paramref name="least"/>: plans listen before they talk for as little as 128 us.</summary>
    private TimeSpan? Duration(YamlMap map, string path, string member, TimeSpan least = default)
    {
        const string Expected = "a duration with unit, for example 400ms";
        return Scalar(map, path, member, Expected) is not { } scalar ? null
            : GoDuration.TryParse(scalar.Text, out var duration) && (duration == TimeSpan.Zero || duration >= least) ? duration
            : throw Wrong(scalar, Join(path, member), Expected);
    }

    private bool? Boolean(YamlMap map, string path, string member)
    {
        const string Expected = "true or false";
        return Scalar(map, path, member, Expected) is not { } scalar ? null : scalar.Text.ToUpperInvariant() switch
        {
            "TRUE" or "YES" or "ON" or "Y" when scalar.Plain => true,
            "FALSE" or "NO" or "OFF" or "N" when scalar.Plain => false,
            _ => throw Wrong(scalar, Join(path, member), Expected),
        };
    }

    private ulong? Whole(YamlMap map, string path, string member, ulong greatest, string? expected = null)
    {
        expected ??= string.Create(CultureInfo.InvariantCulture, $"a whole number of 0 to {greatest}");
        if (Scalar(map, path, member, expected) is not { } scalar)
            return null;
        ulong? value = scalar.Plain ? WholeNumber(scalar.Text.Replace("_", "", StringComparison.Ordinal)) : null;
        return value <= greatest ? value : throw Wrong(scalar, Join(path, member), expected);
    }

    /// <summary>Whole numbers of YAML 1.1: decimal, 0x, 0b, octal with leading 0 or 0o, and decimals that are whole (<c>868.1e6</c>).</summary>
    private static ulong? WholeNumber(string text) => text switch
    {
        ['0', 'x' or 'X', .. var digits] => ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null,
        ['0', 'b' or 'B', .. var digits] => ulong.TryParse(digits, NumberStyles.AllowBinarySpecifier, CultureInfo.InvariantCulture, out var value) ? value : null,
        ['0', 'o' or 'O', .. var digits] => Octal(digits),
        ['0', >= '0' and <= '7', ..] => Octal(text),
        _ => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value
            : decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0 && number <= ulong.MaxValue && decimal.IsInteger(number)
                ? (ulong)number
                : null,
    };

    private static ulong? Octal(string digits)
    {
        ulong value = 0;
        foreach (var digit in digits)
        {
            if (digit is < '0' or > '7' || value > ulong.MaxValue >> 3)
                return null;
            value = (value << 3) | (uint)(digit - '0');
        }
        return digits.Length > 0 ? value : null;
    }

    private static double? Number(YamlScalar scalar) =>
        scalar.Plain && double.TryParse(scalar.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value : null;

    private YamlScalar? Scalar(YamlMap map, string path, string member, string expected) => Value(map, member) switch
    {
        null => null,
        YamlScalar scalar => scalar,
        var other => throw Wrong(other, Join(path, member), expected),
    };

    private static YamlValue? Value(YamlMap map, string member) =>
        map.Entries.TryGetValue(member, out var value) && value is not YamlScalar { IsNull: true } ? value : null;

    private YamlFormatException Wrong(YamlValue value, string path, string expected)
    {
        var found = value switch
        {
            YamlScalar { IsNull: true } => "nothing",
            YamlScalar scalar => $"`{(scalar.Text.Length > 40 ? scalar.Text[..40] + "..." : scalar.Text)}`",
            YamlList => "a list",
            _ => "an object",
        };
        return new YamlFormatException(file, value.Line, $"{(path.Length > 0 ? path + " " : "")}is {found}, expected {expected}");
    }

    private static string Join(string path, string member) => path.Length == 0 ? member : $"{path}.{member}";

    private static string At(string member, int index) => $"{member}[{index.ToString(CultureInfo.InvariantCulture)}]";
}
