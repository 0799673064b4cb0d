using System.Globalization;

namespace Sources.Tests.Wanesy;

/// <summary>
/// A recorded row as facts/wanesy.md section 6 wants it read: what is refused, and what the Go tool could not read although it says enough.
/// </summary>
internal sealed class RecordedRow(IReadOnlyDictionary<string, string> values)
{
    public IReadOnlyDictionary<string, string> Values => values;

    public string this[string column]
    {
        get
        {
            var text = (values.GetValueOrDefault(column) ?? (column == "dev_addr" ? values.GetValueOrDefault("devAddr") : null) ?? "").Trim();
            return text.Equals("NULL", StringComparison.OrdinalIgnoreCase) ? "" : text;
        }
    }

    public bool Joins => this["activation"].Equals("OTAA", StringComparison.OrdinalIgnoreCase);

    public bool Is11 => this["macVersion"] == "1.1.0";

    public bool HasSession => new[] { "dev_addr", "NwkSKey", "AppSKey" }.Concat(Is11 ? ["fNwkSIntKey", "sNwkSIntKey"] : []).All(IsSet);

    public int Rx1Delay => int.TryParse(this["rx1Delay"], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? seconds : 1;

    public ulong? Rx2Frequency => decimal.TryParse(this["rx2Freq"], CultureInfo.InvariantCulture, out var number) ? (ulong)(number < 10_000 ? number * 1_000_000 : number) : null;

    /// <summary>Names of the reasons to refuse it that the Go tool does not have (W3, W5, W10).</summary>
    public HashSet<string> Refusals()
    {
        var reasons = new HashSet<string>();
        if (!IsSet("devEui"))
            reasons.Add("no_dev_eui");
        if (this["activation"].ToUpperInvariant() is not ("OTAA" or "ABP"))
            reasons.Add("invalid_activation");
        else if (!Joins && !HasSession)
            reasons.Add("no_session");
        if (this["classType"].ToUpperInvariant() is not ("" or "A" or "B" or "C"))
            reasons.Add("invalid_class");
        if (Joins && this["appEui"].Length == 0)
            reasons.Add("no_join_eui");
        if (Joins && !IsSet("appKey"))
            reasons.Add("no_app_key");
        if (this["rx2Dr"].Length > 0 && !(int.TryParse(this["rx2Dr"], NumberStyles.None, CultureInfo.InvariantCulture, out var rate) && rate <= 15))
            reasons.Add("invalid_rx2_dr");
        if (HasSession && Rx1Delay > 15)
            reasons.Add("invalid_rx1_delay");
        return reasons;
    }

    /// <summary>Latitude, longitude and altitude when they say a place (W1, W2).</summary>
    public (double Latitude, double Longitude, int Altitude)? Location()
    {
        if (!Number("latitude", out var latitude) || !Number("longitude", out var longitude) || Math.Abs(latitude) > 90 || Math.Abs(longitude) > 180)
            return null;
        return (latitude, longitude, Number("altitude", out var altitude) ? (int)Math.Round(altitude, MidpointRounding.AwayFromZero) : 0);
    }

    /// <summary>The same device in a form that even the Go tool reads: zeros restored (W9), blanks and NULL gone (W10), counters 0 (W14), no place (W1, W2), RX2 data rate one digit (W3).</summary>
    public RecordedRow ForTheGoTool()
    {
        var twin = values.Keys.ToDictionary(k => k, k => this[k], StringComparer.OrdinalIgnoreCase);
        foreach (var (column, digits) in new[] { ("devEui", 16), ("appEui", 16), ("dev_addr", 8), ("appKey", 32), ("NwkSKey", 32), ("AppSKey", 32), ("fNwkSIntKey", 32), ("sNwkSIntKey", 32) })
        {
            if (twin.TryGetValue(column, out var text) && text.Length > 0)
                twin[column] = text.PadLeft(digits, '0');
        }
        twin["activation"] = this["activation"].ToUpperInvariant();
        twin["classType"] = this["classType"].ToUpperInvariant();
        foreach (var column in new[] { "fcntUp", "fcntDown" })
        {
            if (HasSession && this[column].Length == 0)
                twin[column] = "0";
        }
        twin["latitude"] = twin["longitude"] = twin["altitude"] = "";
        if (this["rx2Dr"].Length == 2)
            twin["rx2Dr"] = "";
        return new RecordedRow(twin);
    }

    private bool IsSet(string column) => this[column].Any(c => c != '0');

    private bool Number(string column, out double number) =>
        double.TryParse(this[column], NumberStyles.Float, CultureInfo.InvariantCulture, out number);
}
