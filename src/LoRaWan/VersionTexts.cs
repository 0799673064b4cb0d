using System.Globalization;

namespace LoRaWan;

/// <summary>The texts of one MAC or PHY version.</summary>
/// <param name="Name">The name The Things Stack writes.</param>
/// <param name="Specification">The version as the specification writes it.</param>
/// <param name="Order">Place in the order of the specifications.</param>
/// <param name="Accepted">Other names that are read.</param>
internal sealed record VersionTexts(string Name, string Specification, int Order, string[] Accepted)
{
    public static VersionTexts[] ByNumber(Dictionary<int, VersionTexts> versions)
    {
        var table = new VersionTexts[versions.Count];
        foreach (var (number, texts) in versions)
            table[number] = texts;
        return table;
    }

    /// <summary>Gives the number of the version with that name or number, -1 when there is none.</summary>
    public static int Find(VersionTexts[] byNumber, ReadOnlySpan<char> text)
    {
        for (var number = 0; number < byNumber.Length; number++)
        {
            if (text.Equals(byNumber[number].Name, StringComparison.OrdinalIgnoreCase))
                return number;
            foreach (var accepted in byNumber[number].Accepted)
            {
                if (text.Equals(accepted, StringComparison.OrdinalIgnoreCase))
                    return number;
            }
        }
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given < byNumber.Length ? given : -1;
    }

    public static string Reason(string[] names) => "is none of " + string.Join(", ", names);
}
