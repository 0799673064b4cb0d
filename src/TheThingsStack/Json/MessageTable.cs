using System.Diagnostics.CodeAnalysis;
using System.Text;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using TheThingsStack.Api;

namespace TheThingsStack.Json;

/// <summary>How one value of a field looks in JSON.</summary>
internal enum ValueForm : byte
{
    Bool,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Float,
    Double,
    Text,
    Bytes,
    EnumName,
    Message,

    /// <summary>A wrapper of The Things Stack or of google.protobuf: the value of its only field, without an object around it.</summary>
    Wrapper,
    Timestamp,
    Duration,
    Struct,
    FieldMask,

    /// <summary>google.protobuf.Any: has no JSON form here.</summary>
    Any,
}

/// <summary>
/// What the writer, the reader and the validator need to know about one message type, built once from its descriptor and the annotations
/// of the .proto files, so that no descriptor is touched while devices pass.
/// </summary>
internal sealed class MessageTable
{
    private static readonly Dictionary<MessageDescriptor, MessageTable> Tables = [];
    private static readonly Lock Building = new();

    private MessageTable(MessageDescriptor descriptor)
    {
        Name = descriptor.FullName;
        var options = descriptor.GetOptions();
        IsStandard = options?.GetExtension(AnnotationsExtensions.StandardJson) ?? false;
    }

    /// <summary>Full name, e.g. <c>ttn.lorawan.v3.EndDevice</c>.</summary>
    public string Name { get; }

    /// <summary>True when the original hands this message to the standard protobuf JSON ("protojson" in the facts).</summary>
    public bool IsStandard { get; }

    /// <summary>Fields in order of declaration, which is the member order of the JSON.</summary>
    public FieldTable[] Fields { get; private set; } = [];

    /// <summary>Oneofs in order of declaration, without the synthetic ones of <c>optional</c> fields.</summary>
    public OneofTable[] Oneofs { get; private set; } = [];

    /// <summary>True when declaration order is number order, so that wire bytes can be written as they come.</summary>
    public bool IsInWireOrder { get; private set; }

    private FieldTable?[] byNumber = [];
    private Entry[] names = [];

    private readonly record struct Entry(byte[] Name, FieldTable Field);

    /// <summary>Gives the table of a message type; built on first use.</summary>
    public static MessageTable Of(MessageDescriptor descriptor)
    {
        lock (Building)
            return OfLocked(descriptor);
    }

    /// <summary>Gives the field with a wire number, or null.</summary>
    public FieldTable? ByNumber(int number) => (uint)number < (uint)byNumber.Length ? byNumber[number] : null;

    /// <summary>Gives the field with a JSON name, snake_case or lowerCamelCase, or null.</summary>
    public FieldTable? ByName(ReadOnlySpan<byte> name)
    {
        if (names.Length == 0)
            return null;
        var mask = names.Length - 1;
        for (var slot = Hash(name) & mask; names[slot].Name is { } candidate; slot = (slot + 1) & mask)
        {
            if (name.SequenceEqual(candidate))
                return names[slot].Field;
        }
        return null;
    }

    private static MessageTable OfLocked(MessageDescriptor descriptor)
    {
        if (Tables.TryGetValue(descriptor, out var table))
            return table;
        table = new MessageTable(descriptor);
        Tables.Add(descriptor, table);
        table.Fill(descriptor);
        return table;
    }

    private void Fill(MessageDescriptor descriptor)
    {
        Oneofs = [.. descriptor.Oneofs.Where(o => !o.IsSynthetic).Select((o, i) => new OneofTable(o.Name, i, o.GetOptions()?.GetExtension(AnnotationsExtensions.Required) ?? false))];
        var declared = descriptor.Fields.InDeclarationOrder();
        Fields = [.. declared.Select((field, index) => new FieldTable(field, index, field.RealContainingOneof is { } oneof ? Oneofs.First(o => o.Name == oneof.Name) : null))];
        byNumber = new FieldTable?[Fields.Length == 0 ? 0 : Fields.Max(f => f.Number) + 1];
        IsInWireOrder = true;
        var size = 4;
        while (size < Fields.Length * 4)
            size *= 2;
        if (Fields.Length > 128)
            throw new NotSupportedException($"{Name} has more fields than the reader can mark as seen");
        names = new Entry[Fields.Length == 0 ? 0 : size];
        for (var i = 0; i < Fields.Length; i++)
        {
            var field = Fields[i];
            byNumber[field.Number] = field;
            IsInWireOrder &= i == 0 || Fields[i - 1].Number < field.Number;
            AddName(Encoding.UTF8.GetBytes(field.Name), field);
            AddName(Encoding.UTF8.GetBytes(declared[i].JsonName), field);
        }
    }

    private void AddName(byte[] name, FieldTable field)
    {
        if (ByName(name) is not null)
            return;
        var slot = Hash(name) & (names.Length - 1);
        while (names[slot].Name is not null)
            slot = (slot + 1) & (names.Length - 1);
        names[slot] = new Entry(name, field);
    }

    private static int Hash(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
            return 0;
        var hash = (uint)name.Length * 0x9E3779B1u;
        hash = (hash ^ name[0]) * 0x85EBCA6Bu;
        hash = (hash ^ name[^1]) * 0xC2B2AE35u;
        hash = (hash ^ name[name.Length / 2] ^ ((uint)name[name.Length / 3] << 8)) * 0x9E3779B1u;
        return (int)(hash >> 12);
    }
}

/// <summary>A group of fields of which one can be set.</summary>
/// <param name="Name">Name in the .proto file; appears in no JSON.</param>
/// <param name="Index">Index within the message.</param>
/// <param name="IsRequired">One member must be set.</param>
internal sealed record OneofTable(string Name, int Index, bool IsRequired);

/// <summary>One field of a message.</summary>
internal sealed class FieldTable
{
    private readonly MessageDescriptor? messageType;

    internal FieldTable(FieldDescriptor field, int index, OneofTable? oneof)
    {
        Name = field.Name;
        Index = index;
        Number = field.FieldNumber;
        Oneof = oneof;
        IsRepeated = field.IsRepeated && !field.IsMap;
        IsMap = field.IsMap;
        HasPresence = field.HasPresence;
        Member = Encoding.UTF8.GetBytes($"\"{field.Name}\":");
        var options = field.GetOptions();
        Text = options?.GetExtension(AnnotationsExtensions.Text) ?? BytesText.Base64;
        Rules = options?.GetExtension(AnnotationsExtensions.Rules);
        if (IsMap)
        {
            Key = new FieldTable(field.MessageType.FindFieldByNumber(1), 0, oneof: null);
            Value = new FieldTable(field.MessageType.FindFieldByNumber(2), 1, oneof: null);
            Form = ValueForm.Message;
            WireType = 2;
            Tag = ((uint)Number << 3) | 2;
            return;
        }

        Form = FormOf(field);
        if (Form == ValueForm.EnumName)
            Names = EnumTable.Of(field.EnumType);
        if (Form == ValueForm.Wrapper)
        {
            IsGoogleWrapper = field.MessageType.File.Package == "google.protobuf";
            Value = new FieldTable(field.MessageType.FindFieldByNumber(1), 0, oneof: null);
        }
        if (Form is ValueForm.Message or ValueForm.Wrapper)
            messageType = field.MessageType;
        WireType = Form switch
        {
            ValueForm.Bool or ValueForm.Int32 or ValueForm.UInt32 or ValueForm.Int64 or ValueForm.UInt64 or ValueForm.EnumName => 0,
            ValueForm.Double => 1,
            ValueForm.Float => 5,
            _ => 2,
        };
        IsPacked = IsRepeated && WireType != 2;
        Tag = ((uint)Number << 3) | (IsPacked ? 2u : (uint)WireType);
    }

    /// <summary>Name as in the .proto file, snake_case.</summary>
    public string Name { get; }

    /// <summary>Place in the order of declaration.</summary>
    public int Index { get; }

    /// <summary>Wire number.</summary>
    public int Number { get; }

    /// <summary>Wire tag as this program writes it (numbers of a list are packed).</summary>
    public uint Tag { get; }

    /// <summary>Wire type of one value: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes.</summary>
    public int WireType { get; }

    public ValueForm Form { get; }

    public bool IsRepeated { get; }

    public bool IsMap { get; }

    /// <summary>A list of numbers, which is one length-delimited block on the wire.</summary>
    public bool IsPacked { get; }

    /// <summary>Zero and absent differ: messages, members of a oneof, <c>optional</c> fields.</summary>
    public bool HasPresence { get; }

    public bool IsGoogleWrapper { get; }

    /// <summary><c>"name":</c> in UTF-8.</summary>
    public byte[] Member { get; }

    public OneofTable? Oneof { get; }

    public BytesText Text { get; }

    public FieldRules? Rules { get; }

    /// <summary>Names of an enum.</summary>
    public EnumTable? Names { get; }

    /// <summary>Key of a map.</summary>
    public FieldTable? Key { get; }

    /// <summary>Value of a map or of a wrapper.</summary>
    public FieldTable? Value { get; }

    /// <summary>Type of a message field.</summary>
    [field: MaybeNull]
    public MessageTable Message => field ??= messageType is null ? throw new InvalidOperationException($"{Name} is no message") : MessageTable.Of(messageType);

    private static ValueForm FormOf(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Bool => ValueForm.Bool,
        FieldType.Int32 => ValueForm.Int32,
        FieldType.UInt32 => ValueForm.UInt32,
        FieldType.Int64 => ValueForm.Int64,
        FieldType.UInt64 => ValueForm.UInt64,
        FieldType.Float => ValueForm.Float,
        FieldType.Double => ValueForm.Double,
        FieldType.String => ValueForm.Text,
        FieldType.Bytes => ValueForm.Bytes,
        FieldType.Enum => ValueForm.EnumName,
        FieldType.Message => FormOf(field.MessageType),
        _ => throw new NotSupportedException($"{field.FullName} has a type that The Things Stack does not use: {field.FieldType}"),
    };

    private static ValueForm FormOf(MessageDescriptor type) => type.FullName switch
    {
        "google.protobuf.Timestamp" => ValueForm.Timestamp,
        "google.protobuf.Duration" => ValueForm.Duration,
        "google.protobuf.Struct" => ValueForm.Struct,
        "google.protobuf.FieldMask" => ValueForm.FieldMask,
        "google.protobuf.Any" => ValueForm.Any,
        _ when type.File == BoolValueFile => ValueForm.Wrapper,
        _ => type.GetOptions()?.GetExtension(AnnotationsExtensions.Bare) == true ? ValueForm.Wrapper : ValueForm.Message,
    };

    private static FileDescriptor BoolValueFile => WrappersReflection.Descriptor;
}

/// <summary>The values of an enum, both ways.</summary>
internal sealed class EnumTable
{
    private static readonly Dictionary<EnumDescriptor, EnumTable> Tables = [];
    private readonly Dictionary<string, int> declared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> accepted = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> declaredBySpan;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> acceptedBySpan;
    private readonly Dictionary<int, byte[]> quoted = [];
    private readonly byte[]?[] small;

    private EnumTable(EnumDescriptor type)
    {
        IsNumber = type.GetOptions()?.GetExtension(AnnotationsExtensions.JsonAsNumber) ?? false;
        foreach (var value in type.Values)
        {
            quoted.TryAdd(value.Number, Encoding.UTF8.GetBytes($"\"{value.Name}\""));
            declared.TryAdd(value.Name, value.Number);
            accepted.TryAdd(value.Name, value.Number);
        }
        foreach (var value in type.Values)
        {
            if (value.GetOptions()?.GetExtension(AnnotationsExtensions.JsonName) is not { } texts)
                continue;
            foreach (var text in texts)
                accepted.TryAdd(text, value.Number);
        }
        declaredBySpan = declared.GetAlternateLookup<ReadOnlySpan<char>>();
        acceptedBySpan = accepted.GetAlternateLookup<ReadOnlySpan<char>>();
        small = new byte[]?[quoted.Keys.Where(n => n is >= 0 and < 256).Max() + 1];
        foreach (var (number, name) in quoted)
        {
            if ((uint)number < (uint)small.Length)
                small[number] = name;
        }
    }

    /// <summary>True when values are written as numbers everywhere.</summary>
    public bool IsNumber { get; }

    /// <summary>Gives the table of an enum type. The caller holds the lock of <see cref="MessageTable"/>.</summary>
    public static EnumTable Of(EnumDescriptor type)
    {
        if (!Tables.TryGetValue(type, out var table))
            Tables.Add(type, table = new EnumTable(type));
        return table;
    }

    /// <summary>Gives the quoted name of a number, the first declared one, or null.</summary>
    public byte[]? Quoted(int number) => (uint)number < (uint)small.Length ? small[number] : quoted.GetValueOrDefault(number);

    /// <summary>True when the number has a name.</summary>
    public bool IsDefined(int number) => Quoted(number) is not null;

    /// <summary>Finds the number of a text; <paramref name="onlyDeclared"/> leaves out aliases and names without prefix.</summary>
    public bool TryFind(ReadOnlySpan<byte> text, bool onlyDeclared, out int number)
    {
        number = 0;
        if (text.Length > 64)
            return false;
        Span<char> name = stackalloc char[64];
        if (Ascii.ToUtf16(text, name, out var length) != System.Buffers.OperationStatus.Done)
            return false;
        return (onlyDeclared ? declaredBySpan : acceptedBySpan).TryGetValue(name[..length], out number);
    }
}
