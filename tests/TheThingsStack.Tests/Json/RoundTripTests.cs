using FsCheck.Xunit;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace TheThingsStack.Tests.Json;

public class RoundTripTests
{
    [Property(MaxTest = 400)]
    public bool Any_device_of_representable_values_reads_back_equal(int seed)
    {
        var device = EndDevice.Parser.ParseFrom(RandomMessage.Of(EndDevice.Descriptor, new Random(seed)));
        var text = TtsJson.WriteBytes(device);
        return TtsJson.Read<EndDevice>(text).Equals(device);
    }

    [Property(MaxTest = 100)]
    public bool Snake_case_and_camel_case_names_mean_the_same(int seed)
    {
        var device = EndDevice.Parser.ParseFrom(RandomMessage.Of(EndDevice.Descriptor, new Random(seed)));
        var camel = CamelNames.In(System.Text.Encoding.UTF8.GetString(TtsJson.WriteBytes(device)));
        return TtsJson.Read<EndDevice>(System.Text.Encoding.UTF8.GetBytes(camel)).Equals(device);
    }
}

/// <summary>Changes known member names into lowerCamelCase.</summary>
internal static class CamelNames
{
    private static readonly Dictionary<string, string> Names = Collect(EndDevice.Descriptor, []).DistinctBy(f => f.Name).ToDictionary(f => $"\"{f.Name}\":", f => $"\"{f.JsonName}\":");

    public static string In(string text)
    {
        foreach (var (snake, camel) in Names)
            text = text.Replace(snake, camel, StringComparison.Ordinal);
        return text;
    }

    private static IEnumerable<FieldDescriptor> Collect(MessageDescriptor message, HashSet<string> seen) =>
        seen.Add(message.FullName) && message.File.Package != "google.protobuf"
            ? message.Fields.InDeclarationOrder().SelectMany(f => f.FieldType == FieldType.Message ? Collect(f.MessageType, seen).Prepend(f) : [f])
            : [];
}

/// <summary>Wire bytes of a random message whose values JSON can hold: hex of the right length, times within the years, no negative zero.</summary>
internal static class RandomMessage
{
    private static readonly string[] Texts = ["x", "pump-7", "é😀", "\u2028<&>\u007f", "a\"b\\c/\n\r\t\b\f\u0001", new string('y', 300)];

    public static byte[] Of(MessageDescriptor type, Random random, int depth = 0)
    {
        using var bytes = new MemoryStream();
        using var output = new CodedOutputStream(bytes);
        var oneofs = new HashSet<string>();
        foreach (var field in type.Fields.InDeclarationOrder())
        {
            if (random.Next(3 + depth) != 0 || (field.RealContainingOneof is { } oneof && !oneofs.Add(oneof.Name)))
                continue;
            for (var i = field.IsRepeated ? random.Next(4) : 1; i > 0; i--)
                Field(output, field, random, depth);
        }
        output.Flush();
        return bytes.ToArray();
    }

    private static void Field(CodedOutputStream output, FieldDescriptor field, Random random, int depth)
    {
        var wireType = field.FieldType switch
        {
            FieldType.Double => WireFormat.WireType.Fixed64,
            FieldType.Float => WireFormat.WireType.Fixed32,
            FieldType.Message or FieldType.String or FieldType.Bytes => WireFormat.WireType.LengthDelimited,
            _ => WireFormat.WireType.Varint,
        };
        output.WriteTag(field.FieldNumber, wireType);
        switch (field.FieldType)
        {
            case FieldType.Bool:
                output.WriteBool(random.Next(2) == 0);
                break;
            case FieldType.Int32:
                output.WriteInt32(random.Next(-1000, 1000) << random.Next(20));
                break;
            case FieldType.UInt32:
                output.WriteUInt32((uint)random.NextInt64(1L << random.Next(33)));
                break;
            case FieldType.UInt64:
                output.WriteUInt64((ulong)random.NextInt64() << random.Next(2) >> random.Next(64));
                break;
            case FieldType.Float:
                output.WriteFloat((float)Math.ScaleB(random.NextDouble() + 0.1, random.Next(-80, 80)));
                break;
            case FieldType.Double:
                output.WriteDouble(Math.ScaleB(random.NextDouble() + 0.1, random.Next(-80, 80)));
                break;
            case FieldType.String:
                output.WriteString(Texts[random.Next(Texts.Length)] + random.Next(10));
                break;
            case FieldType.Enum:
                output.WriteEnum(random.Next(8) == 0 ? 77 : field.EnumType.Values[random.Next(field.EnumType.Values.Count)].Number);
                break;
            case FieldType.Bytes:
                var options = field.GetOptions();
                var hex = options?.GetExtension(AnnotationsExtensions.Text) == BytesText.Hex;
                var value = new byte[hex ? (int)options!.GetExtension(AnnotationsExtensions.Rules).Len : random.Next(1, 40)];
                random.NextBytes(value);
                output.WriteBytes(ByteString.CopyFrom(value));
                break;
            default:
                output.WriteBytes(ByteString.CopyFrom(Message(field.MessageType, random, depth + 1)));
                break;
        }
    }

    private static byte[] Message(MessageDescriptor type, Random random, int depth) => type.FullName switch
    {
        "google.protobuf.Timestamp" => new Google.Protobuf.WellKnownTypes.Timestamp { Seconds = random.NextInt64(-62_135_596_800, 253_402_300_800), Nanos = random.Next(4) == 0 ? random.Next(1_000_000_000) : 0 }.ToByteArray(),
        // Milliseconds pass through a double of seconds unchanged.
        "google.protobuf.Duration" => new Google.Protobuf.WellKnownTypes.Duration { Seconds = random.Next(1_000_000), Nanos = random.Next(1000) * 1_000_000 }.ToByteArray(),
        "google.protobuf.Struct" => Struct(random, depth).ToByteArray(),
        _ => Of(type, random, depth),
    };

    private static Google.Protobuf.WellKnownTypes.Struct Struct(Random random, int depth)
    {
        var result = new Google.Protobuf.WellKnownTypes.Struct();
        for (var i = random.Next(4); i > 0; i--)
            result.Fields[Texts[random.Next(Texts.Length)] + i] = Value(random, depth);
        return result;
    }

    private static Google.Protobuf.WellKnownTypes.Value Value(Random random, int depth) => random.Next(depth > 8 ? 4 : 6) switch
    {
        0 => Google.Protobuf.WellKnownTypes.Value.ForNull(),
        1 => Google.Protobuf.WellKnownTypes.Value.ForBool(random.Next(2) == 0),
        2 => Google.Protobuf.WellKnownTypes.Value.ForNumber(Math.ScaleB(random.NextDouble() - 0.5, random.Next(-80, 80))),
        3 => Google.Protobuf.WellKnownTypes.Value.ForString(Texts[random.Next(Texts.Length)]),
        4 => Google.Protobuf.WellKnownTypes.Value.ForList(Value(random, depth + 1), Value(random, depth + 1)),
        _ => Google.Protobuf.WellKnownTypes.Value.ForStruct(Struct(random, depth + 1)),
    };
}
