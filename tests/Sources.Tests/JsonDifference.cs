using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Sources.Tests;

/// <summary>The first place where two JSON values differ. Members have no order, and a number is its value however it is written.</summary>
internal static class JsonDifference
{
    /// <summary>Says where and how; null when both are the same.</summary>
    public static string? Find(JsonNode? want, JsonNode? got, string path)
    {
        switch (want, got)
        {
            case (JsonObject w, JsonObject g):
                foreach (var name in w.Select(m => m.Key).Union(g.Select(m => m.Key)))
                {
                    if (!w.ContainsKey(name) || !g.ContainsKey(name))
                        return $"{path}.{name}: {(w.ContainsKey(name) ? $"missing, should be {w[name]?.ToJsonString()}" : $"not wanted: {g[name]?.ToJsonString()}")}";
                    if (Find(w[name], g[name], $"{path}.{name}") is { } inner)
                        return inner;
                }
                return null;
            case (JsonArray w, JsonArray g):
                if (w.Count != g.Count)
                    return $"{path}: {g.Count} items, should be {w.Count}";
                return Enumerable.Range(0, w.Count).Select(i => Find(w[i], g[i], $"{path}[{i}]")).FirstOrDefault(d => d is not null);
            case (JsonValue w, JsonValue g) when w.GetValueKind() == JsonValueKind.Number && g.GetValueKind() == JsonValueKind.Number:
                return Number(w).Equals(Number(g)) ? null : $"{path}: {g.ToJsonString()}, should be {w.ToJsonString()}";
            default:
                return JsonNode.DeepEquals(want, got) ? null : $"{path}: {got?.ToJsonString()}, should be {want?.ToJsonString()}";
        }
    }

    private static double Number(JsonValue value) => double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);
}
