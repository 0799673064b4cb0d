using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Rpc;

/// <summary>
/// Which certificates of a server are believed. Revocation is not asked for, and nothing is downloaded while a certificate is checked, as in Go
/// clients (facts/ttnv2.md 1.4).
/// </summary>
public sealed record TlsTrust
{
    private TlsTrust()
    {
    }

    /// <summary>The authorities that this computer trusts.</summary>
    public static TlsTrust System { get; } = new() { SystemRoots = true };

    /// <summary>The name the certificate must be for, also sent as SNI; null for the host of the address.</summary>
    public string? TargetHost { get; init; }

    internal bool SystemRoots { get; private init; }

    /// <summary>False only by explicit choice, for pinned certificates.</summary>
    internal bool VerifyName { get; private init; } = true;

    internal X509Certificate2Collection Anchors { get; private init; } = [];

    /// <summary>Only these certificates: authorities, or the very certificate of the server, self-signed or not.</summary>
    /// <param name="certificates">At least one.</param>
    /// <param name="targetHost">The name the certificate must be for, or null when the certificate alone decides and no name is checked.</param>
    /// <exception cref="ArgumentException">There are no certificates.</exception>
    public static TlsTrust Pinned(X509Certificate2Collection certificates, string? targetHost)
    {
        ArgumentNullException.ThrowIfNull(certificates);
        if (certificates.Count == 0)
            throw new ArgumentException("no certificates to pin", nameof(certificates));
        return new() { Anchors = [.. certificates], TargetHost = targetHost, VerifyName = targetHost is not null };
    }

    /// <summary>The same trust with these authorities added.</summary>
    public TlsTrust WithCertificateAuthorities(X509Certificate2Collection certificates)
    {
        ArgumentNullException.ThrowIfNull(certificates);
        return this with { Anchors = [.. Anchors, .. certificates] };
    }

    /// <summary>Reads the certificates of a PEM text, such as a discovery announcement has. Other PEM sections (keys) are passed over.</summary>
    /// <param name="pem">The text.</param>
    /// <param name="certificates">All its certificates, at least one.</param>
    /// <param name="reason">When there are none or one is broken: which and why.</param>
    public static bool TryReadPem(
        ReadOnlySpan<char> pem, [NotNullWhen(true)] out X509Certificate2Collection? certificates, [NotNullWhen(false)] out string? reason)
    {
        certificates = null;
        var found = new X509Certificate2Collection();
        var begun = pem.Count("-----BEGIN CERTIFICATE-----");
        string? otherLabel = null;
        while (PemEncoding.TryFind(pem, out var fields))
        {
            var label = pem[fields.Label];
            if (label is "CERTIFICATE")
            {
                try
                {
                    found.Add(X509CertificateLoader.LoadCertificate(Convert.FromBase64String(pem[fields.Base64Data].ToString())));
                }
                catch (CryptographicException)
                {
                    reason = $"certificate {found.Count + 1} in it is broken";
                    return false;
                }
            }
            else
            {
                otherLabel ??= label.ToString();
            }
            pem = pem[fields.Location.End..];
        }
        if (found.Count < begun)
        {
            // The section is passed over by the reader; passing it over in silence would leave the user with an authority less.
            reason = string.Create(CultureInfo.InvariantCulture, $"only {found.Count} of its {begun} certificates can be read: the PEM text of the others is damaged");
            return false;
        }
        if (found.Count == 0)
        {
            reason = otherLabel is null ? "it has no certificate in PEM form" : $"it has no certificate, but a section {otherLabel}";
            return false;
        }
        certificates = found;
        reason = null;
        return true;
    }

    /// <summary>Reads the certificates of a file: PEM with any number of them, or one in DER form.</summary>
    /// <param name="path">The file.</param>
    /// <param name="certificates">All its certificates, at least one.</param>
    /// <param name="reason">When it cannot be read or has none: names the file and says why.</param>
    public static bool TryReadFile(
        string path, [NotNullWhen(true)] out X509Certificate2Collection? certificates, [NotNullWhen(false)] out string? reason)
    {
        certificates = null;
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            reason = $"cannot read the certificate file {path}: " + e switch
            {
                _ when Directory.Exists(path) => "it is a folder",
                FileNotFoundException or DirectoryNotFoundException => "there is no such file",
                UnauthorizedAccessException => "no permission",
                _ => e.Message,
            };
            return false;
        }
        if (bytes.Length == 0)
        {
            reason = $"the certificate file {path} is empty";
            return false;
        }
        const byte derSequence = 0x30;
        if (bytes[0] == derSequence)
        {
            try
            {
                certificates = [X509CertificateLoader.LoadCertificate(bytes)];
                reason = null;
                return true;
            }
            catch (CryptographicException)
            {
                reason = $"cannot use the certificate file {path}: it is neither PEM nor a certificate in DER form";
                return false;
            }
        }
        if (TryReadPem(Encoding.UTF8.GetString(bytes), out certificates, out var why))
        {
            reason = null;
            return true;
        }
        reason = $"cannot use the certificate file {path}: {why}";
        return false;
    }
}
