using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace TheThingsStack.FrequencyPlans;

/// <summary>A value of a YAML file and the line (from 1) where it stands.</summary>
internal abstract record YamlValue(long Line);

/// <summary>A scalar; <paramref name="Plain"/> is false when it is quoted, so that <c>"null"</c> is text.</summary>
internal sealed record YamlScalar(string Text, bool Plain, long Line) : YamlValue(Line)
{
    /// <summary>Nothing at all, <c>~</c> or <c>null</c>.</summary>
    public bool IsNull => Plain && Text is "" or "~" or "null" or "Null" or "NULL";
}

internal sealed record YamlList(IReadOnlyList<YamlValue> Items, long Line) : YamlValue(Line);

/// <summary>A mapping; of a repeated key the last value counts.</summary>
internal sealed record YamlMap(IReadOnlyDictionary<string, YamlValue> Entries, long Line) : YamlValue(Line);

/// <summary>Says in which line of which file, and why, the YAML cannot be used.</summary>
internal sealed class YamlFormatException(string file, long line, string reason)
    : Exception($"{file}:{line.ToString(CultureInfo.InvariantCulture)}: {reason}");

/// <summary>
/// Reads a YAML file into plain values with bounded work: aliases point to the value they name and are never expanded, so a "YAML bomb"
/// stays as small as its text; depth, number of values and merged keys are limited.
/// </summary>
internal static class YamlTree
{
    /// <summary>Deepest nesting allowed; plans need 4.</summary>
    public const int MaxDepth = 32;

    /// <summary>Most values allowed in a file; the largest plan has some 600, the index some 1,000.</summary>
    public const int MaxValues = 200_000;

    /// <exception cref="YamlFormatException">The text is not YAML, or exceeds a limit.</exception>
    public static YamlValue Read(string file, TextReader text)
    {
        try
        {
            return new Builder(file, new Parser(new Scanner(text, skipComments: true))).Document();
        }
        catch (YamlException e)
        {
            throw new YamlFormatException(file, e.Start.Line, e.Message);
        }
    }

    private sealed class Builder(string file, Parser parser)
    {
        private readonly Dictionary<string, YamlValue> anchors = new(StringComparer.Ordinal);
        private int values;

        public YamlValue Document()
        {
            Next<StreamStart>();
            if (Next() is StreamEnd)
                return new YamlScalar("", Plain: true, Line: 1);
            Next();
            var value = Value(depth: 0);
            if (Next() is not DocumentEnd || Next() is not StreamEnd)
                throw Error("more than one document");
            return value;
        }

        private YamlValue Value(int depth)
        {
            if (++values > MaxValues)
                throw Error($"more than {MaxValues} values");
            if (depth > MaxDepth)
                throw Error($"nested deeper than {MaxDepth}");
            var start = parser.Current!;
            var value = start switch
            {
                Scalar scalar => new YamlScalar(scalar.Value, scalar.Style == ScalarStyle.Plain, scalar.Start.Line),
                SequenceStart => List(depth),
                MappingStart => Map(depth),
                AnchorAlias alias => anchors.GetValueOrDefault(alias.Value.Value)
                    ?? throw Error($"alias *{alias.Value.Value} names nothing before it"),
                _ => throw Error("unexpected YAML"),
            };
            if (start is NodeEvent { Anchor.IsEmpty: false } anchored)
                anchors[anchored.Anchor.Value] = value;
            return value;
        }

        private YamlList List(int depth)
        {
            var line = parser.Current!.Start.Line;
            var items = new List<YamlValue>();
            while (Next() is not SequenceEnd)
                items.Add(Value(depth + 1));
            return new YamlList(items, line);
        }

        private YamlMap Map(int depth)
        {
            var line = parser.Current!.Start.Line;
            var own = new Dictionary<string, YamlValue>(StringComparer.Ordinal);
            List<YamlMap> merged = [];
            while (Next() is not MappingEnd)
            {
                if (Value(depth + 1) is not YamlScalar key)
                    throw Error("a key must be a word");
                Next();
                var value = Value(depth + 1);
                if (key is { Plain: true, Text: "<<" })
                    merged.AddRange(MergedMaps(value));
                else
                    own[key.Text] = value;
            }
            foreach (var (key, value) in merged.SelectMany(map => map.Entries))
            {
                if (++values > MaxValues)
                    throw Error($"more than {MaxValues} values");
                own.TryAdd(key, value);
            }
            return new YamlMap(own, line);
        }

        private IEnumerable<YamlMap> MergedMaps(YamlValue value) => value switch
        {
            YamlMap map => [map],
            YamlList list when list.Items.All(item => item is YamlMap) => list.Items.Cast<YamlMap>(),
            _ => throw Error("<< merges mappings only"),
        };

        private ParsingEvent Next() => parser.MoveNext() && parser.Current is { } current ? current : throw Error("unexpected end");

        private void Next<T>()
            where T : ParsingEvent
        {
            if (Next() is not T)
                throw Error("unexpected YAML");
        }

        private YamlFormatException Error(string reason) => new(file, parser.Current?.Start.Line ?? 1, reason);
    }
}
