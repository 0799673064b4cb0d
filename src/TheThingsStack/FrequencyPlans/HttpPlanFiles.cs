using System.Net;
using System.Text;
using TheThingsStack.Errors;

namespace TheThingsStack.FrequencyPlans;

/// <summary>
/// Frequency plan files behind HTTP or HTTPS. Each file is read within <paramref name="timeout"/>; certificates are checked by the handler
/// as usual; redirects are followed unless they leave HTTPS; a page in HTML (login, proxy, "not found") is refused by name.
/// </summary>
/// <param name="address">Folder that holds <c>frequency-plans.yml</c>.</param>
/// <param name="client">Client whose handler does not follow redirects itself.</param>
/// <param name="timeout">Time allowed for one file, redirects and body included.</param>
/// <param name="time">Clock of the timeout.</param>
internal sealed class HttpPlanFiles(Uri address, HttpMessageInvoker client, TimeSpan timeout, TimeProvider time) : IPlanFiles
{
    private const int MaxRedirects = 5;

    public string Location => address.GetLeftPart(UriPartial.Path);

    public async Task<string> ReadAsync(string file, CancellationToken cancellation)
    {
        var folder = new UriBuilder(address);
        folder.Path = folder.Path.TrimEnd('/') + "/" + string.Join('/', PlanFileNames.Segments(file).Select(Uri.EscapeDataString));
        using var limit = new CancellationTokenSource(timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        try
        {
            return await FollowAsync(file, folder.Uri, both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw Fails(file, folder.Uri, $"no answer within {timeout.TotalSeconds:0.#} s", "check the address, or use the plans of this program by leaving the address out", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Fails(file, folder.Uri, e.InnerException is { } inner && !e.Message.Contains(inner.Message, StringComparison.Ordinal) ? $"{e.Message} {inner.Message}" : e.Message, null, e);
        }
    }

    private async Task<string> FollowAsync(string file, Uri uri, CancellationToken cancellation)
    {
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, uri);
            using var response = await client.SendAsync(request, cancellation).ConfigureAwait(false);
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
                or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            {
                return await BodyAsync(file, uri, response, cancellation).ConfigureAwait(false);
            }
            if (response.Headers.Location is not { } location)
                throw Fails(file, uri, "redirects without saying where");
            var next = location.IsAbsoluteUri ? location : new Uri(uri, location);
            if (redirects == MaxRedirects)
                throw Fails(file, uri, $"redirects more than {MaxRedirects} times, last to {Show(next)}");
            if (next.Scheme != Uri.UriSchemeHttps && next.Scheme != uri.Scheme)
                throw Fails(file, uri, $"redirects to {Show(next)}, which is not protected by TLS");
            uri = next;
        }
    }

    private static async Task<string> BodyAsync(string file, Uri uri, HttpResponseMessage response, CancellationToken cancellation)
    {
        if (!response.IsSuccessStatusCode)
            throw Fails(file, uri, $"answers {(int)response.StatusCode} {response.ReasonPhrase}");
        var stream = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            // One byte more than allowed tells a file that is too large from one that just fits.
            var body = new byte[PlanFileNames.MaxBytes + 1];
            var length = await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
            if (length == body.Length)
                throw Fails(file, uri, $"answers more than {PlanFileNames.MaxBytes} bytes");
            var text = Encoding.UTF8.GetString(body, 0, length).TrimStart('\uFEFF');
            if (response.Content.Headers.ContentType?.MediaType is "text/html" or "application/xhtml+xml" || text.AsSpan().TrimStart() is ['<', ..])
                throw Fails(file, uri, "answers an HTML page, not YAML", "check the address: it must be the folder of the plain files");
            return text;
        }
    }

    private static FailureException Fails(string file, Uri uri, string problem, string? advice = null, Exception? inner = null) =>
        new(FrequencyPlanFailures.Fetch(file, $"{Show(uri)}: {problem}", advice), inner);

    /// <summary>An address without user, password and query, which may be secret.</summary>
    private static string Show(Uri uri) => uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
}
