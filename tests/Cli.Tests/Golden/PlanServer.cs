using System.Globalization;
using System.Net;
using System.Text;
using LoRaWan.Regional;

namespace Cli.Tests.Golden;

/// <summary>
/// The server of frequency plans of the recorded command lines: http://frequency-plans.test has the plans of this program, as a repository
/// has them; any other address refuses connections.
/// </summary>
internal sealed class PlanServer : HttpMessageHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var address = request.RequestUri!;
        if (address.Host != "frequency-plans.test")
            throw new HttpRequestException($"Connection refused ({address.Authority})");
        var text = new StringBuilder();
        if (address.AbsolutePath == "/frequency-plans.yml")
        {
            foreach (var plan in FrequencyPlans.Embedded.All)
                Line(text, $"- {{id: {plan.Id}, file: {plan.Id}.yml}}");
        }
        else if (FrequencyPlans.Embedded.TryGet(Path.GetFileNameWithoutExtension(address.AbsolutePath), out var plan))
        {
            Write(text, plan);
        }
        else
        {
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.NotFound));
        }
        return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(text.ToString()) });
    }

    /// <summary>What a MAC state asks of a plan.</summary>
    private static void Write(StringBuilder text, FrequencyPlan plan)
    {
        Line(text, $"band-id: {plan.BandId}");
        Channels(text, "uplink-channels", plan.UplinkChannels);
        Channels(text, "downlink-channels", plan.DownlinkChannels);
        FixedRate(text, "lora-standard-channel", plan.LoRaStandardChannel);
        FixedRate(text, "fsk-channel", plan.FskChannel);
        if (plan.Rx2Frequency is { } rx2)
            Line(text, $"rx2-channel: {{frequency: {rx2.Hertz}}}");
        if (plan.Rx2DataRate is { } rx2Rate)
            Line(text, $"rx2-default-data-rate: {rx2Rate.Value}");
        if (plan.PingSlotFrequency is { } pingSlot)
            Line(text, $"ping-slot: {{frequency: {pingSlot.Hertz}}}");
        if (plan.PingSlotDataRate is { } pingSlotRate)
            Line(text, $"ping-slot-default-data-rate: {pingSlotRate.Value}");
        if (plan.MaxEirpDbm is { } eirp)
            Line(text, $"max-eirp: {eirp}");
        if (plan.DwellTime is { Duration: { } duration } dwell)
            Line(text, $"dwell-time: {{uplinks: {Yes(dwell.Uplinks)}, downlinks: {Yes(dwell.Downlinks)}, duration: {duration.TotalMilliseconds}ms}}");
    }

    private static void Channels(StringBuilder text, string name, IReadOnlyCollection<Channel> channels)
    {
        if (channels.Count == 0)
            return;
        Line(text, $"{name}:");
        foreach (var channel in channels)
            Line(text, $"- {{frequency: {channel.Frequency.Hertz}, min-data-rate: {channel.MinDataRate.Value}, max-data-rate: {channel.MaxDataRate.Value}}}");
    }

    private static void FixedRate(StringBuilder text, string name, FixedRateChannel? channel)
    {
        if (channel is { } fixedRate)
            Line(text, $"{name}: {{frequency: {fixedRate.Frequency.Hertz}, data-rate: {fixedRate.DataRate.Value}}}");
    }

    private static string Yes(bool? value) => value == true ? "true" : "false";

    private static void Line(StringBuilder text, FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
