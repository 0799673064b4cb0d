using System.Globalization;
using System.Text;
using TheThingsStack.Api;
using TheThingsStack.Json;

namespace TheThingsStack.Validation;

/// <summary>The rules of one value, as numbers and matchers, with the words of The Things Stack for each.</summary>
internal sealed class ValueRules
{
    private readonly FieldRules rules;
    private readonly ValueForm form;
    private readonly EnumTable? names;
    private readonly Func<ReadOnlySpan<byte>, bool>? pattern;

    private ValueRules(FieldTable field, FieldRules rules)
    {
        this.rules = rules;
        form = field.Form;
        names = field.Names;
        pattern = rules.Pattern.Length > 0 ? Patterns.Of(rules.Pattern) : null;
    }

    /// <summary>Gives the rules of a value, or null when there is nothing to check in it.</summary>
    public static ValueRules? Of(FieldTable field, FieldRules? rules) =>
        rules is null || field.Form is ValueForm.Message or ValueForm.Wrapper or ValueForm.Timestamp or ValueForm.Duration or ValueForm.Struct or ValueForm.FieldMask or ValueForm.Any
            ? null
            : new ValueRules(field, rules);

    /// <summary>What is wrong with the empty or zero value.</summary>
    public string? Zero() => form switch
    {
        ValueForm.Text => Text([]),
        ValueForm.Bytes => Bytes([]),
        ValueForm.EnumName => Enum(0),
        ValueForm.Bool => null,
        _ => Number(0),
    };

    /// <summary>What is wrong with the value at a place of the wire bytes; moves behind it.</summary>
    public string? Check(ValueForm valueForm, WireBytes wire, ref int at)
    {
        switch (valueForm)
        {
            case ValueForm.Text:
                return Text(wire.Block(ref at));
            case ValueForm.Bytes:
                return Bytes(wire.Block(ref at));
            case ValueForm.EnumName:
                return Enum((int)wire.Varint(ref at));
            case ValueForm.Float:
                at += 4;
                return Number(wire.Float(at - 4));
            case ValueForm.Double:
                at += 8;
                return Number(wire.Double(at - 8));
            case ValueForm.Int32 or ValueForm.Int64:
                return Number((long)wire.Varint(ref at));
            case ValueForm.UInt32 or ValueForm.UInt64:
                return Number(wire.Varint(ref at));
            default:
                _ = wire.Varint(ref at);
                return null;
        }
    }

    /// <summary>Lengths count code points; the text is well-formed UTF-8.</summary>
    public string? Text(ReadOnlySpan<byte> text)
    {
        if (rules.IgnoreEmpty && text.IsEmpty)
            return null;
        if (rules.InText.Count > 0 && !rules.InText.Contains(Encoding.UTF8.GetString(text)))
            return $"value must be in list [{string.Join(' ', rules.InText)}]";
        if ((rules.HasMaxLen || rules.HasMinLen || rules.HasLen) && Length(CodePoints(text), "runes") is { } reason)
            return reason;
        if (pattern is not null && !pattern(text))
            return $"value does not match regex pattern {Quoted.Text(rules.Pattern)}";
        return rules.UriRef ? UriReference.Problem(Encoding.UTF8.GetString(text)) : null;
    }

    private string? Bytes(ReadOnlySpan<byte> bytes) => rules.IgnoreEmpty && bytes.IsEmpty ? null : Length((ulong)bytes.Length, "bytes");

    private string? Length(ulong length, string unit)
    {
        if (rules.HasLen)
            return length == rules.Len ? null : $"value length must be {rules.Len} {unit}";
        var low = rules.HasMinLen && length < rules.MinLen;
        var high = rules.HasMaxLen && length > rules.MaxLen;
        if (!low && !high)
            return null;
        if (rules.HasMinLen && rules.HasMaxLen)
            return $"value length must be between {rules.MinLen} and {rules.MaxLen} {unit}, inclusive";
        return low ? $"value length must be at least {rules.MinLen} {unit}" : $"value length must be at most {rules.MaxLen} {unit}";
    }

    private string? Enum(int number)
    {
        if (List(number) is { } reason)
            return reason;
        return rules.DefinedOnly && !names!.IsDefined(number) ? "value must be one of the defined enum values" : null;
    }

    // NaN is neither too small nor too large.
    private string? Number(double number)
    {
        var low = (rules.HasGt && number <= rules.Gt) || (rules.HasGte && number < rules.Gte);
        var high = (rules.HasLt && number >= rules.Lt) || (rules.HasLte && number > rules.Lte);
        var hasLow = rules.HasGt || rules.HasGte;
        var hasHigh = rules.HasLt || rules.HasLte;
        if (hasLow && hasHigh)
        {
            var from = rules.HasGt ? rules.Gt : rules.Gte;
            var to = rules.HasLt ? rules.Lt : rules.Lte;
            if (from > to)
            {
                if (low && high)
                    return $"value must be outside range {(rules.HasLt ? "[" : "(")}{Plain(to)}, {Plain(from)}{(rules.HasGt ? "]" : ")")}";
            }
            else if (low || high)
            {
                return $"value must be inside range {(rules.HasGt ? "(" : "[")}{Plain(from)}, {Plain(to)}{(rules.HasLt ? ")" : "]")}";
            }
        }
        else if (low)
        {
            return rules.HasGt ? $"value must be greater than {Plain(rules.Gt)}" : $"value must be greater than or equal to {Plain(rules.Gte)}";
        }
        else if (high)
        {
            return rules.HasLt ? $"value must be less than {Plain(rules.Lt)}" : $"value must be less than or equal to {Plain(rules.Lte)}";
        }
        return rules.In.Count + rules.NotIn.Count == 0 ? null : List((long)number);
    }

    private string? List(long number)
    {
        if (rules.In.Count > 0 && !rules.In.Contains(number))
            return $"value must be in list [{string.Join(' ', rules.In)}]";
        return rules.NotIn.Contains(number) ? $"value must not be in list [{string.Join(' ', rules.NotIn)}]" : null;
    }

    private static string Plain(double bound) => bound.ToString(CultureInfo.InvariantCulture);

    private static ulong CodePoints(ReadOnlySpan<byte> text)
    {
        ulong count = 0;
        foreach (var b in text)
            count += (b & 0xc0) == 0x80 ? 0u : 1u;
        return count;
    }
}
