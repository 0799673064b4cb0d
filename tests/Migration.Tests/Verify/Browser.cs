using Microsoft.Playwright;

namespace Migration.Tests.Verify;

/// <summary>
/// Debian's chromium, started once for the tests that need it. In CI it must be there (.ci/run installs it); elsewhere tests that find none
/// pass with a message.
/// </summary>
public sealed class Browser : IAsyncLifetime
{
    private const string Path = "/usr/bin/chromium";

    private IPlaywright? playwright;
    private IBrowser? browser;

    /// <summary>Why there is no browser; null when there is one.</summary>
    public string? Absent { get; private set; }

    public async Task InitializeAsync()
    {
        if (!File.Exists(Path))
        {
            Absent = $"{Path} is not installed: apt-get install chromium";
            if (Environment.GetEnvironmentVariable("CI") == "true")
                throw new InvalidOperationException(Absent);
            return;
        }
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Path,
            Args = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    /// <summary>Shows a page of its own world. Nothing outside is reachable; what it asks for is in <see cref="Shown.Requests"/>.</summary>
    public async Task<Shown> ShowAsync(string html, int width, int height, ColorScheme scheme = ColorScheme.Light)
    {
        var context = await browser!.NewContextAsync(new BrowserNewContextOptions { ViewportSize = new ViewportSize { Width = width, Height = height }, ColorScheme = scheme, DeviceScaleFactor = 2 });
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
