using System.Text.Json;

namespace Migration;

/// <summary>What a line took along, and therefore has to leave the source.</summary>
internal static class LineScope
{
    /// <summary>Root keys when the line has <c>root_keys</c>, the session when it has <c>session</c>.</summary>
    public static RetireScope Of(ReadOnlySpan<byte> line)
    {
        var scope = RetireScope.None;
        var reader = new Utf8JsonReader(line);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                continue;
            if (reader.ValueTextEquals("root_keys"u8))
                scope |= RetireScope.RootKeys;
            else if (reader.ValueTextEquals("session"u8))
                scope |= RetireScope.Session;
            reader.Skip();
        }
        return scope;
    }
}
