using Microsoft.Playwright;
using Migration.Verify;

namespace Migration.Tests.Verify;

/// <summary>The report in a real browser: on a phone, on a desk, in the dark, on paper. Pictures are kept in artifacts/report.</summary>
public sealed class ReportInBrowserTests(Browser browser) : IClassFixture<Browser>
{
    private readonly string html = SampleReport.Html(SampleReport.Tally());

    [BrowserTheory]
    [InlineData("phone", 360, 740)]
    [InlineData("small-phone", 320, 568)]
    [InlineData("tablet", 768, 1024)]
    [InlineData("desktop", 1280, 900)]
    public async Task Nothing_runs_off_the_side(string name, int width, int height)
    {
        await using var shown = await browser.ShowAsync(html, width, height);

        Assert.Equal(width, await shown.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal("", await shown.Page.EvaluateAsync<string>("""
            [...document.querySelectorAll('body *:not(thead, thead *, svg *)')].filter(e => e.checkVisibility() && (e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')).map(e => e.outerHTML.slice(0, 120)).join('\n')
            """));
        await shown.KeepAsync(name, whole: false);
        await shown.KeepAsync(name + "-whole");
    }

    [BrowserFact]
    public async Task Three_hundred_devices_of_all_states_can_be_read_on_a_phone()
    {
        var tally = SampleReport.EvenTally();
        await using var shown = await browser.ShowAsync(SampleReport.Html(tally), 360, 740);

        Assert.Equal(360, await shown.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        foreach (var state in CutOver.States)
        {
            var rows = shown.Page.Locator($"#{CutOver.CodeOf(state)} tbody tr");
            Assert.Equal(tally.Count(state), await rows.CountAsync());
            if (CutOver.IsDone(state))
                await shown.Page.ClickAsync($"#{CutOver.CodeOf(state)} summary");
            var box = (await rows.First.BoundingBoxAsync())!;
            Assert.InRange(box.X + box.Width, 1, 360);
        }
        await shown.KeepAsync("phone-300");
    }

    [BrowserFact]
    public async Task It_asks_for_nothing_runs_nothing_and_hostile_names_stay_names()
    {
        await using var shown = await browser.ShowAsync(html, 1280, 900);

        Assert.DoesNotContain(shown.Requests, address => !address.EndsWith("/favicon.ico", StringComparison.Ordinal));
        Assert.Empty(shown.Console);
        Assert.Equal("Migration of city-water", await shown.Page.TitleAsync());
        Assert.Contains("document.title='taken'", await shown.Page.InnerTextAsync("#not_checked"), StringComparison.Ordinal);
    }

    [BrowserFact]
    public async Task A_count_leads_to_its_devices_and_the_devices_that_are_done_open_on_a_click()
    {
        await using var shown = await browser.ShowAsync(html, 360, 740);

        await shown.Page.ClickAsync(".cards a[href='#needs_power_cycle']");
        Assert.InRange(await shown.Page.EvaluateAsync<double>("document.getElementById('needs_power_cycle').getBoundingClientRect().top"), 0, 40);
        Assert.False(await shown.Page.IsVisibleAsync("#joined tbody tr"));
        await shown.Page.ClickAsync("#joined summary");
        Assert.True(await shown.Page.IsVisibleAsync("#joined tbody tr"));
        Assert.Equal(VerifyTally.MaxDone, await shown.Page.Locator("#joined tbody tr").CountAsync());
    }

    [BrowserTheory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Every_text_stands_out_from_what_is_behind_it(ColorScheme scheme)
    {
        await using var shown = await browser.ShowAsync(html, 1280, 900, scheme);

        // WCAG AA: contrast of 4.5 to 1, 3 to 1 for large text.
        var faint = await shown.Page.EvaluateAsync<string>("""
            (() => {
              const parse = c => c.match(/[\d.]+/g).map(Number);
              const light = c => { const [r, g, b] = parse(c).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
              const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if ((parse(c)[3] ?? 1) === 1) return c; } };
              return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).filter(e => {
                const s = getComputedStyle(e), a = light(s.color), b = light(behind(e));
                return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < (parseFloat(s.fontSize) >= 24 ? 3 : 4.5);
              }).map(e => e.outerHTML.slice(0, 100)).join('\n');
            })()
            """);

        Assert.Equal("", faint);
        await shown.KeepAsync($"desktop-{scheme}", whole: false);
    }

    [BrowserFact]
    public async Task On_paper_everything_is_light_and_the_devices_that_are_done_are_listed()
    {
        await using var shown = await browser.ShowAsync(html, 800, 1100, ColorScheme.Dark);
        await shown.Page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print });

        Assert.Equal("rgb(255, 255, 255)", await shown.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor"));
        Assert.True(await shown.Page.EvaluateAsync<bool>("document.querySelector('#joined tbody tr').getBoundingClientRect().height > 5"));
        await shown.KeepAsync("paper", whole: false);
    }
}
