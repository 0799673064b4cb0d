using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Sandbox.TtnV2;

/// <summary>Which certificate the handler shows.</summary>
public enum HandlerCertificate
{
    /// <summary>Self-signed for localhost, valid for a year.</summary>
    Valid,

    /// <summary>For another host name.</summary>
    WrongName,

    /// <summary>Ended yesterday.</summary>
    Expired,
}

/// <summary>Certificates for tests, ECDSA P-256, valid around the real clock because TLS clients look at that one.</summary>
public static class Certificates
{
    private const string Organisation = "O=The Things Network";

    /// <summary>What a V2 component makes for itself (facts/ttnv2.md section 1.4).</summary>
    public static X509Certificate2 SelfSigned(string id, string component, HandlerCertificate kind = HandlerCertificate.Valid)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"{Organisation}, CN={id} {component}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(
            X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment | X509KeyUsageFlags.KeyCertSign, critical: true));
        AddTlsUse(request, kind == HandlerCertificate.WrongName ? ["handler.example"] : ["handler", "localhost"], kind != HandlerCertificate.WrongName);
        var now = TimeProvider.System.GetUtcNow();
        var (from, to) = kind == HandlerCertificate.Expired ? (now.AddYears(-1), now.AddDays(-1)) : (now.AddMinutes(-5), now.AddYears(1));
        using var certificate = request.CreateSelfSigned(from, to);
        return Portable(certificate);
    }

    /// <summary>A certificate authority for the discovery server and the certificate it signed for localhost.</summary>
    public static (X509Certificate2 Authority, X509Certificate2 Server) SignedForLocalhost()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authorityRequest = new CertificateRequest("O=ttn-lw-migrate sandbox, CN=Sandbox CA", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        authorityRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        authorityRequest.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(authorityRequest.PublicKey, false));
        var authority = authorityRequest.CreateSelfSigned(now.AddMinutes(-5), now.AddYears(2));

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("O=ttn-lw-migrate sandbox, CN=discovery", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        AddTlsUse(request, ["localhost"], withAddresses: true);
        using var signed = request.Create(authority, now.AddMinutes(-5), now.AddYears(1), RandomNumberGenerator.GetBytes(8));
        using var server = signed.CopyWithPrivateKey(key);
        return (authority, Portable(server));
    }

    /// <summary>PEM of a certificate's public key, as an announcement carries it.</summary>
    public static string PublicKeyPem(X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPublicKey();
        return key!.ExportSubjectPublicKeyInfoPem() + "\n";
    }

    private static void AddTlsUse(CertificateRequest request, string[] names, bool withAddresses)
    {
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(
            [new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
            alternatives.AddDnsName(name);
        if (withAddresses)
        {
            alternatives.AddIpAddress(IPAddress.Loopback);
            alternatives.AddIpAddress(IPAddress.IPv6Loopback);
        }
        request.CertificateExtensions.Add(alternatives.Build());
    }

    /// <summary>A copy whose private key every platform's TLS can use.</summary>
    private static X509Certificate2 Portable(X509Certificate2 certificate) =>
        X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
}
