using Microsoft.Playwright;

namespace Migration.Tests.Verify;

/// <summary>
/// Debian's chromium, started once for the tests that need it. In CI it must be there (.ci/run installs it); elsewhere the tests are skipped
/// without it.
/// </summary>
public sealed class Browser : IAsyncLifetime
{
    private const string Path = "/usr/bin/chromium";

    /// <summary>How long a step of the browser may take, in ms: a busy CI machine can need longer than Playwright's 30 s.</summary>
    private const float Patience = 180_000;

    private IPlaywright? playwright;
    private IBrowser? browser;

    /// <summary>Why the tests are skipped; null when they run.</summary>
    public static string? Absent { get; } =
        File.Exists(Path) || Environment.GetEnvironmentVariable("CI") == "true" ? null : $"{Path} is not installed: sudo apt-get update && sudo apt-get install chromium";

    public async Task InitializeAsync()
    {
        if (Absent is not null)
            return;
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Path,
            Timeout = Patience,
            Args = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    /// <summary>Shows a page of its own world. Nothing outside is reachable; what it asks for is in <see cref="Shown.Requests"/>.</summary>
    public async Task<Shown> ShowAsync(string html, int width, int height, ColorScheme scheme = ColorScheme.Light)
    {
        var context = await browser!.NewContextAsync(new BrowserNewContextOptions { ViewportSize = new ViewportSize { Width = width, Height = height }, ColorScheme = scheme, DeviceScaleFactor = 2 });
        context.SetDefaultTimeout(Patience);
        var page = await context.NewPageAsync();
        var shown = new Shown(context, page);
        page.Console += (_, message) => shown.Console.Add(message.Text);
        page.PageError += (_, error) => shown.Console.Add(error);
        await context.RouteAsync("**", async route =>
        {
            if (route.Request.Url == Shown.Address)
            {
                await route.FulfillAsync(new RouteFulfillOptions { Body = html, ContentType = "text/html; charset=utf-8" });
                return;
            }
            shown.Requests.Add(route.Request.Url);
            await route.AbortAsync();
        });
        await page.GotoAsync(Shown.Address);
        return shown;
    }

    public async Task DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
    }
}

/// <summary>A fact that needs the browser.</summary>
public sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute() => Skip = Browser.Absent;
}

/// <summary>A theory that needs the browser.</summary>
public sealed class BrowserTheoryAttribute : TheoryAttribute
{
    public BrowserTheoryAttribute() => Skip = Browser.Absent;
}

/// <summary>A page in the browser.</summary>
public sealed record Shown(IBrowserContext Context, IPage Page) : IAsyncDisposable
{
    public const string Address = "http://report.example/";

    /// <summary>Messages and errors on the console.</summary>
    public IList<string> Console { get; } = new List<string>();

    /// <summary>Addresses the page asked for.</summary>
    public IList<string> Requests { get; } = new List<string>();

    /// <summary>Keeps a picture in artifacts/report for people to look at.</summary>
    public Task KeepAsync(string name, bool whole = true) => Page.ScreenshotAsync(new PageScreenshotOptions
    {
        Path = System.IO.Path.Combine(Testing.Golden.RepositoryRoot, "artifacts", "report", name + ".png"),
        FullPage = whole,
    });

    public async ValueTask DisposeAsync() => await Context.DisposeAsync();
}
