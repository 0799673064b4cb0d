using System.Globalization;
using Google.Protobuf.Reflection;
using Testing;
using TheThingsStack.Api;

namespace TheThingsStack.Tests.Protos;

/// <summary>The .proto files against the field tables that they are written from (copies of facts/tts-messages.tsv and tts-enums.tsv).</summary>
public class FieldTableTests
{
    private static readonly Dictionary<string, MessageDescriptor> Messages = Files().SelectMany(f => f.MessageTypes).SelectMany(Nested).DistinctBy(m => m.FullName).ToDictionary(m => m.FullName);
    private static readonly Dictionary<string, EnumDescriptor> Enums = Files().SelectMany(f => f.EnumTypes).Concat(Messages.Values.SelectMany(m => m.EnumTypes)).DistinctBy(e => e.FullName).ToDictionary(e => e.FullName);

    [Fact]
    public void Every_field_has_the_place_number_type_rules_and_text_form_of_the_table()
    {
        var rows = Table("tts-messages.tsv").ToList();
        Assert.True(rows.Count > 690);
        var problems = new List<string>();
        foreach (var message in rows.GroupBy(r => r[0]))
        {
            if (!Messages.TryGetValue(message.Key, out var descriptor))
            {
                problems.Add($"{message.Key}: missing");
                continue;
            }
            var expected = message.Where(r => r[1] != "(no fields)").Select(r => $"{r[1]} {r[2]} {r[3]} {Label(r[4])} {Rules(r[6])} {Form(r[7])} {(r[5].Length > 0 ? "deprecated" : "")}").ToList();
            var actual = descriptor.Fields.InDeclarationOrder().Select(Describe).ToList();
            problems.AddRange(expected.Except(actual).Select(e => $"{message.Key}: table {e}"));
            problems.AddRange(actual.Except(expected).Select(a => $"{message.Key}: proto {a}"));
            if (problems.Count == 0 && !expected.SequenceEqual(actual))
                problems.Add($"{message.Key}: order differs");
            var isStandard = descriptor.GetOptions()?.GetExtension(AnnotationsExtensions.StandardJson) ?? false;
            if (isStandard != message.First()[7].StartsWith("protojson", StringComparison.Ordinal))
                problems.Add($"{message.Key}: written by the other encoder");
        }
        Assert.Empty(problems);
    }

    [Fact]
    public void Every_enum_value_has_the_number_and_the_texts_of_the_table()
    {
        var rows = Table("tts-enums.tsv").ToList();
        Assert.True(rows.Count > 360);
        foreach (var type in rows.GroupBy(r => r[0]))
        {
            var descriptor = Enums[type.Key];
            var expected = type.Select(r => $"{r[1]} {r[2]} [{string.Join('|', Texts(r[3], r[1]))}]");
            var actual = descriptor.Values.Select(v => $"{v.Name} {v.Number} [{string.Join('|', (v.GetOptions()?.GetExtension(AnnotationsExtensions.JsonName) ?? []).Order(StringComparer.Ordinal))}]");
            Assert.Equal(expected, actual);
            Assert.Equal(type.All(r => !r[4].StartsWith('"')), descriptor.GetOptions()?.GetExtension(AnnotationsExtensions.JsonAsNumber) ?? false);
        }
    }

    // Texts besides the declared name; a digit text that is the number itself is accepted anyway.
    private static IEnumerable<string> Texts(string column, string name)
    {
        var all = column.Split(" | ");
        var numbers = all.Where(t => !t.StartsWith('"')).ToHashSet();
        return all.Where(t => t.StartsWith('"')).Select(t => t.Trim('"')).Where(t => t != name && !numbers.Contains(t)).Order(StringComparer.Ordinal);
    }

    private static string Describe(FieldDescriptor field)
    {
        var type = field.IsMap ? $"map<{Type(field.MessageType.FindFieldByNumber(1))},{Type(field.MessageType.FindFieldByNumber(2))}>" : Type(field);
        var oneof = field.RealContainingOneof;
        var label = field.IsMap ? "map" : field.IsRepeated ? "repeated" : oneof is null ? "" : $"oneof {oneof.Name}{(oneof.GetOptions()?.GetExtension(AnnotationsExtensions.Required) == true ? " (required)" : "")}";
        var options = field.GetOptions();
        var text = options?.GetExtension(AnnotationsExtensions.Text) ?? BytesText.Base64;
        return $"{field.Name} {field.FieldNumber.ToString(CultureInfo.InvariantCulture)} {type} {label} {Rules(options?.GetExtension(AnnotationsExtensions.Rules))} {(text == BytesText.Base64 ? "" : text)} {(options?.Deprecated == true ? "deprecated" : "")}";
    }

    private static string Type(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => field.MessageType.FullName,
        FieldType.Enum => field.EnumType.FullName,
        _ => field.FieldType.ToString().ToLowerInvariant(),
    };

    private static string Label(string label) => label;

    private static string Form(string json) => json.EndsWith(":HEX", StringComparison.Ordinal) ? "Hex" : json.Contains("DevAddrPrefix", StringComparison.Ordinal) ? "DevAddrPrefix" : "";

    // The rules of a column, sorted: "max_len=36; pattern=..." and "items(...)" nested.
    private static string Rules(string column)
    {
        var parts = new List<string>();
        var depth = 0;
        var start = 0;
        column = column.Replace(" (means: ==0 or >=100000)", "", StringComparison.Ordinal);
        for (var i = 0; i <= column.Length; i++)
        {
            if (i == column.Length || (column[i] == ';' && depth == 0))
            {
                parts.Add(column[start..i].Trim());
                start = i + 1;
            }
            else
            {
                depth += column[i] is '(' or '[' ? 1 : column[i] is ')' or ']' ? -1 : 0;
            }
        }
        return string.Join("; ", parts.Where(p => p.Length > 0).Select(p => Nested(p)).Order(StringComparer.Ordinal));

        static string Nested(string part)
        {
            foreach (var name in (string[])["items", "keys", "values"])
            {
                if (part.StartsWith(name + "(", StringComparison.Ordinal))
                    return $"{name}({Rules(part[(name.Length + 1)..^1])})";
            }
            return part;
        }
    }

    private static string Rules(FieldRules? rules)
    {
        if (rules is null)
            return "";
        var parts = new List<string>();
        Flag(rules.Required, "required");
        Flag(rules.DefinedOnly, "defined_only");
        Flag(rules.IgnoreEmpty, "ignore_empty");
        Flag(rules.Unique, "unique");
        Flag(rules.UriRef, "uri_ref");
        Flag(rules.LtNow, "lt_now");
        Flag(rules.GtNow, "gt_now");
        Number(rules.HasLen, "len", rules.Len);
        Number(rules.HasMinLen, "min_len", rules.MinLen);
        Number(rules.HasMaxLen, "max_len", rules.MaxLen);
        Number(rules.HasLt, "lt", rules.Lt);
        Number(rules.HasLte, "lte", rules.Lte);
        Number(rules.HasGt, "gt", rules.Gt);
        Number(rules.HasGte, "gte", rules.Gte);
        Number(rules.HasMinItems, "min_items", rules.MinItems);
        Number(rules.HasMaxItems, "max_items", rules.MaxItems);
        Number(rules.HasMaxPairs, "max_pairs", rules.MaxPairs);
        Flag(rules.Pattern.Length > 0, "pattern=" + rules.Pattern);
        Flag(rules.In.Count > 0, $"in=[{string.Join(", ", rules.In)}]");
        Flag(rules.NotIn.Count > 0, $"not_in=[{string.Join(", ", rules.NotIn)}]");
        Flag(rules.InText.Count > 0, $"in=[{string.Join(", ", rules.InText.Select(t => $"'{t}'"))}]");
        Flag(rules.Items is not null, $"items({Rules(rules.Items)})");
        Flag(rules.Keys is not null, $"keys({Rules(rules.Keys)})");
        Flag(rules.Values is not null, $"values({Rules(rules.Values)})");
        return string.Join("; ", parts.Order(StringComparer.Ordinal));

        void Flag(bool set, string text)
        {
            if (set)
                parts.Add(text);
        }

        void Number(bool set, string name, double value) => Flag(set, $"{name}={value.ToString(CultureInfo.InvariantCulture)}");
    }

    private static IEnumerable<string[]> Table(string file) =>
        File.ReadLines(Path.Combine(Golden.RepositoryRoot, "tests", "TheThingsStack.Tests", "Protos", file)).Skip(1).Select(line => line.Split('\t'));

    private static IEnumerable<MessageDescriptor> Nested(MessageDescriptor message) => message.NestedTypes.SelectMany(Nested).Prepend(message);

    private static IEnumerable<FileDescriptor> Files() => WithDependencies(RegistriesReflection.Descriptor).Concat(WithDependencies(ErrorsReflection.Descriptor)).Distinct();

    private static IEnumerable<FileDescriptor> WithDependencies(FileDescriptor file) => file.Dependencies.SelectMany(WithDependencies).Append(file);
}
