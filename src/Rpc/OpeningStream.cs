using System.Buffers.Binary;

namespace Rpc;

/// <summary>
/// Looks at the first bytes that a server sends on a new connection, and says in plain words when they are not those of the protocol that was
/// expected (TLS, or HTTP/2 in plaintext). After that it only passes bytes on.
/// </summary>
internal sealed class OpeningStream(Stream inner, bool expectTls, Func<CancellationTokenSource> greetingTime, Func<string> greetingTimeText) : Stream
{
    private const int Http2FrameHeader = 9;
    private const int GoAwayErrorCode = Http2FrameHeader + 4;
    private const int TlsAlertLength = 7;
    private const byte SettingsFrame = 4;
    private const byte GoAwayFrame = 7;
    private const byte TlsAlert = 0x15;
    private const byte TlsHandshake = 0x16;

    private readonly byte[] first = new byte[GoAwayErrorCode + 4];
    private int filled;
    private int given;

    /// <summary>Whether the server's first bytes came and are right.</summary>
    public bool Opened { get; private set; }

    /// <summary>What is wrong with the first bytes; null as long as nothing is.</summary>
    public ConnectFailure? Failure { get; private set; }

    /// <summary>The TLS alert the server began with, null when it began otherwise.</summary>
    public byte? Alert { get; private set; }

    /// <summary>Called once, when the opening is decided.</summary>
    public Action<ConnectFailure?>? Decided { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Opened && given == filled ? inner.ReadAsync(buffer, cancellationToken) : ReadOpeningAsync(buffer, cancellationToken);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        inner.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        inner.WriteAsync(buffer, offset, count, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => inner.Flush();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadOpeningAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        if (Failure is not null)
            throw Failure;
        if (buffer.IsEmpty)
            return 0;
        if (!Opened)
            await OpenAsync(cancellation);
        var count = Math.Min(buffer.Length, filled - given);
        first.AsSpan(given, count).CopyTo(buffer.Span);
        given += count;
        return count;
    }

    private async Task OpenAsync(CancellationToken cancellation)
    {
        using var time = greetingTime();
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, time.Token);
        ConnectFailure? failure = null;
        try
        {
            while (filled < Needed)
            {
                var count = await inner.ReadAsync(first.AsMemory(filled), both.Token);
                if (count == 0)
                    break;
                filled += count;
            }
            failure = expectTls ? TlsProblem() : Http2Problem();
        }
        catch (OperationCanceledException) when (time.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            failure = (filled > 0 ? Other("speaks neither HTTP/2 nor TLS") : null) ?? new ConnectFailure(
                RpcFailureOrigin.Connect,
                $"cannot connect: the server accepts the connection but says nothing within {greetingTimeText()}",
                "Check that the port is that of a gRPC server and that the server is well.");
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            if (cancellation.IsCancellationRequested)
                throw;
            // A reset within the first bytes is judged by the bytes that came, as an orderly end is.
            failure = filled == 0 ? Closed(e) : expectTls ? TlsProblem() : Http2Problem();
        }
        Failure = failure;
        Opened = failure is null;
        Decided?.Invoke(failure);
        if (failure is not null)
            throw failure;
    }

    private int Needed => (expectTls, filled) switch
    {
        (_, 0) => 1,
        (true, _) => first[0] == TlsAlert ? TlsAlertLength : first[0] == TlsHandshake ? 1 : Http2FrameHeader,
        (false, > 3) when first[3] == GoAwayFrame => first.Length,
        _ => Http2FrameHeader,
    };

    private ConnectFailure? TlsProblem()
    {
        if (filled == 0)
            return Closed(null);
        if (first[0] == TlsHandshake)
            return null;
        if (first[0] == TlsAlert)
        {
            // The alert says more than this class can: the handshake goes on and fails with it.
            Alert = filled == TlsAlertLength ? first[6] : null;
            return null;
        }
        var what = IsHttp1 ? "plain HTTP/1.1" : first[0] == 0 && filled >= Http2FrameHeader ? "plain HTTP/2" : "something else";
        return new ConnectFailure(
            RpcFailureOrigin.Handshake,
            $"TLS failed: the server does not speak TLS but {what} on this port",
            "Use the port for TLS; or, if the network in between is safe, choose the connection without TLS.")
        {
            Trouble = what == "plain HTTP/2" ? ConnectTrouble.PlaintextPort : ConnectTrouble.NotGrpcPort,
        };
    }

    private ConnectFailure? Http2Problem()
    {
        if (filled == 0)
            return Closed(null);
        if (first[0] == TlsAlert || first[0] == TlsHandshake)
        {
            return new ConnectFailure(
                RpcFailureOrigin.Handshake,
                "the server speaks TLS on this port, and a connection without TLS was asked for",
                "Leave out the choice of a connection without TLS, or use the port without TLS.")
            {
                Trouble = ConnectTrouble.TlsPort,
            };
        }
        if (filled < Http2FrameHeader || first[0] != 0)
            return Other(IsHttp1 ? "speaks HTTP/1.1, not HTTP/2" : "speaks neither HTTP/2 nor TLS");
        if (first[3] == SettingsFrame)
            return null;
        const uint http11Required = 13;
        if (first[3] == GoAwayFrame && filled == first.Length
            && BinaryPrimitives.ReadUInt32BigEndian(first.AsSpan(GoAwayErrorCode)) == http11Required)
        {
            return Other("speaks HTTP/1.1, not HTTP/2");
        }
        return first[3] == GoAwayFrame ? Other("refuses HTTP/2") : Other("speaks neither HTTP/2 nor TLS");
    }

    private bool IsHttp1 => first.AsSpan(0, filled).StartsWith("HTTP/1"u8);

    private static ConnectFailure Other(string what) => new(
        RpcFailureOrigin.Handshake,
        $"the server {what} on this port",
        "This is not the gRPC port of the server, or a proxy stands before it: check the port.")
    {
        Trouble = ConnectTrouble.NotGrpcPort,
    };

    private ConnectFailure Closed(Exception? cause) => new(
        RpcFailureOrigin.Connect,
        expectTls ? "TLS failed: the server closed the connection" : "cannot connect: the server closed the connection before it said anything, as servers that want TLS do",
        expectTls
            ? "Check that the port is the one for TLS and that the server is well."
            : "If this is the port for TLS, leave out the choice of a connection without TLS; else check the port and the server.",
        cause)
    {
        Trouble = expectTls ? ConnectTrouble.Other : ConnectTrouble.TlsPort,
    };
}
