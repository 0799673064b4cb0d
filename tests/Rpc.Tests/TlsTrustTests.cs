using System.Security.Cryptography;
using Rpc.Tests.Servers;

namespace Rpc.Tests;

public sealed class TlsTrustTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rpc-tests").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Every_certificate_of_a_PEM_text_is_read()
    {
        using var key = ECDsa.Create();
        var pem = $"# my authorities\n{Certificates.Authority.ExportCertificatePem()}\n{key.ExportECPrivateKeyPem()}\n\n{Certificates.SelfSigned.ExportCertificatePem()}\r\n";
        Assert.True(TlsTrust.TryReadPem(pem, out var certificates, out var reason), reason);
        Assert.Equal([Certificates.Authority.Thumbprint, Certificates.SelfSigned.Thumbprint], certificates.Select(certificate => certificate.Thumbprint));
        Assert.DoesNotContain(certificates, certificate => certificate.HasPrivateKey);
    }

    [Fact]
    public void A_PEM_text_without_usable_certificates_is_refused_with_the_reason()
    {
        using var key = ECDsa.Create();
        var good = Certificates.Authority.ExportCertificatePem();
        Assert.Equal("it has no certificate in PEM form", Refusal(""));
        Assert.Equal("it has no certificate in PEM form", Refusal("hello"));
        Assert.Equal("it has no certificate, but a section EC PRIVATE KEY", Refusal(key.ExportECPrivateKeyPem()));
        Assert.Equal("only 0 of its 1 certificates can be read: the PEM text of the others is damaged", Refusal(good[..(good.Length / 2)]));
        Assert.Equal("certificate 1 in it is broken", Refusal("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"));
        Assert.Equal("certificate 2 in it is broken", Refusal(good + "\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"));
        Assert.Equal("only 1 of its 2 certificates can be read: the PEM text of the others is damaged", Refusal(good + "\n-----BEGIN CERTIFICATE-----\nAA!A\n-----END CERTIFICATE-----"));
    }

    [Fact]
    public void A_certificate_file_may_be_PEM_or_DER()
    {
        var pem = Write("ca.pem", Certificates.Authority.ExportCertificatePem());
        var der = Path.Combine(folder, "ca.der");
        File.WriteAllBytes(der, Certificates.Authority.RawData);
        Assert.True(TlsTrust.TryReadFile(pem, out var fromPem, out var reason), reason);
        Assert.True(TlsTrust.TryReadFile(der, out var fromDer, out reason), reason);
        Assert.Equal(fromPem.Single(), fromDer.Single());
    }

    [Fact]
    public void A_certificate_file_that_cannot_be_used_is_named_with_the_reason()
    {
        var missing = Path.Combine(folder, "missing.pem");
        Assert.Equal($"cannot read the certificate file {missing}: there is no such file", FileRefusal(missing));
        Assert.Equal($"cannot read the certificate file {folder}: it is a folder", FileRefusal(folder));
        var empty = Write("empty.pem", "");
        Assert.Equal($"the certificate file {empty} is empty", FileRefusal(empty));
        var text = Write("text.pem", "not a certificate");
        Assert.Equal($"cannot use the certificate file {text}: it has no certificate in PEM form", FileRefusal(text));
        var digits = Write("digits.pem", "0123");
        Assert.Equal($"cannot use the certificate file {digits}: it is neither PEM nor a certificate in DER form", FileRefusal(digits));
    }

    [Fact]
    public void Pinning_nothing_is_a_mistake() => Assert.Throws<ArgumentException>(() => TlsTrust.Pinned([], "host"));

    private static string Refusal(string pem)
    {
        Assert.False(TlsTrust.TryReadPem(pem, out _, out var reason));
        return reason;
    }

    private static string FileRefusal(string path)
    {
        Assert.False(TlsTrust.TryReadFile(path, out _, out var reason));
        return reason;
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
