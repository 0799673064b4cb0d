using System.Text.Json;

namespace Migration;

/// <summary>The IDs in a line, without reading the rest of it.</summary>
internal static class LineIds
{
    /// <summary>Gives application and device ID; empty where the line has none.</summary>
    public static (string Application, string Device) Of(ReadOnlySpan<byte> line)
    {
        var application = "";
        var device = "";
        var reader = new Utf8JsonReader(line);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
                continue;
            if (reader.CurrentDepth == 1 && !reader.ValueTextEquals("ids"u8))
                reader.Skip();
            else if (reader.CurrentDepth == 2 && reader.ValueTextEquals("device_id"u8) && reader.Read())
                device = reader.GetString() ?? "";
            else if (reader.CurrentDepth == 3 && reader.ValueTextEquals("application_id"u8) && reader.Read())
                application = reader.GetString() ?? "";
        }
        return (application, device);
    }

    /// <summary>Gives the device ID of a line that may be broken; null when it does not come before the broken place.</summary>
    public static string? TryFindDevice(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1 && !reader.ValueTextEquals("ids"u8))
                    reader.Skip();
                else if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 2 && reader.ValueTextEquals("device_id"u8) && reader.Read())
                    return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The broken place.
        }
        return null;
    }
}
