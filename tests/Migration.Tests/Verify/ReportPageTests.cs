using System.Xml.Linq;
using Migration.Verify;

namespace Migration.Tests.Verify;

/// <summary>What is on the page, without a browser.</summary>
public sealed class ReportPageTests
{
    private readonly string page = SampleReport.Html(SampleReport.Tally());

    [Fact]
    public void Counts_come_first_and_every_state_has_its_list_and_what_to_do()
    {
        Assert.Contains("<strong>1,370</strong> of 1,445 devices have arrived", page, StringComparison.Ordinal);
        Assert.Contains("<strong>4</strong> need somebody, <strong>71</strong> are still expected.", page, StringComparison.Ordinal);
        foreach (var state in CutOver.States)
        {
            Assert.Contains($"href=\"#{CutOver.CodeOf(state)}\"", page, StringComparison.Ordinal);
            Assert.Contains($"id=\"{CutOver.CodeOf(state)}\"", page, StringComparison.Ordinal);
            if (StateTexts.Of(state).Remedy is { } remedy)
                Assert.Contains($"What to do:</strong> {remedy}", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void It_fetches_nothing_and_runs_nothing()
    {
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("http:", page, StringComparison.Ordinal);
        Assert.DoesNotContain("https:", page, StringComparison.Ordinal);
        Assert.DoesNotContain("url(", page, StringComparison.Ordinal);
        Assert.DoesNotContain(" on", string.Concat(XDocument.Parse(Xml(page)).Descendants().Attributes().Select(attribute => " " + attribute.Name.LocalName)), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_that_try_to_be_markup_or_to_turn_the_text_around_are_text()
    {
        Assert.Contains("&lt;script&gt;document.title=&#x27;taken&#x27;&lt;/script&gt;&quot;&#x27;&amp;\uFFFD", page, StringComparison.Ordinal);
        Assert.DoesNotContain('\u202E', page);
    }

    [Fact]
    public void A_list_that_is_too_long_says_how_many_are_left_out()
    {
        Assert.Contains("Show the first 1,000 devices", page, StringComparison.Ordinal);
        Assert.Contains("<p class=\"more\">240 more are in the list that --output json gives.</p>", page, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_and_a_finished_migration_have_a_page_too()
    {
        var finished = new VerifyTally();
        finished.Add(SampleReport.Tally().Devices(CutOverState.OnTarget)[0]);

        Assert.Contains("There was no device to check.", SampleReport.Html(new VerifyTally()), StringComparison.Ordinal);
        var one = SampleReport.Html(finished);
        Assert.Contains("<strong>1</strong> of 1 device has arrived", one, StringComparison.Ordinal);
        Assert.Contains("Nothing is left to do.", one, StringComparison.Ordinal);
        Assert.DoesNotContain("Joins over time", one, StringComparison.Ordinal);
    }

    [Fact]
    public void The_curve_rises_from_the_import_to_the_joins()
    {
        var start = SampleDevices.Imported;

        var curve = JoinCurve.Of([start.AddHours(1), start.AddHours(2), start.AddHours(2)], start, start.AddHours(4), 4);

        Assert.Equal("M0 160H100V120H200V40H400", curve.Line);
        Assert.Equal((start, start.AddHours(4), 4), (curve.From, curve.To, curve.Ticks.Count));
    }

    [Fact]
    public void Joins_of_one_moment_still_have_a_curve()
    {
        var start = SampleDevices.Imported;

        Assert.Equal("M0 160H0V0H400", JoinCurve.Of([start, start], null, start, 2).Line);
    }

    /// <summary>Void elements closed and bare attributes gone, so that the page reads as XML: it is well nested.</summary>
    private static string Xml(string html) =>
        System.Text.RegularExpressions.Regex.Replace(html[html.IndexOf("<html", StringComparison.Ordinal)..], "<(?<tag>meta[^>]*|br)>", "<${tag}/>", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10));
}
