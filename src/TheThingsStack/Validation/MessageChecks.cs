using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using TheThingsStack.Json;

namespace TheThingsStack.Validation;

/// <summary>The checks of one message type, built once from its table.</summary>
internal sealed class MessageChecks
{
    private static readonly ConcurrentDictionary<MessageTable, MessageChecks> All = new();
    private readonly FieldCheck[] checks;

    // By wire number; null where there is no field.
    private readonly FieldCheck?[] byNumber;

    /// <summary>Fields that must be there.</summary>
    private readonly UInt128 needed;

    /// <summary>Fields of each oneof of which one must be set.</summary>
    private readonly (OneofTable Oneof, UInt128 Members)[] choices;

    private MessageChecks(MessageTable table)
    {
        checks = [.. table.Fields.Select(f => new FieldCheck(f))];
        byNumber = new FieldCheck?[checks.Length == 0 ? 0 : checks.Max(check => check.Field.Number) + 1];
        foreach (var check in checks)
        {
            byNumber[check.Field.Number] = check;
            needed |= check.AbsentReason is null ? 0 : check.Bit;
        }
        choices = [.. table.Oneofs.Where(oneof => oneof.IsRequired).Select(oneof =>
            (oneof, checks.Where(check => ReferenceEquals(check.Field.Oneof, oneof)).Aggregate(UInt128.Zero, (members, check) => members | check.Bit)))];
    }

    /// <summary>Gives the checks of a message type.</summary>
    public static MessageChecks Of(MessageTable table) => All.GetOrAdd(table, static t => new MessageChecks(t));

    /// <summary>Gives the first violation in declaration order; the fields may stand in any order.</summary>
    public FieldViolation? Validate(WireBytes wire, int start, int end)
    {
        // One pass over the bytes: a good message, which nearly all are, costs no second look at its fields.
        UInt128 seen = 0;
        FieldViolation? first = null;
        var firstIndex = checks.Length;
        for (var at = start; at < end;)
        {
            var here = at;
            var tag = (uint)wire.Varint(ref at);
            var number = tag >> 3;
            if (number < (uint)byNumber.Length && byNumber[number] is { } check && (seen & check.Bit) == 0)
            {
                seen |= check.Bit;
                if (check.LooksInside && check.Field.Index < firstIndex && check.Present(wire, here, end) is { } violation)
                {
                    first = violation;
                    firstIndex = check.Field.Index;
                }
            }
            wire.Skip(tag, ref at);
        }
        return Missing(seen, firstIndex) ?? first;
    }

    // The first thing that is missing before a field.
    private FieldViolation? Missing(UInt128 seen, int before)
    {
        var missing = needed & ~seen;
        OneofTable? unset = null;
        foreach (var (oneof, members) in choices)
        {
            if ((members & seen) == 0)
            {
                unset = oneof;
                missing |= members;
                break;
            }
        }
        if (missing == 0)
            return null;
        var index = (int)UInt128.TrailingZeroCount(missing);
        if (index >= before)
            return null;
        var check = checks[index];
        return unset is not null && ReferenceEquals(check.Field.Oneof, unset)
            ? new FieldViolation(unset.Name, FieldCheck.Required)
            : new FieldViolation(check.Field.Name, check.AbsentReason!);
    }
}

/// <summary>The checks of one field.</summary>
internal sealed class FieldCheck
{
    public const string Required = "value is required";

    private readonly ValueRules? value;
    private readonly ValueRules? key;
    private readonly ulong? minItems;
    private readonly ulong? maxItems;
    private readonly ulong? maxPairs;
    private readonly bool descends;

    public FieldCheck(FieldTable field)
    {
        Field = field;
        Bit = UInt128.One << field.Index;
        var rules = field.Rules;
        if (rules is { LtNow: true } or { GtNow: true } or { Unique: true })
            throw new NotSupportedException($"{field.Name} has a rule that no end device has");
        var element = field.IsMap ? field.Value! : field;
        var elementRules = field.IsMap ? rules?.Values : field.IsRepeated ? rules?.Items : rules;
        descends = element.Form == ValueForm.Message || element is { Form: ValueForm.Wrapper, IsGoogleWrapper: false };
        // The rules of a google wrapper are those of the value in it.
        value = ValueRules.Of(element.IsGoogleWrapper ? element.Value! : element, elementRules);
        key = field.IsMap ? ValueRules.Of(field.Key!, rules?.Keys) : null;
        minItems = rules is { HasMinItems: true } ? rules.MinItems : null;
        maxItems = rules is { HasMaxItems: true } ? rules.MaxItems : null;
        maxPairs = rules is { HasMaxPairs: true } ? rules.MaxPairs : null;
        if (rules is { Required: true })
            AbsentReason = Required;
        else if (minItems > 0)
            AbsentReason = $"value must contain at least {minItems} item(s)";
        else if (field is { HasPresence: false, IsRepeated: false, IsMap: false })
            AbsentReason = value?.Zero();
    }

    public FieldTable Field { get; }

    /// <summary>The field among those of its message.</summary>
    public UInt128 Bit { get; }

    /// <summary>Whether a value can break a rule; the others need not be looked at.</summary>
    public bool LooksInside => descends || value is not null || key is not null || minItems is not null || maxItems is not null || maxPairs is not null;

    // Built on first use: message types may contain themselves.
    [field: MaybeNull]
    private MessageChecks Inside => field ??= MessageChecks.Of((Field.IsMap ? Field.Value! : Field).Message);

    /// <summary>What is wrong when the field is not there; null when that is fine.</summary>
    public string? AbsentReason { get; }

    /// <summary>Checks the value or values from the first tag on.</summary>
    public FieldViolation? Present(WireBytes wire, int at, int end)
    {
        var tag = (uint)wire.Varint(ref at);
        if (Field.IsMap)
            return Map(wire, tag, at, end);
        if (Field.IsRepeated)
            return List(wire, tag, at, end);
        return Value(Field, wire, ref at, Field.Name);
    }

    private FieldViolation? List(WireBytes wire, uint tag, int at, int end)
    {
        var last = end;
        if (Field.IsPacked)
        {
            last = (int)wire.Varint(ref at);
            last += at;
        }
        if (Count(wire, tag, at, last) is var count && count > maxItems)
            return new FieldViolation(Field.Name, $"value must contain no more than {maxItems} item(s)");
        if (count < minItems)
            return new FieldViolation(Field.Name, $"value must contain at least {minItems} item(s)");
        if (!descends && value is null)
            return null;
        for (ulong index = 0; index < count; index++)
        {
            if (index > 0 && !Field.IsPacked)
                _ = wire.Varint(ref at);
            if (Value(Field, wire, ref at, name: null) is { } violation)
            {
                var name = $"{Field.Name}[{index.ToString(CultureInfo.InvariantCulture)}]";
                return violation with { Field = violation.Field.Length > 0 ? $"{name}.{violation.Field}" : name };
            }
        }
        return null;
    }

    private ulong Count(WireBytes wire, uint tag, int at, int last)
    {
        ulong count = 0;
        if (Field.IsPacked)
        {
            for (; at < last; count++)
                wire.Skip((uint)Field.WireType, ref at);
            return count;
        }
        do
        {
            count++;
            wire.Skip(tag, ref at);
        }
        while (at < last && (uint)wire.Varint(ref at) == tag);
        return count;
    }

    private FieldViolation? Map(WireBytes wire, uint tag, int at, int end)
    {
        var count = Count(wire, tag, at, end);
        if (count > maxPairs)
            return new FieldViolation(Field.Name, $"value must contain no more than {maxPairs} pair(s)");
        for (ulong i = 0; i < count; i++)
        {
            if (i > 0)
                _ = wire.Varint(ref at);
            if (Entry(wire, ref at) is { } violation)
                return violation;
        }
        return null;
    }

    private FieldViolation? Entry(WireBytes wire, ref int at)
    {
        var length = (int)wire.Varint(ref at);
        ReadOnlySpan<byte> text = [];
        ulong number = 0;
        var valuePlace = -1;
        for (var end = at + length; at < end;)
        {
            var tag = (uint)wire.Varint(ref at);
            if (tag == 10)
            {
                text = wire.Block(ref at);
                continue;
            }
            if (tag == 8)
            {
                number = wire.Varint(ref at);
                continue;
            }
            valuePlace = at;
            wire.Skip(tag, ref at);
        }
        if (key?.Text(text) is { } reason)
            return new FieldViolation(Name(text, number), reason);
        if (valuePlace < 0)
            return value?.Zero() is { } zero ? new FieldViolation(Name(text, number), zero) : null;
        if (Value(Field.Value!, wire, ref valuePlace, name: null) is not { } violation)
            return null;
        var name = Name(text, number);
        return violation with { Field = violation.Field.Length > 0 ? $"{name}.{violation.Field}" : name };
    }

    private string Name(ReadOnlySpan<byte> text, ulong number) =>
        $"{Field.Name}[{(Field.Key!.Form == ValueForm.Text ? Encoding.UTF8.GetString(text) : number.ToString(CultureInfo.InvariantCulture))}]";

    // One value after its tag. The name is left out where the caller knows it better.
    private FieldViolation? Value(FieldTable field, WireBytes wire, ref int at, string? name)
    {
        if (descends)
        {
            var length = (int)wire.Varint(ref at);
            var start = at;
            at += length;
            if (Inside.Validate(wire, start, start + length) is not { } inner)
                return null;
            return name is null ? inner : inner with { Field = $"{name}.{inner.Field}" };
        }
        if (field.IsGoogleWrapper)
        {
            var length = (int)wire.Varint(ref at);
            var start = at;
            at += length;
            var found = length == 0 ? value?.Zero() : Inner(field.Value!, wire, start);
            return found is null ? null : new FieldViolation(name ?? "", found);
        }
        return value?.Check(field.Form, wire, ref at) is { } reason ? new FieldViolation(name ?? "", reason) : null;
    }

    private string? Inner(FieldTable field, WireBytes wire, int at)
    {
        _ = wire.Varint(ref at);
        return value?.Check(field.Form, wire, ref at);
    }
}
