using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Cli.Journals;

/// <summary>A line without its secrets.</summary>
internal static class SecretText
{
    private const string Hidden = "***";

    /// <summary>Gives the line with three stars in place of each key and claim authentication code.</summary>
    public static string Hide(ReadOnlySpan<byte> line)
    {
        var output = new ArrayBufferWriter<byte>(line.Length);
        using (var writer = new Utf8JsonWriter(output))
        {
            var reader = new Utf8JsonReader(line);
            var secret = false;
            var claim = -1;
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.StartObject:
                        writer.WriteStartObject();
                        break;
                    case JsonTokenType.EndObject:
                        writer.WriteEndObject();
                        if (reader.CurrentDepth == claim)
                            claim = -1;
                        break;
                    case JsonTokenType.StartArray:
                        writer.WriteStartArray();
                        break;
                    case JsonTokenType.EndArray:
                        writer.WriteEndArray();
                        break;
                    case JsonTokenType.PropertyName:
                        writer.WritePropertyName(reader.GetString()!);
                        secret = reader.ValueTextEquals("key"u8) || reader.ValueTextEquals("encrypted_key"u8) || (claim >= 0 && reader.ValueTextEquals("value"u8));
                        if (reader.ValueTextEquals("claim_authentication_code"u8))
                            claim = reader.CurrentDepth;
                        break;
                    case JsonTokenType.String when secret:
                        writer.WriteStringValue(Hidden);
                        break;
                    case JsonTokenType.String:
                        writer.WriteStringValue(reader.GetString());
                        break;
                    default:
                        writer.WriteRawValue(reader.ValueSpan);
                        break;
                }
            }
        }
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
