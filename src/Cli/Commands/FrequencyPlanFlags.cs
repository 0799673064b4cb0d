using System.Net;
using System.Net.Security;
using Cli.CommandLine;
using TheThingsStack.Errors;
using TheThingsStack.FrequencyPlans;

namespace Cli.Commands;

/// <summary>Where the frequency plans of a run come from: those of this program unless an address or a folder is given.</summary>
internal static class FrequencyPlanFlags
{
    /// <summary>Opens the plans that the flags name. Without flags there is no network access: the plans are part of this program.</summary>
    /// <exception cref="FailureException">Address and folder are given, or the address cannot be used.</exception>
    public static IFrequencyPlanStore Open(FlagValues flags, CliEnvironment environment)
    {
        var folder = flags.TextOrNull(GlobalFlags.FrequencyPlansFolder);
        var isAddressGiven = flags.Origin(GlobalFlags.FrequencyPlansUrl) != FlagOrigin.Default;
        if (folder is not null && isAddressGiven)
        {
            throw new FailureException(new Failure($"both {flags.OriginName(GlobalFlags.FrequencyPlansFolder)} and {flags.OriginName(GlobalFlags.FrequencyPlansUrl)} are given")
            {
                Advice = "Give one of them.",
            });
        }
        if (folder is not null)
            return RepositoryFrequencyPlanStore.FromFolder(folder, environment.Clock);
        return isAddressGiven
            ? RepositoryFrequencyPlanStore.FromAddress(flags.Text(GlobalFlags.FrequencyPlansUrl), environment.HttpHandler ?? CreateHandler, environment.Clock)
            : EmbeddedFrequencyPlanStore.Instance;
    }

    /// <summary>Certificates are checked as the system does; proxies come from the environment.</summary>
    private static SocketsHttpHandler CreateHandler() => new()
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.All,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        SslOptions = new SslClientAuthenticationOptions(),
    };
}
