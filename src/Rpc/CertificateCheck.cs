using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Rpc;

/// <summary>Decides about the certificate of one handshake, and keeps in words why it was refused.</summary>
internal sealed class CertificateCheck(TlsTrust trust, HostPort target, TimeProvider time)
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string CommonName = "2.5.4.3";

    /// <summary>Name for SNI and for the check.</summary>
    public string Name { get; } = trust.TargetHost ?? target.Host;

    /// <summary>Why the certificate was refused; null until it is.</summary>
    public string? Refusal { get; private set; }

    /// <summary>What the user can do about it.</summary>
    public string? Advice { get; private set; }

    public ConnectTrouble Trouble { get; private set; }

    /// <summary>The policy for the first chain, which the handshake itself builds.</summary>
    public X509ChainPolicy Policy() => NewPolicy(custom: !trust.SystemRoots);

    /// <summary>Called by the handshake with the chain it built by <see cref="Policy"/>.</summary>
    public bool Accept(X509Certificate? presented, X509Chain? chain, SslPolicyErrors errors)
    {
        if (presented is null)
            return Refuse("the server sent no certificate", null);
        var leaf = presented as X509Certificate2 ?? X509CertificateLoader.LoadCertificate(presented.GetRawCertData());
        var problems = Problems(chain);
        if (problems != X509ChainStatusFlags.NoError && trust.Anchors.Count > 0)
            problems = ProblemsByAnchors(leaf, chain);
        // Dates first: an expired certificate also has no trusted chain, and its date is what the user can act on.
        var now = time.GetUtcNow().UtcDateTime;
        if (now > leaf.NotAfter.ToUniversalTime())
            return Refuse($"the certificate of the server expired on {Date(leaf.NotAfter)}", Clock("Have the certificate renewed", now));
        if (now < leaf.NotBefore.ToUniversalTime())
            return Refuse($"the certificate of the server is not valid before {Date(leaf.NotBefore)}", Clock("Wait until then", now));
        if (problems != X509ChainStatusFlags.NoError)
            return RefuseChain(leaf, problems, now);
        if (trust.VerifyName && (errors & SslPolicyErrors.RemoteCertificateNameMismatch) != SslPolicyErrors.None)
        {
            return Refuse(
                $"the certificate of the server is for {Names(leaf)}, not for {Name}",
                "Use an address whose host is one of those names.");
        }
        return true;
    }

    private bool RefuseChain(X509Certificate2 leaf, X509ChainStatusFlags problems, DateTime now)
    {
        if ((problems & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != X509ChainStatusFlags.NoError)
        {
            var selfSigned = leaf.SubjectName.RawData.AsSpan().SequenceEqual(leaf.IssuerName.RawData);
            if (!trust.SystemRoots)
            {
                return Refuse(
                    $"the server has another certificate than the one expected (its SHA-256 is {Fingerprint(leaf)})",
                    "Another server may stand at this address, or its certificate was replaced: give the certificate it has now, after making sure it is the right server.");
            }
            Trouble = ConnectTrouble.UnknownAuthority;
            return Refuse(
                selfSigned
                    ? $"the certificate of the server ({Subject(leaf.SubjectName)}) is self-signed and not trusted"
                    : $"the certificate of the server was issued by {Subject(leaf.IssuerName)}, which is not trusted",
                selfSigned
                    ? "If the server is yours, give its certificate as certificate authority."
                    : "If the server is yours, give the certificate of that authority as certificate authority.");
        }
        if ((problems & X509ChainStatusFlags.NotTimeValid) != X509ChainStatusFlags.NoError)
            return Refuse("a certificate above the server's own has expired or is not yet valid", Clock("Have it renewed", now));
        if ((problems & X509ChainStatusFlags.NotValidForUsage) != X509ChainStatusFlags.NoError)
            return Refuse("the certificate of the server is not for TLS servers", "Give the server a certificate with the usage serverAuth.");
        return Refuse($"the certificate of the server cannot be verified ({problems})", null);
    }

    private bool Refuse(string refusal, string? advice)
    {
        Refusal = refusal;
        Advice = advice;
        return false;
    }

    private static X509ChainStatusFlags Problems(X509Chain? chain)
    {
        if (chain is null)
            return X509ChainStatusFlags.PartialChain;
        var problems = X509ChainStatusFlags.NoError;
        foreach (var status in chain.ChainStatus)
            problems |= status.Status;
        return problems;
    }

    /// <summary>
    /// Builds the chain again by our own certificates. Any of them ends the chain, also one that is not self-signed (a leaf that was issued by
    /// an authority nobody has, or an intermediate), as in Go's pools.
    /// </summary>
    private X509ChainStatusFlags ProblemsByAnchors(X509Certificate2 leaf, X509Chain? first)
    {
        using var chain = new X509Chain { ChainPolicy = NewPolicy(custom: true) };
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        chain.ChainPolicy.ExtraStore.AddRange(trust.Anchors);
        if (first is not null)
            chain.ChainPolicy.ExtraStore.AddRange(first.ChainPolicy.ExtraStore);
        chain.Build(leaf);
        var problems = Problems(chain);
        const X509ChainStatusFlags endOfChain = X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain;
        if ((problems & endOfChain) == X509ChainStatusFlags.NoError)
            return problems;
        var others = X509ChainStatusFlags.NoError;
        foreach (var element in chain.ChainElements)
        {
            foreach (var status in element.ChainElementStatus)
                others |= status.Status;
            if (trust.Anchors.Any(anchor => anchor.RawDataMemory.Span.SequenceEqual(element.Certificate.RawDataMemory.Span)))
                return others & ~endOfChain;
        }
        return problems;
    }

    private X509ChainPolicy NewPolicy(bool custom)
    {
        var policy = new X509ChainPolicy
        {
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationTimeIgnored = false,
            VerificationTime = time.GetUtcNow().UtcDateTime,
        };
        if (custom)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.AddRange(trust.Anchors);
        }
        return policy;
    }

    private static string Names(X509Certificate2 leaf)
    {
        var names = new List<string>();
        foreach (var extension in leaf.Extensions.OfType<X509SubjectAlternativeNameExtension>())
        {
            names.AddRange(extension.EnumerateDnsNames());
            names.AddRange(extension.EnumerateIPAddresses().Select(address => address.ToString()));
        }
        const int shown = 8;
        return names.Count switch
        {
            0 => Subject(leaf.SubjectName),
            > shown => string.Join(", ", names.Take(shown)) + string.Create(CultureInfo.InvariantCulture, $" and {names.Count - shown} more"),
            _ => string.Join(", ", names),
        };
    }

    private static string Subject(X500DistinguishedName name)
    {
        foreach (var part in name.EnumerateRelativeDistinguishedNames())
        {
            if (!part.HasMultipleElements && part.GetSingleElementType().Value == CommonName && part.GetSingleElementValue() is { Length: > 0 } value)
                return Printable.OneLine(value, 100);
        }
        return name.RawData.Length <= 2 ? "nobody" : Printable.OneLine(name.Name, 100);
    }

    private static string Fingerprint(X509Certificate2 leaf) => Convert.ToHexStringLower(SHA256.HashData(leaf.RawDataMemory.Span));

    private static string Date(DateTime date) => date.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    private static string Clock(string action, DateTime now) => $"{action}, or set the clock of this computer right: it says {Date(now)}.";
}
