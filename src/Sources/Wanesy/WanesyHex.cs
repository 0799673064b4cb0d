using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using LoRaWan;
using TheThingsStack.Errors;

namespace Sources.Wanesy;

/// <summary>
/// Hex values of the file: plain digits, of which spreadsheets drop leading zeros (facts/wanesy.md section 2). Reasons repeat no text.
/// </summary>
internal static class WanesyHex
{
    private const int LongestDigits = 32;

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789abcdefABCDEF");

    /// <summary>Reads a value and restores zeros at its front.</summary>
    /// <param name="text">The text of the file; not empty.</param>
    /// <param name="value">The value.</param>
    /// <param name="padded">True when zeros were missing.</param>
    /// <param name="reason">What is wrong, to put behind the name of the field.</param>
    public static bool TryRead<T>(ReadOnlySpan<char> text, out T value, out bool padded, [NotNullWhen(false)] out string? reason)
        where T : struct, IHexValue<T>
    {
        var wanted = T.SizeInBytes * 2;
        padded = text.Length < wanted;
        value = default;
        if (text.ContainsAnyExcept(Digits))
        {
            reason = "has characters that are not hex digits";
            return false;
        }
        if (text.Length > wanted)
        {
            reason = string.Create(null, $"has {text.Length} hex digits, not {wanted}");
            return false;
        }
        Span<char> digits = stackalloc char[LongestDigits];
        digits = digits[..wanted];
        digits.Fill('0');
        text.CopyTo(digits[(wanted - text.Length)..]);
        return HexText.TryParse(digits, out value, out reason);
    }

    /// <summary>Reads a DevEUI that a user typed: all 16 digits.</summary>
    public static bool TryReadTyped(string text, out DevEui value, [NotNullWhen(false)] out Failure? failure)
    {
        failure = null;
        value = default;
        string? reason = null;
        if (text.AsSpan().ContainsAnyExcept(Digits))
            reason = "it has characters that are not hex digits";
        else if (!HexText.TryParse(text, out value, out string? why))
            reason = "it " + why;
        if (reason is not null)
        {
            failure = InvalidEui(reason) with
            {
                Advice = "give the DevEUI as 16 hex digits, as in the column `devEui` of the file",
            };
        }
        return failure is null;
    }

    /// <summary>The failure for an EUI, in the form of The Things Stack.</summary>
    public static Failure InvalidEui(string reason) => new("invalid EUI") { Namespace = "pkg/types", Name = "invalid_eui", Cause = new Failure(reason) };
}
