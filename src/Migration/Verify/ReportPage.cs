using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Migration.Verify;

/// <summary>What a report is about.</summary>
/// <param name="Application">Applications at the target.</param>
/// <param name="Cluster">Address of the cluster.</param>
/// <param name="At">When the last look was.</param>
public sealed record ReportSubject(string Application, string Cluster, DateTimeOffset At);

/// <summary>
/// A verification as one page to hand to a customer: counts, joins over time, devices by state and what to do for each. Self-contained: no
/// script, no address fetched; readable on a phone, dark or light, printable. All texts are escaped; there is no key on it.
/// </summary>
public static class ReportPage
{
    /// <summary>Letters of all languages stay as they are; what HTML takes for markup is escaped.</summary>
    private static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);

    /// <summary>Writes the page.</summary>
    public static void Write(TextWriter output, ReportSubject subject, VerifyTally tally)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(tally);
        output.Write($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <meta name="robots" content="noindex">
            <title>Migration of {Text(subject.Application)}</title>
            <style>
            {ReportStyle.Css}
            </style>
            </head>
            <body>
            <header>
            <p class="kicker">Migration report</p>
            <h1>{Text(subject.Application)}</h1>
            <p class="about">The Things Stack at {Text(subject.Cluster)} <span class="sep">·</span> checked {Time(subject.At)}</p>
            </header>
            <main>
            <section class="summary" aria-labelledby="summary">
            <h2 id="summary"><strong>{Number(tally.Done)}</strong> of {Number(tally.Total)} {(tally.Total == 1 ? "device has" : "devices have")} arrived</h2>

            """);
        Bar(output, tally);
        output.Write($"<p class=\"verdict\">{Verdict(tally)}</p>\n<ul class=\"cards\">\n");
        foreach (var state in CutOver.States)
        {
            if (tally.Count(state) is > 0 and var count)
                output.Write($"<li class=\"{Class(state)}\"><a href=\"#{CutOver.CodeOf(state)}\"><span class=\"count\">{Number(count)}</span> <span>{Text(StateTexts.Of(state).Title)}</span></a></li>\n");
        }
        output.Write("</ul>\n</section>\n");
        Joins(output, subject, tally);
        foreach (var state in CutOver.States)
        {
            if (tally.Count(state) > 0)
                Devices(output, state, tally);
        }
        output.Write("</main>\n<footer><p>Times are UTC. Made by ttn-lw-migrate verify. This page holds no keys.</p></footer>\n</body>\n</html>\n");
    }

    private static string Verdict(VerifyTally tally)
    {
        var urgent = tally.Urgent;
        var expected = tally.Total - tally.Done - urgent;
        if (tally.Total == 0)
            return "There was no device to check.";
        if (tally.Done == tally.Total)
            return "Nothing is left to do.";
        var parts = new List<string>();
        if (urgent > 0)
            parts.Add($"<strong>{Number(urgent)}</strong> {(urgent == 1 ? "needs" : "need")} somebody");
        if (expected > 0)
            parts.Add($"<strong>{Number(expected)}</strong> {(expected == 1 ? "is" : "are")} still expected");
        return string.Join(", ", parts) + ".";
    }

    private static void Bar(TextWriter output, VerifyTally tally)
    {
        output.Write("<div class=\"bar\" aria-hidden=\"true\">");
        foreach (var (name, count) in (ReadOnlySpan<(string, long)>)[("done", tally.Done), ("open", tally.Total - tally.Done - tally.Urgent), ("attention", tally.Urgent)])
        {
            if (count > 0)
                output.Write($"<span class=\"{name}\" style=\"flex-grow:{count.ToString(CultureInfo.InvariantCulture)}\"></span>");
        }
        output.Write("</div>\n");
    }

    /// <summary>The text of the axes is HTML, so that it keeps its size when the picture shrinks.</summary>
    private static void Joins(TextWriter output, ReportSubject subject, VerifyTally tally)
    {
        var toJoin = tally.Joins + tally.Count(CutOverState.NeedsPowerCycle) + tally.Count(CutOverState.AliveAtSource);
        if (toJoin == 0)
            return;
        output.Write("<section class=\"joins\" aria-labelledby=\"joins\">\n<h2 id=\"joins\">Joins over time</h2>\n");
        if (tally.Joins == 0)
        {
            output.Write($"<p>None of {Number(toJoin)} devices that have to join has joined yet.</p>\n</section>\n");
            return;
        }
        var curve = JoinCurve.Of(tally.JoinTimes(), tally.FirstImport, subject.At, toJoin);
        output.Write($"""
            <figure>
            <div class="plot">
            <div class="y" aria-hidden="true"><span>{Number(toJoin)}</span><span>{(toJoin % 2 == 0 ? Number(toJoin / 2) : "")}</span><span>0</span></div>
            <svg viewBox="0 0 {JoinCurve.Width} {JoinCurve.Height}" preserveAspectRatio="none" role="img" aria-label="{Number(tally.Joins)} of {Number(toJoin)} devices joined between {Minute(curve.From)} and {Minute(curve.To)}">
            <path class="grid" d="M0 0H{JoinCurve.Width}M0 {JoinCurve.Height / 2}H{JoinCurve.Width}M0 {JoinCurve.Height}H{JoinCurve.Width}"/>
            <path class="area" d="{curve.Line}V{JoinCurve.Height}H0Z"/>
            <path class="line" d="{curve.Line}"/>
            </svg>
            <div class="x" aria-hidden="true">
            """);
        foreach (var tick in curve.Ticks)
            output.Write($"<span>{Tick(tick, curve)}</span>");
        output.Write($"</div>\n</div>\n<figcaption>{Number(tally.Joins)} of {Number(toJoin)} devices that have to join have joined; the top line is all of them.</figcaption>\n</figure>\n</section>\n");
    }

    private static string Tick(DateTimeOffset time, JoinCurve curve) => (curve.To - curve.From).TotalHours switch
    {
        <= 36 => time.ToString("HH:mm", CultureInfo.InvariantCulture) + $"<br><small>{Date(time)}</small>",
        _ => Date(time),
    };

    private static void Devices(TextWriter output, CutOverState state, VerifyTally tally)
    {
        var texts = StateTexts.Of(state);
        var count = tally.Count(state);
        var devices = tally.Devices(state);
        var isDone = CutOver.IsDone(state);
        output.Write($"<section class=\"state {Class(state)}\" id=\"{CutOver.CodeOf(state)}\">\n<h2>{Text(texts.Title)} <span class=\"count\">{Number(count)}</span></h2>\n<p>{Text(texts.Meaning)}</p>\n");
        if (texts.Remedy is { } remedy)
            output.Write($"<p class=\"todo\"><strong>What to do:</strong> {Text(remedy)}</p>\n");
        if (isDone)
            output.Write($"<details><summary>Show {(devices.Count < count ? $"the first {Number(devices.Count)} devices" : count == 1 ? "the device" : $"{Number(count)} devices")}</summary>\n");
        var hasDetail = state is CutOverState.Missing or CutOverState.Differs or CutOverState.NotChecked;
        var time = state is CutOverState.AliveAtSource or CutOverState.LiveOnBoth ? "Heard by the old network" : state == CutOverState.Joined ? "Joined" : null;
        output.Write("<table>\n<thead><tr><th scope=\"col\">Device</th><th scope=\"col\">DevEUI</th>");
        output.Write(hasDetail ? "<th scope=\"col\">Why</th>" : "<th scope=\"col\">DevAddr</th>");
        output.Write(time is null ? "" : $"<th scope=\"col\">{time}</th>");
        output.Write("<th scope=\"col\">Last seen</th></tr></thead>\n<tbody>\n");
        foreach (var device in devices)
        {
            output.Write($"<tr><th scope=\"row\"><bdi>{Text(device.DeviceId.Length > 0 ? device.DeviceId : LineName(device))}</bdi></th>");
            output.Write($"<td data-label=\"DevEUI\" class=\"code\">{Text(Or(device.DevEui))}</td>");
            output.Write(hasDetail ? $"<td data-label=\"Why\" class=\"why\">{Why(device)}</td>" : $"<td data-label=\"DevAddr\" class=\"code\">{Text(Or(device.DevAddr))}</td>");
            if (time is not null)
                output.Write($"<td data-label=\"{time}\">{Time(state == CutOverState.Joined ? device.JoinedAt : device.SeenAtSource)}</td>");
            output.Write($"<td data-label=\"Last seen\">{Time(device.LastSeenAt)}</td></tr>\n");
        }
        output.Write("</tbody>\n</table>\n");
        if (devices.Count < count)
            output.Write($"<p class=\"more\">{Number(count - devices.Count)} more are in the list that --output json gives.</p>\n");
        output.Write(isDone ? "</details>\n</section>\n" : "</section>\n");
    }

    private static string LineName(VerifiedDevice device) => device.Line > 0 ? $"line {Number(device.Line)}" : $"entry {Number(device.Index + 1)}";

    private static string Why(VerifiedDevice device)
    {
        var parts = new List<string>();
        if (device.Failure is { } failure)
            parts.Add($"<span>{Text(failure.ToString())}</span>");
        if (device.Missing != TheThingsStack.Import.DeviceServers.None)
            parts.Add($"<span>not on {Text(string.Join(", ", CutOver.Each(device.Missing).Select(CutOver.NameOf)))}</span>");
        foreach (var difference in device.Differences)
            parts.Add($"<span><code>{Text(difference.Path)}</code> on {Text(CutOver.NameOf(difference.Server))}: sent {Text(difference.Sent)}, found {Text(difference.Found)}</span>");
        return string.Join(" ", parts);
    }

    private static string Or(string text) => text.Length > 0 ? text : "–";

    private static string Class(CutOverState state) => CutOver.IsDone(state) ? "done" : CutOver.IsUrgent(state) ? "attention" : "open";

    private static string Text(string text) => Encoder.Encode(WithoutControls(text));

    /// <summary>Characters that turn text around or have no shape show as a replacement character.</summary>
    private static string WithoutControls(string text) => text.Any(IsControl)
        ? string.Create(text.Length, text, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = IsControl(source[i]) ? '\uFFFD' : source[i];
        })
        : text;

    private static bool IsControl(char c) => char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Time(DateTimeOffset? time) => time is { } known ? $"<time datetime=\"{known.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}\">{Minute(known)}</time>" : "never";

    private static string Minute(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    private static string Date(DateTimeOffset time) => time.UtcDateTime.ToString("d MMM", CultureInfo.InvariantCulture);
}
