using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Rpc.Tests.Servers;

/// <summary>Certificates made for tests, P-256 as the real servers have them (facts/ttnv2.md 1.4).</summary>
internal static class Certificates
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    public static readonly DateTimeOffset Begin = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly DateTimeOffset End = new(2035, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static readonly X509Certificate2 Authority = MakeAuthority("Test Authority");
    public static readonly X509Certificate2 OtherAuthority = MakeAuthority("Other Authority");

    /// <summary>Issued by <see cref="Authority"/> for localhost and 127.0.0.1.</summary>
    public static readonly X509Certificate2 Leaf = Issue(Authority, "server", ["localhost"], loopback: true);

    /// <summary>Issued by <see cref="Authority"/> for two other names.</summary>
    public static readonly X509Certificate2 WrongName = Issue(Authority, "server", ["eu.example.org", "us.example.org"], loopback: false);

    /// <summary>As V2 handlers have it: self-signed, CA, for names and loopback addresses.</summary>
    public static readonly X509Certificate2 SelfSigned = MakeSelfSigned("handler", "ttn-handler-eu", authority: true);

    /// <summary>Self-signed, not CA.</summary>
    public static readonly X509Certificate2 SelfSignedLeaf = MakeSelfSigned("handler", "ttn-handler-eu", authority: false);

    /// <summary>Issued by <see cref="Authority"/>, for clients only.</summary>
    public static readonly X509Certificate2 ForClients = Issue(Authority, "client", ["localhost"], loopback: true, ClientAuthentication);

    public static X509Certificate2 Issue(X509Certificate2 issuer, string name, string[] names, bool loopback, string usage = ServerAuthentication)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Request(key, $"CN={name}", names, loopback, authority: false, usage);
        using var certificate = request.Create(issuer, Begin.AddDays(1), End.AddDays(-1), [1, 2, 3, (byte)names.Length]);
        return Usable(certificate.CopyWithPrivateKey(key));
    }

    public static X509Certificate2 MakeSelfSigned(string host, string name, bool authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return Usable(Request(key, $"O=The Things Network, CN={name}", [host, "localhost"], loopback: true, authority, ServerAuthentication).CreateSelfSigned(Begin, End));
    }

    /// <summary>The public part, as it is given to clients.</summary>
    public static X509Certificate2Collection Public(params X509Certificate2[] certificates) =>
        [.. certificates.Select(certificate => X509CertificateLoader.LoadCertificate(certificate.RawData))];

    private static X509Certificate2 MakeAuthority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"O=Test, CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return Usable(request.CreateSelfSigned(Begin, End));
    }

    private static CertificateRequest Request(ECDsa key, string subject, string[] names, bool loopback, bool authority, string usage)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(authority, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(
            X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment | (authority ? X509KeyUsageFlags.KeyCertSign : X509KeyUsageFlags.None), true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
            alternatives.AddDnsName(name);
        if (loopback)
            alternatives.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(alternatives.Build());
        return request;
    }

    /// <summary>A certificate whose key servers can use on every system.</summary>
    private static X509Certificate2 Usable(X509Certificate2 certificate)
    {
        using (certificate)
            return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null, X509KeyStorageFlags.Exportable);
    }
}
