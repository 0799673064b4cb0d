using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace Rpc;

/// <summary>Answers that did not come from a gRPC server: a proxy's page, a redirect, a web server.</summary>
internal static class NotGrpc
{
    private const int SnippetBytes = 4096;

    /// <summary>Whether a content type is that of gRPC.</summary>
    public static bool IsGrpc(string? contentType)
    {
        const string grpc = "application/grpc";
        return contentType is not null
            && contentType.StartsWith(grpc, StringComparison.OrdinalIgnoreCase)
            && (contentType.Length == grpc.Length || contentType[grpc.Length] is '+' or ';' or ' ');
    }

    /// <summary>The gRPC status for an HTTP status, by the table of the gRPC specification (http-grpc-status-mapping).</summary>
    public static StatusCode StatusFor(int http) => http switch
    {
        400 => StatusCode.Internal,
        401 => StatusCode.Unauthenticated,
        403 => StatusCode.PermissionDenied,
        404 => StatusCode.Unimplemented,
        429 or 502 or 503 or 504 => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    /// <summary>Says what came: <c>the answer is not gRPC but HTTP 502 with text/html: Bad Gateway</c>.</summary>
    public static async Task<AnswerProblem> DescribeAsync(HttpResponseMessage response, TimeProvider time, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        var type = ContentType(response);
        var detail = new StringBuilder();
        detail.Append(CultureInfo.InvariantCulture, $"the answer is not gRPC but HTTP {status}");
        if (status is >= 300 and < 400 && Header(response.Headers.NonValidated, "location") is { } location)
            detail.Append(" that sends to ").Append(Printable.OneLine(location, 200));
        else if (type is null)
            detail.Append(" without content type");
        else
            detail.Append(" with ").Append(Printable.OneLine(type, 60));
        if (type is not null && (type.StartsWith("text/", StringComparison.OrdinalIgnoreCase) || type.Contains("json", StringComparison.OrdinalIgnoreCase)))
        {
            var text = Summary(await SnippetAsync(response, time, cancellation));
            if (text.Length > 0)
                detail.Append(": ").Append(text);
        }
        return new AnswerProblem(
            status == 200 ? StatusCode.Unknown : StatusFor(status),
            detail.ToString(),
            RpcFailureOrigin.Protocol,
            status switch
            {
                >= 300 and < 400 => "This is a web address: use the address and port of the gRPC server.",
                429 or 502 or 503 or 504 => "A proxy stands before the gRPC server and cannot reach it or is overloaded: try again, or use the server's own address.",
                _ => "A web server or proxy stands at this address: check host and port.",
            });
    }

    /// <summary>The content type, null when there is none.</summary>
    public static string? ContentType(HttpResponseMessage response) => Header(response.Content.Headers.NonValidated, "content-type");

    private static string? Header(HttpHeadersNonValidated headers, string name) =>
        headers.TryGetValues(name, out var values) && values.Count > 0 ? values.ToString() : null;

    /// <summary>The start of the body. A server that keeps the body open costs two seconds and no more.</summary>
    private static async Task<string> SnippetAsync(HttpResponseMessage response, TimeProvider time, CancellationToken cancellation)
    {
        var bytes = new byte[SnippetBytes];
        var length = 0;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2), time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
        try
        {
            var body = await response.Content.ReadAsStreamAsync(both.Token);
            int count;
            while (length < bytes.Length && (count = await body.ReadAsync(bytes.AsMemory(length), both.Token)) > 0)
                length += count;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // What came so far is what can be shown; the answer is refused either way.
        }
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    /// <summary>The title of a page, else its text in short.</summary>
    private static string Summary(string body)
    {
        var open = body.IndexOf("<title", StringComparison.OrdinalIgnoreCase);
        var start = open < 0 ? -1 : body.IndexOf('>', open);
        var end = start < 0 ? -1 : body.IndexOf("</title", start, StringComparison.OrdinalIgnoreCase);
        if (end >= 0)
            return Printable.OneLine(body[(start + 1)..end], 100);
        return body.AsSpan().TrimStart().StartsWith("<", StringComparison.Ordinal) ? "" : Printable.OneLine(body, 100);
    }
}
